"""Signing in without a way back: a code typed on another device, an address given by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from jupyter_oauthconn.errors import (
    CallbackMismatchError,
    InvalidParameterError,
    NotAllowedError,
    UnknownAuthorizationError,
)
from jupyter_oauthconn.model import (
    AuthMethod,
    Authorization,
    AuthorizationState,
    Flow,
    Secret,
    Settings,
    State,
)

from .conftest import CALLBACK, Laptop
from .visitor import Visitor, changed, parameter

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def type_code(visitor: Visitor, authorization: Authorization) -> None:
    """The other device: opens the address by hand, types the code, signs in."""
    visitor.open(authorization.verification_uri or "")
    visitor.submit(user_code=authorization.user_code or "")
    visitor.submit(confirm="yes")
    visitor.log_in()


@pytest.mark.parametrize(
    "client",
    [
        {},
        {"client_id": "weird:id", "client_secret": Secret("p%40ss+w/rd=&?:~ok")},
        {
            "client_id": "posting",
            "client_secret": Secret("posted secret+&=%"),
            "auth_method": AuthMethod.CLIENT_SECRET_POST,
        },
    ],
    ids=["public", "basic", "post"],
)
def test_a_code_typed_on_another_device_signs_in(
    make_laptop: Callable[..., Laptop], client: dict[str, object]
) -> None:
    laptop = make_laptop(**client)
    started = laptop.start(flow=Flow.DEVICE)
    assert started.flow is Flow.DEVICE
    assert started.public_url is None
    assert started.user_code
    assert started.verification_uri == f"{laptop.provider.issuer}/device"
    assert laptop.start(flow=Flow.DEVICE) == started  # the next cell joins it
    visitor = laptop.visitor()
    type_code(visitor, started)
    visitor.submit()
    ended = laptop.ended(started)
    assert (ended.state, ended.identity) == (AuthorizationState.DONE, "ada@example.com")
    token = laptop.broker.access_token("data")
    assert laptop.provider.is_active(token.reveal())
    assert laptop.provider.is_active(laptop.renew())
    polls = laptop.provider.requests("token", grant_type=DEVICE)
    assert [one["status"] for one in polls][-1] == 200
    assert {one["error"] for one in polls[:-1]} <= {"authorization_pending"}


def test_a_refused_device_stores_nothing(laptop: Laptop) -> None:
    started = laptop.start(flow=Flow.DEVICE)
    visitor = laptop.visitor()
    type_code(visitor, started)
    visitor.abort()
    ended = laptop.ended(started)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert ended.error.code == "access_denied"
    assert laptop.grant is None


def test_a_code_that_nobody_types_expires(laptop: Laptop) -> None:
    laptop.provider.set(seconds={"DeviceCode": 1})
    started = laptop.start(flow=Flow.DEVICE)
    ended = laptop.ended(started)
    assert ended.error is not None
    assert ended.error.code == "authorization_expired"
    assert laptop.status.state is State.NOT_CONNECTED
    polls = laptop.provider.token_requests()
    again = laptop.start(flow=Flow.DEVICE)
    assert again.user_code != started.user_code
    laptop.broker.cancel(again.id)
    assert laptop.provider.token_requests() <= polls + 1


def test_the_device_flow_can_be_switched_off(make_laptop: Callable[..., Laptop]) -> None:
    laptop = make_laptop(Settings(device_flow_enabled=False))
    with pytest.raises(NotAllowedError):
        laptop.start(flow=Flow.DEVICE)
    assert laptop.provider.requests("device_authorization") == []


def test_a_slow_sign_in_is_polled_at_the_providers_pace(laptop: Laptop) -> None:
    laptop.provider.set(deviceInterval=2)
    began = time.monotonic()
    started = laptop.start(flow=Flow.DEVICE)
    for polls in (1, 2):
        while laptop.provider.token_requests() < polls:
            assert time.monotonic() < began + 60, "it is not polled"
            time.sleep(0.05)
        # never sooner, however late this machine looks
        assert laptop.provider.token_requests() <= (time.monotonic() - began) / 2
    laptop.broker.cancel(started.id)


@pytest.fixture
def pasting(laptop: Laptop) -> tuple[Authorization, str]:
    """A sign-in without a listener, and the address of the page that did not load."""
    started = laptop.start(flow=Flow.PASTE)
    assert started.public_url is None
    assert urlsplit(started.verification_uri or "").netloc in laptop.provider.issuer
    address = laptop.visitor().consent(started.verification_uri or "")
    assert address.startswith(f"{CALLBACK}?")
    return started, address


def test_an_address_given_by_hand_signs_in(
    laptop: Laptop, pasting: tuple[Authorization, str]
) -> None:
    started, address = pasting
    ended = laptop.broker.finish_by_paste(started.id, Secret(f"  {address}\n"))
    assert (ended.state, ended.identity) == (AuthorizationState.DONE, "ada@example.com")
    assert laptop.provider.is_active(laptop.renew())
    with pytest.raises(UnknownAuthorizationError):
        laptop.broker.finish_by_paste(started.id, Secret(address))
    assert len(laptop.provider.requests("token", grant_type="authorization_code")) == 1


@pytest.mark.parametrize(
    "wrong",
    ["", "nonsense", "http://[", "https://evil.example/oauthconn/callback/interop?code=a&state=b",
     "http://localhost:9999/oauthconn/callback/interop?code=a&state=b",
     "http://localhost:8888/oauthconn/callback/other?code=a&state=b", CALLBACK],
)  # fmt: skip
def test_a_wrong_address_is_refused_and_the_right_one_still_works(
    laptop: Laptop, pasting: tuple[Authorization, str], wrong: str
) -> None:
    started, address = pasting
    with pytest.raises(InvalidParameterError) as caught:
        laptop.broker.finish_by_paste(started.id, Secret(wrong))
    assert CALLBACK in caught.value.hint
    assert laptop.provider.token_requests() == 0
    laptop.broker.finish_by_paste(started.id, Secret(address))
    assert laptop.status.state is State.CONNECTED


def test_an_address_of_another_sign_in_is_refused_and_the_right_one_still_works(
    laptop: Laptop, pasting: tuple[Authorization, str]
) -> None:
    started, address = pasting
    with pytest.raises(CallbackMismatchError):
        laptop.broker.finish_by_paste(started.id, Secret(changed(address, state="A" * 43)))
    assert laptop.provider.token_requests() == 0
    laptop.broker.finish_by_paste(started.id, Secret(address))
    assert laptop.status.state is State.CONNECTED


def test_a_pasted_address_is_of_no_use_to_another_laptop(
    make_laptop: Callable[..., Laptop],
) -> None:
    """Whoever is sent the address cannot finish with it: state and verifier stay where they are."""
    victim, attacker = make_laptop(), make_laptop()
    started = victim.start(flow=Flow.PASTE)
    address = victim.visitor().consent(started.verification_uri or "")
    theirs = attacker.start(flow=Flow.PASTE)
    own_state = parameter(theirs.verification_uri or "", "state")
    for one in (address, changed(address, state=own_state)):
        with pytest.raises(Exception, match=r"sign-in|invalid_grant|refused"):
            attacker.broker.finish_by_paste(theirs.id, Secret(one))
    assert attacker.grant is None
    assert victim.ended(started, seconds=0).state is AuthorizationState.PENDING


def test_another_way_replaces_the_pending_one(laptop: Laptop) -> None:
    first = laptop.start()
    second = laptop.start(flow=Flow.PASTE)
    assert second.id != first.id
    assert laptop.broker.authorization(first.id).state is AuthorizationState.REFUSED
    answer = laptop.visitor()
    answer.open(first.public_url or "")
    assert answer.at is not None
    assert answer.at.status_code == 400
    assert laptop.ended(second, seconds=timedelta(0).total_seconds()).state is (
        AuthorizationState.PENDING
    )
