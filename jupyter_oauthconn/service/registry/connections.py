"""Managing connections: what they may ask for, what an edit does to the grants, who shares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

from jupyter_oauthconn.catalog import Catalog, check_parameters
from jupyter_oauthconn.errors import (
    ConfigurationError,
    ConflictError,
    InvalidParameterError,
    NotAllowedError,
    ProviderError,
    UnknownClientError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import (
    Actor,
    AuthorizationState,
    ClientRegistration,
    Connection,
    ConnectionDraft,
    Grant,
    NewTokens,
    Outcome,
    Owner,
    Reason,
    Revocation,
    check_name,
    check_text,
    is_name,
    scope_set,
)
from jupyter_oauthconn.protocol import Transport
from jupyter_oauthconn.storage import Store

from ..history import edited, record
from ..profile import Profiles, check_scope, merged, requested_scope
from ..revocation import revoke_at_provider
from ..statuses import status_of, with_who_ended_it
from .access import Access

_SHARING = frozenset({"shared_users", "shared_groups"})
#: The tokens are another server's than the client names today.
_SENT_NOWHERE = Revocation(
    at_provider=Outcome.UNKNOWN,
    detail="The OAuth client was changed since the sign-in, so its tokens were sent nowhere. End "
    "it in the account at the provider of before.",
)


class Connections:
    """People's connections, with their status for the one who asks."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        profiles: Profiles,
        transport: Transport,
        access: Access,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._profiles = profiles
        self._transport = transport
        self._access = access

    def all(self, owner: Owner) -> Sequence[Connection]:
        """One's own and those shared with one, with status, by name; a few SELECTs however many
        there are. One's own hides a shared one of its name: that comes behind it."""
        clients = {one.name: one for one in self._store.registry.clients()}
        grants = {
            one.connection_id: one
            for one in self._store.grants.of_owner(owner.id)
            if not one.resource
        }
        pending = self._store.authorizations.pending_connections(owner.id)
        return [
            self._with_status(
                owner, one, clients.get(one.client), grants.get(one.id), pending=one.id in pending
            )
            for one in self._store.registry.connections(owner)
        ]

    def get(self, owner: Owner, name: str) -> Connection:
        """The definition, without status. Raises `UnknownConnectionError`."""
        connection = self._store.registry.connection(owner, name) if is_name(name) else None
        if connection is None:
            known = {one.name for one in self._store.registry.connections(owner)}
            raise UnknownConnectionError(str(name), known=sorted(known))
        return connection

    def usable(self, owner: Owner, name: str) -> Connection:
        """As `get`, for whoever wants a token or a sign-in: the door that access lists guard.

        Raises:
            UnknownConnectionError, InvalidConnectionError
            NotAllowedError: its OAuth client is switched off, or not hers to use.
        """
        connection = self.get(owner, name)
        self._access.check_use(owner, connection)
        return connection

    def seen(self, owner: Owner, name: str) -> Connection:
        """The definition with its status; if somebody else ended the sign-in, that says who.

        Raises `UnknownConnectionError`.
        """
        connection = self.get(owner, name)
        grant = self._store.grants.read(owner.id, connection.id)
        found = self._with_status(
            owner,
            connection,
            self._store.registry.client(connection.client),
            grant,
            pending=self._store.authorizations.pending(owner.id, connection.id) is not None,
        )
        return found if grant else with_who_ended_it(found, owner, self._store)

    def add(self, draft: ConnectionDraft, actor: Actor) -> Connection:
        """Raises `InvalidNameError`, `InvalidParameterError`, `UnknownClientError`,
        `ConflictError`, `NotAllowedError`."""
        check_name(draft.name, "connection")
        for one in fields(draft):
            check_text(one.name, getattr(draft, one.name))
        client = self._client(draft.client, actor)
        self._check_sharing(draft.name, draft.shared_users, draft.shared_groups, client, actor)
        entry = self._catalog.entry(client.provider)
        check_scope(draft.scope, client, entry)
        parameters = check_parameters(entry, draft.parameters, at="connection")
        connection = self._store.registry.add_connection(
            actor.owner.id, replace(draft, parameters=parameters), provider=client.provider
        )
        self._record("connection_added", connection, actor)
        return self.seen(actor.owner, connection.name)

    def edit(
        self, name: str, changes: Mapping[str, Any], actor: Actor, *, version: int | None = None
    ) -> Connection:
        """Changes fields of `ConnectionDraft`; grants that no longer fit need a new sign-in."""
        before = self._own(actor.owner, name)
        _check_fields(changes)
        _check_still_theirs(before, changes, actor)
        for field, value in changes.items():
            check_text(field, value)
        client = (
            self._client(changes["client"], actor)
            if "client" in changes
            else self._profiles.client_of(before)
        )
        if _SHARING & changes.keys():
            users = changes.get("shared_users", before.shared_users)
            groups = changes.get("shared_groups", before.shared_groups)
            self._check_sharing(name, users, groups, client, actor)
        entry = self._catalog.entry(client.provider)
        if "parameters" in changes:
            given = merged(before.parameters, changes["parameters"])
            changes = {**changes, "parameters": check_parameters(entry, given, at="connection")}
        check_scope(changes.get("scope", before.scope), client, entry)
        ends = None
        if client.name != before.client:
            ends = Reason.CLIENT_CHANGED
        elif self._asks_for_more(actor.owner, before, replace(before, **changes), client):
            ends = Reason.SCOPE_CHANGED
        after = self._store.registry.update_connection(
            actor.owner.id, name, changes, version=version, ends=ends
        )
        self._record(edited("connection", changes), after, actor)
        return self.seen(actor.owner, name)

    def remove(self, name: str, actor: Actor) -> None:
        """Revokes its grants, of whoever it was shared with, too, and forgets them with it."""
        self.remove_for_all(self._own(actor.owner, name), actor)

    def remove_for_all(self, connection: Connection, actor: Actor) -> None:
        """As `remove`, whoever made it; the caller has judged whether the actor may."""
        for id in self._store.grants.overview.pending(connection.id):
            self._store.authorizations.finish(id, AuthorizationState.EXPIRED)
        self._revoke(connection, None, actor, with_connection=True)
        self._record("connection_removed", connection, actor)

    def revoke(self, owner: Owner, connection: Connection, actor: Actor) -> Revocation:
        """Local tokens are gone at once, whatever the provider answers."""
        pending = self._store.authorizations.pending(owner.id, connection.id)
        if pending is not None:
            self._store.authorizations.finish(pending.authorization.id, AuthorizationState.EXPIRED)
        outcome = self._revoke(connection, owner.id, actor)
        return replace(outcome, siblings=self._siblings(owner, connection))

    def revoke_grant_of(self, owner_id: UUID, connection: Connection, actor: Actor) -> Revocation:
        """An administrator ends somebody's sign-in."""
        return self._revoke(connection, owner_id, actor)

    def _revoke(
        self,
        connection: Connection,
        owner_id: UUID | None,
        actor: Actor,
        *,
        with_connection: bool = False,
    ) -> Revocation:
        """Of one owner, or of everybody."""
        outcome = Revocation(at_provider=Outcome.UNKNOWN, detail="There was nothing to revoke.")
        taken = self._store.grants.take(connection.id, owner_id, with_connection=with_connection)
        for one in taken:
            if one.reason == Reason.CLIENT_CHANGED:
                outcome = _SENT_NOWHERE
            else:
                outcome = self._revoke_at_provider(connection, one.tokens)
            record(
                self._store,
                "revoked",
                one.owner_id,
                connection=connection,
                actor=actor.name,
                outcome=outcome.at_provider.value,
            )
        return outcome

    def _revoke_at_provider(self, connection: Connection, tokens: NewTokens) -> Revocation:
        try:
            client = self._profiles.client_of(connection)
            profile = self._profiles.resolve(client, connection)
            credentials = self._profiles.credentials(client)
        except (ConfigurationError, ProviderError) as error:
            # the provider's metadata may be out of reach, too
            return Revocation(at_provider=Outcome.FAILED, detail=error.message)
        return revoke_at_provider(self._transport, profile, credentials, tokens)

    def _siblings(self, owner: Owner, connection: Connection) -> tuple[str, ...]:
        """Some providers keep one grant for all connections of a client and account."""
        signed_in = {one.connection_id for one in self._store.grants.of_owner(owner.id)}
        return tuple(
            one.name
            for one in self._store.registry.connections(owner)
            if one.client == connection.client and one.id in signed_in and one.id != connection.id
        )

    def _asks_for_more(
        self, owner: Owner, before: Connection, after: Connection, client: ClientRegistration
    ) -> bool:
        entry = self._catalog.entry(client.provider)
        asked = scope_set(requested_scope(client, after, entry, None))
        grant = self._store.grants.read(owner.id, after.id)
        if grant is None:
            # the owner has none, but others may whom it is shared with
            return bool(asked - scope_set(requested_scope(client, before, entry, None)))
        return bool(asked - scope_set(grant.requested_scope) - scope_set(grant.token.scope))

    def _own(self, owner: Owner, name: str) -> Connection:
        """Raises `NotAllowedError` for one that was shared: a definition is its owner's."""
        connection = self.get(owner, name)
        if not connection.mine:
            raise NotAllowedError(
                f"The connection {name!r} is shared with you by {connection.owner}.",
                hint="You sign in for yourself and end that with `%connect revoke`; only who "
                "shares it changes or removes it. One of your own of that name hides it.",
            )
        return connection

    def _client(self, name: str, actor: Actor) -> ClientRegistration:
        """One that the actor may use. Raises `UnknownClientError`, `NotAllowedError`."""
        client = self._store.registry.client(name)
        if client is not None and self._access.may_use(actor.owner, client):
            return client
        if client is not None and actor.administrator:
            raise self._access.not_on_the_list(actor.owner, name)
        known = [
            one.name
            for one in self._store.registry.clients()
            if self._access.may_use(actor.owner, one)
        ]
        hint = ""
        if not known and not actor.administrator:
            hint = (
                f"No OAuth client serves you yet. Ask {self._access.whom_to_ask()}: "
                "`%oauthclient request PROVIDER` writes what to send."
            )
        raise UnknownClientError(name, known=known, hint=hint)

    def _check_sharing(
        self,
        name: str,
        users: Sequence[str],
        groups: Sequence[str],
        client: ClientRegistration,
        actor: Actor,
    ) -> None:
        if not users and not groups:
            return
        self._access.check_share(actor)
        if client.owner_id is not None:
            raise InvalidParameterError(
                f"The OAuth client {client.name!r} is {client.owner}'s own.",
                hint="Share a connection of a client that administrators registered.",
                parameter="share_with",
            )
        others = [
            one
            for one in self._store.registry.shared_connections(name)
            if one.owner_id != actor.owner.id
        ]
        if others:
            raise ConflictError(
                f"{others[0].owner} shares a connection named {name!r} already.",
                hint="Choose another name, so that everybody knows which one is meant.",
            )

    def _with_status(
        self,
        owner: Owner,
        connection: Connection,
        client: ClientRegistration | None,
        grant: Grant | None,
        *,
        pending: bool,
    ) -> Connection:
        entry = self._catalog.find(client.provider) if client is not None else None
        status = status_of(
            connection,
            client,
            entry,
            grant,
            pending=pending,
            allowed=client is None or self._access.may_use(owner, client),
            now=self._store.now(),
        )
        return replace(connection, status=status)

    def _record(self, kind: str, connection: Connection, actor: Actor) -> None:
        record(self._store, kind, actor.owner.id, connection=connection, actor=actor.name)


def _check_still_theirs(before: Connection, changes: Mapping[str, Any], actor: Actor) -> None:
    """Others use a shared definition: who administrates no more can only take it back."""
    shared = before.shared_users or before.shared_groups
    takes_back = changes.keys() <= _SHARING and not any(changes.values())
    if shared and not takes_back and not actor.administrator:
        raise NotAllowedError(
            f"The connection {before.name!r} is shared, and only an administrator may change what "
            "others use.",
            hint=f"Take it back first: `%connect edit {before.name} --unshare`.",
        )


def _check_fields(changes: Mapping[str, Any]) -> None:
    known = {one.name for one in fields(ConnectionDraft)} - {"name"}
    for name in changes:
        if name not in known:
            raise InvalidParameterError(
                f"{name!r} of a connection cannot be edited.",
                hint="Its name never changes: add another connection.",
                parameter=name,
            )
