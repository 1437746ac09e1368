"""The database is away when the provider's answer comes: nothing is lost."""

from __future__ import annotations

import base64
import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from jupyter_oauthconn.model import AccessToken
from jupyter_oauthconn.service.refresh import exchange, flight

from ..demo.held import holding_answers
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
    with holding_answers(world.server.provider) as held:
        for one, names in zip(fleet, (GRANTS[:5], GRANTS[5:]), strict=True):
            one.tell("ask", names=names, threads=1, at=0)
        held.wait_for(len(GRANTS))
        postgres.stop(immediate=True)
    until(lambda: sum(one.tell("unsaved") for one in fleet) == len(GRANTS))
    results = [result for one in fleet for result in one.tell("answers")]
    assert [one.get("generation") for one in results] == [2] * len(GRANTS), results
    postgres.start()
    until(lambda: sum(one.tell("unsaved") for one in fleet) == 0)
    for name in GRANTS:
        grant = world.grant(name)
        assert grant is not None
        assert grant.generation == 2
    lost = world.lost(GRANTS)
    assert lost == []
    assert world.refreshes() == world.refreshes(outcome="ok") == 2 * len(GRANTS)
    figure(f"{len(GRANTS)} answers in hand, {len(lost)} lost")


def test_whoever_takes_over_waits_for_the_answer_that_the_one_before_could_not_save(
    postgres_world: World,
    postgres: Any,
    figure: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An outage longer than a lease; after it the other process comes first."""
    # until the test has seen that all have been taken over, and the holder is awake again
    monkeypatch.setattr(exchange, "_HOLDER_SECONDS", 20.0)
    world, names = postgres_world, GRANTS[:3]
    world.add(*names)
    world.expire(*names)
    (holder,) = world.fleet(1)
    holder.tell("shorten_lease", seconds=5)
    with holding_answers(world.server.provider) as held:
        holder.tell("ask", names=names, threads=1, at=0)
        held.wait_for(len(names))
        postgres.stop(immediate=True)
    until(lambda: holder.tell("unsaved") == len(names))
    holder.popen.send_signal(signal.SIGSTOP)
    postgres.start()
    with ThreadPoolExecutor(len(names)) as pool:
        tokens = [pool.submit(world.broker.access_token, name) for name in names]
        until(lambda: all(is_claimed(world, name) for name in names))
        holder.popen.send_signal(signal.SIGCONT)
        assert {one.result(timeout=30).generation for one in tokens} == {2}
    until(lambda: holder.tell("unsaved") == 0)
    assert world.refreshes() == world.refreshes(outcome="ok") == 2 * len(names)
    lost = world.lost(names)
    assert lost == []
    figure(f"{len(names)} answers in hand for longer than a lease, {len(lost)} lost")


def is_claimed(world: World, name: str) -> bool:
    """Whether somebody holds a lease of the usual length."""
    grant = world.grant(name)
    assert grant is not None
    usual = flight.LEASE / 2
    return grant.lease_until is not None and grant.lease_until - world.store.now() > usual


def test_postgresql_crashes_again_and_again_under_load(
    postgres_world: World, postgres: Any, figure: Callable[[str], None]
) -> None:
    world = postgres_world
    world.add(*GRANTS)
    fleet = world.fleet(2)
    for one in fleet:
        # a claim whose process met the crash before it had sent is over soon
        one.tell("shorten_lease", seconds=5)
    crashes = 3
    for _ in range(crashes):
        before = world.refreshes()
        for one in fleet:
            one.tell("ask_again_and_again", names=GRANTS)
        world.wait_for_refreshes(before + 3 * len(GRANTS))
        postgres.restart(immediate=True)
        for one in fleet:
            errors = {result["error"] for result in one.tell("stop_asking") if "error" in result}
            assert errors <= {"storage_unavailable"}
    until(lambda: sum(one.tell("unsaved") for one in fleet) == 0)
    asked = world.refreshes()
    assert asked == world.refreshes(outcome="ok")
    lost = world.lost(GRANTS)
    assert lost == []
    figure(f"{crashes} crashes, {asked} refreshes of {len(GRANTS)} grants, {len(lost)} lost")


@pytest.fixture
def world(sqlite_files: Callable[[], World]) -> World:
    """On SQLite."""
    world = sqlite_files()
    world.add("sales")
    return world


@contextmanager
def locked(world: World) -> Iterator[None]:
    """Another program holds the database, and that is given up after a moment."""
    with limited(world, "PRAGMA busy_timeout = 50"):
        other = sqlite3.connect(world.home / "oauthconn.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


@contextmanager
def full(world: World) -> Iterator[None]:
    """The database cannot grow, as on a full disk; what the provider gives needs more room."""
    with limited(world, "PRAGMA max_page_count = 1"):
        yield


@contextmanager
def limited(world: World, pragma: str) -> Iterator[None]:
    engine = world.store.database._engine
    lasting = True

    def limit(connection: sqlite3.Connection, _: object) -> None:
        if lasting:
            connection.execute(pragma)

    sa.event.listen(engine, "connect", limit)
    engine.dispose()
    try:
        yield
    finally:
        lasting = False
        engine.dispose()


TROUBLES = {"locked": locked, "full": full}
LARGE = "large-token-" + "x" * 9000


@contextmanager
def answer_in_hand(world: World, trouble: str) -> Iterator[Future[AccessToken]]:
    """The provider has been asked when the trouble begins; its answer comes during it."""
    world.expire("sales")
    world.server.provider.faults.plan(f'patch:access_token="{LARGE}"')
    with ThreadPoolExecutor(1) as pool, holding_answers(world.server.provider) as held:
        asking = pool.submit(world.broker.access_token, "sales")
        held.wait_for(1)
        with TROUBLES[trouble](world):
            held.let_go()
            until(lambda: unsaved(world) == 1)
            yield asking


def unsaved(world: World) -> int:
    return len(world.broker._service._kept._unsaved)


def generation(world: World) -> int:
    grant = world.grant()
    assert grant is not None
    return grant.generation


@pytest.mark.parametrize("trouble", TROUBLES)
def test_callers_are_served_from_memory_and_the_answer_is_saved_later(
    world: World, trouble: str
) -> None:
    with answer_in_hand(world, trouble) as asking:
        assert asking.result(timeout=30).reveal() == LARGE
        for rejected in (None, 1):
            token = world.broker.access_token("sales", rejected_generation=rejected)
            assert (token.reveal(), token.generation) == (LARGE, 2)
        assert generation(world) == 1
        assert world.refreshes() == 1
    until(lambda: unsaved(world) == 0)
    assert generation(world) == 2
    assert world.broker.access_token("sales").reveal() == LARGE
    assert world.refreshes() == 1
    assert world.lost(["sales"]) == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_process_that_ends_meanwhile_leaves_a_sealed_file_which_the_next_one_saves(
    world: World, trouble: str, sqlite_files: Callable[[], World]
) -> None:
    with answer_in_hand(world, trouble):
        world.broker.close()
    (file,) = (world.home / "spool").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"large-token" not in file.read_bytes()
    assert b"large-token" not in base64.b64decode(json.loads(file.read_bytes())["sealed"])
    after = sqlite_files()
    assert list((world.home / "spool").iterdir()) == []
    assert after.broker.access_token("sales").reveal() == LARGE
    assert after.refreshes() == 1
    assert after.lost(["sales"]) == []


def test_a_process_that_goes_on_finds_the_file_of_one_that_ended(
    world: World, sqlite_files: Callable[[], World]
) -> None:
    other = sqlite_files()
    with answer_in_hand(world, "locked"):
        world.broker.close()
    token = other.broker.access_token("sales")
    assert (token.reveal(), token.generation) == (LARGE, 2)
    assert other.refreshes() == 1
    assert other.lost(["sales"]) == []
