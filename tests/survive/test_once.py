"""However many ask, the provider is asked once; and never again once a grant is dead."""

from __future__ import annotations

import time
from collections.abc import Callable

from jupyter_oauthconn.model import State

from .conftest import Process, World

PROCESSES, THREADS = 8, 16


def storm(fleet: list[Process], **arguments: object) -> list[dict[str, object]]:
    """Every thread of every process asks at the same moment."""
    at = time.time() + 0.2
    for one in fleet:
        one.tell("ask", names=["sales"], threads=THREADS, at=at, **arguments)
    return [result for one in fleet for result in one.tell("answers")]


def test_many_ask_and_the_provider_is_asked_once(
    world: World, figure: Callable[[str], None]
) -> None:
    world.add("sales")
    fleet = world.fleet(PROCESSES)
    # quick, then slower than any pause of those who wait, then rejected by a resource
    for round_, slow in enumerate((0.0, 2.0, 0.0), start=1):
        world.server.provider.dials.slow_seconds = slow
        rejected = None
        if round_ == 3:
            rejected = round_
        else:
            world.expire("sales")
        results = storm(fleet, rejected=rejected)
        assert len(results) == PROCESSES * THREADS
        assert {one.get("generation") for one in results} == {round_ + 1}, results
        assert len({one["token"] for one in results}) == 1
        assert world.refreshes() == round_
        requests = world.refreshes() - round_ + 1
        figure(f"{len(results)} asked, provider slow by {slow:.0f} s: {requests} request")
    assert world.refreshes(outcome="ok") == 3


def test_a_dead_grant_costs_one_request_and_then_silence(
    world: World, figure: Callable[[str], None]
) -> None:
    world.add("sales")
    token = world.broker.access_token("sales")
    assert world.server.provider.revoke(token.value)
    world.expire("sales")
    fleet = world.fleet(PROCESSES)
    results = [result for _ in range(2) for result in storm(fleet)]
    assert all(one == {"error": "reauthorization_required", "reason": "revoked"} for one in results)
    assert world.refreshes() == 1
    figure(f"{len(results)} asked for a dead grant: {world.refreshes()} request")
    status = world.broker.connection("sales").status
    assert (status.state, status.reason) == (State.REAUTH_REQUIRED, "revoked")
    world.sign_in()
    assert {one.get("generation") for one in storm(fleet)} == {2}
    assert world.refreshes() == 1


def test_a_provider_that_is_down_is_not_stormed(world: World) -> None:
    world.add("sales")
    world.expire("sales")
    world.server.provider.faults.plan("status:503", times=1000)
    fleet = world.fleet(2)
    for _ in range(2):
        assert {one["error"] for one in storm(fleet)} == {"provider_unavailable"}
    assert world.refreshes() == 1
