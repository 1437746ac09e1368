"""`kill -9` at every step of a refresh: what the next process finds, and what it asks."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from jupyter_oauthconn.errors import ReauthorizationRequiredError
from jupyter_oauthconn.model import Reason, State
from jupyter_oauthconn.service.refresh import exchange

from .conftest import World

#: Connection → the step at which the process dies, before or after it.
STEPS = {
    "before-claiming": ("claim", False),
    "after-claiming": ("claim", True),
    "before-sending": ("mark_sent", True),
    "after-saving": ("save", True),
}
ANSWER_IN_HAND = ("save", False)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes over waits for an answer that a living process may hold; here all are dead."""
    monkeypatch.setattr(exchange, "_HOLDER_SECONDS", 0.2)


def kill_refreshes(world: World, steps: dict[str, tuple[str, bool]]) -> None:
    """For each connection a process dies at that step, and its lease ends soon after."""
    victims = world.fleet(len(steps))
    for victim, (name, (step, after)) in zip(victims, steps.items(), strict=True):
        victim.tell("die", step=step, after=after)
        victim.send("ask_and_answer", name=name)
    for victim in victims:
        assert victim.popen.wait(timeout=60) == -signal.SIGKILL
    world.end_leases(*steps)


@pytest.mark.parametrize("provider", ["practice", "graceful"])
def test_at_every_step_but_one_nothing_is_lost(
    world: World, provider: str, figure: Callable[[str], None]
) -> None:
    world.add(*STEPS, provider=provider)
    world.expire(*STEPS)
    kill_refreshes(world, STEPS)
    assert world.refreshes() == 1, "one had the answer, and saved it"
    for name in STEPS:
        token = world.broker.access_token(name)
        assert token.generation == 2
        assert world.server.provider.bearer(token.reveal())
    requests = world.refreshes()
    assert requests == world.refreshes(outcome="ok") == len(STEPS)
    lost = world.lost(list(STEPS))
    assert lost == []
    figure(f"{len(STEPS)} killed, {requests} requests, {len(lost)} lost")


def test_an_answer_in_hand_is_not_lost_where_the_old_token_has_a_grace_period(
    world: World, figure: Callable[[str], None]
) -> None:
    world.server.provider.dials.refresh_grace_seconds = 60
    world.add("sales", provider="graceful")
    world.expire("sales")
    kill_refreshes(world, {"sales": ANSWER_IN_HAND})
    assert world.refreshes() == 1
    token = world.broker.access_token("sales")
    assert world.server.provider.bearer(token.reveal())
    assert world.refreshes(outcome="ok") == world.refreshes() == 2
    assert world.lost(["sales"]) == []
    figure("1 killed, 2 requests, 0 lost")


def test_an_answer_in_hand_of_a_strict_provider_costs_one_further_request(
    world: World, figure: Callable[[str], None]
) -> None:
    """Nobody can save it: the provider has spent the token, the answer died with the process."""
    world.add("sales")
    world.expire("sales")
    kill_refreshes(world, {"sales": ANSWER_IN_HAND})
    assert world.refreshes() == 1
    for _ in range(5):
        with pytest.raises(ReauthorizationRequiredError) as caught:
            world.broker.access_token("sales")
        assert caught.value.reason == Reason.REFRESH_OUTCOME_UNKNOWN
    assert world.refreshes() == 2
    assert world.refreshes(outcome="refresh_token_reused") == 1
    status = world.broker.connection("sales").status
    assert (status.state, status.reason) == (State.REAUTH_REQUIRED, "refresh_outcome_unknown")
    figure("1 killed, 2 requests, 1 lost (the provider is strict)")


def test_after_an_answer_was_lost_a_living_token_is_used_to_its_end(world: World) -> None:
    """A strict provider would end it together with the grant."""
    world.add("sales")
    living = world.broker.access_token("sales")
    world.make_due("sales")
    kill_refreshes(world, {"sales": ANSWER_IN_HAND})
    for _ in range(3):
        assert world.broker.access_token("sales").reveal() == living.reveal()
    world.broker._service._refresher.close()  # what was started behind the callers has ended
    assert world.refreshes() == 1
    assert world.server.provider.bearer(living.reveal())
    assert world.broker.connection("sales").status.state is State.DEGRADED
