"""An ADBC connection: its header is renewed while it lives, by the real Flight SQL driver."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

import adbc_driver_manager
import flight_sql as server_module
import pytest
from adbc_driver_manager import dbapi
from IPython.core.ultratb import AutoFormattedTB
from issuer import IssuedTokens
from leaks import shown, told
from pyarrow import flight

from jupyter_oauthconn.catalog import Handle, Placement, TokenPlacement
from jupyter_oauthconn.connectors import Access, Reach, connector
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
)

if TYPE_CHECKING:
    from flight_sql import FlightSql

QUERY = "select count(*) from numbers"


def access_to(tokens: Any, reach: Reach | None = None, **handle: Any) -> Access:
    return Access(source=tokens, reach=reach or Reach(None), handle=Handle(kind="adbc", **handle))


def open_adbc(tokens: Any, flight_sql: FlightSql, **options: Any) -> Any:
    options = {"autocommit": True, **options}
    return connector("adbc").open(access_to(tokens), url=flight_sql.url, **options)


class Seen(list[Any]):
    """Does not show in the test's own frame what it holds."""

    def __repr__(self) -> str:
        return "<seen>"


@pytest.fixture
def headers(flight_sql: FlightSql, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """All `authorization` headers of each call that was made."""
    seen = Seen()
    real = server_module._TokenCheck.start_call

    def start_call(self: Any, info: Any, given: dict[str, list[str]]) -> None:
        seen.append([one for name in given if name.lower() == "authorization"
                     for one in given[name]])  # fmt: skip
        return real(self, info, given)

    monkeypatch.setattr(server_module._TokenCheck, "start_call", start_call)
    return seen


@pytest.fixture
def connection(tokens: IssuedTokens, flight_sql: FlightSql) -> Iterator[Any]:
    made = open_adbc(tokens, flight_sql)
    yield made
    made.close()


def counted(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(QUERY)
        return int(cursor.fetchone()[0])


def test_it_is_the_driver_managers_connection(connection: Any) -> None:
    import pandas as pd

    assert isinstance(connection, dbapi.Connection)
    assert counted(connection) == 3
    assert pd.read_sql(QUERY + " as n", connection).iloc[0, 0] == 3


def test_each_cursor_sends_the_newest_token_and_no_other(
    tokens: IssuedTokens, connection: Any, headers: Seen
) -> None:
    assert counted(connection) == 3
    for _ in range(3):
        headers.clear()
        newest = tokens.token(rejected=tokens.token())
        assert counted(connection) == 3
        assert headers
        assert {tuple(one) for one in headers} == {(f"Bearer {newest.reveal()}",)}


def test_a_refused_token_is_renewed_and_tried_once_more(
    tokens: IssuedTokens, connection: Any
) -> None:
    with connection.cursor() as cursor:
        tokens.revoke()
        assert cursor.execute(QUERY).fetchone() == (3,)
    assert tokens.forced == 1
    with connection.cursor() as cursor:
        assert cursor.execute(QUERY).fetchone() == (3,)
    assert tokens.forced == 1


def test_a_cursor_is_refused_its_own_token_and_not_the_newest(
    tokens: IssuedTokens, connection: Any
) -> None:
    with connection.cursor() as before:
        tokens.revoke()
        newest = tokens.token(rejected=tokens.token())
        with connection.cursor() as after:
            assert after.execute(QUERY).fetchone() == (3,)
            assert before.execute(QUERY).fetchone() == (3,)
    assert tokens.token() == newest
    assert tokens.forced == 1  # the test's own


def test_never_twice(
    make_tokens: Callable[..., IssuedTokens], flight_sql: FlightSql, headers: Seen
) -> None:
    tokens = make_tokens("bob")
    connection = open_adbc(tokens, flight_sql)
    headers.clear()
    with connection.cursor() as cursor, pytest.raises(dbapi.Error) as caught:
        cursor.execute(QUERY)
    asked = len(headers)
    connection.close()  # by one more call
    assert caught.value.status_code is adbc_driver_manager.AdbcStatusCode.UNAUTHENTICATED
    assert tokens.forced == 1
    assert {tuple(one) for one in headers} == {(f"Bearer {one}",) for one in tokens.issued}
    assert asked == 2
    text = told(caught.value) + in_verbose_mode(caught.value)
    assert not any(one in text for one in tokens.issued)


def in_verbose_mode(error: BaseException) -> str:
    """As `%xmode Verbose` prints it."""
    text: str = AutoFormattedTB(mode="Verbose").text(type(error), error, error.__traceback__)
    return text


def test_what_fails_otherwise_is_not_tried_again(
    tokens: IssuedTokens, connection: Any, headers: Seen
) -> None:
    with connection.cursor() as cursor, pytest.raises(dbapi.Error):
        cursor.execute("select * from nowhere")
    assert tokens.forced == 0


def test_cursors_of_eight_threads(tokens: IssuedTokens, flight_sql: FlightSql) -> None:
    """Each thread has its own connection; the source has one refresh for all."""
    connections = [open_adbc(tokens, flight_sql) for _ in range(8)]
    tokens.revoke()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(counted, connections)) == [3] * 8
    assert tokens.forced == 1
    for one in connections:
        one.close()


def test_a_clone_is_renewed_too(tokens: IssuedTokens, connection: Any) -> None:
    with connection.adbc_clone() as clone:
        tokens.revoke()
        assert counted(clone) == 3


def test_it_shows_no_token(tokens: IssuedTokens, connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(QUERY)
        text = shown(connection, cursor) + repr(vars(connection)) + repr(vars(cursor))
    assert not any(one in text for one in tokens.issued)
    with pytest.raises((TypeError, pickle.PicklingError)):
        pickle.dumps(connection)
    assert "'data'" in repr(connection)


def test_check(tokens: IssuedTokens, connection: Any) -> None:
    access = access_to(tokens, probe=QUERY)
    assert connector("adbc").check(connection, access) == f"`{QUERY}` answered 3."


# --- other drivers: the token among the database's options, once


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """A driver module that notes its options, and says once that the token is not accepted."""
    seen = Seen()
    module = ModuleType("adbc_driver_gate")

    def connect(uri: str | None, db_kwargs: dict[str, str]) -> None:
        seen.append(db_kwargs)
        code = "390303 invalid token" if len(seen) == 1 else "out of order"
        status = adbc_driver_manager.AdbcStatusCode.IO
        raise dbapi.OperationalError(code, status_code=status)

    module.connect = connect  # type: ignore[attr-defined] - a module made here
    monkeypatch.setitem(sys.modules, "adbc_driver_gate", module)
    return seen


def test_a_token_among_the_options(tokens: IssuedTokens, driver: Seen) -> None:
    access = access_to(
        tokens,
        options={"module": "adbc_driver_gate"},
        token=TokenPlacement(placement=Placement.CONNECT_ARG, name="auth_token"),
        connect_args={"account": "acme"},
        auth_errors=("390303",),
    )
    with pytest.raises(dbapi.OperationalError, match="out of order") as caught:
        connector("adbc").open(access, db_kwargs={"role": "A"})
    text = told(caught.value)
    assert [one["auth_token"] for one in driver] == tokens.issued
    assert all(type(one["auth_token"]) is str for one in driver)
    assert driver[0] == {"account": "acme", "role": "A", "auth_token": tokens.issued[0]}
    assert len(driver) == 2
    assert not any(one in text for one in tokens.issued)


# --- where it may go


@pytest.mark.parametrize(
    ("url", "hosts", "allowed"),
    [
        ("grpc+tls://db.acme.example:443", ("db.acme.example",), True),
        ("grpc+tls://db.acme.example:443", None, True),
        ("grpc://db.acme.example:443", None, False),
        ("grpc+tcp://db.acme.example:443", ("db.acme.example",), False),
        ("grpc+tls://evil.example", ("db.acme.example",), False),
        ("grpc+tls://db.acme.example@evil.example", ("db.acme.example",), False),
        ("grpc://127.0.0.1:1", None, True),
        ("grpc://127.0.0.1:1", ("db.acme.example",), False),
    ],
)
def test_only_to_the_hosts_of_the_connection_and_over_tls(
    tokens: IssuedTokens, url: str, hosts: tuple[str, ...] | None, allowed: bool
) -> None:
    from jupyter_oauthconn.connectors.sql.adbc.connector import _checked

    access = access_to(tokens, Reach(hosts))
    if allowed:
        assert _checked(access, url, "adbc_driver_flightsql") == url
        return
    with pytest.raises(NotAllowedError, match="is not sent to"):
        connector("adbc").open(access, url=url)
    assert tokens.generation == 0


@pytest.mark.parametrize(
    ("hosts", "option"),
    [
        (("db.acme.example",), {"adbc.snowflake.sql.account": "evil"}),
        (("db.acme.example",), {"adbc.snowflake.sql.uri.host": "evil.example"}),
        (None, {"uri": "postgresql://evil.example"}),
        (None, {"adbc.snowflake.sql.uri.protocol": "http"}),
    ],
)
def test_no_option_leads_elsewhere(
    tokens: IssuedTokens, driver: Seen, hosts: tuple[str, ...] | None, option: dict[str, str]
) -> None:
    access = access_to(tokens, Reach(hosts), options={"module": "adbc_driver_gate"})
    with pytest.raises(NotAllowedError, match=f"where {next(iter(option))} leads"):
        connector("adbc").open(access, db_kwargs=option)
    assert driver == []


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says where the server says that a result is: a list of locations for each part."""

    def say(*parts: list[str]) -> None:
        real = server_module._Server.get_flight_info

        def get_flight_info(self: Any, context: Any, descriptor: Any) -> Any:
            found = real(self, context, descriptor)
            ticket = found.endpoints[0].ticket
            endpoints = [flight.FlightEndpoint(ticket, one) for one in parts]
            return flight.FlightInfo(found.schema, descriptor, endpoints, -1, -1)

        monkeypatch.setattr(server_module._Server, "get_flight_info", get_flight_info)

    return say


def test_a_result_on_another_host_gets_no_token(
    tokens: IssuedTokens, flight_sql: FlightSql, places: Callable[..., None], headers: Seen
) -> None:
    """As a redirect to another host: this one is the same server under another address."""
    elsewhere = flight_sql.url.replace("127.0.0.1", "127.0.0.2")
    for reach in (Reach(None), Reach(("127.0.0.1",))):
        for place in (elsewhere, "grpc+tls://evil.example:443"):
            places([flight_sql.url, place])
            with (
                connector("adbc").open(
                    access_to(tokens, reach), url=flight_sql.url, autocommit=True
                ) as connection,
                connection.cursor() as cursor,
            ):
                headers.clear()
                with pytest.raises(NotAllowedError, match="says that the result is at"):
                    cursor.execute(QUERY)
                # the question where it is, and perhaps one that prepares the statement
                assert 1 <= len(headers) <= 2


def test_a_part_that_is_elsewhere_is_not_read(
    connection: Any, flight_sql: FlightSql, places: Callable[..., None], headers: Seen
) -> None:
    places([flight_sql.url.replace("127.0.0.1", "127.0.0.2")])
    with connection.cursor() as cursor:
        (part,), _ = cursor.adbc_execute_partitions(QUERY)
        headers.clear()
        with pytest.raises(NotAllowedError, match="says that the result is at"):
            cursor.adbc_read_partition(part)
    assert headers == []


METADATA = (
    ("adbc_get_info",),
    ("adbc_get_objects",),
    ("adbc_get_table_schema", "numbers"),
    ("adbc_get_table_types",),
)


@pytest.mark.parametrize("asked", METADATA)
def test_what_cannot_be_looked_at_is_not_asked(
    tokens: IssuedTokens, connection: Any, headers: Seen, asked: tuple[str, ...]
) -> None:
    """The driver takes the token wherever the server says that such an answer is."""
    method, *arguments = asked
    with connection.adbc_clone() as clone:
        for one in (connection, clone):
            headers.clear()
            with pytest.raises(NotAllowedError, match=f"{method} takes the token") as caught:
                getattr(one, method)(*arguments)
            assert "metadata=True" in caught.value.hint
            assert headers == []


def test_a_token_among_the_options_is_taken_nowhere_else_either(
    tokens: IssuedTokens, flight_sql: FlightSql, places: Callable[..., None], headers: Seen
) -> None:
    """The driver sends what is among its options with each call, to whatever place."""
    option = TokenPlacement(
        placement=Placement.PREFIXED,
        name="adbc.flight.sql.authorization_header",
        prefix="Bearer ",
    )
    with open_adbc(tokens, flight_sql, token=option) as connection:
        assert counted(connection) == 3
        with pytest.raises(NotAllowedError, match="adbc_get_objects takes the token"):
            connection.adbc_get_objects()
        places([flight_sql.url.replace("127.0.0.1", "127.0.0.2")])
        with connection.cursor() as cursor:
            headers.clear()
            with pytest.raises(NotAllowedError, match="says that the result is at"):
                cursor.execute(QUERY)
            assert 1 <= len(headers) <= 2


def test_metadata_of_a_server_that_is_trusted(
    tokens: IssuedTokens, flight_sql: FlightSql, headers: Seen
) -> None:
    with open_adbc(tokens, flight_sql, metadata=True) as connection:
        for method, *arguments in METADATA:
            headers.clear()
            # the server of the tests knows no such questions
            with suppress(dbapi.Error, OSError):
                getattr(connection, method)(*arguments)
            assert headers


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_result_in_parts(
    connection: Any, flight_sql: FlightSql, places: Callable[..., None], parts: int
) -> None:
    places(*[[flight_sql.url], [], ["arrow-flight-reuse-connection://?"]][:parts])
    with connection.cursor() as cursor:
        cursor.execute("select number from numbers")
        assert cursor.description[0][0] == "number"
        assert cursor.fetchall() == [(1,), (2,), (3,)] * parts
        cursor.execute("select name from numbers")
        assert cursor.fetch_arrow_table().num_rows == 3 * parts


def test_what_makes_no_sense(tokens: IssuedTokens) -> None:
    with pytest.raises(InvalidParameterError, match="no address for Arrow Flight SQL"):
        connector("adbc").open(access_to(tokens))
    with pytest.raises(ConfigurationError, match="not installed here") as caught:
        connector("adbc").open(access_to(tokens, options={"module": "adbc_driver_nowhere"}))
    assert "pip install adbc-driver-nowhere" in caught.value.hint
