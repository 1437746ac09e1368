"""The verbs, answered in this process: for scripts, terminals, notebooks without a server."""

from __future__ import annotations

import atexit
import getpass
import os
import weakref
from pathlib import Path

from jupyter_oauthconn.model import Owner, Settings
from jupyter_oauthconn.service.token_service import TokenService

from .flows import Flows
from .owned import OwnedBroker


def system_owner(service: TokenService) -> Owner:
    """The user of the operating system, who owns everything of a local or server mode."""
    name = _user_name()
    id = service.owner("os", str(os.getuid()), name)
    return Owner(id=id, name=name, administrator=True)


class LocalBroker(OwnedBroker):
    """The verbs over a token service of its own; the owner is the user of the operating system.

    Raises:
        StorageError, MissingKeyError: the service cannot be opened.
    """

    def __init__(self, settings: Settings, home: Path) -> None:
        service = TokenService.open(settings, home)
        owner = system_owner(service)
        super().__init__(service, owner, Flows(service, owner))
        self._process = os.getpid()
        atexit.register(self.close)
        _open_brokers.add(self)

    def close(self) -> None:
        """Ends the sign-ins that wait here and saves whatever is under way."""
        atexit.unregister(self.close)
        if os.getpid() != self._process:
            return
        super().close()
        self._service.close()

    def after_fork(self) -> None:
        """In a forked child: neither threads nor database connections came along."""
        self._process = os.getpid()
        self._service.store.after_fork()
        self._service = TokenService(
            self._service.configured, self._service.store, self._service.catalog
        )
        self._flows = Flows(self._service, self._person)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # a container may run as a user that nobody has named


_open_brokers: weakref.WeakSet[LocalBroker] = weakref.WeakSet()


def _renew_in_child() -> None:
    for broker in list(_open_brokers):
        broker.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
