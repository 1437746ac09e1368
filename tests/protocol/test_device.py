"""The device flow (RFC 8628): codes, polls and how the polls end."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest

from jupyter_oauthconn.errors import (
    AccessDeniedError,
    AuthorizationExpiredError,
    InvalidClientError,
    OAuthConnError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import AuthMethod, Secret, TokenAnswer
from jupyter_oauthconn.protocol import (
    ClientCredentials,
    DevicePoll,
    HttpAnswer,
    device_request,
    device_token_request,
    validate_device_answer,
    validate_device_poll,
)

PUBLIC = ClientCredentials(client_id="1406020730", method=AuthMethod.NONE)
#: RFC 8628 §3.2
EXAMPLE: dict[str, object] = {
    "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://example.com/device",
    "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
    "expires_in": 1800,
    "interval": 5,
}


def answer(body: object, status: int = 200) -> HttpAnswer:
    headers = {"content-type": "application/json"}
    return HttpAnswer(status=status, headers=headers, body=json.dumps(body).encode())


def test_requests_as_in_rfc_8628_3_1_and_3_4() -> None:
    start = device_request(
        endpoint="https://server.example.com/device_authorization",
        credentials=PUBLIC,
        scope="example_scope",
    )
    assert dict(parse_qsl((start.body or b"").decode())) == {
        "client_id": "1406020730",
        "scope": "example_scope",
    }
    poll = device_token_request(
        endpoint="https://server.example.com/token",
        credentials=PUBLIC,
        device_code=Secret("GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS"),
    )
    assert dict(parse_qsl((poll.body or b"").decode())) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
        "client_id": "1406020730",
    }


def test_client_id_stands_in_the_body_beside_basic() -> None:
    basic = ClientCredentials(
        client_id="c", method=AuthMethod.CLIENT_SECRET_BASIC, secret=Secret("s")
    )
    request = device_request(endpoint="https://a.example/", credentials=basic, scope="")
    assert request.body == b"client_id=c"
    assert "Authorization" in request.headers


def test_codes() -> None:
    codes = validate_device_answer(answer(EXAMPLE))
    assert codes.device_code.reveal() == EXAMPLE["device_code"]
    assert (codes.user_code, codes.expires_in, codes.interval) == ("WDJB-MJHT", 1800, 5)
    assert codes.verification_uri == "https://example.com/device"
    assert codes.verification_uri_complete == "https://example.com/device?user_code=WDJB-MJHT"
    assert "GmRh" not in repr(codes)


def test_codes_in_other_spellings() -> None:
    odd = {**EXAMPLE, "verification_url": "https://google.example/device", "interval": None}
    del odd["verification_uri"]
    odd["verification_uri_complete"] = "javascript:alert(1)"
    codes = validate_device_answer(answer(odd))
    assert codes.verification_uri == "https://google.example/device"
    assert codes.verification_uri_complete is None
    assert codes.interval == 5


@pytest.mark.parametrize(
    "change",
    [
        {"device_code": ""},
        {"user_code": None},
        {"user_code": "A\u202eB"},
        {"user_code": "A" * 65},
        {"verification_uri": "http://example.com/device"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": None},
        {"expires_in": None},
    ],
)
def test_unusable_codes(change: dict[str, object]) -> None:
    with pytest.raises(ProviderProtocolError):
        validate_device_answer(answer({**EXAMPLE, **change}))


def test_a_client_without_the_device_flow() -> None:
    with pytest.raises(InvalidClientError):
        validate_device_answer(answer({"error": "unauthorized_client"}, 400))


def test_sec_45_polls_that_go_on() -> None:
    pending = validate_device_poll(answer({"error": "authorization_pending"}, 400))
    assert pending is DevicePoll.PENDING
    slower = validate_device_poll(answer({"error": "slow_down"}), error_with_status_200=True)
    assert slower is DevicePoll.SLOW_DOWN


def test_the_last_poll() -> None:
    tokens = validate_device_poll(answer({"access_token": "at", "region": "eu"}), keep=("region",))
    assert isinstance(tokens, TokenAnswer)
    assert tokens.extra == {"region": "eu"}


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        ("access_denied", 400, AccessDeniedError),
        ("expired_token", 400, AuthorizationExpiredError),
        ("invalid_grant", 400, ProviderRejectedError),
        ("invalid_client", 401, InvalidClientError),
        ("slow_down", 429, ProviderUnavailableError),
    ],
)
def test_polls_that_end_otherwise(error: str, status: int, expected: type[OAuthConnError]) -> None:
    with pytest.raises(expected) as caught:
        validate_device_poll(answer({"error": error}, status))
    assert type(caught.value) is expected
