"""What a test or the doctor is asked for, put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jupyter_oauthconn.catalog import Catalog
from jupyter_oauthconn.errors import NotAllowedError
from jupyter_oauthconn.model import (
    Actor,
    Check,
    ClientRegistration,
    Connection,
    Outcome,
    Owner,
    State,
    Status,
)
from jupyter_oauthconn.protocol import Transport
from jupyter_oauthconn.storage import Store

from ..profile import Profiles
from ..registry import Access, Clients, Connections
from ..settings import RunningSettings
from ..tokens import Tokens
from .extensions import extension_checks
from .findings import failed, tried, unknown
from .of_client import ClientChecks
from .of_settings import public_address_check, settings_check, tls_check
from .of_store import answers_check, store_checks
from .redirect_uris import redirect_uris


class Checks:
    """Looks, asks the provider, and says in words what is wrong and how to mend it.

    Attributes:
        address: origin and mount under which browsers reach this service, with the slash at the
            end, e.g. `http://localhost:8888/base/oauthconn/`; set by a server that hosts it once
            its port is known. None: no server.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        *,
        profiles: Profiles,
        transport: Transport,
        tokens: Tokens,
        registry: Clients,
        connections: Connections,
        access: Access,
        settings: RunningSettings,
    ) -> None:
        self.address: str | None = None
        self._store = store
        self._catalog = catalog
        self._profiles = profiles
        self._transport = transport
        self._clients = ClientChecks(store, profiles, transport)
        self._tokens = tokens
        self._registry = registry
        self._connections = connections
        self._access = access
        self._settings = settings

    def of_client(self, client: ClientRegistration, actor: Actor) -> Sequence[Check]:
        """What the provider says about an OAuth client; nothing is changed there.

        A client that works again resumes the grants that the provider had refused it, everybody's.

        Raises:
            NotAllowedError: it is not the actor's to test.
        """
        self._access.check_test(actor, client)
        return self._tested(client, actor)

    def _tested(self, client: ClientRegistration, actor: Actor) -> Sequence[Check]:
        checks = list(self._clients.findings(client))
        well = all(one.outcome is not Outcome.FAILED for one in checks)
        if well and self._access.may_test(actor, client):
            self._store.grants.resume_client(client.name)
        return checks

    def of_connection(self, actor: Actor, connection: Connection) -> Sequence[Check]:
        """Whether its OAuth client works and a token can really be had now."""
        client = self._profiles.client_of(connection)
        try:
            self._access.check_use(actor.owner, connection)
        except NotAllowedError as error:
            return [failed("access", error.message, error.hint)]
        checks = list(self._tested(client, actor))
        checks.append(tried("token", lambda: self._renew(actor.owner, connection)))
        return checks

    def doctor(
        self, actor: Actor, *, client: str | None = None, connection: str | None = None
    ) -> Sequence[Check]:
        """Everything here, and the clients that the actor may see; a name narrows it.

        Raises:
            UnknownConnectionError, UnknownClientError
            NotAllowedError: the named client is not the actor's to test.
        """
        if connection is not None:
            found = self._connections.get(actor.owner, connection)
            registration = self._profiles.client_of(found)
            return [
                self._way_back(registration),
                *self.of_connection(actor, found),
                *self._traps(registration),
            ]
        if client is not None:
            registration = self._registry.get(client, actor)
            self._access.check_test(actor, registration)
            return list(self._one_client(registration, actor))
        return list(self._everything(actor))

    def _everything(self, actor: Actor) -> Iterator[Check]:
        if self.address is not None:
            yield from extension_checks(answers=True)
        # folders, settings and addresses of this machine are for who administrates it
        of_store = (
            store_checks(self._store) if actor.administrator else [answers_check(self._store)]
        )
        yield from of_store
        if any(one.check == "database" and one.outcome is Outcome.FAILED for one in of_store):
            return  # nothing further can be looked at
        if actor.administrator:
            yield from self._place()
        clients = self._registry.all(actor)
        if not clients:
            yield unknown("OAuth clients", "None is registered yet, so there is no redirect URI, "
                          "provider or clock to look at.",
                          "`%oauthclient register NAME --provider KEY --client-id ID`; `jupyter "
                          "oauthconn providers` lists the keys.")  # fmt: skip
        for one in clients:
            yield from _named(one.name, self._whole_client(one, actor))
        for connection in self._connections.all(actor.owner):
            if connection.status is not None:
                yield _standing(connection.name, connection.status)

    def _place(self) -> Iterator[Check]:
        settings = self._settings.now()
        yield settings_check(settings)
        yield tls_check(settings, self._transport)
        if settings.public_url is not None and self.address is not None:
            yield public_address_check(self.address, self._transport)

    def _one_client(self, client: ClientRegistration, actor: Actor) -> Iterator[Check]:
        yield self._way_back(client)
        if self._access.may_test(actor, client):
            yield from self._tested(client, actor)
        yield from self._traps(client)

    def _whole_client(self, client: ClientRegistration, actor: Actor) -> Sequence[Check]:
        if not client.enabled:
            # somebody wanted it so: nothing is wrong
            step = f"`%oauthclient enable {client.name}` switches it on."
            if not self._access.may_test(actor, client):
                step = f"Ask {self._access.whom_to_ask()} whether it comes back."
            return [unknown("enabled", "It is switched off.", step)]
        return list(self._one_client(client, actor))

    def _way_back(self, client: ClientRegistration) -> Check:
        return redirect_uris(client, self.address)

    def _renew(self, owner: Owner, connection: Connection) -> str:
        self._connections.usable(owner, connection.name)
        grant = self._store.grants.read(owner.id, connection.id)
        if grant is not None and not grant.has_refresh_token:
            token = self._tokens.access_token(owner.id, connection)
            detail = "A token is there; the provider gave no refresh token"
        else:
            token = self._tokens.renew_now(owner.id, connection)
            detail = "The provider has just renewed the token"
        return f"{detail}; granted scope: {token.scope or 'not told'}."

    def _traps(self, client: ClientRegistration) -> Iterator[Check]:
        for trap in self._catalog.entry(client.provider).traps:
            yield unknown("known trap", trap)


def _named(name: str, checks: Sequence[Check]) -> list[Check]:
    return [
        Check(check=f"{name}: {one.check}", outcome=one.outcome, detail=one.detail,
              next_step=one.next_step)
        for one in checks
    ]  # fmt: skip


def _standing(name: str, status: Status) -> Check:
    outcome = _OUTCOMES.get(status.state, Outcome.FAILED)
    step = "" if outcome is Outcome.OK else status.next_step
    return Check(check=name, outcome=outcome, detail=f"{status.state.words}.", next_step=step)


#: What is neither working nor broken: somebody has not signed in yet, or wants it so.
_OUTCOMES = {
    State.CONNECTED: Outcome.OK,
    State.EXPIRING: Outcome.OK,
    State.NOT_CONNECTED: Outcome.UNKNOWN,
    State.PENDING: Outcome.UNKNOWN,
    State.CLIENT_DISABLED: Outcome.UNKNOWN,
}
