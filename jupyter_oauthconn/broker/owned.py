"""The verbs for one owner, over a token service in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import AccessDeniedError, InteractionRequiredError
from jupyter_oauthconn.model import (
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    Authorization,
    AuthorizationState,
    Check,
    ClientDraft,
    ClientRegistration,
    Connection,
    ConnectionDraft,
    Endurance,
    Event,
    Flow,
    Owner,
    Revocation,
    Secret,
)
from jupyter_oauthconn.service.token_service import TokenService

_POLL_SECONDS = 0.1


class SignInFlows(Protocol):
    """How a person gets to the provider and back from where this runs."""

    def start(self, connection: Connection, flow: Flow | None) -> Authorization:
        """The pending sign-in of the connection, or a new one; `flow` None: what fits here.

        Raises `ConfigurationError` when the client cannot sign in here that way.
        """
        ...

    def finish_by_paste(self, id: UUID, address: Secret) -> Authorization:
        """See `Broker.finish_by_paste`."""
        ...

    def close(self) -> None:
        """Ends what waits in this process."""
        ...


class OwnedBroker:
    """`Broker` and `Registry` of one owner. Thread-safe; `close` ends its sign-ins only."""

    def __init__(
        self,
        service: TokenService,
        owner: Owner,
        flows: SignInFlows,
        *,
        administrator: bool = True,
    ) -> None:
        self._service = service
        self._owner = owner.id
        self._user = owner.name
        self._flows = flows
        self._administrator = administrator

    def close(self) -> None:
        self._flows.close()

    # --- Broker

    def connections(self) -> Sequence[Connection]:
        return self._service.connections.all(self._owner)

    def connection(self, name: str) -> Connection:
        return self._service.connections.seen(self._owner, name)

    def access_token(
        self,
        name: str,
        *,
        min_validity: timedelta = DEFAULT_MIN_VALIDITY,
        exact: bool = False,
        rejected_generation: int | None = None,
        interactive: bool = False,
    ) -> AccessToken:
        connection = self._service.connections.get(self._owner, name)
        try:
            return self._service.tokens.access_token(
                self._owner,
                connection,
                min_validity=min_validity,
                exact=exact,
                rejected_generation=rejected_generation,
            )
        except InteractionRequiredError as error:
            if interactive:
                error.authorization = self._flows.start(connection, None)
            raise

    def authorize(self, name: str, *, flow: Flow | None = None) -> Authorization:
        connection = self._service.connections.get(self._owner, name)
        return self._flows.start(connection, flow)

    def authorization(self, id: UUID, *, wait: timedelta = timedelta(0)) -> Authorization:
        deadline = time.monotonic() + wait.total_seconds()
        while True:
            authorization = self._service.sign_ins.read(self._owner, id)
            over = authorization.state is not AuthorizationState.PENDING or authorization.confirm
            left = deadline - time.monotonic()
            if over or left <= 0:
                return authorization
            # a sleep, not a lock: Ctrl-C ends it at once on every platform
            time.sleep(min(_POLL_SECONDS, left))

    def finish_by_paste(self, id: UUID, address: Secret) -> Authorization:
        return self._flows.finish_by_paste(id, address)

    def confirm(self, id: UUID) -> Authorization:
        return self._service.sign_ins.confirm(self._owner, id)

    def cancel(self, id: UUID) -> None:
        sign_ins = self._service.sign_ins
        if sign_ins.read(self._owner, id).confirm:
            sign_ins.keep_account(self._owner, id)
        sign_ins.cancel(self._owner, id, AccessDeniedError("The sign-in was given up."))

    def test(self, name: str) -> Sequence[Check]:
        connection = self._service.connections.get(self._owner, name)
        return self._service.checks.of_connection(self._owner, connection)

    def ensure(self, name: str, lasts: timedelta) -> Endurance:
        connection = self._service.connections.get(self._owner, name)
        return self._service.tokens.ensure(self._owner, connection, lasts)

    def revoke(self, name: str) -> Revocation:
        connection = self._service.connections.get(self._owner, name)
        return self._service.connections.revoke(self._owner, connection, actor=self._user)

    def doctor(self, name: str | None = None) -> Sequence[Check]:
        return self._service.checks.doctor(self._owner, name)

    # --- Registry

    def providers(self) -> Sequence[ProviderEntry]:
        return self._service.catalog.entries()

    def provider(self, key: str) -> ProviderEntry:
        return self._service.catalog.entry(key)

    def clients(self) -> Sequence[ClientRegistration]:
        return self._service.clients.all()

    def client(self, name: str) -> ClientRegistration:
        return self._service.clients.get(name)

    def add_client(self, draft: ClientDraft) -> ClientRegistration:
        return self._service.clients.add(draft, actor=self._user)

    def edit_client(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> ClientRegistration:
        return self._service.clients.edit(name, changes, version=version, actor=self._user)

    def add_client_secret(self, name: str, secret: Secret) -> ClientRegistration:
        return self._service.clients.add_secret(name, secret, actor=self._user)

    def remove_client(self, name: str, *, force: bool = False) -> None:
        if force:
            for one in self.connections():
                if one.client == name:
                    self.remove_connection(one.name)
        self._service.clients.remove(name, actor=self._user)

    def test_client(self, name: str) -> Sequence[Check]:
        return self._service.checks.of_client(self._service.clients.get(name))

    def add_connection(self, draft: ConnectionDraft) -> Connection:
        return self._service.connections.add(self._owner, draft, actor=self._user)

    def edit_connection(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Connection:
        return self._service.connections.edit(
            self._owner, name, changes, version=version, actor=self._user
        )

    def remove_connection(self, name: str) -> None:
        self._service.connections.remove(self._owner, name, actor=self._user)

    def events(self, *, limit: int = 50) -> Sequence[Event]:
        return self._service.store.journal.events(
            None if self._administrator else str(self._owner), limit
        )
