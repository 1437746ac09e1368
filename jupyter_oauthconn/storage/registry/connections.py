"""Connections: one's own, and those that were shared with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from jupyter_oauthconn.errors import UnknownConnectionError
from jupyter_oauthconn.model import Connection, ConnectionDraft, Owner, Reason

from ..database import Database
from ..tables import clients, connections, owners
from .changes import client_id, columns, end_grants, of_version, stale, taken

_FIELDS = (
    sa.select(
        *(one for one in connections.c if one.name != "client_id"),
        clients.c.name.label("client"),
        clients.c.provider,
        owners.c.name.label("owner"),
    )
    .join(clients, clients.c.id == connections.c.client_id)
    .join(owners, owners.c.id == connections.c.owner_id)
)
# text that a JSON column holds for no element, on SQLite and PostgreSQL alike
_SHARED = sa.or_(
    sa.cast(connections.c.shared_users, sa.Text) != "[]",
    sa.cast(connections.c.shared_groups, sa.Text) != "[]",
)
#: Of the read path, built once: building a statement costs more than running it.
_OWN = _FIELDS.where(
    connections.c.owner_id == sa.bindparam("owner_id"), connections.c.name == sa.bindparam("name")
)


class ConnectionRows:
    """Connections. Thread-safe."""

    _database: Database

    def connections(self, owner: Owner) -> list[Connection]:
        """The owner's own and those shared with her, by name; one's own first."""
        mine = connections.c.owner_id == owner.id
        with self._database.reading() as connection:
            found = _read(connection, sa.or_(mine, _SHARED))
        visible = [seen for one in found if (seen := _seen_by(owner, one)) is not None]
        return sorted(visible, key=lambda one: (one.name, not one.mine))

    def connection(self, owner: Owner, name: str) -> Connection | None:
        """The one that `name` means for the owner: her own hides a shared one."""
        with self._database.reading() as connection:
            row = connection.execute(_OWN, {"owner_id": owner.id, "name": name}).first()
            if row is not None:
                return Connection(**row._mapping)
            shared = _read(connection, connections.c.name == name, _SHARED)
        return next((seen for one in shared if (seen := _seen_by(owner, one)) is not None), None)

    def connection_of_id(self, id: UUID) -> Connection | None:
        """Whoever made it."""
        with self._database.reading() as connection:
            return next(iter(_read(connection, connections.c.id == id)), None)

    def all_connections(self) -> list[Connection]:
        """Everybody's, by name."""
        with self._database.reading() as connection:
            return _read(connection)

    def connections_of_client(self, client_name: str) -> list[Connection]:
        """Everybody's."""
        with self._database.reading() as connection:
            return _read(connection, clients.c.name == client_name)

    def shared_connections(self, name: str) -> list[Connection]:
        """Everybody's of that name that are shared."""
        with self._database.reading() as connection:
            return _read(connection, connections.c.name == name, _SHARED)

    def add_connection(
        self, owner_id: UUID, draft: ConnectionDraft, *, provider: str
    ) -> Connection:
        """Stores a draft; `provider` is the one that its parameters were checked against.

        Raises:
            UnknownClientError: the client is gone, or became another provider's meanwhile.
            ConflictError: the name is taken.
        """
        values = columns({one.name: getattr(draft, one.name) for one in fields(draft)})
        with self._database.writing() as connection:
            id = client_id(connection, values.pop("client"), clients.c.provider == provider)
            try:
                connection.execute(
                    sa.insert(connections).values(
                        **values,
                        id=uuid4(),
                        version=1,
                        owner_id=owner_id,
                        client_id=id,
                        updated_at=self._database.time(),
                    )
                )
            except IntegrityError:
                raise taken("connection", draft.name) from None
            return _read(connection, *_named(owner_id, draft.name))[0]

    def update_connection(
        self,
        owner_id: UUID,
        name: str,
        changes: Mapping[str, Any],
        *,
        version: int | None,
        ends: Reason | None = None,
    ) -> Connection:
        """Changes fields of `ConnectionDraft`; None as `version` takes whatever is stored.

        Args:
            ends: why its grants end with it; None: they go on.

        Raises:
            UnknownConnectionError, UnknownClientError
            ConflictError: it has another version by now.
        """
        values = columns(changes)
        with self._database.writing() as connection:
            if "client" in values:
                values["client_id"] = client_id(connection, values.pop("client"))
            changed = connection.execute(
                sa.update(connections)
                .where(*_named(owner_id, name), of_version(connections, version))
                .values(
                    **values,
                    version=connections.c.version + 1,
                    updated_at=self._database.time(),
                )
            ).rowcount
            found = _read(connection, *_named(owner_id, name))
            if not found:
                raise UnknownConnectionError(name)
            if not changed:
                raise stale("connection", name)
            if ends is not None:
                end_grants(connection, [(found[0].id, ends)])
            return found[0]

    def hand_over_connection(self, id: UUID, owner_id: UUID) -> None:
        """Another owner's from now on; its grants stay."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(connections).where(connections.c.id == id).values(owner_id=owner_id)
            )

    def remove_connection(self, owner_id: UUID, name: str) -> None:
        """Removes a connection and whatever hangs on it, if it is there."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(connections).where(*_named(owner_id, name)))


def _seen_by(owner: Owner, one: Connection) -> Connection | None:
    """A connection as its owner or somebody it is shared with sees it; None: neither."""
    if one.owner_id == owner.id:
        return one
    if not owner.is_among(one.shared_users, one.shared_groups):
        return None
    # with whom else it is shared is not hers to know
    return replace(one, mine=False, shared_users=(), shared_groups=())


def _read(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Connection]:
    query = _FIELDS.where(*where).order_by(connections.c.name, owners.c.name)
    return [Connection(**row._mapping) for row in connection.execute(query)]


def _named(owner_id: UUID, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return connections.c.owner_id == owner_id, connections.c.name == name
