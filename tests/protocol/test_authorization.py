"""The authorization request and what the browser brings back."""

from __future__ import annotations

import traceback
from urllib.parse import parse_qsl, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from jupyter_oauthconn.errors import (
    AccessDeniedError,
    AuthorizationFailedError,
    CallbackMismatchError,
    InvalidParameterError,
    OAuthConnError,
    ProviderProtocolError,
    ProviderRejectedError,
)
from jupyter_oauthconn.protocol import (
    AuthorizationRequest,
    authorization_request,
    validate_callback,
)

ISSUER = "https://provider.example"


def request(
    endpoint: str = "https://provider.example/authorize", *, openid: bool = True, **extra: str
) -> AuthorizationRequest:
    return authorization_request(
        endpoint=endpoint,
        client_id="my client",
        redirect_uri="http://localhost:8888/oauthconn/callback/sales",
        scope="openid data:read",
        extra=extra,
        openid=openid,
    )


def query(made: AuthorizationRequest) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(made.url.reveal()).query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_challenge_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert create_s256_code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_sec_12_every_request_has_pkce_s256() -> None:
    made = request(access_type="offline")
    sent = query(made)
    verifier = made.code_verifier.reveal()
    assert 43 <= len(verifier) <= 128
    assert sent == {
        "response_type": "code",
        "client_id": "my client",
        "redirect_uri": "http://localhost:8888/oauthconn/callback/sales",
        "scope": "openid data:read",
        "state": made.state.reveal(),
        "nonce": made.nonce.reveal(),
        "access_type": "offline",
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
    }


def test_sec_02_a_thousand_states_and_verifiers_are_all_different() -> None:
    made = [request() for _ in range(1000)]
    for values in (
        {one.state.reveal() for one in made},
        {one.code_verifier.reveal() for one in made},
        {one.nonce.reveal() for one in made},
    ):
        assert len(values) == 1000
        assert min(len(value) for value in values) >= 43


def test_nonce_goes_with_openid_only() -> None:
    assert "nonce" not in query(request(openid=False))


def test_query_of_the_endpoint_stays() -> None:
    sent = query(request("https://provider.example/authorize?p=B2C_1_signin"))
    assert sent["p"] == "B2C_1_signin"
    assert sent["response_type"] == "code"


@pytest.mark.parametrize(
    "name",
    ["state", "code_challenge", "code_challenge_method", "redirect_uri", "client_id", "nonce",
     "response_type", "response_mode", "scope", "request", "request_uri", "uri"],
)  # fmt: skip
def test_sec_13_extra_parameters_do_not_replace_those_of_the_protocol(name: str) -> None:
    with pytest.raises(InvalidParameterError, match=name):
        request(**{name: "plain"})
    with pytest.raises(InvalidParameterError, match=name):
        request(f"https://provider.example/authorize?{name}=")


def test_request_shows_nothing() -> None:
    made = request()
    assert made.state.reveal() not in f"{made!r} {made}"
    assert made.code_verifier.reveal() not in f"{made!r} {made}"


def callback(
    *parameters: tuple[str, str], issuer: str | None = ISSUER, required: bool = False
) -> tuple[str, dict[str, str]]:
    answer = validate_callback(
        parameters, issuer=issuer, iss_required=required, keep=("realmId", "code")
    )
    return answer.code.reveal(), dict(answer.extra)


def test_code_and_kept_parameters() -> None:
    given = (("code", "c"), ("state", "s"), ("realmId", "7"), ("scope", "a b"), ("hd", "x"))
    assert callback(*given, ("unknown", "x"), ("unknown", "y")) == ("c", {"realmId": "7"})


def test_sec_08_iss_is_compared_exactly() -> None:
    assert callback(("code", "c"), ("iss", ISSUER), required=True)[0] == "c"
    for wrong in (ISSUER + "/", "https://evil.example", "HTTPS://provider.example", ""):
        for required in (True, False):
            with pytest.raises(CallbackMismatchError) as caught:
                callback(("code", "c"), ("iss", wrong), required=required)
            assert (caught.value.expected, caught.value.received) == (ISSUER, wrong)


def test_sec_08_iss_is_required_where_metadata_says_so() -> None:
    with pytest.raises(CallbackMismatchError, match="as it must"):
        callback(("code", "c"), required=True)
    assert callback(("code", "c"))[0] == "c"


def test_sec_08_iss_is_compared_in_errors_too() -> None:
    with pytest.raises(CallbackMismatchError):
        callback(("error", "access_denied"), ("iss", "https://evil.example"))


@pytest.mark.parametrize(
    "parameters",
    [
        [("code", "a"), ("code", "b")],
        [("code", "a"), ("code", "a")],
        [("code", "a"), ("iss", ISSUER), ("iss", ISSUER)],
        [("code", "a"), ("realmId", "1"), ("realmId", "2")],
        [("code", "a\x00b")],
        [("code", "a" * 4097)],
        [("code", "a"), *((f"p{number}", "") for number in range(40))],
        [("code", "")],
        [("state", "s")],
        [("code[]", "a")],
        [("access_token", "a"), ("token_type", "bearer")],
        [],
    ],
)
def test_sec_15_malformed_callbacks(parameters: list[tuple[str, str]]) -> None:
    with pytest.raises(ProviderProtocolError):
        callback(*parameters)


def test_sec_16_an_error_wins_over_a_code() -> None:
    with pytest.raises(AccessDeniedError, match="refused") as caught:
        callback(("error", "access_denied"), ("code", "c"), ("state", "s"))
    assert isinstance(caught.value, AuthorizationFailedError)
    with pytest.raises(ProviderRejectedError) as rejected:
        callback(("error", "invalid_scope"), ("error_description", "no such scope."))
    assert rejected.value.error == "invalid_scope"
    assert rejected.value.message == "The provider answered invalid_scope: no such scope."


def test_sec_52_descriptions_are_short_plain_lines() -> None:
    with pytest.raises(ProviderRejectedError) as caught:
        callback(("error", "server_error"), ("error_description", "a\r\n\tb\x1b[31m " + "é " * 500))
    assert "\x1b" not in caught.value.message
    assert "\n" not in caught.value.message
    assert "a b" in caught.value.message
    assert len(caught.value.message) < 300


def test_sec_51_no_code_and_state_in_what_is_raised() -> None:
    for more in (
        [("error", "s3cret-state"), ("error_description", "c0de-secret")],
        [("iss", "https://evil.example")],
        [("hd", "a"), ("hd", "b")],
    ):
        with pytest.raises(OAuthConnError) as caught:
            validate_callback(
                [("code", "c0de-secret"), ("state", "s3cret-state"), *more],
                issuer=ISSUER,
                iss_required=False,
            )
        found = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        found.stack.pop(0)
        shown = "".join(found.format()) + repr(vars(caught.value))
        assert "c0de-secret" not in shown
        assert "s3cret-state" not in shown
