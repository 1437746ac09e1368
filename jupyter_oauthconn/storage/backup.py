"""Backup, restore and check of a store."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_oauthconn.errors import StorageError

from .files import make_private_file, make_private_folder
from .migrations import current_revision
from .store import Store

_KEYS_APART = (
    "The keys ({keys}) are not in it: save them somewhere else, because whoever has both can read "
    "every token."
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What `check` found. `problems` are sentences; none: all is well."""

    revision: str | None
    values_by_key: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def backup(store: Store, target: Path) -> str:
    """Copies the database while it is in use; returns a sentence about the keys.

    Raises:
        StorageError: `target` exists or cannot be written; or the database is PostgreSQL.
    """
    path = store.database.path
    if path is None:
        raise StorageError(
            "A PostgreSQL database is saved with its own tools.",
            hint="Run pg_dump; " + _KEYS_APART.format(keys=store.keys.path),
        )
    if target.exists():
        raise StorageError(f"{target} exists already.", hint="Choose another name.")
    make_private_file(target)
    _copy(path, target)
    return _KEYS_APART.format(keys=store.keys.path)


def restore(source: Path, *, home: Path) -> None:
    """Puts a backup in the place of the database in `home`; the key ring stays as it is.

    Raises:
        StorageError: `source` is no sound backup; nothing was changed.
    """
    problem = _problem_of(source)
    if problem:
        raise StorageError(
            f"{source} is not a sound backup of a token service: {problem}.",
            hint="Choose another backup; nothing was changed.",
        )
    make_private_folder(home)
    target = home / "oauthconn.db"
    if target.exists() and _problem_of(target):
        # nothing can be using it: what is damaged goes, with what belongs to it
        for name in (target.name, f"{target.name}-wal", f"{target.name}-shm"):
            (home / name).unlink(missing_ok=True)
    make_private_file(target)
    _copy(source, target)


def check(store: Store) -> Findings:
    """Reads the database through; changes nothing."""
    problems: list[str] = []
    with store.database.reading() as connection:
        if store.database.is_sqlite:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            problems += [f"integrity_check: {one}" for one in found if one != "ok"]
            lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            problems += [f"A row of {one[0]} belongs to no row of {one[2]}." for one in lost]
        revision = current_revision(connection)
    counts = store.values_by_key()
    problems += store.check_keys()
    problems += [
        f"{count} values need the key {key_id!r}, which is missing."
        for key_id, count in counts.items()
        if key_id not in store.keys.ids
    ]
    return Findings(revision, counts, tuple(problems))


def _problem_of(path: Path) -> str:
    """Why the file is no sound database of ours; empty when it is one."""
    try:
        if not path.is_file():
            return "there is no such file"
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        ) as db:
            found = db.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                return str(found)
            db.execute("SELECT count(*) FROM store_meta")
    except (OSError, sqlite3.Error) as error:
        return str(error)
    return ""


def _copy(source: Path, target: Path) -> None:
    try:
        with (
            contextlib.closing(sqlite3.connect(source)) as one,
            contextlib.closing(sqlite3.connect(target)) as other,
        ):
            one.backup(other)
    except sqlite3.Error as error:
        raise StorageError(
            f"{source} could not be copied to {target}: {error}.",
            hint="Look at the free space and at who uses the database.",
        ) from None
