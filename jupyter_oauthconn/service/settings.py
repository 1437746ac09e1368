"""The settings of a running service: some may be changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jupyter_oauthconn.errors import InvalidParameterError, NotAllowedError
from jupyter_oauthconn.model import Actor, SettingInForce, Settings, check_text
from jupyter_oauthconn.model.settings import CHANGEABLE

from .history import record

if TYPE_CHECKING:
    from jupyter_oauthconn.storage import Store


class RunningSettings:
    """What configuration or environment say, else what was changed here, else the default.

    Read from the store each time, so that every process of a service follows at once.
    """

    def __init__(self, store: Store, configured: Settings) -> None:
        self._store = store
        self._configured = configured

    def now(self) -> Settings:
        """Raises `StorageError`."""
        return self._configured.changed(self._store.settings.read())

    def listing(self) -> list[SettingInForce]:
        """Each with its value and where that comes from."""
        return self.now().in_force()

    def change(self, changes: Mapping[str, str | None], actor: Actor) -> list[SettingInForce]:
        """Changes settings, given as texts; None or an empty text takes a change back.

        Raises:
            NotAllowedError: not by an administrator, or the configuration says it.
            InvalidParameterError: it cannot be changed at run time, or not to that.
        """
        if not actor.administrator:
            raise NotAllowedError(
                "Only an administrator may change settings.",
                hint="Ask an administrator.",
            )
        in_force = {one.name: one for one in self.listing()}
        for name, value in changes.items():
            _check_changeable(name, in_force)
            check_text(name, value)
        stored = {name: (value or "").strip() or None for name, value in changes.items()}
        self._configured.changed({name: value for name, value in stored.items() if value})
        self._store.settings.write(stored)
        for name in changes:
            record(self._store, f"setting_changed:{name}", actor.owner.id, actor=actor.name)
        return self.listing()


def _check_changeable(name: str, in_force: Mapping[str, SettingInForce]) -> None:
    if name not in CHANGEABLE:
        raise InvalidParameterError(
            f"{name!r} is no setting that can be changed while the service runs.",
            hint=f"There are {', '.join(CHANGEABLE)}.",
            parameter=name,
        )
    if not in_force[name].changeable:
        raise NotAllowedError(
            f"{name} comes from {in_force[name].origin}, which wins.",
            hint="Change it there, then start the service again.",
        )
