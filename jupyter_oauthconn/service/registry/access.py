"""Who may use an OAuth client, and who may register or change one: decided in this one place."""

from __future__ import annotations

from jupyter_oauthconn.errors import NotAllowedError
from jupyter_oauthconn.model import (
    IN_DATABASE,
    Actor,
    ClientRegistration,
    Connection,
    Owner,
)
from jupyter_oauthconn.storage import Store

from ..profile import client_is_disabled, client_is_gone
from ..settings import RunningSettings


class Access:
    """Access lists and the two switches `client_management_enabled` and `allow_user_clients`."""

    def __init__(self, store: Store, settings: RunningSettings) -> None:
        self._store = store
        self._settings = settings

    def check_use(self, owner: Owner, connection: Connection) -> None:
        """Whether the owner may use the connection's OAuth client now. One short question, because
        it is asked for every token.

        Raises:
            InvalidConnectionError: the client is gone.
            NotAllowedError: switched off (client_disabled), or she is not on its access list.
        """
        client = self._store.registry.client_access(connection.client)
        if client is None:
            raise client_is_gone(connection)
        if not client.enabled:
            raise client_is_disabled(connection.client)
        if not _may_use(owner, client.owner_id, client.allowed_users, client.allowed_groups):
            raise self.not_on_the_list(owner, connection.client)

    def may_use(self, owner: Owner, client: ClientRegistration) -> bool:
        """Whether its access list, or being its owner or an administrator, lets her use it."""
        return _may_use(owner, client.owner_id, client.allowed_users, client.allowed_groups)

    def may_see(self, actor: Actor, client: ClientRegistration) -> bool:
        """Administrators see every client, others those that they may use."""
        return actor.administrator or self.may_use(actor.owner, client)

    def not_on_the_list(self, owner: Owner, client: str) -> NotAllowedError:
        return NotAllowedError(
            f"{owner.name} may not use the OAuth client {client!r}.",
            hint=f"Ask {self.whom_to_ask()} to put you on its access list; what exists is kept.",
        )

    def whom_to_ask(self) -> str:
        """`data-team@example.com`, or `an administrator` where no setting says more."""
        return self._settings.now().administrator_contact or "an administrator"

    def check_register(self, actor: Actor) -> None:
        """Raises `NotAllowedError` (client_management_disabled where that switch is off)."""
        settings = self._settings.now()
        if not settings.client_management_enabled:
            raise NotAllowedError(
                "Registering and changing OAuth clients is switched off here.",
                hint="An administrator switches it on with client_management_enabled; existing "
                "connections go on.",
                code="client_management_disabled",
            )
        if not actor.administrator and not settings.allow_user_clients:
            raise NotAllowedError(
                "Only an administrator may register OAuth clients here.",
                hint=f"Ask {self.whom_to_ask()}: `%oauthclient request PROVIDER` writes what to "
                "send.",
            )

    def check_share(self, actor: Actor) -> None:
        """Raises `NotAllowedError`."""
        if not actor.administrator:
            raise NotAllowedError(
                "Only an administrator may share a connection.",
                hint=f"Ask {self.whom_to_ask()}; what is shared is the definition, and everybody "
                "signs in for himself.",
            )

    def may_test(self, actor: Actor, client: ClientRegistration) -> bool:
        """A test asks the provider, with the client's secret."""
        return actor.administrator or client.owner_id == actor.owner.id

    def check_test(self, actor: Actor, client: ClientRegistration) -> None:
        """Raises `NotAllowedError`."""
        if not self.may_test(actor, client):
            raise NotAllowedError(
                "Only an administrator may test the administrators' OAuth clients.",
                hint=f"Ask {self.whom_to_ask()}; `%connect test` tests a connection of yours.",
            )

    def check_change(self, actor: Actor, client: ClientRegistration) -> None:
        """Raises `NotAllowedError`: as `check_register`, or somebody else's, or a file's."""
        if client.managed_by != IN_DATABASE:
            raise managed_by_file(f"OAuth client {client.name!r}", client.managed_by)
        self.check_register(actor)
        if not actor.administrator and client.owner_id != actor.owner.id:
            raise NotAllowedError(
                f"The OAuth client {client.name!r} is the administrators'.",
                hint=f"Ask {self.whom_to_ask()} to change it.",
            )


def _may_use(
    owner: Owner, of_user: object, users: tuple[str, ...], groups: tuple[str, ...]
) -> bool:
    if of_user is not None:
        # a user's own client stays in her own trust domain, administrators included
        return owner.id == of_user
    return owner.administrator or owner.is_among(users, groups)


def managed_by_file(what: str, file: str) -> NotAllowedError:
    return NotAllowedError(
        f"The {what} is managed by {file}.",
        hint="Change it in that file, then start the service again.",
    )
