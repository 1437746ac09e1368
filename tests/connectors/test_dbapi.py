"""A driver's own connection, opened with a fresh token."""

from __future__ import annotations

import pickle
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import ModuleType
from typing import Any

import gate
import pytest
from IPython.core.ultratb import AutoFormattedTB
from issuer import IssuedTokens, Issuer
from later import Later
from leaks import shown, told

from jupyter_oauthconn.catalog import Handle, Placement, TokenPlacement
from jupyter_oauthconn.connectors import Access, Reach, connector
from jupyter_oauthconn.connectors.sql.dbapi import LiveConnection
from jupyter_oauthconn.connectors.sql.opening import is_refusal
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
)

URL = "gate://ada@localhost/sales"
TOKEN = TokenPlacement(placement=Placement.CONNECT_ARG, name="token")


@pytest.fixture
def database(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> gate.Gate:
    made = gate.opened()
    made.accepts = lambda named: issuer.accepts(str(named.get("token")), str(named.get("user")))
    module = ModuleType("gate_driver")
    module.connect = made.connect  # type: ignore[attr-defined] - a module made here
    monkeypatch.setitem(sys.modules, "gate_driver", module)
    return made


def open_dbapi(
    tokens: Any, *, handle: Any = None, reach: Reach | None = None, **options: Any
) -> Any:
    table = Handle(kind="dbapi", **{"token": TOKEN, **(handle or {})})
    access = Access(source=tokens, reach=reach or Reach(None), handle=table)
    return connector("dbapi").open(access, **options)


def in_verbose_mode(error: BaseException) -> str:
    """As `%xmode Verbose` prints it."""
    text: str = AutoFormattedTB(mode="Verbose").text(type(error), error, error.__traceback__)
    return text


WAYS: dict[str, dict[str, Any]] = {
    "url": {"url": URL},
    "module": {"module": "gate_driver", "user": "ada", "host": "localhost"},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    return WAYS[request.param]


def test_it_is_the_drivers_own(
    tokens: IssuedTokens, database: gate.Gate, way: dict[str, Any]
) -> None:
    connection = open_dbapi(tokens, **way)
    assert type(connection) is sqlite3.Connection
    assert connection.execute("select 1").fetchone() == (1,)
    assert str(database.calls[0]["token"]) == tokens.token().reveal()
    connection.close()


def test_a_refused_token_is_renewed_and_tried_once_more(
    tokens: IssuedTokens, database: gate.Gate, way: dict[str, Any]
) -> None:
    tokens.token()
    tokens.spoil(lifetime=-60)
    open_dbapi(tokens, **way).close()
    assert (len(database.calls), tokens.forced) == (2, 1)


def test_never_twice_and_without_a_trace_of_the_token(
    tokens: IssuedTokens, database: gate.Gate, way: dict[str, Any]
) -> None:
    database.accepts = lambda _: False
    with pytest.raises(Exception, match="no entry") as caught:
        open_dbapi(tokens, **way)
    text = told(caught.value) + in_verbose_mode(caught.value)
    assert (len(database.calls), tokens.forced) == (2, 1)
    assert not any(one in text for one in tokens.issued)


def test_a_session_that_ends_with_its_token(
    make_tokens: Callable[..., IssuedTokens], database: gate.Gate, way: dict[str, Any], later: Later
) -> None:
    tokens = make_tokens(lifetime=60.0)
    with closing(open_dbapi(tokens, session_bound=True, **way)) as connection:
        connection.cursor().execute("create table here (x int)")
        connection.commit()
        assert connection.cursor().execute("select count(*) from here").fetchone() == (0,)
        later(60)
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            connection.cursor().execute("select * from here")
        assert len(database.calls) == 2
        assert repr(connection) == "<Connection to the data of 'data'>"
        assert not any(one in shown(connection) for one in tokens.issued)
        with pytest.raises(TypeError, match="is not pickled"):
            pickle.dumps(connection)


def ending(tokens: IssuedTokens, connection: Any) -> None:
    """Its token has ended."""
    tokens.token(rejected=tokens.token())
    connection._ends_at = 0.0


def test_what_is_set_is_the_drivers_and_is_set_again(
    tokens: IssuedTokens, database: gate.Gate, way: dict[str, Any]
) -> None:
    with closing(open_dbapi(tokens, session_bound=True, **way)) as connection:
        connection.isolation_level = "IMMEDIATE"
        connection.row_factory = sqlite3.Row
        assert connection._connection.isolation_level == "IMMEDIATE"
        ending(tokens, connection)
        assert connection.cursor().execute("select 1 as one").fetchone()["one"] == 1
        assert connection._connection.isolation_level == connection.isolation_level == "IMMEDIATE"


def test_with_does_what_the_drivers_does(
    tokens: IssuedTokens, database: gate.Gate, way: dict[str, Any]
) -> None:
    with closing(open_dbapi(tokens, session_bound=True, **way)) as connection:
        with connection as same:
            assert same is connection
            connection.cursor().execute("create table here (x int)")
            connection.cursor().execute("insert into here values (1)")
        with pytest.raises(sqlite3.OperationalError), connection:
            connection.cursor().executescript("begin; insert into here values (2); nonsense")
        # SQLite's keeps the connection, commits what went well, and nothing else
        assert connection.cursor().execute("select x from here").fetchall() == [(1,)]


class Bare:
    """A driver's connection without `with`, which the server has ended."""

    class Error(Exception):
        pass

    def __init__(self) -> None:
        self.closed = 0

    def cursor(self) -> object:
        return self

    def close(self) -> None:
        self.closed += 1
        raise self.Error("the server has ended this session")


def test_one_that_the_server_has_ended_does_not_get_in_the_way() -> None:
    bare, new = Bare(), sqlite3.connect(":memory:")
    opened = iter([(bare, 0.0), (new, float("inf"))])
    with closing(LiveConnection("data", lambda: next(opened))) as connection:
        assert type(connection.cursor()) is sqlite3.Cursor
        assert bare.closed == 1


def test_a_driver_without_with_is_closed() -> None:
    bare = Bare()
    with pytest.raises(Bare.Error), LiveConnection("data", lambda: (bare, float("inf"))):
        pass
    assert bare.closed == 1


def test_threads_that_see_the_end_open_one(
    tokens: IssuedTokens, database: gate.Gate, way: dict[str, Any]
) -> None:
    with closing(open_dbapi(tokens, session_bound=True, **way)) as connection:
        opened, count = connection._opened, len(database.calls)

        def slowly() -> Any:
            time.sleep(0.05)
            return opened()

        connection._opened = slowly
        ending(tokens, connection)
        with ThreadPoolExecutor(8) as threads:
            for one in [threads.submit(connection.cursor) for _ in range(8)]:
                one.result()
        assert len(database.calls) == count + 1


def test_pandas_reads_through_it(tokens: IssuedTokens, database: gate.Gate) -> None:
    import pandas as pd

    connection = open_dbapi(tokens, url=URL)
    assert pd.read_sql("select 42 as answer", connection)["answer"].to_list() == [42]
    connection.close()


def test_check(tokens: IssuedTokens, database: gate.Gate) -> None:
    access = Access(
        source=tokens, reach=Reach(None), handle=Handle(kind="dbapi", probe="select 6 * 7")
    )
    connection = open_dbapi(tokens, url=URL)
    assert connector("dbapi").check(connection, access) == "`select 6 * 7` answered 42."
    connection.close()


def test_only_to_the_hosts_of_the_connection(
    tokens: IssuedTokens, database: gate.Gate, way: dict[str, Any]
) -> None:
    with pytest.raises(NotAllowedError, match="is not sent to localhost"):
        open_dbapi(tokens, reach=Reach(("db.acme.example",)), **way)
    assert database.calls == []


def test_a_password_to_another_machine_needs_tls(tokens: IssuedTokens, database: gate.Gate) -> None:
    remote = {"module": "gate_driver", "host": "db.acme.example", "token": "password"}
    with pytest.raises(NotAllowedError, match="whether gate_driver encrypts"):
        open_dbapi(tokens, **remote)


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        (
            {"module": "gate_driver", "token": "adbc_header"},
            InvalidParameterError,
            "which argument",
        ),
        ({}, InvalidParameterError, "names no database"),
        ({"module": "no_such_driver"}, ConfigurationError, "not installed here"),
    ],
)
def test_what_makes_no_sense(
    tokens: IssuedTokens,
    database: gate.Gate,
    options: dict[str, Any],
    kind: type[Exception],
    sentence: str,
) -> None:
    with pytest.raises(kind, match=sentence) as caught:
        open_dbapi(tokens, **options)
    assert getattr(caught.value, "hint", "")


def test_the_entrys_arguments(tokens: IssuedTokens, database: gate.Gate) -> None:
    handle = {"options": {"module": "gate_driver"}, "connect_args": {"user": "ada", "role": "A"}}
    open_dbapi(tokens, handle=handle, role="B").close()
    token = tokens.token().reveal()
    assert database.calls == [{"user": "ada", "role": "B", "token": token}]


@pytest.mark.parametrize(
    ("text", "refused"),
    [("250001 (08001): 390318: the token has expired", True), ("390318", True), ("(390318)", True),
     ("request 1390318 took 3903181 ms", False), ("id a390318", False), ("ORA-01017: no", True)],
)  # fmt: skip
def test_a_number_is_no_part_of_a_longer_one(text: str, refused: bool) -> None:
    assert is_refusal(Exception(text), ("390318", "ORA-01017")) is refused
