"""The journal: what happened; and the settings that were changed at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from jupyter_oauthconn.model import Event, EventFilter

from .database import Database
from .tables import events, settings


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

    def events(
        self, wanted: EventFilter, limit: int, *, owners: Sequence[str] | None = None
    ) -> list[Event]:
        """The newest first.

        Args:
            owners: ids; of these only, in place of the filter's name.
        """
        query = sa.select(events).order_by(events.c.id.desc()).limit(limit)
        if owners is not None:
            query = query.where(events.c.owner.in_(owners))
        for name in ("kind", "outcome", "client", "connection"):
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(events.c[name] == value)
        if wanted.before is not None:
            query = query.where(events.c.id < wanted.before)
        with self._database.reading() as connection:
            return [Event(**row._mapping) for row in connection.execute(query)]

    def kinds(self) -> list[str]:
        """What has happened so far, in alphabetical order."""
        query = sa.select(events.c.kind).distinct().order_by(events.c.kind)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def prune(self, before: datetime) -> int:
        """Removes older events; returns how many."""
        with self._database.writing() as connection:
            return connection.execute(sa.delete(events).where(events.c.at < before)).rowcount


class StoredSettings:
    """Settings that an administrator changed while the service ran, as texts. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> dict[str, str]:
        with self._database.reading() as connection:
            return {row.key: row.value for row in connection.execute(sa.select(settings))}

    def write(self, changes: Mapping[str, str | None]) -> None:
        """None takes a change back."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(settings).where(settings.c.key.in_(list(changes))))
            for key, value in changes.items():
                if value is not None:
                    connection.execute(sa.insert(settings).values(key=key, value=value))
