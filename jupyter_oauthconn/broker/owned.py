"""The verbs for one owner, over a token service in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import AccessDeniedError, InteractionRequiredError
from jupyter_oauthconn.model import (
    ALL_EVENTS,
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    Actor,
    Authorization,
    AuthorizationState,
    Check,
    ClientDraft,
    ClientRegistration,
    ClientUse,
    Connection,
    ConnectionDraft,
    Endurance,
    Event,
    EventFilter,
    Flow,
    OwnedGrant,
    Owner,
    Revocation,
    Secret,
    SettingInForce,
)
from jupyter_oauthconn.service.registry.requests import request_text
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
    """`Broker` and `Registry` of one owner. Thread-safe; `close` ends its sign-ins only.

    Args:
        administrator: may change what is the administrators', and see what is others'.
    """

    def __init__(
        self,
        service: TokenService,
        owner: Owner,
        flows: SignInFlows,
        *,
        administrator: bool = True,
    ) -> None:
        self._service = service
        self._person = owner
        self._owner = owner.id
        self._actor = Actor(owner=owner, administrator=administrator)
        self._flows = flows

    def close(self) -> None:
        self._flows.close()

    # --- Broker

    def connections(self) -> Sequence[Connection]:
        return self._service.connections.all(self._person)

    def connection(self, name: str) -> Connection:
        return self._service.connections.seen(self._person, name)

    def access_token(
        self,
        name: str,
        *,
        min_validity: timedelta = DEFAULT_MIN_VALIDITY,
        exact: bool = False,
        rejected_generation: int | None = None,
        resource: str | None = None,
        interactive: bool = False,
    ) -> AccessToken:
        connection = self._service.connections.usable(self._person, name)
        try:
            return self._service.tokens.access_token(
                self._owner,
                connection,
                min_validity=min_validity,
                exact=exact,
                rejected_generation=rejected_generation,
                resource=resource,
            )
        except InteractionRequiredError as error:
            if interactive:
                error.authorization = self._flows.start(connection, None)
            raise

    def authorize(self, name: str, *, flow: Flow | None = None) -> Authorization:
        connection = self._service.connections.usable(self._person, name)
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
        connection = self._service.connections.get(self._person, name)
        return self._service.checks.of_connection(self._actor, connection)

    def ensure(self, name: str, lasts: timedelta) -> Endurance:
        connection = self._service.connections.usable(self._person, name)
        return self._service.tokens.ensure(self._owner, connection, lasts)

    def revoke(self, name: str) -> Revocation:
        connection = self._service.connections.get(self._person, name)
        return self._service.connections.revoke(self._person, connection, self._actor)

    def doctor(
        self, *, client: str | None = None, connection: str | None = None
    ) -> Sequence[Check]:
        return self._service.checks.doctor(self._actor, client=client, connection=connection)

    # --- Registry

    def providers(self) -> Sequence[ProviderEntry]:
        return self._service.catalog.entries()

    def provider(self, key: str) -> ProviderEntry:
        return self._service.catalog.entry(key)

    def client_request(self, provider: str) -> str:
        entry = self._service.catalog.entry(provider)
        return request_text(
            entry,
            person=self._person.name,
            contact=self._service.access.whom_to_ask(),
            redirect_uris=self._service.client_rules.usual_redirect_uris("NAME", entry),
        )

    def clients(self) -> Sequence[ClientRegistration]:
        return self._service.clients.all(self._actor)

    def client(self, name: str) -> ClientRegistration:
        return self._service.clients.get(name, self._actor)

    def add_client(self, draft: ClientDraft) -> ClientRegistration:
        return self._service.clients.add(draft, self._actor)

    def edit_client(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> ClientRegistration:
        return self._service.clients.edit(name, changes, self._actor, version=version)

    def client_use(self, name: str) -> ClientUse:
        return self._service.clients.use(name, self._actor)

    def preview_client(self, name: str, changes: Mapping[str, Any]) -> ClientUse:
        return self._service.clients.preview(name, changes, self._actor)

    def add_client_secret(
        self,
        name: str,
        secret: Secret | None,
        *,
        ends_at: datetime | None = None,
        reference: str | None = None,
    ) -> ClientRegistration:
        return self._service.clients.add_secret(
            name, secret, self._actor, ends_at=ends_at, reference=reference
        )

    def remove_client_secret(self, name: str, id: UUID) -> ClientRegistration:
        return self._service.clients.remove_secret(name, id, self._actor)

    def remove_client(self, name: str, *, force: bool = False, version: int | None = None) -> None:
        self._service.clients.remove(name, self._actor, force=force, version=version)

    def test_client(self, name: str) -> Sequence[Check]:
        client = self._service.clients.get(name, self._actor)
        return self._service.checks.of_client(client, self._actor)

    def add_connection(self, draft: ConnectionDraft) -> Connection:
        return self._service.connections.add(draft, self._actor)

    def edit_connection(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Connection:
        return self._service.connections.edit(name, changes, self._actor, version=version)

    def remove_connection(self, name: str) -> None:
        self._service.connections.remove(name, self._actor)

    def grants(
        self, *, owner: str | None = None, client: str | None = None
    ) -> Sequence[OwnedGrant]:
        return self._service.grants.all(self._actor, owner=owner, client=client)

    def revoke_grant(self, id: UUID) -> Revocation:
        return self._service.grants.revoke(id, self._actor)

    def settings(self) -> Sequence[SettingInForce]:
        return self._service.settings.listing()

    def change_settings(self, changes: Mapping[str, str | None]) -> Sequence[SettingInForce]:
        return self._service.settings.change(changes, self._actor)

    def events(self, *, limit: int = 50, wanted: EventFilter = ALL_EVENTS) -> Sequence[Event]:
        names = self._service.store.owners.names()
        if not self._actor.administrator:
            ids = [str(self._owner)]
        elif wanted.owner is None:
            ids = None
        else:
            ids = [str(id) for id, name in names.items() if name == wanted.owner]
        by_id = {str(id): name for id, name in names.items()}
        return [
            replace(one, owner=by_id.get(one.owner, one.owner))
            for one in self._service.store.journal.events(wanted, limit, owners=ids)
        ]
