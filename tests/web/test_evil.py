"""Attacks on a sign-in whose pages a server hosts: another browser, person, provider, answer."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from two_users import CLIENT_ID, TwoUsers, practice_client, two_users

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import (
    AuthorizationState,
    ClientDraft,
    ConnectionDraft,
    Endpoints,
    State,
)

from ..interop.evil_server import EvilServer
from ..interop.visitor import changed, parameter
from .visiting import (
    ANALYST,
    GUEST,
    MakeBrowser,
    PersonsBrowser,
    identity,
    pending,
    state,
    token_requests,
)


@pytest.fixture
def evil() -> Iterator[EvilServer]:
    server = EvilServer()
    yield server
    server.close()


@pytest.fixture
def callback(browser: PersonsBrowser, users: TwoUsers) -> str:
    """Admin's notebook waits, she has consented; the address that her browser has not opened."""
    users.admin.broker.authorize("sales")
    return browser.begin()


def refused(browser: PersonsBrowser, callback: str) -> httpx2.Response:
    page = browser.come_back(callback)
    assert 400 <= page.status_code < 500
    assert browser.heading in {"Not authenticated", "This sign-in is over", "Your session ended"}
    return page


def nothing_stored(users: TwoUsers, server: PracticeServer) -> None:
    assert token_requests(server) == 0
    assert {state(one) for one in users.host.people} <= {State.NOT_CONNECTED, State.PENDING}


# --- starting


def test_sec_01_a_get_starts_nothing(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    for query in ("", "?do=authenticate", "?do=again&shown=x", "?outcome=", "?authenticate"):
        for headers in ({}, {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/"}):
            answer = browser.http.get(f"{users.url}connect/sales{query}", headers=headers)
            assert "Location" not in answer.headers
            assert browser.flow_cookie is None
    assert pending(users.admin) is None
    assert server.provider.requests("authorize") == []


@pytest.mark.parametrize(
    ("headers", "xsrf"),
    [
        ({}, None),
        ({}, "0" * 32),
        ({"Origin": "https://evil.example"}, "hers"),
        ({"Origin": "null"}, "hers"),
        ({"Sec-Fetch-Site": "cross-site"}, "hers"),
        ({"Sec-Fetch-Site": "same-site"}, "hers"),
    ],
    ids=str,
)
@pytest.mark.parametrize("do", ["authenticate", "again"])
def test_sec_01_a_foreign_page_cannot_press_the_button(
    users: TwoUsers, browser: PersonsBrowser, headers: dict[str, str], xsrf: str | None, do: str
) -> None:
    form = {"do": do}
    if xsrf is not None:
        form["_xsrf"] = users.admin.xsrf if xsrf == "hers" else xsrf
    answer = browser.http.post(f"{users.url}connect/sales", data=form, headers=headers)
    assert answer.status_code == 403
    assert "Location" not in answer.headers
    assert pending(users.admin) is None


def test_sec_02_state_is_random_and_never_repeats(users: TwoUsers, browser: PersonsBrowser) -> None:
    form = {"_xsrf": users.admin.xsrf, "do": "authenticate"}
    states = {
        parameter(
            browser.http.post(f"{users.url}connect/sales", data=form).headers["Location"], "state"
        )
        for _ in range(50)
    }
    assert len(states) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22,}", one) for one in states)


def test_sec_02_an_expired_state_is_refused(server: PracticeServer, tmp_path: Path) -> None:
    lifetime = timedelta(minutes=1)
    with two_users(tmp_path / "home", server, authorization_lifetime=lifetime) as users:
        browser = PersonsBrowser(users, users.admin)
        callback = browser.begin()
        waiting = pending(users.admin)
        assert waiting is not None
        # one of seconds could be over before she has come so far
        database = users.host.service.store.database
        database._clock = lambda: datetime.now(UTC) + lifetime
        ended = users.admin.broker.authorization(waiting.id, wait=timedelta(seconds=20))
        assert ended.state is AuthorizationState.EXPIRED
        refused(browser, callback)
        assert browser.heading == "This sign-in is over"
        nothing_stored(users, server)
        assert state(users.admin) is State.NOT_CONNECTED
        browser.close()


def test_sec_06_nothing_that_a_kernel_or_a_page_shows_fixes_a_session(
    users: TwoUsers, browser: PersonsBrowser, make_browser: MakeBrowser, server: PracticeServer
) -> None:
    waiting = users.admin.broker.authorize("sales")
    assert waiting.public_url == f"{users.url}connect/sales"
    page = browser.see().text
    for shown in (waiting.public_url, page):
        for word in ("state=", "code_challenge", "nonce", server.issuer):
            assert word not in shown
    # in another person's browser it is about her own connection
    other = make_browser(users.other)
    other.open(waiting.public_url)
    assert "No notebook waits" in other.page.text
    other.come_back(other.consent_as(other.press(), GUEST))
    assert other.heading == "Authenticated"
    assert (identity(users.other), state(users.admin)) == (GUEST, State.PENDING)


def test_sec_06_another_persons_sign_in_is_not_there(
    users: TwoUsers, browser: PersonsBrowser, make_browser: MakeBrowser, callback: str
) -> None:
    waiting = pending(users.admin)
    assert waiting is not None
    other = make_browser(users.other)
    assert other.see(f"connect/sales?outcome={waiting.id}").status_code == 404
    for do in ("authenticate", "replace", "keep"):
        form = {"_xsrf": users.other.xsrf, "do": do, "shown": str(waiting.id)}
        answer = other.http.post(f"{users.url}connect/sales", data=form)
        assert answer.status_code == 404
    assert pending(users.admin) == waiting
    browser.come_back(callback)
    assert browser.heading == "Authenticated"


# --- coming back


def test_sec_03_twenty_callbacks_at_once_make_one_token_request(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer, callback: str
) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: browser.http.get(callback), range(20)))
    assert {one.status_code for one in answers} == {303}
    ends = [urlsplit(one.headers["Location"]).path.rpartition("/")[2] for one in answers]
    assert sorted(ends) == ["refused"] * 19 + ["sales"]
    assert token_requests(server) == 1
    assert users.admin.broker.access_token("sales").reveal()


def test_sec_04_another_browser_cannot_finish_a_sign_in(
    users: TwoUsers,
    browser: PersonsBrowser,
    make_browser: MakeBrowser,
    server: PracticeServer,
    callback: str,
) -> None:
    same_person = make_browser()
    refused(same_person, callback)  # without a flow cookie
    same_person.begin("budget")
    assert "another browser" in refused(same_person, callback).text  # with one of its own
    nothing_stored(users, server)
    browser.come_back(callback)
    assert browser.heading == "Authenticated"


def test_sec_05_another_person_cannot_finish_a_sign_in(
    users: TwoUsers, make_browser: MakeBrowser, browser: PersonsBrowser, server: PracticeServer
) -> None:
    """The attacker starts, the victim completes: the victim's data in the attacker's account."""
    attacker = make_browser(users.other)
    callback = attacker.begin()
    victim = browser
    refused(victim, callback)
    victim.http.cookies.set(
        f"oauthconn-flow-{users.port}", attacker.flow_cookie or "", domain="127.0.0.1", path="/"
    )
    refused(victim, callback)  # even with the attacker's cookie, set by another port
    nothing_stored(users, server)
    assert state(users.other) is State.PENDING
    # she has used nothing up
    attacker.come_back(callback)
    assert attacker.heading == "Authenticated"
    assert state(users.admin) is State.NOT_CONNECTED


def test_sec_05_a_callback_without_a_session_stores_nothing_and_asks_for_no_login(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer, callback: str
) -> None:
    browser.log_out()
    answer = browser.http.get(callback)
    assert answer.headers["Location"] == "/a%40b/oauthconn/refused?why=not_signed_in"
    refused(browser, callback)
    assert browser.heading == "Your session ended"
    nothing_stored(users, server)


def test_sec_04_the_flow_cookie_is_kept_from_scripts_and_other_paths(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    form = {"_xsrf": users.admin.xsrf, "do": "authenticate"}
    answer = browser.http.post(f"{users.url}connect/sales", data=form)
    [cookie] = [
        one
        for one in answer.headers.get_list("Set-Cookie")
        if one.startswith(f"oauthconn-flow-{users.port}=")
    ]
    assert {"HttpOnly", "SameSite=Lax", "Path=/a%40b/oauthconn/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # http
    value = cookie.partition("=")[2].partition(";")[0]
    assert len(value) >= 43
    assert value not in answer.headers["Location"]


# --- providers


def second_client(users: TwoUsers, evil: EvilServer) -> None:
    """An OAuth client `second` at the evil server, and a connection of it."""
    broker = users.admin.broker
    broker.add_client(
        ClientDraft(
            name="second",
            provider="oidc",
            client_id="x",
            issuer=evil.issuer,
            scope="openid",
            redirect_uris=(f"{users.url}callback/second",),
        )
    )
    broker.add_connection(ConnectionDraft(name="second", client="second"))


def test_sec_07_an_evil_server_cannot_harvest_another_ones_code(
    users: TwoUsers, browser: PersonsBrowser, evil: EvilServer, server: PracticeServer
) -> None:
    """Mix-up (RFC 9700 §4.4): the evil server sends its visitor on to the honest one."""
    second_client(users, evil)
    for path in ("practice", "second"):
        evil.redirect_to = (
            f"{server.issuer}/authorize?client_id={CLIENT_ID}&response_type=code"
            f"&scope=openid&redirect_uri={quote(users.url, safe='')}callback/{path}"
            "&state={state}&code_challenge={code_challenge}&code_challenge_method=S256"
        )
        browser.see("connect/second")
        honest = browser.submit(do="authenticate", stop_at=server.issuer)
        refused(browser, browser.consent_as(honest))
        assert "code" not in dict(parse_qs(str(browser.page.url)))
    assert [path for path, _ in evil.seen if path == "/auth"] == ["/auth"] * 2
    assert evil.codes() == []
    nothing_stored(users, server)
    assert state(users.admin, "second") is State.NOT_CONNECTED


def test_sec_07_each_client_has_its_own_address_and_no_other_takes_its_answer(
    users: TwoUsers,
    browser: PersonsBrowser,
    evil: EvilServer,
    server: PracticeServer,
    callback: str,
) -> None:
    second_client(users, evil)
    assert "/callback/practice?" in callback
    users.admin.broker.authorize("second")
    refused(browser, callback.replace("/callback/practice?", "/callback/second?"))
    refused(browser, callback)  # the state is used up
    assert evil.codes() == []
    nothing_stored(users, server)


@pytest.mark.parametrize("iss", [None, "https://evil.example", ""], ids=["gone", "other", "empty"])
def test_sec_08_an_answer_without_its_issuer_is_refused(
    users: TwoUsers,
    browser: PersonsBrowser,
    server: PracticeServer,
    callback: str,
    iss: str | None,
) -> None:
    assert parameter(callback, "iss") == server.issuer
    refused(browser, changed(callback, iss=iss))
    nothing_stored(users, server)


@pytest.mark.parametrize(
    "changes",
    [
        lambda evil, honest: {
            "endpoints": Endpoints(authorization=f"{honest}/authorize", token=f"{evil}/token")
        },
        lambda evil, _: {"issuer": evil},
        lambda *_: {"client_id": "another"},
    ],
    ids=["endpoint", "issuer", "client_id"],
)
def test_sec_09_a_client_that_is_changed_meanwhile_gets_no_code(
    users: TwoUsers,
    browser: PersonsBrowser,
    evil: EvilServer,
    callback: str,
    changes: Callable[[str, str], dict[str, object]],
) -> None:
    honest = parameter(callback, "iss")
    users.admin.broker.edit_client("practice", changes(evil.issuer, honest))
    refused(browser, callback)
    assert evil.codes() == []
    assert state(users.admin) is State.NOT_CONNECTED


def test_sec_12_every_request_carries_its_own_s256_challenge(browser: PersonsBrowser) -> None:
    challenges = set()
    for _ in range(3):
        browser.see()
        sent = parse_qs(urlsplit(browser.press()).query)
        assert sent["code_challenge_method"] == ["S256"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", sent["code_challenge"][0])
        challenges.add(sent["code_challenge"][0])
    assert len(challenges) == 3


def test_sec_12_a_code_of_another_sign_in_is_refused_by_the_provider(
    users: TwoUsers, make_browser: MakeBrowser, browser: PersonsBrowser, server: PracticeServer
) -> None:
    """Code injection: the attacker's code in the victim's callback fails for its challenge."""
    attackers = make_browser(users.other).begin(account=GUEST)
    victims = browser.begin()
    refused(browser, changed(victims, code=parameter(attackers, "code")))
    [sent] = server.provider.requests("token")
    assert sent.outcome == "invalid_grant"
    assert state(users.admin) is State.NOT_CONNECTED


@pytest.mark.parametrize("methods", [None, [], ["plain"]], ids=["none", "empty", "plain"])
def test_sec_13_metadata_cannot_switch_pkce_off(
    users: TwoUsers, browser: PersonsBrowser, evil: EvilServer, methods: list[str] | None
) -> None:
    if methods is not None:
        evil.metadata["code_challenge_methods_supported"] = methods
    second_client(users, evil)
    asked = at_the_evil_server(browser, evil)
    assert parameter(asked, "code_challenge_method") == "S256"
    refused(browser, f"{users.url}callback/second?code=any&state={parameter(asked, 'state')}")
    [sent] = evil.token_requests()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43,128}", sent["code_verifier"])
    digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert parameter(asked, "code_challenge") == challenge


def at_the_evil_server(browser: PersonsBrowser, evil: EvilServer) -> str:
    """Our start page and its button: the evil server's address, unopened."""
    browser.see("connect/second")
    asked = browser.submit(do="authenticate", stop_at="/auth?")
    assert asked.startswith(evil.issuer)
    return asked


KEY = RSAKey.generate_key(2048, {"kid": "evil", "use": "sig"})
UNKNOWN_KEY = RSAKey.generate_key(2048, {"kid": "evil", "use": "sig"})


def unsigned(claims: dict[str, object]) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def signed(claims: dict[str, object], key: RSAKey = KEY, **changes: object) -> str:
    return jwt.encode({"alg": "RS256", "kid": "evil"}, {**claims, **changes}, key)


def comes_back_with(
    users: TwoUsers,
    browser: PersonsBrowser,
    evil: EvilServer,
    make: Callable[[dict[str, object]], str],
) -> UUID:
    """A sign-in at the evil server ends with the ID token that `make` makes of flawless claims;
    returns which sign-in. Afterwards `browser` is at the callback's page."""
    second_client(users, evil)
    waiting = users.admin.broker.authorize("second")
    asked = at_the_evil_server(browser, evil)
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": evil.issuer,
        "sub": "mallory",
        "aud": "x",
        "nonce": parameter(asked, "nonce"),
        "iat": now,
        "exp": now + 300,
    }
    evil.metadata["id_token_signing_alg_values_supported"] = ["RS256", "none"]
    evil.keys = [KEY.as_dict(private=False)]
    evil.token_answer = {
        "access_token": "at",
        "token_type": "Bearer",
        "expires_in": 3600,
        "id_token": make(claims),
    }
    browser.come_back(f"{users.url}callback/second?code=any&state={parameter(asked, 'state')}")
    assert len(evil.token_requests()) == 1
    return waiting.id


def test_an_id_token_that_holds_is_accepted(
    users: TwoUsers, browser: PersonsBrowser, evil: EvilServer
) -> None:
    """So that those of the next test are refused for nothing else than their flaw."""
    comes_back_with(users, browser, evil, signed)
    assert browser.heading == "Authenticated"
    status = users.admin.broker.connection("second").status
    assert status is not None
    assert (status.state, status.identity) == (State.CONNECTED, "mallory")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (unsigned, "algorithm"),
        (lambda claims: signed(claims, UNKNOWN_KEY), "signature"),
        (lambda claims: signed(claims, aud="other", azp="x"), "aud"),
        (lambda claims: signed(claims, nonce="attackers-nonce"), "nonce"),
        (lambda claims: signed(claims, nonce=""), "nonce"),
        (lambda claims: signed(claims, iss="https://evil.example"), "iss"),
        (lambda claims: signed(claims, iat=int(time.time()) + 3600), "iat"),
    ],
    ids=["alg-none", "other-key", "aud", "nonce", "no-nonce", "iss", "future"],
)
def test_sec_14_an_id_token_that_does_not_hold_is_refused(
    users: TwoUsers,
    browser: PersonsBrowser,
    evil: EvilServer,
    make: Callable[[dict[str, object]], str],
    reason: str,
) -> None:
    waiting = comes_back_with(users, browser, evil, make)
    assert browser.heading == "Not authenticated"
    ended = users.admin.broker.authorization(waiting)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert ended.error.code == "invalid_id_token"
    assert reason in ended.error.message
    assert state(users.admin, "second") is State.NOT_CONNECTED


def test_sec_14_an_id_token_of_another_sign_in_is_refused(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    """The provider signs whatever nonce the browser brings; ours is another one."""
    waiting = users.admin.broker.authorize("sales")
    browser.see()
    asked = browser.press()
    assert len(parameter(asked, "nonce")) >= 22
    refused(browser, browser.consent_as(changed(asked, nonce="attackers-nonce")))
    ended = users.admin.broker.authorization(waiting.id)
    assert ended.error is not None
    assert ended.error.code == "invalid_id_token"
    assert state(users.admin) is State.NOT_CONNECTED


# --- answers


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: f"{url}&code=second",
        lambda url: f"{url}&state=second",
        lambda url: f"{url}&iss=second",
        lambda url: f"{url}&error=server_error",
        lambda url: changed(url, code="a\x00b"),
        lambda url: changed(url, state="a\x00b"),
        lambda url: changed(url, code="x" * 5000),
        lambda url: changed(url, code=None),
        lambda url: changed(url, state=None),
        lambda url: f"{url.partition('?')[0]}?#{url.partition('?')[2]}",
        lambda url: url.replace("code=", "code[]="),
        lambda url: f"{url}&{'&'.join(f'p{n}=1' for n in range(50))}",
        lambda url: changed(url, more="x" * 9000),
        lambda url: url.replace("code=", "Code="),
        lambda url: url.replace("?", "?%ff=%ff&").replace("code=", "%63ode=x&code="),
    ],
    ids=["two-codes", "two-states", "two-issuers", "code-and-error", "nul", "nul-state", "long",
         "no-code", "no-state", "fragment", "array", "many", "longer", "case", "escaped-twice"],
)  # fmt: skip
def test_sec_15_a_malformed_callback_sends_nothing(
    users: TwoUsers,
    browser: PersonsBrowser,
    server: PracticeServer,
    callback: str,
    spoil: Callable[[str], str],
) -> None:
    refused(browser, spoil(callback))
    nothing_stored(users, server)


def test_sec_15_a_callback_is_read_with_get_only(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer, callback: str
) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        for headers in ({}, {"X-XSRFToken": users.admin.xsrf}):
            assert browser.http.request(method, callback, headers=headers).status_code == 405
    posted = browser.http.post(
        callback.partition("?")[0],
        data=dict(httpx2.URL(callback).params) | {"_xsrf": users.admin.xsrf},
    )
    assert posted.status_code == 405
    nothing_stored(users, server)
    browser.come_back(callback)
    assert browser.heading == "Authenticated"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", "access_denied"),
        ("server_error", "server_error"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("<b>", "unknown_error"),
    ],
)
def test_sec_16_an_error_ends_the_sign_in_and_asks_for_no_token(
    users: TwoUsers, browser: PersonsBrowser, callback: str, error: str, code: str
) -> None:
    waiting = pending(users.admin)
    assert waiting is not None
    described = "<img src=x onerror=alert(1)>"
    page = refused(browser, changed(callback, error=error, error_description=described))
    assert "<img" not in page.text
    assert "<b>" not in page.text
    ended = users.admin.broker.authorization(waiting.id)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert ended.error.code == code
    assert state(users.admin) is State.NOT_CONNECTED


def test_sec_16_a_code_beside_an_error_is_sent_nowhere(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer, callback: str
) -> None:
    refused(browser, changed(callback, error="access_denied"))
    nothing_stored(users, server)


def test_sec_16_a_refusal_keeps_what_was_there(users: TwoUsers, browser: PersonsBrowser) -> None:
    browser.sign_in_at()
    before = users.admin.broker.access_token("sales").reveal()
    page = refused_but_kept(browser)
    assert f"stays authenticated as {ANALYST}" in page.text
    assert users.admin.broker.access_token("sales").reveal() == before


def refused_but_kept(browser: PersonsBrowser) -> httpx2.Response:
    browser.see()
    page = browser.come_back(browser.consent_as(browser.press("again"), allow=False))
    assert browser.heading == "Nothing was changed"
    return page


def test_sec_11_two_clients_of_one_client_app_keep_their_answers_apart(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer, callback: str
) -> None:
    """COAT inside one authorization server: same issuer, same client app, another address."""
    users.admin.broker.add_client(practice_client(server.issuer, users.url, "twin"))
    users.admin.broker.add_connection(ConnectionDraft(name="twin", client="twin"))
    twins = browser.begin("twin")
    refused(browser, twins.replace("/callback/twin?", "/callback/practice?"))
    assert state(users.admin, "twin") is State.NOT_CONNECTED
    browser.come_back(callback)
    assert browser.heading == "Authenticated"


def test_who_lost_access_at_the_provider_gets_no_grant(
    users: TwoUsers, make_browser: MakeBrowser, server: PracticeServer
) -> None:
    browser = make_browser(users.other)
    callback = browser.begin()
    users.admin.broker.edit_client("practice", {"allowed_users": ()})
    asked = token_requests(server)
    answer = browser.come_back(callback)
    assert "may not use the OAuth client" in answer.text
    # the code was not even exchanged
    assert token_requests(server) == asked
    users.admin.broker.edit_client("practice", {"allowed_users": ("*",)})
    assert state(users.other) is State.NOT_CONNECTED
    # and the sign-in is over: whoever waits for it is told
    assert pending(users.other) is None
