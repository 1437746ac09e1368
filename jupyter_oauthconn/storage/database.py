"""The database behind a store: opening, reading, writing, its time, its errors.

Reads run in autocommit; every write transaction begins with the write lock (`BEGIN IMMEDIATE` on
SQLite), because one that reads first and writes later fails at once when somebody else wrote
between (2026-11: 412,146 times "database is locked" in five seconds, and none this way).
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event, exc

from jupyter_oauthconn.errors import StorageError

from .files import is_on_network, keep_private, locked, make_private_file, make_private_folder
from .tables import UtcTime
from .trouble import as_storage_error, place_of

_BUSY_TIMEOUT = timedelta(seconds=5)
_READ_ONLY_USE = "oauthconn_read"
#: Any number: what processes on PostgreSQL queue for in `alone`.
_ALONE = 7_160_221_905
#: Connections that a parent process opened: a child must neither use nor close them.
_inherited: list[sa.Pool] = []


class Database:
    """One database: SQLite in a file, or PostgreSQL. Thread-safe."""

    def __init__(
        self, url: sa.URL, *, clock: Callable[[], datetime] | None, notes: tuple[str, ...] = ()
    ) -> None:
        self.url = url
        self.place = place_of(url)
        self.notes = notes
        self._clock = clock or _utc_now
        self._identity = None if self.path is None else _identity(self.path)
        self._connect()
        _opened.add(self)

    @classmethod
    def open(
        cls, *, home: Path, database_url: str | None, clock: Callable[[], datetime] | None = None
    ) -> Database:
        """Makes the folder and, for SQLite, the file; touches no table.

        Raises:
            StorageError: it cannot be opened, or `database_url` cannot be read.
        """
        notes = make_private_folder(home)
        url = _url(home, database_url)
        if url.get_backend_name() == "sqlite":
            notes += _prepare_file(Path(str(url.database)), place_of(url))
        return cls(url, clock=clock, notes=notes)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file."""
        return Path(str(self.url.database)) if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection without a transaction. Raises `StorageError`."""
        self._check_in_place()
        try:
            with self._reader.connect() as connection:
                yield connection
        except exc.SQLAlchemyError as error:
            raise as_storage_error(error, self.place) from None

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that has the write lock, committed at the end. Raises `StorageError`."""
        self._check_in_place()
        try:
            with self._engine.begin() as connection:
                yield connection
        except exc.SQLAlchemyError as error:
            raise as_storage_error(error, self.place) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Only one process at a time is in here, while others go on reading and writing."""
        if self.path is not None:
            with locked(self.path.with_name(f"{self.path.name}-lock")):
                yield
            return
        with self._reader.connect() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_lock(_ALONE)))
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_ALONE)))

    def time(self, ahead: timedelta = timedelta(0)) -> sa.ColumnElement[datetime]:
        """The store's time as SQL, read when the statement runs.

        Replicas do not compare their clocks: on PostgreSQL the server's counts, and not its
        `now()`, which stands still for the length of a transaction.
        """
        if self.is_sqlite:
            return sa.literal(self._clock() + ahead, UtcTime)
        now = sa.func.clock_timestamp(type_=UtcTime)
        if not ahead:
            return now
        return sa.type_coerce(now + sa.literal(ahead, sa.Interval), UtcTime)

    def now(self) -> datetime:
        """The store's time."""
        if self.is_sqlite:
            return self._clock()
        with self.reading() as connection:
            return connection.execute(sa.select(self.time())).scalar_one()

    def close(self) -> None:
        self._engine.dispose()

    def before_fork(self) -> None:
        """In the parent. SQLite counts locks for each process, and a fork copies the count: a
        child that inherits an open file believes that it holds locks which are its parent's. When
        that one ends, the next process to close the database deletes the log that the child still
        writes to. (Connections in use by other threads at this moment stay open.)
        """
        if self.is_sqlite:
            self._engine.dispose()

    def after_fork(self) -> None:
        """In a child: leaves the parent's connections alone and opens others when needed."""
        # closing them would end the parent's PostgreSQL sessions and drop its file locks
        _inherited.append(self._engine.pool)
        self._connect()

    def _check_in_place(self) -> None:
        """An open file that was deleted takes every write and keeps none."""
        if self.path is not None and _identity(self.path) != self._identity:
            raise StorageError(
                f"The database {self.place} was removed or replaced while this process used it.",
                hint="Put it back if that was a mistake, and start this kernel or command again.",
            )

    def _connect(self) -> None:
        self._engine = _engine(self.url)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_immediate)
            self._reader = self._engine.execution_options(**{_READ_ONLY_USE: True})
        else:
            self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")


_opened: weakref.WeakSet[Database] = weakref.WeakSet()


def _before_fork() -> None:
    for database in list(_opened):
        database.before_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _url(home: Path, database_url: str | None) -> sa.URL:
    if database_url is None:
        return sa.URL.create("sqlite", database=str(home / "oauthconn.db"))
    try:
        url = sa.make_url(database_url)
        backend = url.get_backend_name()
    except (exc.ArgumentError, ValueError):
        backend = ""
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite")
    raise StorageError(
        "database_url cannot be read, or names another kind of database.",
        hint="Use postgresql://user:password@host/database, or sqlite:////path/to/file.db.",
    )


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        # isolation_level None: the driver begins nothing by itself, `_begin_immediate` does
        return sa.create_engine(
            url,
            connect_args={"isolation_level": None, "timeout": _BUSY_TIMEOUT.total_seconds()},
            hide_parameters=True,
            pool_size=10,
            max_overflow=20,
        )
    try:
        # pre-ping: after a restart of the server no caller meets a dead connection
        return sa.create_engine(
            url,
            connect_args={"connect_timeout": 5},
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=5,
            pool_timeout=10,
        )
    except ModuleNotFoundError:
        raise StorageError(
            "PostgreSQL needs the package psycopg, which is not installed.",
            hint="pip install 'jupyter-oauthconn[postgres]'",
        ) from None


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # a rotated refresh token must survive a power cut, so every commit reaches the disk
    connection.execute("PRAGMA synchronous = FULL")


def _begin_immediate(connection: sa.Connection) -> None:
    if not connection.get_execution_options().get(_READ_ONLY_USE):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_file(path: Path, place: str) -> tuple[str, ...]:
    """Makes the file and sets its journal; returns notes."""
    notes = make_private_file(path)
    on_network = is_on_network(path)
    try:
        _set_journal(path, "delete" if on_network else "wal")
    except sqlite3.Error as error:
        raise as_storage_error(_as_dbapi_error(error), place) from None
    # made by an older or foreign program; SQLite gives new ones the mode of the database
    for beside in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if beside.exists():
            notes += keep_private(beside)
    if not on_network:
        return notes
    return (
        *notes,
        f"{path} lies on a network file system: the slower rollback journal is used. "
        "JUPYTER_OAUTHCONN_HOME moves it to a local disk.",
    )


def _set_journal(path: Path, mode: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None, timeout=1)
    try:
        deadline = time.monotonic() + _BUSY_TIMEOUT.total_seconds()
        while True:
            try:
                if connection.execute("PRAGMA journal_mode").fetchone()[0] == mode:
                    return
                connection.execute(f"PRAGMA journal_mode = {mode}")
            except sqlite3.OperationalError:
                # SQLite does not wait for the lock to set it by itself; who sets it just now
                # holds one against reading, too
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
    finally:
        connection.close()


def _as_dbapi_error(error: sqlite3.Error) -> exc.DBAPIError:
    return exc.DBAPIError(None, None, cast(Any, error))
