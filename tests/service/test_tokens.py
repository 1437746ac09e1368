"""The read path: what a caller gets, and what it costs at the provider."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jupyter_oauthconn.errors import (
    ConsentRequiredError,
    NotAllowedError,
    ProviderUnavailableError,
    ReauthorizationRequiredError,
)
from jupyter_oauthconn.model import Reason, State

from .conftest import World


def test_without_a_sign_in_nothing_is_started(world: World) -> None:
    with pytest.raises(ConsentRequiredError) as caught:
        world.broker.access_token("sales")
    assert caught.value.authorization is None
    assert "%connect auth sales" in caught.value.hint
    assert world.broker.connection("sales").status.state is State.NOT_CONNECTED
    assert world.server.provider.requests() == []


def test_an_interactive_request_starts_one_sign_in_and_the_next_joins_it(world: World) -> None:
    ids = set()
    for _ in range(3):
        with pytest.raises(ConsentRequiredError) as caught:
            world.broker.access_token("sales", interactive=True)
        ids.add(caught.value.authorization.id)
    assert len(ids) == 1
    assert world.broker.connection("sales").status.state is State.PENDING


def test_a_fresh_token_asks_nobody(signed_in: World) -> None:
    before = len(signed_in.server.provider.requests())
    tokens = {signed_in.broker.access_token("sales").reveal() for _ in range(5)}
    assert len(tokens) == 1
    assert len(signed_in.server.provider.requests()) == before


def test_a_rejected_generation_is_refreshed_once(signed_in: World) -> None:
    first = signed_in.broker.access_token("sales")
    for _ in range(20):  # twenty kernels report the same token
        token = signed_in.broker.access_token("sales", rejected_generation=first.generation)
    assert token.generation == first.generation + 1
    assert signed_in.refreshes() == 1


def test_more_validity_than_the_token_has_is_clamped_unless_exact(signed_in: World) -> None:
    broker = signed_in.broker
    first = broker.access_token("sales", min_validity=timedelta(hours=5))
    assert signed_in.refreshes() == 0
    second = broker.access_token("sales", min_validity=timedelta(hours=5), exact=True)
    assert second.generation == first.generation + 1


def test_the_old_token_is_served_while_the_provider_is_down(signed_in: World) -> None:
    signed_in.server.provider.dials.down = True
    first = signed_in.broker.access_token("sales")
    with pytest.raises(ProviderUnavailableError) as caught:
        signed_in.broker.access_token("sales", rejected_generation=first.generation)
    assert "127.0.0.1" in caught.value.message
    assert signed_in.broker.access_token("sales").reveal() == first.reveal()
    assert signed_in.broker.connection("sales").status.state is State.DEGRADED


def test_a_grant_that_the_provider_ended_costs_one_request_and_then_silence(
    signed_in: World,
) -> None:
    token = signed_in.broker.access_token("sales")
    assert signed_in.server.provider.revoke(token.value)
    for _ in range(5):
        with pytest.raises(ReauthorizationRequiredError) as caught:
            signed_in.broker.access_token("sales", rejected_generation=token.generation)
    assert caught.value.reason == Reason.REVOKED
    assert signed_in.refreshes() == 1
    status = signed_in.broker.connection("sales").status
    assert (status.state, status.reason) == (State.REAUTH_REQUIRED, "revoked")
    signed_in.sign_in()
    assert signed_in.broker.access_token("sales").generation > token.generation


def test_a_disabled_client_gives_no_token_and_loses_none(signed_in: World) -> None:
    signed_in.broker.edit_client("practice", {"enabled": False})
    with pytest.raises(NotAllowedError) as caught:
        signed_in.broker.access_token("sales")
    assert caught.value.code == "client_disabled"
    assert signed_in.broker.connection("sales").status.state is State.CLIENT_DISABLED
    signed_in.broker.edit_client("practice", {"enabled": True})
    assert signed_in.broker.access_token("sales").reveal()
    assert signed_in.refreshes() == 0


def test_ensure_refreshes_now_although_the_last_refresh_failed(signed_in: World) -> None:
    token = signed_in.broker.access_token("sales")
    signed_in.server.provider.faults.plan("status:503")
    for _ in range(2):  # the second one is not sent: backing off
        with pytest.raises(ProviderUnavailableError):
            signed_in.broker.access_token("sales", rejected_generation=token.generation)
    assert signed_in.refreshes() == 1
    assert signed_in.broker.ensure("sales", timedelta(hours=6)).lasts is None
    assert signed_in.refreshes() == 2
    assert signed_in.broker.connection("sales").status.state is State.CONNECTED


def test_sec_37_ensure_does_not_risk_a_living_token_after_a_lost_answer(signed_in: World) -> None:
    token = signed_in.broker.access_token("sales")
    signed_in.server.provider.faults.plan("hangup_after")
    with pytest.raises(ProviderUnavailableError):
        signed_in.broker.ensure("sales", timedelta(hours=6))
    with pytest.raises(ProviderUnavailableError, match="was lost"):
        signed_in.broker.ensure("sales", timedelta(hours=6))
    assert signed_in.refreshes() == 1
    assert signed_in.broker.access_token("sales").reveal() == token.reveal()


def test_revoke_ends_the_grant_at_the_provider_and_here(signed_in: World) -> None:
    token = signed_in.broker.access_token("sales")
    assert signed_in.broker.revoke("sales").at_provider == "ok"
    assert signed_in.server.provider.bearer(token.reveal()) is None
    assert signed_in.broker.connection("sales").status.state is State.NOT_CONNECTED


def test_revoke_with_the_provider_down_forgets_here_and_says_so(signed_in: World) -> None:
    signed_in.server.provider.dials.down = True
    outcome = signed_in.broker.revoke("sales")
    assert outcome.at_provider == "failed"
    assert "did not confirm" in outcome.detail
    assert signed_in.broker.connection("sales").status.state is State.NOT_CONNECTED


def test_ensure_says_whether_the_sign_in_lasts(signed_in: World) -> None:
    signed_in.broker.edit_client("practice", {"refresh_token_lifetime": timedelta(hours=8)})
    signed_in.broker.ensure("sales", timedelta(hours=1))
    assert signed_in.broker.ensure("sales", timedelta(hours=6)).lasts is True
    short = signed_in.broker.ensure("sales", timedelta(days=2))
    assert short.lasts is False
    assert "too soon" in short.detail
    assert signed_in.broker.connection("sales").status.state is State.CONNECTED


def test_the_doctor_tells_what_is_wrong_and_what_to_do(signed_in: World) -> None:
    def found() -> dict[str, tuple[str, str]]:
        return {one.check: (one.outcome.value, one.next_step) for one in signed_in.broker.doctor()}

    assert {name for name, (outcome, _) in found().items() if outcome != "ok"} == {
        "practice: known trap"
    }
    token = signed_in.broker.access_token("sales")
    signed_in.server.provider.revoke(token.value)
    with pytest.raises(ReauthorizationRequiredError):
        signed_in.broker.access_token("sales", rejected_generation=token.generation)
    outcome, step = found()["sales"]
    assert outcome == "failed"
    assert "%connect auth sales --again" in step
    signed_in.server.stop()
    assert found()["practice: provider"][0] == "failed"
