"""`keys …` and `db …`: the database of this machine's token service, and its keys."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_oauthconn.errors import ConfigurationError
from jupyter_oauthconn.model import Event

from .call import Call, Commands, add_command, add_group
from .output import DONE, FAILED, table

if TYPE_CHECKING:
    from jupyter_oauthconn.storage import Findings, Store


def add_commands(commands: Commands) -> None:
    keys = add_group(commands, "keys", "the keys that stored secrets are sealed with")
    add_command(keys, "list", _list_keys, "their ids; the keys themselves are never shown")
    add = add_command(keys, "add", _add_key, "make a new key, used from now on")
    add.add_argument(
        "--forget-sign-ins",
        action="store_true",
        help="the key file is lost: keep clients and connections, forget tokens and secrets",
    )
    database = add_group(commands, "db", "the database")
    add_command(database, "upgrade", _upgrade, "bring its tables up to date")
    add_command(database, "check", _check, "read it through")
    for name, run, help, file in (
        ("backup", _backup, "copy it while it is in use, without the keys", "the copy"),
        ("restore", _restore, "put a backup in its place", "the backup"),
    ):
        add_command(database, name, run, help).add_argument(
            "file", metavar="FILE", type=Path, help=file
        )


@contextmanager
def opened(call: Call) -> Iterator[Store]:
    """The store alone; a token service would begin to work with it."""
    from jupyter_oauthconn.broker.choice import data_home
    from jupyter_oauthconn.storage import Store

    settings = call.settings
    store = Store.open(home=data_home(settings), database_url=settings.database_url)
    try:
        yield store
    finally:
        store.close()


def _list_keys(call: Call) -> int:
    with opened(call) as store:
        keys = [{"id": one, "active": one == store.keys.active} for one in store.keys.ids]
        rows = [
            (str(one["id"]), "active" if one["active"] else "opens older values") for one in keys
        ]
        where = str(store.keys.path)
    call.show(keys, lambda: f"{table(('KEY', 'USE'), rows, empty='')}\n\nThey are in {where}.")
    return DONE


def _add_key(call: Call) -> int:
    if call.arguments.forget_sign_ins:
        return _forget_sign_ins(call)
    with opened(call) as store:
        key_id = store.keys.add()
        store.journal.add(Event(kind="key_added", actor=getpass.getuser()))
        where = str(store.keys.path)
    call.show(
        {"id": key_id, "active": True},
        lambda: f"New values are sealed with the key {key_id!r}. Save {where} once more.",
    )
    return DONE


def _forget_sign_ins(call: Call) -> int:
    from jupyter_oauthconn.broker.choice import data_home
    from jupyter_oauthconn.storage import forget_sign_ins

    settings = call.settings
    forget_sign_ins(home=data_home(settings), database_url=settings.database_url)
    with opened(call) as store:
        key_id = store.keys.active
        store.journal.add(Event(kind="sign_ins_forgotten", actor=getpass.getuser()))
    call.show(
        {"id": key_id, "active": True},
        lambda: (
            "Sign-ins and client secrets are forgotten; OAuth clients and connections are "
            "kept. Next: `jupyter oauthconn status` shows who signs in again."
        ),
    )
    return DONE


def _upgrade(call: Call) -> int:
    from jupyter_oauthconn.storage import check

    with opened(call) as store:
        revision, where = check(store).revision, store.database.place
    call.show({"revision": revision}, lambda: f"Up to date (revision {revision}): {where}.")
    return DONE


def _check(call: Call) -> int:
    from jupyter_oauthconn.storage import check

    with opened(call) as store:
        found, where = check(store), store.database.place
    call.show(asdict(found), lambda: _as_text(found, where))
    return FAILED if found.problems else DONE


def _as_text(found: Findings, where: str) -> str:
    sealed = ", ".join(f"{count} with key {key}" for key, count in found.values_by_key.items())
    lines = [f"{where[0].upper()}{where[1:]}, revision {found.revision}"]
    lines.append(f"Sealed values: {sealed or 'none'}")
    return "\n".join([*lines, *(found.problems or ("Nothing is wrong.",))])


def _backup(call: Call) -> int:
    from jupyter_oauthconn.storage import backup

    target: Path = call.arguments.file
    with opened(call) as store:
        note = backup(store, target)
    call.show({"file": str(target), "note": note}, lambda: f"Copied to {target}. {note}")
    return DONE


def _restore(call: Call) -> int:
    from jupyter_oauthconn.broker.choice import data_home
    from jupyter_oauthconn.storage import restore

    source: Path = call.arguments.file
    if call.settings.database_url is not None:
        raise ConfigurationError(
            "A database that database_url names is not restored from here.",
            hint="PostgreSQL has its own tools (pg_restore); unset JUPYTER_OAUTHCONN_DATABASE_URL "
            "for the file of this machine.",
        )
    restore(source, home=data_home(call.settings))
    with opened(call) as store:
        where = store.database.place
    call.show({"restored": str(source)}, lambda: f"{source} is now {where}.")
    return DONE
