"""Grants of everybody, as an administrator sees them: nothing sealed is opened here."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from jupyter_oauthconn.model import AuthorizationState, Grant, GrantState

from ..database import Database
from ..tables import authorizations, clients, connections, grants
from .records import summary

_COUNT = sa.func.count().label("sign_ins")


class GrantOverview:
    """Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Grant]:
        """Everybody's; their tokens are empty."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(grants).order_by(grants.c.connected_at)).all()
        return [summary(row) for row in rows]

    def of_id(self, id: UUID) -> Grant | None:
        """Its token is empty."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(grants).where(grants.c.id == id)).first()
        return None if row is None else summary(row)

    def sign_ins(self, client_name: str) -> dict[UUID, int]:
        """How many people are signed in, by connection of that OAuth client."""
        query = (
            sa.select(grants.c.connection_id, _COUNT)
            .join(connections, connections.c.id == grants.c.connection_id)
            .join(clients, clients.c.id == connections.c.client_id)
            .where(
                clients.c.name == client_name,
                grants.c.resource == "",
                grants.c.state != GrantState.REAUTH_REQUIRED.value,
            )
            .group_by(grants.c.connection_id)
        )
        with self._database.reading() as connection:
            return {row.connection_id: row.sign_ins for row in connection.execute(query)}

    def latest_of_client(self, client_name: str) -> Grant | None:
        """The newest sign-in with that OAuth client, whoever it was; its token is empty."""
        query = (
            sa.select(grants)
            .join(connections, connections.c.id == grants.c.connection_id)
            .join(clients, clients.c.id == connections.c.client_id)
            .where(clients.c.name == client_name)
            .order_by(grants.c.connected_at.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else summary(row)

    def pending(self, connection_id: UUID) -> list[UUID]:
        """Everybody's sign-ins under way for a connection."""
        query = sa.select(authorizations.c.id).where(
            authorizations.c.connection_id == connection_id,
            authorizations.c.state == AuthorizationState.PENDING.value,
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())
