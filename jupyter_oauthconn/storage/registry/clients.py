"""OAuth clients and their secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from jupyter_oauthconn.errors import InUseError, UnknownClientError
from jupyter_oauthconn.model import (
    IN_DATABASE,
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    ClientSecretInfo,
    Endpoints,
    Reason,
    Secret,
)

from ..database import Database
from ..sealing import Place, Sealer
from ..tables import client_secrets, clients, connections, owners
from .changes import columns, end_grants, of_version, stale, taken


class ClientAccess(NamedTuple):
    """Who may use an OAuth client: the short answer for the way of a token."""

    enabled: bool
    owner_id: UUID | None
    allowed_users: tuple[str, ...]
    allowed_groups: tuple[str, ...]


class ClientRows:
    """OAuth clients. Thread-safe."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def clients(self) -> list[ClientRegistration]:
        """All, by name."""
        with self._database.reading() as connection:
            return _read_clients(connection)

    def client(self, name: str) -> ClientRegistration | None:
        with self._database.reading() as connection:
            return next(iter(_read_clients(connection, clients.c.name == name)), None)

    def client_access(self, name: str) -> ClientAccess | None:
        """None: there is none of that name. The read path's short question."""
        with self._database.reading() as connection:
            found = connection.execute(_ACCESS, {"name": name}).first()
        return None if found is None else ClientAccess(*found)

    def add_client(
        self,
        draft: ClientDraft,
        *,
        actor: str,
        owner_id: UUID | None = None,
        managed_by: str = IN_DATABASE,
    ) -> ClientRegistration:
        """Stores a complete draft (title and auth_method given), without its secret.

        Raises:
            ConflictError: the name is taken.
        """
        values = columns({one.name: getattr(draft, one.name) for one in fields(draft)})
        with self._database.writing() as connection:
            try:
                connection.execute(
                    sa.insert(clients).values(
                        **values,
                        id=uuid4(),
                        version=1,
                        enabled=True,
                        owner_id=owner_id,
                        managed_by=managed_by,
                        updated_at=self._database.time(),
                        updated_by=actor,
                    )
                )
            except IntegrityError:
                raise taken("OAuth client", draft.name) from None
            return _read_clients(connection, clients.c.name == draft.name)[0]

    def update_client(
        self,
        name: str,
        changes: Mapping[str, Any],
        *,
        version: int | None,
        actor: str,
        ends: Iterable[tuple[UUID, Reason]] = (),
    ) -> ClientRegistration:
        """Changes fields of `ClientRegistration`; None as `version` takes whatever is stored.

        Args:
            ends: connections whose grants end with it, and why.

        Raises:
            UnknownClientError
            ConflictError: it has another version by now.
        """
        mine = clients.c.name == name
        with self._database.writing() as connection:
            changed = connection.execute(
                sa.update(clients)
                .where(mine, of_version(clients, version))
                .values(
                    **columns(changes),
                    version=clients.c.version + 1,
                    updated_at=self._database.time(),
                    updated_by=actor,
                )
            ).rowcount
            found = _read_clients(connection, mine)
            if not found:
                raise UnknownClientError(name)
            if not changed:
                raise stale("OAuth client", name)
            end_grants(connection, ends)
            return found[0]

    def remove_client(self, name: str, *, version: int | None = None) -> None:
        """Removes a client and its secrets, if it is there.

        Raises:
            InUseError: connections use it.
            ConflictError: it has another version by now.
        """
        mine = clients.c.name == name
        users = sa.select(connections.c.name).join(clients).where(mine)
        with self._database.writing() as connection:
            used_by = tuple(connection.execute(users).scalars())
            if used_by:
                raise InUseError(
                    f"The OAuth client {name!r} is used by {len(used_by)} connections.",
                    hint="Remove them first.",
                    used_by=used_by,
                )
            removed = sa.delete(clients).where(mine, of_version(clients, version))
            if not connection.execute(removed).rowcount and version is not None:
                raise stale("OAuth client", name)

    def add_client_secret(
        self,
        client_id: UUID,
        secret: Secret,
        *,
        ends_at: datetime | None = None,
        reference: str | None = None,
    ) -> ClientSecretInfo:
        """Adds a live secret beside those that are there. `reference`: where it came from."""
        id = uuid4()
        with self._database.writing() as connection:
            set_at = connection.execute(
                sa.insert(client_secrets)
                .values(
                    id=id,
                    client_id=client_id,
                    value_sealed=self._sealer.seal(secret, _secret_place(id, client_id)),
                    set_at=self._database.time(),
                    ends_at=ends_at,
                    reference=reference,
                )
                .returning(client_secrets.c.set_at)
            ).scalar_one()
        return ClientSecretInfo(id=id, set_at=set_at, ends_at=ends_at, reference=reference)

    def client_secrets(self, client_id: UUID) -> list[Secret]:
        """Those that have not ended, the newest first. Raises `UnsealError`."""
        lives = client_secrets.c.ends_at.is_(None) | (
            client_secrets.c.ends_at > self._database.time()
        )
        query = (
            sa.select(client_secrets.c.id, client_secrets.c.value_sealed)
            .where(client_secrets.c.client_id == client_id, lives)
            .order_by(client_secrets.c.set_at.desc())
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            self._sealer.unseal(row.value_sealed, _secret_place(row.id, client_id)) for row in rows
        ]

    def remove_client_secret(self, id: UUID) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.delete(client_secrets).where(client_secrets.c.id == id))


#: Of the read path, built once: building a statement costs more than running it.
_ACCESS = sa.select(
    clients.c.enabled, clients.c.owner_id, clients.c.allowed_users, clients.c.allowed_groups
).where(clients.c.name == sa.bindparam("name"))


def _read_clients(
    connection: sa.Connection, *where: sa.ColumnElement[bool]
) -> list[ClientRegistration]:
    used_by = (
        sa.select(sa.func.count())
        .where(connections.c.client_id == clients.c.id)
        .correlate(clients)
        .scalar_subquery()
        .label("used_by")
    )
    rows = connection.execute(
        sa.select(clients, used_by, owners.c.name.label("owner"))
        .outerjoin(owners, owners.c.id == clients.c.owner_id)
        .where(*where)
        .order_by(clients.c.name)
    ).all()
    if not rows:
        return []
    shown = [one for one in client_secrets.c if one.name != "value_sealed"]
    secrets: dict[UUID, list[ClientSecretInfo]] = {row.id: [] for row in rows}
    for row in connection.execute(
        sa.select(*shown).join(clients).where(*where).order_by(client_secrets.c.set_at.desc())
    ):
        info = ClientSecretInfo(
            id=row.id, set_at=row.set_at, ends_at=row.ends_at, reference=row.reference
        )
        secrets.setdefault(row.client_id, []).append(info)
    return [_registration(row, tuple(secrets[row.id])) for row in rows]


def _registration(row: sa.Row[Any], secrets: tuple[ClientSecretInfo, ...]) -> ClientRegistration:
    values = {
        **row._mapping,
        "auth_method": AuthMethod(row.auth_method),
        "endpoints": Endpoints(**row.endpoints),
        "secrets": secrets,
    }
    return ClientRegistration(**values)


def _secret_place(id: UUID, client_id: UUID) -> Place:
    return Place("client_secrets", "value_sealed", id, client_id)
