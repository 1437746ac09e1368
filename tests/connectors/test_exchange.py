"""The second hop: what is sent and where, how long the answer is kept, what a refusal says."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import pytest
from counted import MARKER, Connected, CountedTokens, value
from later import Later
from leaks import shown, told
from recorder import Recorder, Reply, Seen, recorder

from jupyter_oauthconn.catalog import Exchange, ExchangeKind
from jupyter_oauthconn.connectors.exchange import ExchangedTokens, cloud_key, token_source
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    OAuthConnError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
)

ROLE = "arn:aws:iam::123456789012:role/analyst"
SECOND = "second-secret"


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recorder() as made:
        made.answer = issued
        yield made


def issued(seen: Seen) -> Reply:
    """An RFC 8693 answer; each is another token."""
    return Reply({"access_token": f"{SECOND}-{time.monotonic_ns()}", "expires_in": 600})


def assumed(life: float = 3600.0) -> Any:
    def answer(seen: Seen) -> Reply:
        end = datetime.now(UTC) + timedelta(seconds=life)
        return Reply(
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleWithWebIdentityResult><Credentials>"
            f"<AccessKeyId>AKIA{time.monotonic_ns()}</AccessKeyId>"
            f"<SecretAccessKey>{SECOND}/+a&amp;b</SecretAccessKey>"
            f"<SessionToken>{SECOND}==</SessionToken>"
            f"<Expiration>{end.isoformat().replace('+00:00', 'Z')}</Expiration>"
            "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
            content_type="text/xml",
        )

    return answer


def exchanged(server: Recorder, source: CountedTokens | None = None, **changes: Any) -> Any:
    exchange = Exchange(
        **{
            "kind": ExchangeKind.TOKEN_EXCHANGE,
            "endpoint": f"{server.url}/oauth/token",
            "parameters": {"scope": "dremio.all"},
            **changes,
        }
    )
    connected = Connected(source or CountedTokens())
    return token_source(connected.access("credential", exchange=exchange))


def keys(server: Recorder, source: CountedTokens | None = None, **changes: Any) -> Any:
    exchange = Exchange(
        **{
            "kind": ExchangeKind.STS_WEB_IDENTITY,
            "endpoint": server.url,
            "parameters": {"role_arn": ROLE},
            **changes,
        }
    )
    connected = Connected(source or CountedTokens())
    return cloud_key(connected.access("credential", exchange=exchange))


def test_rfc8693_request_and_answer(server: Recorder) -> None:
    source = exchanged(server)
    token = source.token()
    assert token.reveal().startswith(SECOND)
    assert token.token_type == "Bearer"
    assert token.expires_at - token.issued_at == timedelta(seconds=600)
    assert parse_qs(server.seen[0].body.decode()) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "subject_token": [value(1)],
        "subject_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
        "scope": ["dremio.all"],
    }
    assert server.tokens == [None]


def test_the_entry_may_say_another_type_and_a_resource_is_passed_on(server: Recorder) -> None:
    source = exchanged(
        server, parameters={"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
    )
    assert source.token(resource="https://a.example").resource == "https://a.example"
    assert source.token(resource="https://a.example") != source.token()
    sent = parse_qs(server.seen[0].body.decode())
    assert sent["subject_token_type"] == ["urn:ietf:params:oauth:token-type:jwt"]
    assert sent["resource"] == ["https://a.example"]
    assert len(server.seen) == 2


def test_web_identity_request_and_answer(server: Recorder) -> None:
    server.answer = assumed()
    key = keys(server, lifetime=timedelta(minutes=30)).current()
    assert key.secret_key.reveal() == f"{SECOND}/+a&b"
    assert key.session_token.reveal() == f"{SECOND}=="
    assert parse_qs(server.seen[0].body.decode()) == {
        "Action": ["AssumeRoleWithWebIdentity"],
        "Version": ["2011-06-15"],
        "RoleArn": [ROLE],
        "RoleSessionName": ["data"],
        "WebIdentityToken": [value(1)],
        "DurationSeconds": ["1800"],
    }


def test_web_identity_needs_a_role(server: Recorder) -> None:
    with pytest.raises(InvalidParameterError, match="needs role_arn"):
        keys(server, parameters={}).current()
    assert server.seen == []


def test_tableau_request_and_answer(server: Recorder) -> None:
    server.answer = lambda seen: Reply(
        {"credentials": {"token": SECOND, "site": {"id": "s-1"}, "user": {"id": "u-1"}}}
    )
    source = exchanged(
        server,
        kind=ExchangeKind.TABLEAU,
        endpoint=f"{server.url}/api/3.24/auth/signin",
        parameters={"site": 'a"b'},
    )
    token = source.token()
    assert token.token_type == "X-Tableau-Auth"
    assert dict(token.extra) == {"site_id": "s-1", "user_id": "u-1"}
    assert server.seen[0].path == "/api/3.24/auth/signin"
    assert server.seen[0].body.decode() == (
        f'{{"credentials": {{"jwt": "{value(1)}", "site": {{"contentUrl": "a\\"b"}}}}}}'
    )


def test_kept_while_it_is_good(server: Recorder) -> None:
    source = exchanged(server)
    assert len({source.token().reveal() for _ in range(5)}) == 1
    assert asyncio.run(source.atoken()) == source.token()
    assert len(server.seen) == 1


def test_no_renewal_before_70_percent_of_its_life(server: Recorder, later: Later) -> None:
    life = 200.0
    server.answer = lambda seen: Reply(
        {"access_token": f"{SECOND}-{len(server.seen)}", "expires_in": life}
    )
    source = exchanged(server)
    moments = []
    begin = later.now()
    while (now := later.now()) - begin < timedelta(seconds=3 * life):
        before = len(server.seen)
        token = source.token()
        assert token.expires_at > later.now()
        if len(server.seen) > before:
            moments.append(now)
        later(life / 100)
    passed = [(late - early).total_seconds() / life for early, late in pairwise(moments)]
    assert len(passed) >= 3
    assert all(0.7 <= one < 1 for one in passed), passed


def test_one_exchange_for_many_threads(server: Recorder) -> None:
    def slow(seen: Seen) -> Reply:
        time.sleep(0.1)
        return issued(seen)

    server.answer = slow
    source = exchanged(server)
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: source.token().reveal(), range(8)))
    assert len(set(tokens)) == 1
    assert len(server.seen) == 1


def test_others_go_on_with_the_old_one_while_one_renews_it(server: Recorder, later: Later) -> None:
    server.answer = lambda seen: Reply({"access_token": f"{SECOND}-1", "expires_in": 100})
    source = exchanged(server)
    old = source.token(0)
    later(78)
    begun, go_on = threading.Event(), threading.Event()

    def waits(seen: Seen) -> Reply:
        begun.set()
        go_on.wait(30)
        return Reply({"access_token": f"{SECOND}-2", "expires_in": 60})

    server.answer = waits
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(source.token, 0)
        assert begun.wait(30)
        assert source.token(0) == old
        go_on.set()
        assert renewing.result().reveal() == f"{SECOND}-2"


def test_the_old_one_serves_while_the_server_is_away(server: Recorder, later: Later) -> None:
    server.answer = lambda seen: Reply({"access_token": f"{SECOND}-1", "expires_in": 200})
    source = exchanged(server)
    old = source.token(0)
    later(151)
    server.answer = lambda seen: Reply("", 503)
    assert source.token(0) == old
    assert source.token(0) == old
    assert len(server.seen) == 2, "not asked again at once"
    later(50)
    with pytest.raises(ProviderUnavailableError, match="answered 503"):
        source.token(0)


def test_rejected_is_dropped_and_traded_anew_with_a_newer_token(server: Recorder) -> None:
    tokens = CountedTokens()
    source = exchanged(server, tokens)
    first = source.token()
    second = source.token(rejected=first)
    assert second.generation == first.generation + 1
    assert parse_qs(server.seen[1].body.decode())["subject_token"] == [value(2)]
    # it is not the current one any more
    assert source.token(rejected=first) == second
    assert tokens.forced == 1
    assert len(server.seen) == 2


def test_rejected_takes_the_token_that_somebody_else_renewed(server: Recorder) -> None:
    tokens = CountedTokens()
    source = exchanged(server, tokens)
    first = source.token()
    tokens.renew()
    source.token(rejected=first)
    assert tokens.generation == 2
    assert tokens.forced == 0


@pytest.mark.parametrize(
    "refusal",
    [
        Reply({"error": "invalid_grant", "error_description": "expired"}, 400),
        Reply({"error": "access_denied"}, 401),
        Reply(
            "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>", 400
        ),
    ],
)
def test_a_refused_token_is_renewed_once(server: Recorder, refusal: Reply) -> None:
    tokens = CountedTokens()
    server.answer = lambda seen: refusal if value(1).encode() in seen.body else issued(seen)
    assert exchanged(server, tokens).token().reveal().startswith(SECOND)
    assert tokens.forced == 1


def test_and_never_twice(server: Recorder) -> None:
    tokens = CountedTokens()
    server.answer = lambda seen: Reply({"error": "invalid_grant"}, 400)
    source = exchanged(server, tokens)
    with pytest.raises(ProviderRejectedError) as caught:
        source.token()
    assert caught.value.error == "invalid_grant"
    assert tokens.forced == 1
    assert len(server.seen) == 2


def test_no_second_try_when_the_token_is_not_the_reason(server: Recorder) -> None:
    tokens = CountedTokens()
    server.answer = lambda seen: Reply(
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not you.</Message></Error>"
        "</ErrorResponse>",
        403,
    )
    with pytest.raises(ProviderRejectedError, match=r"refused: AccessDenied: Not you\."):
        keys(server, tokens).current()
    assert tokens.forced == 0
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply("", 500), ProviderUnavailableError, "answered 500"),
        (Reply("", 429, {"Retry-After": "7"}), ProviderUnavailableError, "answered 429"),
        (Reply("hello"), ProviderProtocolError, "lacks an access_token"),
        (Reply({"access_token": 5}), ProviderProtocolError, "lacks an access_token"),
        (Reply("gone", 404), ProviderProtocolError, "in no form that is known"),
        (Reply("x" * 70_000), ProviderUnavailableError, "more than 65536 bytes"),
    ],
)
def test_what_is_said(
    server: Recorder, reply: Reply, kind: type[OAuthConnError], words: str
) -> None:
    server.answer = lambda seen: reply
    with pytest.raises(kind, match=words) as caught:
        exchanged(server).token()
    assert "127.0.0.1" in caught.value.message
    assert "'data'" in caught.value.message
    assert MARKER not in told(caught.value)


def test_retry_after(server: Recorder) -> None:
    server.answer = lambda seen: Reply("", 429, {"Retry-After": "7"})
    with pytest.raises(ProviderUnavailableError) as caught:
        exchanged(server).token()
    assert caught.value.retry_after_seconds == 7


def test_a_redirect_is_not_followed(server: Recorder) -> None:
    with recorder() as elsewhere:
        server.answer = lambda seen: Reply("", 307, {"Location": f"{elsewhere.url}/steal"})
        with pytest.raises(ProviderProtocolError):
            exchanged(server).token()
        assert elsewhere.seen == []


@pytest.mark.parametrize("endpoint", ["http://sts.example/", "ftp://127.0.0.1/", "sts.example"])
def test_only_over_tls(endpoint: str) -> None:
    exchange = Exchange(kind=ExchangeKind.TOKEN_EXCHANGE, endpoint=endpoint)
    with pytest.raises(ConfigurationError, match="not https"):
        ExchangedTokens(CountedTokens(), exchange).token()


def test_an_answer_that_echoes_the_token_is_masked(server: Recorder) -> None:
    server.answer = lambda seen: Reply(
        {"error": "invalid_grant", "error_description": f"bad\n\x1b[31m {value(1)} token"}, 400
    )
    tokens = CountedTokens()
    tokens.renewable = False
    with pytest.raises(ProviderRejectedError) as caught:
        exchanged(server, tokens).token()
    assert "bad [31m ******** token" in caught.value.message
    assert MARKER not in told(caught.value)


def test_nothing_shows_a_secret(server: Recorder) -> None:
    source = exchanged(server)
    token = source.token()
    server.answer = assumed()
    hop = keys(server)
    key = hop.current()
    everything = shown(source, token, hop, key, hop._kept, source._hops)
    assert MARKER not in everything
    assert SECOND not in everything


def test_a_server_that_is_away_shows_nothing() -> None:
    with recorder() as server:
        source = exchanged(server)
    with pytest.raises(ProviderUnavailableError, match="ConnectError") as caught:
        source.token()
    assert MARKER not in told(caught.value)


def test_a_secret_answer_that_cannot_be_read_shows_nothing(server: Recorder) -> None:
    server.answer = lambda seen: Reply(f"<SecretAccessKey>{SECOND}</SecretAccessKey>")
    with pytest.raises(ProviderProtocolError) as caught:
        keys(server).current()
    assert SECOND not in told(caught.value)
    assert MARKER not in told(caught.value)


def test_pickled_it_trades_anew(server: Recorder) -> None:
    source = exchanged(server)
    source.token()
    packed = pickle.dumps(source)
    assert MARKER.encode() not in packed
    assert SECOND.encode() not in packed
    assert pickle.loads(packed).token().reveal().startswith(SECOND)
    assert len(server.seen) == 2


def test_without_an_exchange_the_source_is_the_connection_s_own() -> None:
    access = Connected().access("credential")
    assert token_source(access) is access.source
    with pytest.raises(ConfigurationError, match="where its token is exchanged"):
        cloud_key(access)


@pytest.mark.parametrize("expires_in", [0, -5, 1e12, 10**400, "NaN", "soon", True, [], None])
def test_a_life_that_cannot_be(server: Recorder, expires_in: Any) -> None:
    server.answer = lambda seen: Reply({"access_token": SECOND, "expires_in": expires_in})
    assert exchanged(server).token().expires_at is None


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": f"{SECOND}\r\nX-Other: 1"},
        {"access_token": f"{SECOND} b"},
        {"access_token": f"{SECOND}\u00e9"},
        {"access_token": SECOND, "token_type": "Bearer\r\nX-Other: 1"},
        {"access_token": SECOND, "token_type": "Bearer x"},
    ],
)
def test_what_is_no_header_is_no_token(server: Recorder, answer: dict[str, str]) -> None:
    """HTTP libraries refuse it, too, and print it then."""
    server.answer = lambda seen: Reply(answer)
    with pytest.raises(ProviderProtocolError, match="its answer lacks") as caught:
        exchanged(server).token()
    assert SECOND not in "".join(traceback.format_exception(caught.value))
