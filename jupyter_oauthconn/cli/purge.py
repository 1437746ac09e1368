"""`purge`: ends one's sign-ins at the providers and deletes what the token service has kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import (
    ConfigurationError,
    MissingKeyError,
    OAuthConnError,
    StorageError,
)
from jupyter_oauthconn.model import Connection, Outcome, Revocation

from .call import Call, Commands, add_command, somebody_types, terminal_is_there
from .output import DONE, FAILED, for_terminal, say
from .store import opened

if TYPE_CHECKING:
    from jupyter_oauthconn.broker import TokenServiceBroker


_LIVE_ON = (
    "The sign-ins were not ended and live on at the providers: end them in your accounts there."
)


class SignInLine(TypedDict):
    """A sign-in that was ended; `at_provider` as in `revoke --json`."""

    connection: str
    at_provider: str
    detail: str


class PurgeBody(TypedDict):
    """`purge --json`: what is gone."""

    sign_ins: list[SignInLine]
    connections: list[str]
    clients: list[str]
    files: list[str]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is to go.

    Attributes:
        database: the SQLite file; None: a database that others use, too.
        sign_ins: the name of each, and what ends it.
    """

    home: Path
    database: Path | None
    sign_ins: tuple[tuple[str, Callable[[], Revocation]], ...] = ()
    connections: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()


def add_commands(commands: Commands) -> None:
    purge = add_command(
        commands, "purge", _purge, "end your sign-ins and delete the data folder; asks first"
    )
    purge.add_argument("--yes", action="store_true", help="do not ask")


def _purge(call: Call) -> int:
    from jupyter_oauthconn.broker.choice import data_home

    home = data_home(call.settings)
    _check_place(call, home)
    database = _database(call, home)
    if database is not None and not any(_files(home, database)):
        nothing = _body(_Plan(home=home, database=database), [], [])
        call.show(nothing, lambda: f"There is nothing to purge in {home}.")
        return DONE
    broker = _broker(call, home)
    try:
        plan = _plan(home, database, broker)
        _tell(plan)
        if not _is_confirmed(call):
            say("Nothing was purged.")
            return FAILED
        ended = list(_end(plan, broker))
    finally:
        # it saves what is under way, so its files go after it
        if broker is not None:
            broker.close()
    gone = [] if database is None else _delete(home, _files(home, database))
    call.show(_body(plan, ended, gone), lambda: _told(plan))
    failed = [one["connection"] for one in ended if one["at_provider"] == Outcome.FAILED]
    if failed:
        say(f"Not confirmed by the provider: {_list(failed)}. End that in your accounts there.")
    if broker is None:
        say(_LIVE_ON)
    return FAILED if failed or broker is None else DONE


def _check_place(call: Call, home: Path) -> None:
    """Raises `ConfigurationError` where another process keeps the sign-ins."""
    from jupyter_oauthconn.broker.choice import runtime_folder
    from jupyter_oauthconn.broker.running import running, store_fingerprint

    if call.arguments.service or os.environ.get("JUPYTER_OAUTHCONN_URL"):
        raise ConfigurationError(
            "`purge` deletes what this machine's own token service has kept, and not what a "
            "Jupyter server keeps.",
            hint="Stop that server, then run `jupyter oauthconn purge` without --service in a "
            "terminal that is not one of JupyterLab.",
        )
    here = store_fingerprint(home, call.settings.database_url)
    for one in running(runtime_folder()):
        if one.store == here:
            port = urlsplit(one.url).port or "PORT"
            raise ConfigurationError(
                f"The Jupyter server at {one.url} (process {one.pid}) is running and keeps its "
                "sign-ins in the same place.",
                hint=f"Stop it first: `jupyter server stop {port}`, or Shut Down in JupyterLab's "
                "menu File.",
            )


def _database(call: Call, home: Path) -> Path | None:
    """The SQLite file; None: it is PostgreSQL."""
    if call.settings.database_url is None:
        return home / "oauthconn.db"
    with opened(call) as store:
        return store.database.path


def _broker(call: Call, home: Path) -> TokenServiceBroker | None:
    """None: what is kept can never be read again, and can be deleted all the same.

    Raises:
        OAuthConnError: it cannot be opened now; mended, its sign-ins could be ended.
    """
    from jupyter_oauthconn.broker.local import LocalBroker
    from jupyter_oauthconn.storage import is_damaged

    try:
        # what the files declare is of no use to what goes, and one that is wrong would stop it
        return LocalBroker(replace(call.settings, config_files=()), home)
    except (MissingKeyError, StorageError) as error:
        lost = isinstance(error, MissingKeyError) or is_damaged(home / "oauthconn.db")
        if not lost or call.settings.database_url is not None:
            raise
        say(error.message)
        say("So no sign-in can be ended from here.")
        return None


def _plan(home: Path, database: Path | None, broker: TokenServiceBroker | None) -> _Plan:
    if broker is None:
        return _Plan(home=home, database=database)
    connections = broker.connections()
    own = tuple(one.name for one in connections if one.mine)
    if database is None:
        # an own one comes before a shared one that it hides, and is gone when that is ended
        ends = (
            (one.name, partial(_leave, broker, one)) for one in connections if _is_signed_in(one)
        )
        return _Plan(home=home, database=None, sign_ins=tuple(ends), connections=own)
    # the whole file goes, with the sign-ins of whoever else has used it
    grants = broker.grants()
    several = len({one.owner for one in grants}) > 1
    return _Plan(
        home=home,
        database=database,
        sign_ins=tuple(
            (
                f"{one.connection} of {one.owner}" if several else one.connection,
                partial(broker.revoke_grant, one.id),
            )
            for one in grants
        ),
        connections=own,
        clients=tuple(one.name for one in broker.clients()),
    )


def _tell(plan: _Plan) -> None:
    """Before anything is done."""
    say("This will")
    say(f"  end these sign-ins at their providers: {_list(name for name, _ in plan.sign_ins)}")
    say(f"  remove these connections of yours: {_list(plan.connections)}")
    if plan.database is None:
        say(f"  keep the OAuth clients, the history and the files in {plan.home}, because others "
            "may use that database, too")  # fmt: skip
    else:
        say(f"  remove these OAuth clients: {_list(plan.clients)}")
        say(f"  delete {_list(map(str, _files(plan.home, plan.database)))}")
    say("It cannot be undone.")


def _is_confirmed(call: Call) -> bool:
    if call.arguments.yes:
        return True
    if not terminal_is_there():
        raise ConfigurationError(
            "Nothing was purged, because nobody is here who could confirm it.",
            hint="Give --yes if that is what you want.",
        )
    return somebody_types("purge", "Is that what you want?")


def _end(plan: _Plan, broker: TokenServiceBroker | None) -> Iterator[SignInLine]:
    """Ends the sign-ins; what does not work at a provider does not stop the purge."""
    if broker is not None and plan.database is None:
        for one in broker.connections():
            if one.mine and not _is_signed_in(one):
                broker.remove_connection(one.name)
    for name, end in plan.sign_ins:
        try:
            done = end()
        except OAuthConnError as error:
            done = Revocation(at_provider=Outcome.FAILED, detail=error.message)
        say(for_terminal(f"{name}: {done.detail}"))
        yield {"connection": name, "at_provider": done.at_provider.value, "detail": done.detail}


def _is_signed_in(connection: Connection) -> bool:
    return connection.status is not None and connection.status.connected_at is not None


def _leave(broker: TokenServiceBroker, connection: Connection) -> Revocation:
    """Ends one's sign-in, and removes the connection if it is one's own."""
    try:
        return broker.revoke(connection.name)
    finally:
        if connection.mine:
            broker.remove_connection(connection.name)


def _files(home: Path, database: Path) -> Iterator[Path]:
    """Those of ours that are there, the keys last: without them nothing else can be read."""
    beside = (f"{database.name}{suffix}" for suffix in ("-wal", "-shm", "-journal", "-lock"))
    for path in (
        database,
        *(database.with_name(name) for name in beside),
        home / "spool",
        home / "keys.json.unreadable",
        home / "keys.json",
    ):
        if path.exists() or path.is_symlink():
            yield path
    # what a process that was killed left behind
    yield from sorted(home.glob(".keys.json.*.new"))


def _delete(home: Path, paths: Iterable[Path]) -> list[str]:
    """Returns the paths that are gone, the folder among them if it was left empty.

    Raises:
        StorageError: one cannot be deleted.
    """
    gone = []
    for path in list(paths):
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise StorageError(
                f"{path} cannot be deleted: {error.strerror}.",
                hint="Delete it yourself: nothing reads it any more.",
            ) from None
        gone.append(str(path))
    with suppress(OSError):  # it holds something else, or is no folder of its own
        home.rmdir()
        gone.append(str(home))
    return gone


def _told(plan: _Plan) -> str:
    if plan.database is None:
        return f"Your sign-ins and connections are gone. The files in {plan.home} are kept."
    if plan.home.exists():
        return f"All of it is gone. {plan.home} is kept, because it holds something else."
    return f"All of it is gone, {plan.home} too."


def _body(plan: _Plan, ended: list[SignInLine], files: list[str]) -> PurgeBody:
    return {
        "sign_ins": ended,
        "connections": list(plan.connections),
        "clients": list(plan.clients),
        "files": files,
    }


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
