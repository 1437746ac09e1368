"""Managing OAuth clients: what may be registered, what an edit does to the grants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from jupyter_oauthconn.catalog import Catalog, check_parameters
from jupyter_oauthconn.errors import (
    ConflictError,
    InUseError,
    InvalidParameterError,
    UnknownClientError,
)
from jupyter_oauthconn.model import (
    IN_DATABASE,
    Actor,
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    ClientUse,
    Connection,
    ConnectionUse,
    Reason,
    Secret,
    check_text,
    is_name,
    scope_set,
)
from jupyter_oauthconn.storage import Store

from ..history import edited, record
from ..profile import merged
from .access import Access, managed_by_file
from .client_drafts import ClientRules, check_fields
from .connections import Connections

#: An edit of one of these sends people to another authorization server or as another client.
_AUTHORIZATION_FIELDS = frozenset({"client_id", "issuer", "endpoints", "parameters"})
#: A new one, and the one that the provider still takes until everybody has the new one.
_MOST_SECRETS = 2


class Clients:
    """The registry of OAuth clients.

    Where `file` is given, a configuration file asks: it may do what no person may, and what it
    registers only it may change.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        rules: ClientRules,
        access: Access,
        connections: Connections,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._rules = rules
        self._access = access
        self._connections = connections

    def all(self, actor: Actor) -> Sequence[ClientRegistration]:
        """Those that the actor may see, by name."""
        return [one for one in self._store.registry.clients() if self._access.may_see(actor, one)]

    def get(self, name: str, actor: Actor) -> ClientRegistration:
        """Raises `UnknownClientError`, also for one that is not hers to see."""
        client = self._store.registry.client(name) if is_name(name) else None
        if client is None or not self._access.may_see(actor, client):
            raise UnknownClientError(str(name), known=[one.name for one in self.all(actor)])
        return client

    def add(
        self, draft: ClientDraft, actor: Actor, *, file: str | None = None
    ) -> ClientRegistration:
        """Registers a client; what the draft leaves open the catalog entry decides.

        A user who is no administrator registers it for herself alone.

        Raises:
            NotAllowedError: client management is switched off, or not hers.
            InvalidNameError, InvalidParameterError, UnknownProviderError, ConflictError
        """
        of_user = None
        if file is None:
            self._access.check_register(actor)
            of_user = None if actor.administrator else actor.owner.id
        complete, secret = self._rules.complete(draft, of_user=of_user is not None)
        client = self._store.registry.add_client(
            complete, actor=actor.name, owner_id=of_user, managed_by=file or IN_DATABASE
        )
        if secret is not None:
            self._store.registry.add_client_secret(
                client.id,
                secret,
                ends_at=complete.secret_ends_at,
                reference=complete.secret_reference,
            )
        self._record("client_registered", client.name, actor)
        return self._read(client.name)

    def edit(
        self,
        name: str,
        changes: Mapping[str, Any],
        actor: Actor,
        *,
        version: int | None = None,
        file: str | None = None,
    ) -> ClientRegistration:
        """Changes fields of `ClientDraft`, or `enabled`; marks the grants that it invalidates."""
        before = self._changeable(name, actor, file)
        changes, after = self._changed(before, changes)
        ended = [(one.id, reason) for one, reason in self._ended(before, after)]
        client = self._store.registry.update_client(
            name, changes, version=version, actor=actor.name, ends=ended
        )
        if client.auth_method is AuthMethod.NONE:
            for one in before.secrets:
                self._store.registry.remove_client_secret(one.id)
        # whatever the provider refused may be mended by this edit
        self._store.grants.resume_client(name)
        self._record(edited("client", changes), name, actor)
        return self._read(name)

    def use(self, name: str, actor: Actor) -> ClientUse:
        """What it carries: everybody's connections and sign-ins."""
        client = self.get(name, actor)
        return self._use(client, self._store.registry.connections_of_client(name))

    def preview(self, name: str, changes: Mapping[str, Any], actor: Actor) -> ClientUse:
        """Of what it carries, the part that an edit would end: those sign in again."""
        before = self._changeable(name, actor, None)
        _, after = self._changed(before, changes)
        use = self._use(before, [connection for connection, _ in self._ended(before, after)])
        return ClientUse(connections=tuple(one for one in use.connections if one.sign_ins))

    def add_secret(
        self,
        name: str,
        secret: Secret | None,
        actor: Actor,
        *,
        ends_at: datetime | None = None,
        reference: str | None = None,
        file: str | None = None,
    ) -> ClientRegistration:
        """Adds a second live secret; the newest that has not ended is used.

        Args:
            secret: None: it is read from where `reference` says.

        Raises:
            ConflictError: there are two already.
            InvalidParameterError: a public client, or the end has passed.
        """
        client = self._changeable(name, actor, file)
        now = self._store.now()
        secret = self._rules.checked_secret(client, secret, reference, ends_at, now)
        ended = [one for one in client.secrets if one.ends_at and one.ends_at <= now]
        if len(client.secrets) - len(ended) >= _MOST_SECRETS:
            raise ConflictError(
                f"The OAuth client {name!r} has two live secrets already.",
                hint="Remove the one that the provider no longer needs: `jupyter oauthconn "
                f"clients rm-secret {name} ID`; `clients list --json` shows the ids.",
            )
        for one in ended:
            self._store.registry.remove_client_secret(one.id)
        kept = None if client.owner_id is not None else reference
        self._store.registry.add_client_secret(client.id, secret, ends_at=ends_at, reference=kept)
        self._store.grants.resume_client(name)
        self._record("client_secret_added", name, actor)
        return self._read(name)

    def remove_secret(
        self, name: str, id: UUID, actor: Actor, *, file: str | None = None
    ) -> ClientRegistration:
        """Raises `InvalidParameterError`: it has no such secret."""
        client = self._changeable(name, actor, file)
        if id not in {one.id for one in client.secrets}:
            raise InvalidParameterError(
                f"The OAuth client {name!r} has no such secret.",
                hint="`jupyter oauthconn clients list --json` shows the ids.",
                parameter="id",
            )
        self._store.registry.remove_client_secret(id)
        # it may have been the one that the provider refused
        self._store.grants.resume_client(name)
        self._record("client_secret_removed", name, actor)
        return self._read(name)

    def remove(
        self, name: str, actor: Actor, *, force: bool = False, version: int | None = None
    ) -> None:
        """Forgets a client and its secrets.

        Args:
            force: with everybody's connections of it; their sign-ins are revoked.

        Raises:
            InUseError: connections use it; says which.
        """
        client = self._changeable(name, actor, None)
        if version is not None and client.version != version:
            raise ConflictError(
                f"The OAuth client {name!r} was changed meanwhile.",
                hint="Look at it again, then repeat what you wanted to do.",
            )
        users = self._store.registry.connections_of_client(name)
        if users and not force:
            use = self._use(client, users)
            raise InUseError(
                f"The OAuth client {name!r} is used by {use}.",
                hint="Remove them first, or give --force to remove them too; `disable` keeps "
                "everything.",
                used_by=tuple(one.name for one in users),
            )
        for connection in users:
            self._connections.remove_for_all(connection, actor)
        self._store.registry.remove_client(name, version=version)
        self._record("client_removed", name, actor)

    def _changeable(self, name: str, actor: Actor, file: str | None) -> ClientRegistration:
        """Raises `UnknownClientError`, `NotAllowedError`."""
        if file is None:
            client = self.get(name, actor)
            if client.managed_by != IN_DATABASE and not Path(client.managed_by).exists():
                # nobody can change it there any more
                client = self._store.registry.update_client(
                    name, {"managed_by": IN_DATABASE}, version=None, actor=actor.name
                )
            self._access.check_change(actor, client)
            return client
        client = self._read(name)
        if client.managed_by not in {IN_DATABASE, file}:
            raise managed_by_file(f"OAuth client {name!r}", client.managed_by)
        return client

    def _read(self, name: str) -> ClientRegistration:
        found = self._store.registry.client(name)
        if found is None:
            raise UnknownClientError(name)
        return found

    def _changed(
        self, before: ClientRegistration, changes: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], ClientRegistration]:
        """The changes as they are stored, and the client as it would be."""
        check_fields(changes)
        entry = self._catalog.entry(before.provider)
        for field, value in changes.items():
            check_text(field, value)
        if "parameters" in changes:
            given = merged(before.parameters, changes["parameters"])
            changes = {**changes, "parameters": check_parameters(entry, given, at="client")}
        after = replace(before, **changes)
        self._rules.check_changed(after)
        return changes, after

    def _ended(
        self, before: ClientRegistration, after: ClientRegistration
    ) -> Iterator[tuple[Connection, Reason]]:
        """Connections whose sign-ins the edit would end, and why."""
        connections = self._store.registry.connections_of_client(after.name)
        if any(getattr(before, one) != getattr(after, one) for one in _AUTHORIZATION_FIELDS):
            yield from ((one, Reason.CLIENT_CHANGED) for one in connections)
            return
        # now they ask for more than was granted, or for what is allowed no more
        wider = scope_set(after.scope) - scope_set(before.scope)
        narrower = scope_set(before.scope) - scope_set(after.scope)
        for connection in connections:
            if scope_set(connection.scope) & narrower if connection.scope else wider:
                yield connection, Reason.SCOPE_CHANGED

    def _use(self, client: ClientRegistration, connections: Sequence[Connection]) -> ClientUse:
        sign_ins = self._store.grants.overview.sign_ins(client.name)
        return ClientUse(
            connections=tuple(
                ConnectionUse(
                    owner=one.owner, connection=one.name, sign_ins=sign_ins.get(one.id, 0)
                )
                for one in connections
            )
        )

    def _record(self, kind: str, name: str, actor: Actor) -> None:
        record(self._store, kind, actor.owner.id, client=name, actor=actor.name)
