"""The database is away when the provider's answer comes: nothing is lost."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jupyter_oauthconn.model import State
from jupyter_oauthconn.service.refresh import flight

from .conftest import World, until

GRANTS = [f"sales{number}" for number in range(10)]


def test_postgresql_crashes_while_ten_answers_are_in_hand(
    postgres_world: World, postgres: Any, figure: Callable[[str], None]
) -> None:
    world = postgres_world
    world.add(*GRANTS)
    world.expire(*GRANTS)
    fleet = world.fleet(2)
    # the provider answers after the database has gone
    world.server.provider.dials.slow_seconds = 2
    for one, names in zip(fleet, (GRANTS[:5], GRANTS[5:]), strict=True):
        one.tell("ask", names=names, threads=1, at=0)
    world.wait_for_refreshes(len(GRANTS))
    postgres.stop(immediate=True)
    until(lambda: sum(one.tell("unsaved") for one in fleet) == len(GRANTS))
    results = [result for one in fleet for result in one.tell("answers")]
    assert [one.get("generation") for one in results] == [2] * len(GRANTS), results
    postgres.start()
    until(lambda: sum(one.tell("unsaved") for one in fleet) == 0)
    world.server.provider.dials.slow_seconds = 0
    for name in GRANTS:
        grant = world.grant(name)
        assert grant is not None
        assert grant.generation == 2
    lost = world.lost(GRANTS)
    assert lost == []
    assert world.refreshes() == world.refreshes(outcome="ok") == 2 * len(GRANTS)
    figure(f"{len(GRANTS)} answers in hand, {len(lost)} lost")


def test_postgresql_crashes_again_and_again_under_load(
    postgres_world: World, postgres: Any, figure: Callable[[str], None]
) -> None:
    world = postgres_world
    names = GRANTS
    world.add(*names)
    fleet = world.fleet(2)
    world.server.provider.dials.access_token_seconds = 0.2
    world.expire(*names)
    crashes = 4
    for _ in range(crashes):
        for one in fleet:
            one.tell("ask_again_and_again", names=names)
        before = world.refreshes()
        world.wait_for_refreshes(before + 20)
        postgres.restart(immediate=True)
        for one in fleet:
            one.tell("stop_asking")
    until(lambda: sum(one.tell("unsaved") for one in fleet) == 0)
    asked = world.refreshes()
    world.server.provider.dials.access_token_seconds = 3600
    lost = world.lost(names)
    assert lost == []
    assert world.refreshes(outcome="refresh_token_reused") == 0
    figure(f"{crashes} crashes, {asked} refreshes of {len(names)} grants, {len(lost)} lost")


@contextmanager
def locked(world: World) -> Iterator[None]:
    """Another program holds the SQLite file."""
    other = sqlite3.connect(world.home / "oauthconn.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def full(world: World) -> Iterator[None]:
    """The disk is full, for each connection of this process and those that it opens."""
    engine = world.store.database._engine

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    import sqlalchemy as sa

    engine.pool.dispose()
    sa.event.listen(engine, "connect", limit)
    try:
        yield
    finally:
        sa.event.remove(engine, "connect", limit)
        engine.dispose()


TROUBLES = {"locked": locked, "full": full}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite gives up a lock after a moment."""
    from jupyter_oauthconn.storage import database

    monkeypatch.setattr(database, "_BUSY_TIMEOUT", timedelta(seconds=0.05))


@pytest.fixture
def away(
    quick: None, sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """A context in which the database goes away as soon as the provider is asked."""
    world = sqlite_world
    world.add("sales")

    @contextmanager
    def away(trouble: str) -> Iterator[None]:
        transport = world.broker._service.transport
        real = transport.send
        with TROUBLES[trouble](world) if False else _Later(TROUBLES[trouble], world) as later:

            def send(*args: Any, **kwargs: Any) -> Any:
                answer = real(*args, **kwargs)
                later.begin()
                return answer

            monkeypatch.setattr(transport, "send", send)
            yield
            monkeypatch.setattr(transport, "send", real)

    return away
