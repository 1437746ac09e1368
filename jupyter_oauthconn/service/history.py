"""The history: who did what with which connection; names and ids, never values."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from jupyter_oauthconn.errors import StorageError
from jupyter_oauthconn.model import Connection, Event
from jupyter_oauthconn.storage import Store

_log = logging.getLogger(__name__)


def edited(what: str, fields: Iterable[str]) -> str:
    """The kind of an edit's line, e.g. `client_edited:issuer+scope`: which fields, no values."""
    return f"{what}_edited:{'+'.join(sorted(fields))}"


def record(
    store: Store,
    kind: str,
    owner: UUID | str,
    *,
    connection: Connection | None = None,
    client: str | None = None,
    outcome: str = "ok",
    actor: str = "",
) -> None:
    """Adds a line. A full or read-only disk must not keep a saved token from its owner, so that
    failure is only logged."""
    event = Event(
        kind=kind,
        outcome=outcome,
        owner=str(owner),
        actor=actor,
        client=connection.client if connection is not None else client,
        connection=connection.name if connection is not None else None,
    )
    try:
        store.journal.add(event)
    except StorageError as error:
        _log.warning("The history lacks %s %s: %s", kind, outcome, error.message)
