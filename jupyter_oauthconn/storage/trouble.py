"""What a database says when it fails, as a sentence without SQL, parameters or password."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from jupyter_oauthconn.errors import StorageError

_RETRY = "Try again; nothing was changed."
_SQLITE = {
    "SQLITE_BUSY": ("is locked by another program", "Close what holds it open, then try again."),
    "SQLITE_LOCKED": ("is locked by another program", "Close what holds it open, then try again."),
    "SQLITE_FULL": ("cannot grow: the disk is full", "Make room on the disk, then try again."),
    "SQLITE_READONLY": ("is read-only", "Look at the owner and mode of the file and its folder."),
    "SQLITE_PERM": ("may not be opened", "Look at the owner and mode of the file and its folder."),
    "SQLITE_CANTOPEN": ("cannot be opened", "Look at the file and at the folder that it is in."),
    "SQLITE_NOTADB": (
        "is not a database",
        "Put a backup back: `jupyter oauthconn db restore FILE`.",
    ),
    "SQLITE_CORRUPT": (
        "is damaged",
        "Put a backup back: `jupyter oauthconn db restore FILE`; "
        "`jupyter oauthconn db check` tells more.",
    ),
    "SQLITE_IOERR": ("cannot be read or written", "Look at the disk and its free space."),
}
#: SQLSTATE, whole or its class (PostgreSQL, appendix A).
_POSTGRESQL = {
    "25006": ("is read-only", "Connect to the primary server."),
    "28": ("refuses the user or password", "Look at the user and password in database_url."),
    "3D": ("does not exist", "Create it, or look at its name in database_url."),
    "42501": ("does not allow this", "Give the user of database_url rights on its tables."),
    "53": ("has no room or no connections left", "Look at its disk and at max_connections."),
    "40": ("was busy with another change of the same row", _RETRY),
    "55": ("was busy with another change of the same row", _RETRY),
}


def as_storage_error(error: exc.SQLAlchemyError, place: str) -> StorageError:
    """The error to raise instead of `error`; `place` names the database."""
    if isinstance(error, exc.TimeoutError):
        return StorageError(
            f"All connections to {place} are in use.", hint="Try again in a moment."
        )
    if isinstance(error, exc.DBAPIError):
        said, hint = _reason(error.orig)
        return StorageError(f"{place[0].upper()}{place[1:]} {said}.", hint=hint)
    return StorageError(
        f"{place[0].upper()}{place[1:]} could not be used ({type(error).__name__}).", hint=_RETRY
    )


def is_damaged(path: Path) -> bool:
    """Whether SQLite finds that the file is damaged or none of its databases; not: locked, away."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            return bool(opened.execute("PRAGMA quick_check").fetchone() != ("ok",))
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        return name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT"))


def place_of(url: sa.URL) -> str:
    """The database in words; never a URL, which may carry a password."""
    if url.get_backend_name() == "sqlite":
        return f"the database {url.database}"
    host = url.host or url.query.get("host") or "localhost"
    return f"the database {url.database!r} on {host}"


def _reason(orig: object) -> tuple[str, str]:
    if isinstance(orig, sqlite3.Error):
        name = getattr(orig, "sqlite_errorname", "")
        for known, sentence in _SQLITE.items():
            # extended codes begin with their primary code: SQLITE_IOERR_WRITE
            if name == known or name.startswith(f"{known}_"):
                return sentence
        return f"could not be used ({name or type(orig).__name__})", _RETRY
    state = getattr(orig, "sqlstate", None) or ""
    for known, sentence in _POSTGRESQL.items():
        if state.startswith(known):
            return sentence
    if not state or state.startswith(("08", "57")):
        return "does not answer", "Look whether the server runs; it is asked again by itself."
    return f"could not be used (SQLSTATE {state})", _RETRY
