"""Managing connections: what they may ask for, what an edit does to the grant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

from jupyter_oauthconn.catalog import Catalog, check_parameters
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    ProviderError,
    UnknownClientError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import (
    AuthorizationState,
    ClientRegistration,
    Connection,
    ConnectionDraft,
    Grant,
    NewTokens,
    Outcome,
    Reason,
    Revocation,
    check_name,
    check_text,
    is_name,
    scope_set,
)
from jupyter_oauthconn.protocol import Transport
from jupyter_oauthconn.storage import Store

from .history import record
from .profile import Profiles, check_scope, merged, requested_scope
from .revocation import revoke_at_provider
from .statuses import status_of


class Connections:
    """One owner's connections, with their status."""

    def __init__(
        self, store: Store, catalog: Catalog, profiles: Profiles, transport: Transport
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._profiles = profiles
        self._transport = transport

    def all(self, owner_id: UUID) -> Sequence[Connection]:
        """With status, by name; a few SELECTs however many there are."""
        clients = {one.name: one for one in self._store.registry.clients()}
        grants = {
            one.connection_id: one
            for one in self._store.grants.of_owner(owner_id)
            if not one.resource
        }
        pending = self._store.authorizations.pending_connections(owner_id)
        return [
            self._with_status(
                one, clients.get(one.client), grants.get(one.id), pending=one.id in pending
            )
            for one in self._store.registry.connections(owner_id)
        ]

    def get(self, owner_id: UUID, name: str) -> Connection:
        """The definition, without status. Raises `UnknownConnectionError`."""
        connection = self._store.registry.connection(owner_id, name) if is_name(name) else None
        if connection is None:
            known = [one.name for one in self._store.registry.connections(owner_id)]
            raise UnknownConnectionError(str(name), known=known)
        return connection

    def seen(self, owner_id: UUID, name: str) -> Connection:
        """The definition with its status. Raises `UnknownConnectionError`."""
        connection = self.get(owner_id, name)
        return self._with_status(
            connection,
            self._store.registry.client(connection.client),
            self._store.grants.read(owner_id, connection.id),
            pending=self._store.authorizations.pending(owner_id, connection.id) is not None,
        )

    def add(self, owner_id: UUID, draft: ConnectionDraft, *, actor: str) -> Connection:
        """Raises `InvalidNameError`, `InvalidParameterError`, `UnknownClientError`,
        `ConflictError`."""
        check_name(draft.name, "connection")
        for one in fields(draft):
            check_text(one.name, getattr(draft, one.name))
        client = self._client(draft.client)
        entry = self._catalog.entry(client.provider)
        check_scope(draft.scope, client, entry)
        parameters = check_parameters(entry, draft.parameters, at="connection")
        connection = self._store.registry.add_connection(
            owner_id, replace(draft, parameters=parameters), provider=client.provider
        )
        record(self._store, "connection_added", owner_id, connection=connection, actor=actor)
        return self.seen(owner_id, connection.name)

    def edit(
        self,
        owner_id: UUID,
        name: str,
        changes: Mapping[str, Any],
        *,
        version: int | None,
        actor: str,
    ) -> Connection:
        """Changes fields of `ConnectionDraft`; a grant that no longer fits needs a new sign-in."""
        before = self.get(owner_id, name)
        _check_fields(changes)
        for field, value in changes.items():
            check_text(field, value)
        client = self._client(changes.get("client", before.client))
        entry = self._catalog.entry(client.provider)
        if "parameters" in changes:
            given = merged(before.parameters, changes["parameters"])
            changes = {**changes, "parameters": check_parameters(entry, given, at="connection")}
        check_scope(changes.get("scope", before.scope), client, entry)
        after = self._store.registry.update_connection(owner_id, name, changes, version=version)
        if after.client != before.client:
            self._store.grants.invalidate_connection(after.id, Reason.CLIENT_CHANGED)
        elif self._asks_for_more(owner_id, after, client):
            self._store.grants.invalidate_connection(after.id, Reason.SCOPE_CHANGED)
        record(self._store, "connection_edited", owner_id, connection=after, actor=actor)
        return self.seen(owner_id, name)

    def remove(self, owner_id: UUID, name: str, *, actor: str) -> None:
        """Revokes the grant and forgets both."""
        connection = self.get(owner_id, name)
        self.revoke(owner_id, connection, actor=actor)
        self._store.registry.remove_connection(owner_id, name)
        record(self._store, "connection_removed", owner_id, connection=connection, actor=actor)

    def revoke(self, owner_id: UUID, connection: Connection, *, actor: str) -> Revocation:
        """Local tokens are gone at once, whatever the provider answers."""
        pending = self._store.authorizations.pending(owner_id, connection.id)
        if pending is not None:
            self._store.authorizations.finish(pending.authorization.id, AuthorizationState.EXPIRED)
        taken = self._store.grants.take(owner_id, connection.id)
        outcome = Revocation(at_provider=Outcome.UNKNOWN, detail="There was nothing to revoke.")
        for one in taken:
            outcome = self._revoke_at_provider(connection, one.tokens)
        if taken:
            record(
                self._store,
                "revoked",
                owner_id,
                connection=connection,
                actor=actor,
                outcome=outcome.at_provider.value,
            )
        return replace(outcome, siblings=self._siblings(owner_id, connection))

    def _revoke_at_provider(self, connection: Connection, tokens: NewTokens) -> Revocation:
        try:
            client = self._profiles.client_of(connection)
            profile = self._profiles.resolve(client, connection)
            credentials = self._profiles.credentials(client)
        except (ConfigurationError, ProviderError) as error:
            # the provider's metadata may be out of reach, too
            return Revocation(at_provider=Outcome.FAILED, detail=error.message)
        return revoke_at_provider(self._transport, profile, credentials, tokens)

    def _siblings(self, owner_id: UUID, connection: Connection) -> tuple[str, ...]:
        """Some providers keep one grant for all connections of a client and account."""
        signed_in = {one.connection_id for one in self._store.grants.of_owner(owner_id)}
        return tuple(
            one.name
            for one in self._store.registry.connections(owner_id)
            if one.client == connection.client and one.id in signed_in and one.id != connection.id
        )

    def _asks_for_more(
        self, owner_id: UUID, connection: Connection, client: ClientRegistration
    ) -> bool:
        grant = self._store.grants.read(owner_id, connection.id)
        if grant is None:
            return False
        entry = self._catalog.entry(client.provider)
        asked = scope_set(requested_scope(client, connection, entry, None))
        return bool(asked - scope_set(grant.requested_scope) - scope_set(grant.token.scope))

    def _client(self, name: str) -> ClientRegistration:
        client = self._store.registry.client(name)
        if client is None:
            known = [one.name for one in self._store.registry.clients()]
            raise UnknownClientError(name, known=known)
        return client

    def _with_status(
        self,
        connection: Connection,
        client: ClientRegistration | None,
        grant: Grant | None,
        *,
        pending: bool,
    ) -> Connection:
        entry = self._catalog.find(client.provider) if client is not None else None
        status = status_of(connection, client, entry, grant, pending=pending, now=self._store.now())
        return replace(connection, status=status)


def _check_fields(changes: Mapping[str, Any]) -> None:
    known = {one.name for one in fields(ConnectionDraft)} - {"name"}
    for name in changes:
        if name not in known:
            raise InvalidParameterError(
                f"{name!r} of a connection cannot be edited.",
                hint="Its name never changes: add another connection.",
                parameter=name,
            )
