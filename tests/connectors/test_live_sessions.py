"""Sessions of a database that end with their token, and those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flight_sql import FlightSql
from issuer import IssuedTokens
from later import Later
from live import BEARER, LIVE, NUMBERS, access_to, close, postgres
from postgres18 import Postgres18
from sqlalchemy import event, text

from jupyter_oauthconn.catalog import Placement
from jupyter_oauthconn.connectors.connector import connector

LIFETIME = 300.0
PROCESS = "select pg_backend_pid()"


def engine_of(
    store: Postgres18, tokens: IssuedTokens, *, bound: bool, asynchronous: bool = False
) -> Any:
    """With a pool of one connection."""
    handle = postgres("psycopg", BEARER, Placement.LIBPQ_HOOK, bound=bound)(store)
    return connector("engine").open(
        access_to(tokens, handle), pool_size=1, max_overflow=0, asynchronous=asynchronous
    )


def process_of(engine: Any) -> int:
    with engine.connect() as connection:
        number: int = connection.execute(text(PROCESS)).scalar_one()
        return number


@pytest.fixture
def tokens(make_tokens: Callable[..., IssuedTokens]) -> IssuedTokens:
    return make_tokens(lifetime=LIFETIME)


def test_a_session_bound_to_a_dead_token_is_replaced_at_checkout(
    postgres18: Postgres18, tokens: IssuedTokens, later: Later
) -> None:
    engine = engine_of(postgres18, tokens, bound=True)
    first = process_of(engine)
    assert process_of(engine) == first
    assert tokens.generation == 1
    later(LIFETIME)
    second = process_of(engine)
    assert second != first
    assert process_of(engine) == second
    assert (tokens.generation, tokens.forced) == (2, 0)
    close(engine)


def test_a_transaction_that_runs_is_left_alone(
    postgres18: Postgres18, tokens: IssuedTokens, later: Later
) -> None:
    engine = engine_of(postgres18, tokens, bound=True)
    with engine.connect() as connection:
        before = connection.execute(text(PROCESS)).scalar_one()
        later(LIFETIME)
        assert connection.execute(text(PROCESS)).scalar_one() == before
    assert process_of(engine) != before
    close(engine)


def test_a_session_that_outlives_its_token_is_kept(
    postgres18: Postgres18, tokens: IssuedTokens, later: Later
) -> None:
    engine = engine_of(postgres18, tokens, bound=False)
    first = process_of(engine)
    later(LIFETIME)
    assert process_of(engine) == first
    assert tokens.generation == 1
    close(engine)


def test_an_async_engine_replaces_it_too(
    postgres18: Postgres18, tokens: IssuedTokens, later: Later
) -> None:
    async def processes() -> list[int]:
        engine = engine_of(postgres18, tokens, bound=True, asynchronous=True)
        found = []
        for passed in (0.0, 0.0, LIFETIME):
            later(passed)
            async with engine.connect() as connection:
                found.append((await connection.execute(text(PROCESS))).scalar_one())
        await engine.dispose()
        return found

    first, again, later = asyncio.run(processes())
    assert first == again != later
    assert (tokens.generation, tokens.forced) == (2, 0)


def test_a_listener_of_the_callers_own_sees_each_new_connection(
    postgres18: Postgres18, tokens: IssuedTokens, later: Later
) -> None:
    """The usual way to set a role or a search path works on with these engines."""
    engine = engine_of(postgres18, tokens, bound=True)
    seen: list[object] = []
    event.listen(engine, "connect", lambda connection, record: seen.append(connection))
    process_of(engine)
    later(LIFETIME)
    process_of(engine)
    assert len(seen) == 2
    close(engine)


@pytest.mark.parametrize("name", [name for name in LIVE if name.startswith("dbapi-")])
def test_a_bound_dbapi_connection_opens_a_new_one_for_the_next_cursor(
    name: str,
    request: pytest.FixtureRequest,
    make_tokens: Callable[..., IssuedTokens],
    later: Later,
) -> None:
    live = LIVE[name]
    store = request.getfixturevalue(live.store)
    tokens = make_tokens(lifetime=LIFETIME, opaque=live.opaque)
    connection = live.open(store, tokens)
    assert live.read(connection, store) == NUMBERS
    assert live.read(connection, store) == NUMBERS
    assert tokens.generation == 1
    later(LIFETIME)
    assert live.read(connection, store) == NUMBERS
    assert (tokens.generation, tokens.forced) == (2, 0)
    close(connection)


@pytest.mark.parametrize("name", [name for name in LIVE if name.startswith("dbapi-")])
def test_an_unbound_dbapi_connection_is_the_drivers_own(
    name: str,
    request: pytest.FixtureRequest,
    make_tokens: Callable[..., IssuedTokens],
    later: Later,
) -> None:
    live = LIVE[name]
    live = replace(live, handle=unbound(live.handle))
    store = request.getfixturevalue(live.store)
    connection = live.open(store, make_tokens(lifetime=LIFETIME, opaque=live.opaque))
    assert type(connection).__module__.partition(".")[0] in {"psycopg", "pg8000"}
    later(LIFETIME)
    assert live.read(connection, store) == NUMBERS
    close(connection)


def unbound(handle: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda store: replace(handle(store), session_bound=False)


def test_an_adbc_connection_is_renewed_while_it_lives(
    flight_sql: FlightSql, tokens: IssuedTokens, later: Later
) -> None:
    live = LIVE["adbc-flight-sql"]
    connection = live.open(flight_sql, tokens)
    assert live.read(connection, flight_sql) == NUMBERS
    driver = connection.adbc_connection
    later(LIFETIME)
    flight_sql.calls.clear()
    assert live.read(connection, flight_sql) == NUMBERS
    assert connection.adbc_connection is driver
    assert set(flight_sql.calls) == {tokens.issued[1]}
    assert (tokens.generation, tokens.forced) == (2, 0)
    close(connection)
