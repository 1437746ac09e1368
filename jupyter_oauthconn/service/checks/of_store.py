"""Where everything is kept: folder, file system, database and key."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path

from jupyter_oauthconn.model import Check, Event, EventFilter, Outcome
from jupyter_oauthconn.storage import Store
from jupyter_oauthconn.storage.files import file_system_of, is_on_network

from .findings import failed, ok, tried, unknown

_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_MOVE = (
    "Move it to a local disk: stop everything that uses it, move the folder, and set "
    "`export JUPYTER_OAUTHCONN_HOME=FOLDER` for servers, kernels and commands."
)


def store_checks(store: Store) -> Sequence[Check]:
    """Data folder, file system, database; the key where the database can be read."""
    database = tried("database", lambda: _write_and_read(store))
    keys = _key(store) if database.outcome is Outcome.OK else ()
    return [_data_folder(store), _file_system(store), database, *keys]


def answers_check(store: Store) -> Check:
    """Whether the database answers, and nothing of where it is: for who does not administrate."""
    if tried("database", lambda: _write_and_read(store)).outcome is Outcome.OK:
        return ok("database", "The database answers.")
    return failed("database", "The database does not answer.", "Tell an administrator.")


def _data_folder(store: Store) -> Check:
    check, folder = "data folder", store.home
    if os.name == "nt":
        return unknown(check, f"{folder}; who may read it is not looked at on Windows.")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        return failed(check, f"Others can write into {folder}, and so put their own files in place "
                      "of ours.", f"`chmod go-w {shlex.quote(str(folder))}`")  # fmt: skip
    files = _files(store)
    loose = [path for path in files if _others_can_read(path)]
    if loose:
        names = " ".join(shlex.quote(str(path)) for path in loose)
        return failed(check, f"Others can read {', '.join(path.name for path in loose)} in "
                      f"{folder}.", f"`chmod 600 {names}`")  # fmt: skip
    modes = (
        f"{folder} (mode {mode:o}); only you can read the {len(files)} files that are kept there."
    )
    if store.notes:
        return unknown(check, " ".join((modes, *store.notes)))
    return ok(check, modes)


def _files(store: Store) -> list[Path]:
    paths = [store.keys.path]
    if store.database.path is not None:
        path = store.database.path
        paths += [path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")]
    return [path for path in paths if path.exists()]


def _others_can_read(path: Path) -> bool:
    found = path.stat()
    # a Kubernetes Secret or a mounted volume belongs to somebody else, who decides
    return found.st_uid == os.geteuid() and bool(found.st_mode & _OTHERS)


def _file_system(store: Store) -> Check:
    check, path = "file system", store.database.path
    if path is None:
        return ok(check, f"Not of importance: {store.database.place} is on a database server.")
    kind = file_system_of(path)
    if kind is None:
        return unknown(check, f"This system does not tell on which file system {path} lies.")
    if is_on_network(path):
        return failed(check, f"{path} lies on {kind}, a network file system, where SQLite is slow "
                      "and locks cannot be relied on.", _MOVE)  # fmt: skip
    return ok(check, f"{path} lies on {kind}, a local file system.")


def _write_and_read(store: Store) -> str:
    store.journal.add(Event(kind="doctor"))
    store.journal.events(EventFilter(), 1)
    revision = store.revision()
    return f"{_capital(store.database.place)} can be written and read (revision {revision})."


def _key(store: Store) -> Sequence[Check]:
    check, path = "key", store.keys.path
    problems = store.check_keys()
    if problems:
        step = (
            f"Put {path} back from where it was saved. Is it lost: `jupyter oauthconn keys add "
            "--forget-sign-ins` keeps OAuth clients and connections and forgets sign-ins."
        )
        return [failed(check, problem, step) for problem in problems]
    return [ok(check, f"{path} opens what is stored; new values are sealed with the key "
               f"{store.keys.active!r}.")]  # fmt: skip


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
