"""Other people's grants: an administrator sees and revokes them, and never uses one."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from jupyter_oauthconn.catalog import Catalog
from jupyter_oauthconn.errors import InvalidParameterError, NotAllowedError
from jupyter_oauthconn.model import Actor, OwnedGrant, Revocation
from jupyter_oauthconn.storage import Store

from ..statuses import status_of
from .connections import Connections


class GrantsOfAll:
    """Everybody's grants, for administrators. No token is opened to show one."""

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
        names = self._store.owners.names()
        clients = {one.name: one for one in self._store.registry.clients()}
        connections = {one.id: one for one in self._store.registry.all_connections()}
        now = self._store.now()
        found = []
        for grant in self._store.grants.overview.all():
            connection, whose = connections.get(grant.connection_id), names[grant.owner_id]
            if connection is None or grant.resource:
                continue
            if owner not in {None, whose} or client not in {None, connection.client}:
                continue
            registration = clients.get(connection.client)
            entry = self._catalog.find(connection.provider)
            found.append(
                OwnedGrant(
                    id=grant.id,
                    owner=whose,
                    connection=connection.name,
                    client=connection.client,
                    status=status_of(
                        connection, registration, entry, grant,
                        pending=False, allowed=True, now=now,
                    ),
                )
            )  # fmt: skip
        return sorted(found, key=lambda one: (one.owner, one.connection))

    def revoke(self, id: UUID, actor: Actor) -> Revocation:
        """Ends somebody's sign-in, at the provider too.

        Raises:
            NotAllowedError: not an administrator.
            InvalidParameterError: there is no such grant (any more).
        """
        _check_administrator(actor)
        grant = self._store.grants.overview.of_id(id)
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
            "Only an administrator may see the sign-ins of others.",
            hint="Your own are those of your connections.",
        )
