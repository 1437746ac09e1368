"""Whatever the provider answers: what the caller gets, what is stored, what the status says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from jupyter_oauthconn.demo.provider.faults import Fault
from jupyter_oauthconn.errors import OAuthConnError, ReauthorizationRequiredError
from jupyter_oauthconn.model import AccessToken, Attempt, GrantState, Secret, State

from .conftest import Timeless

LIFE = 3600
RENEWED = "renewed"


@dataclass(frozen=True)
class Case:
    """One spoilt answer to a refresh.

    Attributes:
        gives: the error where the old token has ended; before that the old token is served.
        unknown: the refresh token may be spent.
        later: what the refresh an hour later brings: `renewed`, or the reason of a new sign-in.
    """

    gives: str = "provider_unavailable"
    state: State = State.DEGRADED
    last_error: str = "provider_unavailable"
    unknown: bool = False
    later: str = RENEWED


LOST = "refresh_outcome_unknown"
MISCONFIGURED = State.MISCONFIGURED
PASSING = {
    "retry_after:120": Case(),
    "status:408": Case(),
    "status:500": Case(unknown=True),
    "status:502": Case(unknown=True),
    "status:503": Case(),
    "html": Case(),
    "hangup_before": Case(unknown=True),
    "hangup_after": Case(unknown=True, later=LOST),
    "drip": Case(unknown=True, later=LOST),
    "status:400": Case(gives="provider_protocol", last_error="provider_protocol", unknown=True),
    "redirect:http://127.0.0.1:9/": Case(
        gives="provider_protocol", last_error="provider_protocol", unknown=True
    ),
    # the refresh token of the answer is kept, and the next refresh begins with it
    "drop:access_token": Case(
        gives="provider_protocol", last_error="provider_protocol", unknown=True
    ),
    'patch:refresh_token=["no", "text"]': Case(
        gives="provider_protocol", last_error="provider_protocol", unknown=True, later=LOST
    ),
    "error:temporarily_unavailable": Case(
        gives="provider_rejected", last_error="temporarily_unavailable"
    ),
    "error:invalid_client": Case(
        gives="invalid_client", state=MISCONFIGURED, last_error="invalid_client", later="suspended"
    ),
    "error:unsupported_grant_type": Case(
        gives="provider_rejected",
        state=MISCONFIGURED,
        last_error="unsupported_grant_type",
        later="suspended",
    ),
}


def ask(world: Timeless, old: AccessToken) -> str:
    """`old`, `renewed`, or the code of the error."""
    try:
        token = world.ask("sales")
    except ReauthorizationRequiredError as error:
        return error.reason
    except OAuthConnError as error:
        return error.code
    return "old" if token.reveal() == old.reveal() else RENEWED


@pytest.fixture
def world(timeless: Timeless) -> Timeless:
    timeless.add("sales")
    timeless.sign_in("sales")
    return timeless


@pytest.mark.parametrize("alive", [True, False], ids=["old token lives", "old token ended"])
@pytest.mark.parametrize("fault", PASSING)
def test_a_failure_that_keeps_the_grant(world: Timeless, fault: str, alive: bool) -> None:
    case, old = PASSING[fault], world.ask("sales")
    world.clock.pass_(LIFE - 10 if alive else LIFE + 10)
    with world.meeting(fault):
        assert [ask(world, old), len(world.refreshes())] == ["old" if alive else case.gives, 1]
    status, grant = world.status("sales"), world.grant("sales")
    assert grant is not None
    assert status.last_error is not None
    assert (status.state, status.last_error.code) == (case.state, case.last_error)
    assert (grant.generation, grant.lease_until) == (1, None)
    assert grant.attempt is (Attempt.SENT if case.unknown else Attempt.NONE)
    # at once again: the provider is left alone
    blamed = "invalid_client" if case.state is MISCONFIGURED else "provider_unavailable"
    assert ask(world, old) == ("old" if alive else blamed)
    assert len(world.refreshes()) == 1
    world.clock.pass_(LIFE)
    if case.later == "suspended":
        assert ask(world, old) == "invalid_client"
        world.service.clients.edit("sales", {"title": "Mended"}, world.actor)
        assert ask(world, old) == RENEWED
    else:
        assert ask(world, old) == case.later
    assert len(world.refreshes()) == 2
    if case.later == LOST:
        assert world.status("sales").reason == LOST
        assert ask(world, old) == LOST
        assert len(world.refreshes()) == 2
    else:
        assert world.status("sales").state is State.CONNECTED
        token = world.ask("sales")
        assert world.provider.bearer(token.reveal())


@pytest.mark.parametrize("seconds", [120, 1800])
def test_retry_after_as_a_date_is_kept_to(world: Timeless, seconds: int) -> None:
    world.clock.pass_(LIFE + 10)
    old = world.grant("sales")
    assert old is not None
    # compared with the answer's own Date, which is the machine's time
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    world.provider.faults._waiting.append(("token", Fault("retry_after", date)))
    assert ask(world, old.token) == "provider_unavailable"
    world.clock.pass_(seconds - 5)
    assert ask(world, old.token) == "provider_unavailable"
    assert len(world.refreshes()) == 1
    world.clock.pass_(10)
    assert ask(world, old.token) == RENEWED


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("error:invalid_grant", "revoked"),
        ("error:invalid_scope", "scope_changed"),
        ("error:consent_required", "revoked"),
    ],
)
@pytest.mark.parametrize("alive", [True, False], ids=["old token lives", "old token ended"])
def test_a_failure_that_ends_the_grant(
    world: Timeless, fault: str, reason: str, alive: bool
) -> None:
    old = world.ask("sales")
    world.clock.pass_(LIFE - 10 if alive else LIFE + 10)
    world.provider.faults.plan(fault)
    for _ in range(3):
        assert ask(world, old) == reason
    world.clock.pass_(24 * LIFE)
    assert ask(world, old) == reason
    assert len(world.refreshes()) == 1
    status, grant = world.status("sales"), world.grant("sales")
    assert grant is not None
    assert (status.state, status.reason) == (State.REAUTH_REQUIRED, reason)
    assert grant.state is GrantState.REAUTH_REQUIRED
    assert "%connect auth sales --again" in status.next_step


#: An odd answer with tokens in it is used: fault → life of the new token, missing scope.
ODD = {
    "drop:expires_in": (None, None),
    'patch:expires_in="soon"': (None, None),
    "patch:expires_in=-1": (None, None),
    "patch:expires_in=null": (None, None),
    'patch:expires_in="600"': (600, None),
    "drop:token_type": (LIFE, None),
    'patch:token_type="bearer"': (LIFE, None),
    'patch:scope="openid"': (LIFE, "sales.read"),
    "drop:scope": (LIFE, None),
    # not judged to be tokens, and the only copy: counted on as long as the ones before
    'patch:error="odd"': (LIFE, None),
    'patch:token_type="mac"': (LIFE, None),
}


@pytest.mark.parametrize("fault", ODD)
def test_an_odd_answer_is_used_and_no_token_of_it_is_lost(world: Timeless, fault: str) -> None:
    (life, missing), old = ODD[fault], world.ask("sales")
    world.clock.pass_(LIFE + 10)
    world.provider.faults.plan(fault)
    assert ask(world, old) == RENEWED
    token = world.ask("sales")
    assert world.provider.bearer(token.reveal())
    assert token.issued_at is not None
    assert token.expires_at == (None if life is None else token.issued_at + timedelta(seconds=life))
    status = world.status("sales")
    assert (status.state, status.missing_scope) == (State.CONNECTED, missing)
    newer = world.ask("sales", rejected=token.generation)
    assert newer.generation == 3
    assert [one.outcome for one in world.refreshes()] == ["ok", "ok"]


def test_an_answer_without_a_refresh_token_keeps_the_old_one(world: Timeless) -> None:
    world.provider.dials.rotate = False
    for generation in (2, 3, 4):
        world.clock.pass_(LIFE + 10)
        assert world.ask("sales").generation == generation
    assert len({one.token for one in world.refreshes()}) == 1


def test_a_token_that_is_due_is_served_and_renewed_behind_its_caller(world: Timeless) -> None:
    old = world.ask("sales")
    assert old.refresh_at is not None
    world.clock.now = old.refresh_at
    assert ask(world, old) == "old"
    world.service._refresher.close()
    world.crash()
    assert ask(world, old) == RENEWED
    assert len(world.refreshes()) == 1


def test_a_refused_client_is_mended_by_a_new_secret(timeless: Timeless) -> None:
    provider = timeless.provider
    timeless.add("sales", secret=provider.confidential_secret)
    timeless.sign_in("sales")
    old = timeless.ask("sales")
    client = provider.clients["confidential-notebook"]
    new = Secret("another-client-secret")
    provider.register(
        "confidential-notebook", client.redirect_uris, secret=new, any_loopback_port=True
    )
    timeless.clock.pass_(LIFE + 10)
    for _ in range(3):
        assert ask(timeless, old) == "invalid_client"
    assert len(timeless.refreshes()) == 1
    grant = timeless.grant("sales")
    assert grant is not None
    assert grant.state is GrantState.SUSPENDED
    assert timeless.status("sales").state is State.MISCONFIGURED
    timeless.service.clients.add_secret("sales", new, timeless.actor)
    assert ask(timeless, old) == RENEWED
    assert [one.outcome for one in timeless.refreshes()] == ["invalid_client", "ok"]


@pytest.mark.parametrize("fault", ["hangup_after", "drip"])
def test_within_a_grace_period_a_lost_answer_is_asked_for_again(
    timeless: Timeless, fault: str
) -> None:
    """The entry says 60 seconds; nobody asks for hours and yet nothing is lost."""
    timeless.add("sales", provider="graceful")
    timeless.provider.dials.refresh_grace_seconds = 60
    timeless.sign_in("sales")
    old = timeless.ask("sales")
    timeless.clock.pass_(LIFE + 10)
    with timeless.meeting(fault):
        assert ask(timeless, old) == "provider_unavailable"
    timeless.clock.pass_(20)
    assert ask(timeless, old) == RENEWED
    assert [one.outcome for one in timeless.refreshes()] == ["ok", "ok"]
