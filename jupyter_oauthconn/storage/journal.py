"""The journal: what happened."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from jupyter_oauthconn.model import Event

from .database import Database
from .tables import events


class Journal:
    """Events. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, event: Event) -> None:
        """Writes one event; without a time of its own it gets the store's."""
        values = {
            "kind": event.kind,
            "outcome": event.outcome,
            "at": event.at or self._database.time(),
            "owner": event.owner,
            "actor": event.actor,
            "client": event.client,
            "connection": event.connection,
            "origin": dict(event.origin),
            "request_id": event.request_id,
        }
        with self._database.writing() as connection:
            connection.execute(sa.insert(events).values(values))

    def events(self, owner: str | None, limit: int) -> list[Event]:
        """The newest first; of everybody when `owner` is None."""
        query = sa.select(events).order_by(events.c.id.desc()).limit(limit)
        if owner is not None:
            query = query.where(events.c.owner == owner)
        with self._database.reading() as connection:
            return [Event(**row._mapping) for row in connection.execute(query)]

    def prune(self, before: datetime) -> int:
        """Removes older events; returns how many."""
        with self._database.writing() as connection:
            return connection.execute(sa.delete(events).where(events.c.at < before)).rowcount
