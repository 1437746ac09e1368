"""What happens while a refresh is under way: sign-ins, a revocation, an interrupt."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from jupyter_oauthconn.errors import ConsentRequiredError
from jupyter_oauthconn.model import AccessToken, State

from ..demo.held import Held, holding_answers
from .conftest import World


@contextmanager
def refreshing(world: World) -> Iterator[tuple[Future[AccessToken], Held]]:
    """The provider has rotated the token and does not say so yet; what else is asked is quick."""
    world.expire("sales")
    with ThreadPoolExecutor(1) as pool, holding_answers(world.server.provider) as held:
        asking = pool.submit(world.broker.access_token, "sales")
        held.wait_for(1)
        world.server.provider.dials.slow_seconds = 0
        yield asking, held


def alive(world: World) -> dict[str, set[str]]:
    """The kinds of tokens that still open something at the provider, each with its accounts."""
    provider = world.server.provider
    found: dict[str, set[str]] = {}
    for token in provider.tokens.values():
        if token.alive(provider.clock()):
            found.setdefault(token.kind, set()).add(token.grant.account.email)
    return found


def test_two_sign_ins_overtake_a_refresh(world: World) -> None:
    world.add("sales")
    with refreshing(world) as (asking, _):
        world.sign_in()
        world.sign_in()
        assert not asking.done()
    grant = world.grant()
    assert grant is not None
    assert grant.generation == 3
    token = world.broker.access_token("sales")
    assert token.reveal() == grant.token.reveal() == asking.result().reveal()
    assert world.server.provider.bearer(token.reveal())
    assert world.lost(["sales"]) == []
    assert world.refreshes() == world.refreshes(outcome="ok") == 2


def test_after_a_revocation_a_refresh_under_way_brings_nothing_back(world: World) -> None:
    world.add("sales")
    with refreshing(world) as (asking, held):
        world.broker.revoke("sales")
        assert not asking.done()
        held.let_go()
        with pytest.raises(ConsentRequiredError):
            asking.result(timeout=30)
    assert world.grant() is None
    assert world.broker.connection("sales").status.state is State.NOT_CONNECTED
    provider = world.server.provider
    # the stored refresh token first, then the one that came too late
    revoked = [one.token for one in provider.requests("revocation", outcome="ok")]
    assert len(set(revoked)) == 2
    assert alive(world) == {}


def test_what_was_replaced_is_revoked_with_the_rest(world: World) -> None:
    """Also the tokens of a refresh that a sign-in overtook."""
    world.add("sales")
    with refreshing(world):
        world.sign_in()
    assert world.broker.revoke("sales").at_provider == "ok"
    assert "refresh_token" not in alive(world)


def test_an_account_that_waits_for_confirmation_does_not_disturb_a_refresh(world: World) -> None:
    world.add("sales")
    with refreshing(world) as (asking, _):
        world.sign_in(account="guest@example.com")
    assert asking.result().generation == 2
    assert world.broker.connection("sales").status.identity == "analyst@example.com"
    assert world.refreshes() == 1


@pytest.mark.parametrize("stays", [True, False], ids=["goes-on", "ends"])
def test_an_interrupt_returns_at_once_and_the_refresh_is_saved(world: World, stays: bool) -> None:
    world.add("sales")
    world.expire("sales")
    (process,) = world.fleet(1)
    with holding_answers(world.server.provider) as held:
        process.send("ask_and_answer", name="sales")
        held.wait_for(1)
        pressed = time.monotonic()
        process.popen.send_signal(signal.SIGINT)
        # the provider has not answered, and will not before this
        assert process.receive() == {"error": "interrupted"}
        assert time.monotonic() - pressed < 1
        if stays:
            process.send("ask_and_answer", name="sales")
        else:
            assert process.popen.stdin is not None
            process.popen.stdin.close()
        time.sleep(0.5)  # it has begun to wait for what is under way
    if stays:
        assert process.receive()["generation"] == 2
    process.end()
    grant = world.grant()
    assert grant is not None
    assert grant.generation == 2
    assert world.refreshes() == 1
    assert world.lost(["sales"]) == []
