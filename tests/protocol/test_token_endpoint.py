"""The token endpoint: what is sent, and what of all that comes back is a token."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_oauthconn.errors import (
    InvalidClientError,
    InvalidParameterError,
    OAuthConnError,
    ProviderError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import AuthMethod, Secret
from jupyter_oauthconn.protocol import (
    ClientCredentials,
    HttpAnswer,
    HttpRequest,
    code_request,
    keep_first,
    refresh_request,
    revocation_request,
    validate_revocation,
    validate_token_answer,
)
from jupyter_oauthconn.protocol.token_endpoint import lifetime

ENDPOINT = "https://provider.example/token?tenant=a"
GOOD = {"access_token": "at", "token_type": "Bearer"}


def client(
    method: AuthMethod = AuthMethod.CLIENT_SECRET_BASIC,
    client_id: str = "client",
    secret: str = "secret",
) -> ClientCredentials:
    return ClientCredentials(client_id=client_id, method=method, secret=Secret(secret))


def exchange(credentials: ClientCredentials) -> HttpRequest:
    return code_request(
        endpoint=ENDPOINT,
        credentials=credentials,
        code=Secret("SplxlOBeZQQYbYS6WxSbIA"),
        redirect_uri="https://client.example.com/cb",
        code_verifier=Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    )


def form(request: HttpRequest) -> list[tuple[str, str]]:
    return parse_qsl((request.body or b"").decode(), keep_blank_values=True, strict_parsing=True)


def answer(
    body: object,
    status: int = 200,
    kind: str = "application/json",
    **headers: str,
) -> HttpAnswer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(
        status=status,
        headers={"content-type": kind, **named},
        body=raw,
        date=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
    )


def test_code_request_as_in_rfc_6749_4_1_3() -> None:
    request = exchange(client(client_id="s6BhdRkqt3", secret="gX1fBat3bV"))
    assert (request.method, request.url) == ("POST", ENDPOINT)
    assert request.headers["Authorization"] == "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Accept"] == "application/json"
    assert form(request) == [
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://client.example.com/cb"),
        ("code", "SplxlOBeZQQYbYS6WxSbIA"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ]


def test_refresh_request() -> None:
    request = refresh_request(
        endpoint=ENDPOINT,
        credentials=client(),
        refresh_token=Secret("r t&=+%é"),
        scope="a b",
        resource="https://api.example/",
    )
    assert form(request) == [
        ("grant_type", "refresh_token"),
        ("refresh_token", "r t&=+%é"),
        ("scope", "a b"),
        ("resource", "https://api.example/"),
    ]
    plain = refresh_request(
        endpoint=ENDPOINT, credentials=client(), refresh_token=Secret("tGzv3JOkF0XG5Qx2TlKWIA")
    )
    assert form(plain) == [
        ("grant_type", "refresh_token"),
        ("refresh_token", "tGzv3JOkF0XG5Qx2TlKWIA"),
    ]


def test_client_secret_post_and_none() -> None:
    posted = exchange(client(AuthMethod.CLIENT_SECRET_POST))
    assert "Authorization" not in posted.headers
    assert form(posted)[-2:] == [("client_id", "client"), ("client_secret", "secret")]
    public = exchange(ClientCredentials(client_id="client", method=AuthMethod.NONE))
    assert "Authorization" not in public.headers
    assert form(public)[-1] == ("client_id", "client")
    # a secret that lies about is not sent by a public client
    assert b"secret" not in (exchange(client(AuthMethod.NONE)).body or b"")


@given(st.text(min_size=1), st.text(min_size=1))
def test_basic_is_form_encoded_first(client_id: str, secret: str) -> None:
    """RFC 6749 §2.3.1: a server that decodes gets exactly what was registered."""
    if not (client_id + secret).isprintable():
        return
    request = exchange(client(client_id=client_id, secret=secret))
    pair = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode("ascii")
    first, _, second = pair.partition(":")
    assert (unquote_plus(first), unquote_plus(second)) == (client_id, secret)


def test_basic_of_a_client_with_reserved_characters() -> None:
    request = exchange(client(client_id="weird:id", secret="p%40ss+w/rd=&?:~ ok"))
    pair = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
    assert pair == b"weird%3Aid:p%2540ss%2Bw%2Frd%3D%26%3F%3A~+ok"


def test_a_method_with_a_secret_needs_one() -> None:
    for secret in (None, Secret("")):
        with pytest.raises(InvalidParameterError, match="needs a client secret"):
            ClientCredentials(client_id="c", method=AuthMethod.CLIENT_SECRET_POST, secret=secret)


def test_sec_53_requests_and_credentials_show_nothing() -> None:
    for method in AuthMethod:
        request = exchange(client(method, secret="canary-secret"))
        shown = f"{request!r} {request} {client(secret='canary-secret')!r}"
        assert "canary" not in shown
        assert "Splx" not in shown
        assert "tenant" not in shown
        assert "canary" not in repr(answer({"access_token": "canary"}))


def test_whole_answer() -> None:
    read = validate_token_answer(
        answer(
            {
                **GOOD,
                "token_type": "bEARER",
                "refresh_token": "rt",
                "expires_in": 3600,
                "refresh_token_expires_in": "86400",
                "scope": "a b",
                "id_token": "h.p.s",
                "instance_url": "https://eu1.example",
                "limits": {"a": 1},
                "nothing": None,
            },
            kind="application/json; charset=UTF-8",
        ),
        keep=("instance_url", "limits", "nothing", "missing"),
    )
    assert read.access_token.reveal() == "at"
    assert read.refresh_token is not None
    assert read.refresh_token.reveal() == "rt"
    assert read.id_token is not None
    assert (read.token_type, read.expires_in, read.refresh_expires_in) == ("Bearer", 3600, 86400)
    assert read.scope == "a b"
    assert read.extra == {"instance_url": "https://eu1.example", "limits": '{"a":1}'}


@pytest.mark.parametrize(
    ("written", "scope"),
    [
        (None, None), ("", None), (" ", None), ("a", "a"), ("a b", "a b"),
        ("repo,gist", "repo gist"),
        (["a", "b"], "a b"), (7, None), ("a,b c", "a,b c"),
    ],
)  # fmt: skip
def test_scope_in_its_spellings(written: object, scope: str | None) -> None:
    assert validate_token_answer(answer({**GOOD, "scope": written})).scope == scope


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (3600, 3600), (3599.7, 3599.7), ("3600", 3600), ("3599.7", 3599.7), (" 60 ", 60), (1, 1),
        (0, None), (-1, None), ("0", None), ("-5", None), (None, None), ("", None), ("abc", None),
        ("2026-11-23T10:00:00Z", None), ("PT1H", None), (True, None), ([3600], None), ({}, None),
        (math.inf, None), (math.nan, None), ("inf", None), ("nan", None), (1e300, None),
        (10**400, None), (1_795_000_000, None), (315_360_000, 315_360_000), (315_360_001, None),
    ],
)  # fmt: skip
def test_sec_40_expires_in_table(written: object, seconds: float | None) -> None:
    read = validate_token_answer(answer({**GOOD, "expires_in": written}))
    assert read.expires_in == seconds


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(JSON)
def test_sec_40_expires_in_never_raises(value: object) -> None:
    seconds = lifetime(value)
    assert seconds is None or 0 < seconds <= 315_360_000


@pytest.mark.parametrize("absent", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_sec_38_an_absent_refresh_token_is_none(absent: dict[str, object]) -> None:
    assert validate_token_answer(answer({**GOOD, **absent})).refresh_token is None


NO_TOKEN: list[object] = [
    {}, [], "at", 7, None, True, b"", b"{", b"<html>", b"[" * 60_000, b"\xff",
    {"token_type": "Bearer"},
    {"access_token": None}, {"access_token": ""}, {"access_token": 7}, {"access_token": ["at"]},
    {"access_token": "a\nb"}, {"access_token": "a\x00"}, {"access_token": "é"},
    {"access_token": "\ud800"},
    {"access_token": "at", "token_type": "mac"}, {"access_token": "at", "token_type": "DPoP"},
    {"access_token": "at", "refresh_token": 7}, {"access_token": "at", "refresh_token": "a\nb"},
    {"access_token": "at", "error": "invalid_grant"},
    {"error": "invalid_grant"}, {"error": {"message": "no"}, "status": "BAD_AUTH_CODE"},
    {"message": "rate limited", "refresh_token": "rt"},
]  # fmt: skip


@pytest.mark.parametrize("body", NO_TOKEN, ids=repr)
def test_sec_36_what_is_no_token_with_status_200(body: object) -> None:
    with pytest.raises(ProviderProtocolError):
        validate_token_answer(answer(body))


@pytest.mark.parametrize("kind", ["text/plain", "", "application/xml", "application/x-json"])
def test_other_content_types(kind: str) -> None:
    with pytest.raises(ProviderProtocolError, match="JSON object was expected"):
        validate_token_answer(answer(GOOD, kind=kind))


def test_form_answers_only_where_they_are_expected() -> None:
    """GitHub answers so without an Accept header."""
    read = answer(
        b"access_token=at&scope=repo%2Cgist&token_type=bearer",
        kind="application/x-www-form-urlencoded; charset=utf-8",
    )
    with pytest.raises(ProviderProtocolError):
        validate_token_answer(read)
    accepted = validate_token_answer(read, accept_form=True)
    assert (accepted.access_token.reveal(), accepted.scope) == ("at", "repo gist")
    refused = answer(b"error=bad_verification_code", kind="application/x-www-form-urlencoded")
    with pytest.raises(ProviderRejectedError) as caught:
        validate_token_answer(refused, accept_form=True, error_with_status_200=True)
    assert caught.value.error == "invalid_grant"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": "bad_verification_code", "error_description": "expired"}, "invalid_grant"),
        ({"ok": False, "error": "invalid_refresh_token"}, "invalid_grant"),
        ({"ok": False, "error": "ratelimited"}, "ratelimited"),
        ({"error": "incorrect_client_credentials"}, "invalid_client"),
    ],
)
def test_errors_with_status_200(body: object, error: str) -> None:
    with pytest.raises(ProviderRejectedError) as caught:
        validate_token_answer(answer(body), error_with_status_200=True)
    assert caught.value.error == error
    with pytest.raises(ProviderProtocolError, match=error):
        validate_token_answer(answer(body))


REJECTED, CLIENT, UNAVAILABLE, PROTOCOL = (
    ProviderRejectedError, InvalidClientError, ProviderUnavailableError, ProviderProtocolError,
)  # fmt: skip
GRANT, NO_ERROR = {"error": "invalid_grant"}, {"message": "no"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "expected"),
    [
        (400, GRANT, "application/json", REJECTED),
        (401, GRANT, "application/json", REJECTED),
        (403, GRANT, "application/json", REJECTED),
        (400, GRANT, "text/plain", REJECTED),
        (400, {"error": "invalid_client"}, "application/json", CLIENT),
        (401, {"error": "invalid_client"}, "application/json", CLIENT),
        (400, {"error": "unauthorized_client"}, "application/json", CLIENT),
        (401, NO_ERROR, "application/json", CLIENT),
        (401, b"", "", CLIENT),
        (401, b"<html>", "text/html", UNAVAILABLE),
        (400, NO_ERROR, "application/json", PROTOCOL),
        (400, {"error": ""}, "application/json", PROTOCOL),
        (400, {"error": {"type": "OAuthException"}}, "application/json", REJECTED),
        (400, {"error": {"message": "no"}}, "application/json", PROTOCOL),
        (400, {"error": ["a"]}, "application/json", PROTOCOL),
        (400, {"status": "BAD_REFRESH_TOKEN"}, "application/json", REJECTED),
        (400, {"status": "BAD_CLIENT_SECRET"}, "application/json", CLIENT),
        (400, {"status": "error"}, "application/json", PROTOCOL),
        (400, b"<html>", "text/html; charset=utf-8", UNAVAILABLE),
        (403, b"<html>", "text/html", UNAVAILABLE),
        (403, b"no", "text/plain", PROTOCOL),
        (404, b"", "", PROTOCOL),
        (405, NO_ERROR, "application/json", PROTOCOL),
        (408, b"", "", UNAVAILABLE),
        (429, {"message": "rate limited"}, "application/json", UNAVAILABLE),
        (429, GRANT, "application/json", UNAVAILABLE),
        (500, GRANT, "application/json", UNAVAILABLE),
        (502, b"<html>", "text/html", UNAVAILABLE),
        (503, GOOD, "application/json", UNAVAILABLE),
        (599, b"", "", UNAVAILABLE),
        (200, b"<html>", "text/html", UNAVAILABLE),
        (201, GOOD, "application/json", PROTOCOL),
        (204, b"", "", PROTOCOL),
        (302, GOOD, "application/json", PROTOCOL),
        (307, b"<html>", "text/html", PROTOCOL),
    ],
)
def test_sec_36_fault_table(
    status: int, body: object, kind: str, expected: type[ProviderError]
) -> None:
    with pytest.raises(expected) as caught:
        validate_token_answer(answer(body, status, kind))
    assert type(caught.value) is expected
    if isinstance(caught.value, ProviderRejectedError):
        assert caught.value.status == status


@given(
    st.integers(min_value=100, max_value=599),
    st.binary(max_size=40) | JSON.map(lambda one: json.dumps(one).encode()),
    st.sampled_from(["application/json", "text/html", "application/x-www-form-urlencoded", ""]),
    st.booleans(),
)
def test_sec_36_whatever_comes_is_a_token_or_a_provider_error(
    status: int, body: bytes, kind: str, lenient: bool
) -> None:
    given_answer = answer(body, status, kind)
    keep_first(given_answer)
    try:
        read = validate_token_answer(
            given_answer, accept_form=lenient, error_with_status_200=lenient
        )
    except ProviderError as error:
        shown = error.message
    else:
        assert status == 200
        shown = read.access_token.reveal()
    assert shown


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120), ("0", 0), (" 7 ", 7), ("999999999999999999999", 3600), ("-1", None),
        ("1.5", None), ("soon", None), ("", None), ("²", None),
        ("Mon, 23 Nov 2026 10:01:00 GMT", 60), ("Mon, 23 Nov 2026 09:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 10:00:00 GMT", 3600), ("Mon, 99 Nov 2026 10:00:00 GMT", None),
    ],
)  # fmt: skip
def test_sec_36_retry_after(header: str, seconds: float | None) -> None:
    with pytest.raises(ProviderUnavailableError) as caught:
        validate_token_answer(answer(b"", 429, "", retry_after=header))
    assert caught.value.retry_after_seconds == seconds
    assert caught.value.request_sent


def test_sec_52_descriptions_lose_secrets_and_markup_stays_text() -> None:
    said = (
        "secret s3cr3t! for rt-1 is bad\r\n<img src=x>\x07 eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.e30"
    )
    refused = HttpAnswer(
        status=400,
        headers={"content-type": "application/json"},
        body=json.dumps({"error": "invalid_request", "error_description": said}).encode(),
        secrets=(Secret("s3cr3t!"), Secret("rt-1")),
    )
    with pytest.raises(ProviderRejectedError) as caught:
        validate_token_answer(refused)
    assert caught.value.message == (
        "The token endpoint answered invalid_request: secret … for … is bad <img src=x> …."
    )


@pytest.mark.parametrize("code", ["rt-1", "a b", "é", "x" * 65, "a\nb"])
def test_sec_52_odd_error_codes_are_not_repeated(code: str) -> None:
    refused = HttpAnswer(
        status=400,
        headers={"content-type": "application/json"},
        body=json.dumps({"error": code}).encode(),
        secrets=(Secret("rt-1"),),
    )
    with pytest.raises(ProviderRejectedError) as caught:
        validate_token_answer(refused)
    assert caught.value.error == "unknown_error"
    assert code not in caught.value.message


@pytest.mark.parametrize(
    ("body", "status", "kind", "kept"),
    [
        ({"access_token": "a", "refresh_token": "r"}, 200, "application/json", ("a", "r")),
        ({"access_token": "a", "refresh_token": "r"}, 500, "text/html", ("a", "r")),
        ({"refresh_token": "r", "token_type": "mac"}, 201, "", (None, "r")),
        ({"access_token": 7, "refresh_token": "r"}, 200, "application/json", (None, "r")),
        ({"access_token": "a", "refresh_token": "r\n"}, 200, "application/json", ("a", None)),
        (b"access_token=a&refresh_token=r", 200, "application/x-www-form-urlencoded", ("a", "r")),
        (b"access_token=a&refresh_token=r", 200, "text/plain", (None, None)),
        (b"<html>", 200, "text/html", (None, None)),
        ([], 200, "application/json", (None, None)),
    ],
)
def test_sec_35_a_rotated_token_is_kept_before_the_answer_is_judged(
    body: object, status: int, kind: str, kept: tuple[str | None, str | None]
) -> None:
    found = keep_first(answer(body, status, kind))
    assert tuple(one and one.reveal() for one in found) == kept


def test_revocation_request_as_in_rfc_7009_2_1() -> None:
    request = revocation_request(
        endpoint="https://server.example.com/revoke",
        credentials=client(client_id="s6BhdRkqt3", secret="gX1fBat3bV"),
        token=Secret("45ghiukldjahdnhzdauz"),
        hint="refresh_token",
    )
    assert request.headers["Authorization"] == "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
    assert request.body == b"token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token"
    assert "45ghiukldjahdnhzdauz" not in repr(request)


@pytest.mark.parametrize(
    "given_answer",
    [answer(b"", 200, ""), answer({}, 200), answer(b"", 204, ""),
     answer({"error": "invalid_token"}, 400)],
)  # fmt: skip
def test_sec_43_revoked(given_answer: HttpAnswer) -> None:
    validate_revocation(given_answer)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "unsupported_token_type"}, ProviderRejectedError),
        (400, {"error": "invalid_client"}, InvalidClientError),
        (401, {}, InvalidClientError),
        (503, {}, ProviderUnavailableError),
        (429, {}, ProviderUnavailableError),
        (302, {}, ProviderProtocolError),
        (404, {}, ProviderProtocolError),
    ],
)
def test_sec_43_a_failed_revocation_is_no_success(
    status: int, body: object, expected: type[OAuthConnError]
) -> None:
    with pytest.raises(expected) as caught:
        validate_revocation(answer(body, status, retry_after="30"))
    assert type(caught.value) is expected
    if isinstance(caught.value, ProviderUnavailableError):
        assert caught.value.retry_after_seconds == 30
