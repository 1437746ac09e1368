"""Handles that are held open while their tokens expire: on real stores, in real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from issuer import IssuedTokens, Issuer
from later import Later
from live import LIVE, NUMBERS, Live, close
from seaweedfs import ShortSessions

EXPIRIES = 5
#: Of the tokens that are held over all expiries, on a machine that is quick enough for that; the
#: longer form takes those of the issue.
LIFETIMES = [pytest.param(3.0, id="3s"), pytest.param(10.0, id="10s", marks=pytest.mark.long)]
PAUSE = 0.3
#: So many reads of the slowest handle fit into a token's life: what is handed out lives for a fifth
#: of that at least, and has to reach the store alive.
READS_IN_A_LIFE = 15
LONGEST_LIFETIME = 15.0


@dataclass
class Held:
    """What became of one handle that was read again and again."""

    tokens: IssuedTokens
    reads: int = 0
    wrong: list[Any] = field(default_factory=list)
    failure: BaseException | None = None


def seconds_of_a_read(live: Live, store: Any, tokens: IssuedTokens) -> float:
    """Once its libraries are loaded."""
    handle = live.open(store, tokens)
    try:
        live.read(handle, store)
        begin = time.monotonic()
        live.read(handle, store)
        return time.monotonic() - begin
    finally:
        close(handle)


def slowest_read(issuer: Issuer, found: dict[str, Any]) -> float:
    """Of all handles at once."""

    def seconds(live: Live) -> float:
        return seconds_of_a_read(live, found[live.store], IssuedTokens(issuer, opaque=live.opaque))

    with ThreadPoolExecutor(len(LIVE)) as threads:
        return max(threads.map(seconds, LIVE.values()))


def hold(live: Live, store: Any, held: Held, limit: float) -> None:
    """Opens a handle and reads through it until five tokens have expired under it."""
    end = time.monotonic() + limit
    handle = None
    try:
        handle = live.open(store, held.tokens)
        while held.tokens.generation <= EXPIRIES and time.monotonic() < end:
            rows = live.read(handle, store)
            held.reads += 1
            if rows != NUMBERS:
                held.wrong.append(rows)
            time.sleep(PAUSE)
    except BaseException as error:  # noqa: BLE001 - the test of this handle raises it again
        held.failure = error
    finally:
        if handle is not None:
            close(handle)


@pytest.fixture(scope="module", params=LIFETIMES)
def held(request: pytest.FixtureRequest, issuer: Issuer) -> Iterator[dict[str, Held]]:
    """Every handle, all held at the same time."""
    found = {live.store: request.getfixturevalue(live.store) for live in LIVE.values()}
    needed = READS_IN_A_LIFE * slowest_read(issuer, found)
    lifetime = max(request.param, min(needed, LONGEST_LIFETIME))
    # the sessions that SeaweedFS gives end like the tokens
    found["seaweedfs"] = ShortSessions(found["seaweedfs"], lifetime)
    outcomes = {
        name: Held(IssuedTokens(issuer, lifetime=lifetime, opaque=live.opaque))
        for name, live in LIVE.items()
    }
    with ExitStack() as ends:
        ends.callback(found["seaweedfs"].close)
        with ThreadPoolExecutor(len(LIVE)) as threads:
            for name, live in LIVE.items():
                limit = 3 * EXPIRIES * lifetime
                threads.submit(hold, live, found[live.store], outcomes[name], limit)
        yield outcomes


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LIVE)
def test_a_handle_is_held_over_five_expiries(
    held: dict[str, Held], name: str, issuer: Issuer
) -> None:
    """It never raises, and there is one refresh for each generation, none before 70 %."""
    seen = held[name]
    if seen.failure is not None:
        raise seen.failure
    assert seen.wrong == []
    assert seen.reads >= 3 * EXPIRIES
    # on a slow machine a token may end on its way, but a handle that lives on refusals shows
    assert sum(one in seen.tokens.issued for one in issuer.refused) < EXPIRIES
    first, *renewals = seen.tokens.refreshes
    assert first.life_passed is None
    assert [one.generation for one in renewals] == list(range(2, EXPIRIES + 2))
    assert [one for one in renewals if one.life_passed is None or one.life_passed < 0.7] == []


THREADS = 8
ENGINES = {name: live for name, live in LIVE.items() if name.startswith("engine-")}


def at_once(work: Callable[[], Any]) -> list[Any]:
    """The results of eight threads that begin together."""
    barrier = threading.Barrier(THREADS)

    def one(_: int) -> Any:
        barrier.wait(30)
        return work()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one, range(THREADS)))


@pytest.mark.parametrize("live", ENGINES.values(), ids=ENGINES)
def test_eight_threads_on_one_engine_share_one_refresh(
    live: Live,
    request: pytest.FixtureRequest,
    make_tokens: Callable[..., IssuedTokens],
    later: Later,
) -> None:
    store = request.getfixturevalue(live.store)
    tokens = make_tokens(lifetime=300.0, opaque=live.opaque)
    # so slow that all of them meet it
    tokens.delay = 0.3
    engine = live.open(store, tokens)
    assert at_once(lambda: live.read(engine, store)) == [NUMBERS] * THREADS
    assert tokens.generation == 1
    later(300)
    assert at_once(lambda: live.read(engine, store)) == [NUMBERS] * THREADS
    assert (tokens.generation, tokens.forced) == (2, 0)
    close(engine)


@pytest.mark.parametrize("live", ENGINES.values(), ids=ENGINES)
def test_eight_refused_threads_share_one_refresh(
    live: Live, request: pytest.FixtureRequest, make_tokens: Callable[..., IssuedTokens]
) -> None:
    store = request.getfixturevalue(live.store)
    tokens = make_tokens(opaque=live.opaque)
    engine = live.open(store, tokens)
    assert live.read(engine, store) == NUMBERS
    tokens.delay = 0.3
    tokens.revoke()
    assert at_once(lambda: live.read(engine, store)) == [NUMBERS] * THREADS
    assert (tokens.generation, tokens.forced) == (2, 1)
    close(engine)
