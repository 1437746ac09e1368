"""The store: one database, one key ring, and the parts that keep things in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from jupyter_oauthconn.errors import MissingKeyError, UnsealError
from jupyter_oauthconn.model import Secret

from .authorizations import Authorizations
from .database import Database
from .files import keep_private
from .grants import Grants, clear_spool
from .journal import Journal, StoredSettings
from .migrations import current_revision, migrate
from .registry import Owners, Registry
from .sealing import KeyRing, Place, Sealer, key_id_of, missing_key, wrong_key
from .tables import authorizations, client_secrets, grants, key_sentinels, metadata


class KeyUse(NamedTuple):
    """A key of the ring, by its id."""

    id: str
    active: bool
    values: int


_SENTINEL = Secret("jupyter-oauthconn")
_NOBODY = UUID(int=0)


class Store:
    """Everything that a token service keeps. Thread-safe; a forked child calls `after_fork`.

    Attributes:
        owners, registry, grants, authorizations, journal, settings: its parts.
        notes: sentences for the doctor, e.g. about a network file system.
    """

    def __init__(self, home: Path, database: Database, keys: KeyRing) -> None:
        self.home = home
        self.database = database
        self.keys = keys
        self.sealer = Sealer(keys)
        self.owners = Owners(database)
        self.registry = Registry(database, self.sealer)
        self.grants = Grants(database, self.sealer, home / "spool")
        self.authorizations = Authorizations(database, self.sealer)
        self.journal = Journal(database)
        self.settings = StoredSettings(database)
        self.notes = database.notes

    @classmethod
    def open(
        cls,
        *,
        home: Path,
        database_url: str | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> Store:
        """Opens a store; at the first start database and key ring are made.

        Args:
            home: folder of the SQLite file, the key ring and the spool.
            database_url: None for `home/oauthconn.db`.
            clock: the time of a store on SQLite; PostgreSQL has its own.

        Raises:
            MissingKeyError: the key ring is not the one that the database was sealed with.
            StorageError: the database cannot be opened or read.
        """
        database = Database.open(home=home, database_url=database_url, clock=clock)
        try:
            with database.writing() as connection:
                migrate(connection, database)
                keys = _open_keys(connection, home / "keys.json")
            store = cls(home, database, keys)
            store.notes += keep_private(keys.path)
            store.grants.replay_spool()
            store.notes += store.grants.spool_notes()
        except BaseException:
            database.close()
            raise
        return store

    def now(self) -> datetime:
        """The store's time, aware UTC."""
        return self.database.now()

    def revision(self) -> str | None:
        """Of its tables."""
        with self.database.reading() as connection:
            return current_revision(connection)

    def key_uses(self) -> list[KeyUse]:
        """The keys, the oldest first, and how many stored values need each."""
        counts = self.values_by_key()
        return [KeyUse(one, one == self.keys.active, counts.get(one, 0)) for one in self.keys.ids]

    def values_by_key(self) -> dict[str, int]:
        """How many stored values need each key, also one that is missing."""
        counts: Counter[str] = Counter()
        with self.database.reading() as connection:
            for table in metadata.sorted_tables:
                for column in table.c:
                    if column.name.endswith("_sealed"):
                        values = connection.execute(sa.select(column).where(column.is_not(None)))
                        counts.update(key_id_of(value) for value in values.scalars())
        return dict(counts)

    def check_keys(self) -> list[str]:
        """A sentence for each key of the database that the key file does not have, or has wrongly.

        The file is read again: this process still works with what it read at its start.
        """
        with self.database.reading() as connection:
            sentinels = _read_sentinels(connection)
        problems = []
        for key_id, sealed in sentinels.items():
            try:
                _check_sentinel(_load_keys(self.keys.path, sentinels), key_id, sealed)
            except MissingKeyError as error:
                problems.append(error.message)
        return problems

    def close(self) -> None:
        """Closes every connection."""
        self.database.close()

    def after_fork(self) -> None:
        """In a forked child, before anything else: the parent's connections stay untouched."""
        self.database.after_fork()


def forget_sign_ins(*, home: Path, database_url: str | None = None) -> None:
    """The way on when the key is lost: a new key; clients and connections stay.

    Grants, sign-ins under way and the values of client secrets are removed, because nobody can
    open them any more.

    Raises:
        StorageError: nothing was changed.
    """
    database = Database.open(home=home, database_url=database_url)
    path = home / "keys.json"
    try:
        with database.writing() as connection:
            migrate(connection, database)
            for table in (authorizations, grants, client_secrets, key_sentinels):
                connection.execute(sa.delete(table))
            _insert_sentinel(connection, _new_key(path))
        clear_spool(home / "spool")
    finally:
        database.close()


def _open_keys(connection: sa.Connection, path: Path) -> KeyRing:
    """The ring, after trying its keys on the database's sentinels.

    Inside the transaction of the migration, so that of two first starts one makes the key.
    """
    sentinels = _read_sentinels(connection)
    if not sentinels and not path.exists():
        keys = KeyRing.create(path)
    else:
        keys = _load_keys(path, sentinels)
    for key_id, sealed in sentinels.items():
        _check_sentinel(keys, key_id, sealed)
    if keys.active not in sentinels:
        _insert_sentinel(connection, keys)
    return keys


def _read_sentinels(connection: sa.Connection) -> dict[str, bytes]:
    rows = connection.execute(sa.select(key_sentinels))
    return {row.key_id: row.value_sealed for row in rows}


def _load_keys(path: Path, sentinels: dict[str, bytes]) -> KeyRing:
    if not path.exists():
        raise missing_key(path, sorted(sentinels)[0])
    return KeyRing.load(path)


def _check_sentinel(keys: KeyRing, key_id: str, sealed: bytes) -> None:
    """Raises `MissingKeyError`."""
    try:
        Sealer(keys).unseal(sealed, _sentinel_place())
    except UnsealError:
        raise wrong_key(keys.path, key_id_of(sealed) or key_id) from None


def _insert_sentinel(connection: sa.Connection, keys: KeyRing) -> None:
    sealed = Sealer(keys).seal(_SENTINEL, _sentinel_place())
    connection.execute(sa.insert(key_sentinels).values(key_id=keys.active, value_sealed=sealed))


def _new_key(path: Path) -> KeyRing:
    try:
        keys = KeyRing.load(path)
    except MissingKeyError:
        if path.exists():
            # perhaps somebody can still mend it
            path.replace(path.with_name("keys.json.unreadable"))
        return KeyRing.create(path)
    keys.add()
    return keys


def _sentinel_place() -> Place:
    return Place("key_sentinels", "value_sealed", _NOBODY, _NOBODY)
