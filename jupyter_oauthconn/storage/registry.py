"""Owners, OAuth clients with their secrets, and connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from jupyter_oauthconn.errors import (
    ConflictError,
    InUseError,
    UnknownClientError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    ClientSecretInfo,
    Connection,
    ConnectionDraft,
    Endpoints,
    Secret,
)

from .database import Database
from .sealing import Place, Sealer
from .tables import client_secrets, clients, connections, owners

_NOT_STORED = frozenset({"client_secret"})
_CONNECTION_FIELDS = sa.select(
    *(one for one in connections.c if one.name != "client_id"),
    clients.c.name.label("client"),
    clients.c.provider,
).join(clients)


class Owners:
    """Whose grants they are: an OS user, or a Hub user with the date of the account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, kind: str, external_id: str, name: str) -> UUID:
        """The owner's id; made when first seen. The name follows a renaming."""
        mine = sa.and_(owners.c.kind == kind, owners.c.external_id == external_id)
        query = sa.select(owners.c.id, owners.c.name).where(mine)
        with self._database.reading() as connection:
            found = connection.execute(query).first()
        if found is not None and found.name == name:
            known: UUID = found.id
            return known
        with self._database.writing() as connection:
            try:
                with connection.begin_nested():
                    connection.execute(
                        sa.insert(owners).values(
                            id=uuid4(), kind=kind, external_id=external_id, name=name
                        )
                    )
            except IntegrityError:
                # known, under another name, or just made by another process
                connection.execute(sa.update(owners).where(mine).values(name=name))
            made: UUID = connection.execute(query).one().id
            return made


class Registry:
    """OAuth clients and connections. Thread-safe."""

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

    def add_client(
        self,
        draft: ClientDraft,
        *,
        actor: str,
        enabled: bool = True,
        managed_by: str = "database",
    ) -> ClientRegistration:
        """Stores a complete draft (title and auth_method given), without its secret.

        Raises:
            ConflictError: the name is taken.
        """
        values = _columns({one.name: getattr(draft, one.name) for one in fields(draft)})
        with self._database.writing() as connection:
            try:
                connection.execute(
                    sa.insert(clients).values(
                        **values,
                        id=uuid4(),
                        version=1,
                        enabled=enabled,
                        managed_by=managed_by,
                        updated_at=self._database.time(),
                        updated_by=actor,
                    )
                )
            except IntegrityError:
                raise _taken("OAuth client", draft.name) from None
            return _read_clients(connection, clients.c.name == draft.name)[0]

    def update_client(
        self, name: str, changes: Mapping[str, Any], *, version: int | None, actor: str
    ) -> ClientRegistration:
        """Changes fields of `ClientRegistration`; None as `version` takes whatever is stored.

        Raises:
            UnknownClientError
            ConflictError: it has another version by now.
        """
        mine = clients.c.name == name
        with self._database.writing() as connection:
            changed = connection.execute(
                sa.update(clients)
                .where(mine, _of_version(clients, version))
                .values(
                    **_columns(changes),
                    version=clients.c.version + 1,
                    updated_at=self._database.time(),
                    updated_by=actor,
                )
            ).rowcount
            found = _read_clients(connection, mine)
            if not found:
                raise UnknownClientError(name, known=_names(connection, clients))
            if not changed:
                raise _stale("OAuth client", name)
            return found[0]

    def remove_client(self, name: str) -> None:
        """Removes a client and its secrets, if it is there.

        Raises:
            InUseError: connections use it.
        """
        with self._database.writing() as connection:
            users = _read_connections(connection, clients.c.name == name)
            if users:
                raise InUseError(
                    f"The OAuth client {name!r} is used by {len(users)} connections.",
                    hint="Remove them first.",
                    used_by=tuple(one.name for one in users),
                )
            connection.execute(sa.delete(clients).where(clients.c.name == name))

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
        """The newest first. Raises `UnsealError`."""
        query = (
            sa.select(client_secrets.c.id, client_secrets.c.value_sealed)
            .where(client_secrets.c.client_id == client_id)
            .order_by(client_secrets.c.set_at.desc())
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            self._sealer.unseal(row.value_sealed, _secret_place(row.id, client_id)) for row in rows
        ]

    def is_client_enabled(self, name: str) -> bool | None:
        """None: there is none of that name. The read path's short question."""
        with self._database.reading() as connection:
            found: bool | None = connection.execute(_ENABLED, {"name": name}).scalar()
        return found

    def remove_client_secret(self, id: UUID) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.delete(client_secrets).where(client_secrets.c.id == id))

    def connections(self, owner_id: UUID) -> list[Connection]:
        """The owner's own, by name."""
        with self._database.reading() as connection:
            return _read_connections(connection, connections.c.owner_id == owner_id)

    def connection(self, owner_id: UUID, name: str) -> Connection | None:
        with self._database.reading() as connection:
            row = connection.execute(_CONNECTION, {"owner_id": owner_id, "name": name}).first()
        return None if row is None else Connection(**row._mapping)

    def connections_of_client(self, client_name: str) -> list[Connection]:
        """Everybody's."""
        with self._database.reading() as connection:
            return _read_connections(connection, clients.c.name == client_name)

    def add_connection(
        self, owner_id: UUID, draft: ConnectionDraft, *, provider: str
    ) -> Connection:
        """Stores a draft; `provider` is the one that its parameters were checked against.

        Raises:
            UnknownClientError: the client is gone, or became another provider's meanwhile.
            ConflictError: the name is taken.
        """
        values = _columns({one.name: getattr(draft, one.name) for one in fields(draft)})
        with self._database.writing() as connection:
            client_id = _client_id(connection, values.pop("client"), clients.c.provider == provider)
            try:
                connection.execute(
                    sa.insert(connections).values(
                        **values,
                        id=uuid4(),
                        version=1,
                        owner_id=owner_id,
                        client_id=client_id,
                        updated_at=self._database.time(),
                    )
                )
            except IntegrityError:
                raise _taken("connection", draft.name) from None
            return _read_connections(connection, _named(owner_id, draft.name))[0]

    def update_connection(
        self, owner_id: UUID, name: str, changes: Mapping[str, Any], *, version: int | None
    ) -> Connection:
        """Changes fields of `ConnectionDraft`; None as `version` takes whatever is stored.

        Raises:
            UnknownConnectionError, UnknownClientError
            ConflictError: it has another version by now.
        """
        values = _columns(changes)
        with self._database.writing() as connection:
            if "client" in values:
                values["client_id"] = _client_id(connection, values.pop("client"))
            changed = connection.execute(
                sa.update(connections)
                .where(_named(owner_id, name), _of_version(connections, version))
                .values(
                    **values,
                    version=connections.c.version + 1,
                    updated_at=self._database.time(),
                )
            ).rowcount
            found = _read_connections(connection, _named(owner_id, name))
            if not found:
                raise UnknownConnectionError(name)
            if not changed:
                raise _stale("connection", name)
            return found[0]

    def remove_connection(self, owner_id: UUID, name: str) -> None:
        """Removes a connection and whatever hangs on it, if it is there."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(connections).where(_named(owner_id, name)))


#: Statements of the read path, built once: building one costs more than running it.
_ENABLED = sa.select(clients.c.enabled).where(clients.c.name == sa.bindparam("name"))
_CONNECTION = _CONNECTION_FIELDS.where(
    connections.c.owner_id == sa.bindparam("owner_id"), connections.c.name == sa.bindparam("name")
)


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
        sa.select(clients, used_by).where(*where).order_by(clients.c.name)
    ).all()
    if not rows:
        return []
    columns = [one for one in client_secrets.c if one.name != "value_sealed"]
    secrets: dict[UUID, list[ClientSecretInfo]] = {row.id: [] for row in rows}
    for row in connection.execute(
        sa.select(*columns).join(clients).where(*where).order_by(client_secrets.c.set_at.desc())
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


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in values.items() if name not in _NOT_STORED}
    if "endpoints" in columns:
        columns["endpoints"] = asdict(columns["endpoints"])
    for name in ("parameters", "authorization_parameters"):
        if name in columns:
            columns[name] = dict(columns[name])
    return columns


def _read_connections(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[Connection]:
    query = _CONNECTION_FIELDS.where(where).order_by(connections.c.name)
    return [Connection(**row._mapping) for row in connection.execute(query)]


def _named(owner_id: UUID, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(connections.c.owner_id == owner_id, connections.c.name == name)


def _client_id(connection: sa.Connection, name: str, *where: sa.ColumnElement[bool]) -> UUID:
    query = sa.select(clients.c.id).where(clients.c.name == name, *where)
    found: UUID | None = connection.execute(query).scalar()
    if found is None:
        raise UnknownClientError(name, known=_names(connection, clients))
    return found


def _names(connection: sa.Connection, table: sa.Table) -> list[str]:
    return list(connection.execute(sa.select(table.c.name)).scalars())


def _of_version(table: sa.Table, version: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if version is None else table.c.version == version


def _secret_place(id: UUID, client_id: UUID) -> Place:
    return Place("client_secrets", "value_sealed", id, client_id)


def _taken(kind: str, name: str) -> ConflictError:
    article = "an" if kind.startswith("O") else "a"
    return ConflictError(
        f"There is {article} {kind} named {name!r} already.", hint="Choose another name."
    )


def _stale(kind: str, name: str) -> ConflictError:
    return ConflictError(
        f"The {kind} {name!r} was changed by somebody else meanwhile.",
        hint="Read it again, then repeat the change.",
    )
