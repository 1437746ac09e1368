"""Grants by their ids: an administrator sees and ends everybody's and uses none, others their own,
also of a connection that is shared with them no more or that one of theirs hides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from jupyter_oauthconn.catalog import Catalog
from jupyter_oauthconn.errors import InvalidParameterError, NotAllowedError
from jupyter_oauthconn.model import Actor, Connection, Grant, OwnedGrant, Owner, Revocation
from jupyter_oauthconn.storage import Store

from ..statuses import status_of
from .connections import Connections


class GrantsOfAll:
    """Everybody's grants; never a token."""

    def __init__(self, store: Store, catalog: Catalog, connections: Connections) -> None:
        self._store = store
        self._catalog = catalog
        self._connections = connections

    def all(
        self, actor: Actor, *, owner: str | None = None, client: str | None = None
    ) -> Sequence[OwnedGrant]:
        """By owner and connection; of that owner or OAuth client only, where one is named.

        Raises:
            NotAllowedError: not an administrator.
        """
        _check_administrator(actor)
        return [
            one
            for one in self._listing(self._store.grants.overview.all())
            if owner in {None, one.owner} and client in {None, one.client}
        ]

    def of(self, owner: Owner) -> Sequence[OwnedGrant]:
        """One's own, by connection."""
        seen = {one.id: one for one in self._connections.all(owner)}
        return self._listing(self._store.grants.of_owner(owner.id), seen)

    def _listing(
        self, grants: Iterable[Grant], seen: Mapping[UUID, Connection] = {}
    ) -> list[OwnedGrant]:
        """By owner and connection; those `seen` tell their status themselves."""
        names = self._store.owners.names()
        clients = {one.name: one for one in self._store.registry.clients()}
        connections = {one.id: one for one in self._store.registry.all_connections()}
        now = self._store.now()
        found = []
        for grant in grants:
            connection = seen.get(grant.connection_id) or connections.get(grant.connection_id)
            if connection is None or grant.resource:
                continue
            registration = clients.get(connection.client)
            entry = self._catalog.find(connection.provider)
            found.append(
                OwnedGrant(
                    id=grant.id,
                    owner=names[grant.owner_id],
                    connection=connection.name,
                    client=connection.client,
                    status=connection.status or status_of(
                        connection, registration, entry, grant,
                        pending=False, allowed=True, now=now,
                    ),
                )
            )  # fmt: skip
        return sorted(found, key=lambda one: (one.owner, one.connection))

    def revoke(self, id: UUID, actor: Actor) -> Revocation:
        """Ends one's own sign-in, as an administrator anybody's, at the provider too.

        Raises:
            NotAllowedError: another person's, and not an administrator.
            InvalidParameterError: there is no such grant (any more).
        """
        grant = self._store.grants.overview.of_id(id)
        if grant is None or grant.owner_id != actor.owner.id:
            _check_administrator(actor)
        connection = (
            None if grant is None else self._store.registry.connection_of_id(grant.connection_id)
        )
        if grant is None or connection is None:
            raise InvalidParameterError(
                "There is no such sign-in, or not any more.",
                hint="List them again.",
                parameter="id",
            )
        return self._connections.revoke_grant_of(grant.owner_id, connection, actor)


def _check_administrator(actor: Actor) -> None:
    if not actor.administrator:
        raise NotAllowedError(
            "Only an administrator may see and end the sign-ins of others.",
            hint="`GET api/v1/grants` lists your own.",
        )
