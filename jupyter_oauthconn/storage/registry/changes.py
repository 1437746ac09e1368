"""What OAuth clients and connections have in common: columns of a change, and its refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from jupyter_oauthconn.errors import ConflictError, UnknownClientError
from jupyter_oauthconn.model import GrantState, Reason

from ..tables import clients, grants

_NOT_STORED = frozenset({"client_secret", "secret_reference", "secret_ends_at"})


def columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a draft as columns."""
    found = {name: value for name, value in values.items() if name not in _NOT_STORED}
    if "endpoints" in found:
        found["endpoints"] = asdict(found["endpoints"])
    for name in ("parameters", "authorization_parameters"):
        if name in found:
            found[name] = dict(found[name])
    return found


def client_id(connection: sa.Connection, name: str, *where: sa.ColumnElement[bool]) -> UUID:
    """The row of the OAuth client of that name. Raises `UnknownClientError`."""
    query = sa.select(clients.c.id).where(clients.c.name == name, *where)
    found: UUID | None = connection.execute(query).scalar()
    if found is None:
        raise UnknownClientError(name)
    return found


def of_version(table: sa.Table, version: int | None) -> sa.ColumnElement[bool]:
    """None takes whatever is stored."""
    return sa.true() if version is None else table.c.version == version


def taken(kind: str, name: str) -> ConflictError:
    article = "an" if kind.startswith("O") else "a"
    return ConflictError(
        f"There is {article} {kind} named {name!r} already.", hint="Choose another name."
    )


def stale(kind: str, name: str) -> ConflictError:
    return ConflictError(
        f"The {kind} {name!r} was changed by somebody else meanwhile.",
        hint="Read it again, then repeat the change.",
    )


def end_grants(connection: sa.Connection, ends: Iterable[tuple[UUID, Reason]]) -> None:
    """In the transaction of the change that makes them invalid: connections, and why.

    After a change of the client none may go to the new server, also not to be revoked there, so
    that reason wins over every other.
    """
    for id, reason in ends:
        which = grants.c.connection_id == id
        if reason is not Reason.CLIENT_CHANGED:
            which = sa.and_(which, grants.c.state == GrantState.ACTIVE.value)
        values = {"state": GrantState.REAUTH_REQUIRED.value, "reason": reason.value}
        connection.execute(sa.update(grants).where(which).values(values))
