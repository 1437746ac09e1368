"""Attacks on a sign-in, each against the running pages and a certified provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import (
    AuthorizationState,
    ClientDraft,
    ConnectionDraft,
    Endpoints,
    State,
)

from .conftest import Laptop
from .evil_server import EvilServer
from .visitor import Forms, Visitor, changed, parameter


@pytest.fixture
def evil() -> Iterator[EvilServer]:
    server = EvilServer()
    yield server
    server.close()


@pytest.fixture
def came_back(laptop: Laptop) -> tuple[Visitor, str]:
    """A person who has consented, and the callback that their browser has not opened yet."""
    visitor = laptop.visitor()
    callback = visitor.consent(visitor.start(laptop.link()))
    assert laptop.provider.token_requests() == 0
    return visitor, callback


def refused(visitor: Visitor, callback: str) -> httpx2.Response:
    visitor.open(callback)
    assert visitor.at is not None
    assert 400 <= visitor.at.status_code < 500
    assert re.search("<h1>(Not authenticated|This sign-in is over)</h1>", visitor.at.text)
    return visitor.at


def test_sec_02_state_is_random_and_never_repeats(laptop: Laptop) -> None:
    visitor = laptop.visitor()
    visitor.open(laptop.link())
    page = visitor.at
    states = set()
    for _ in range(50):
        visitor.at = page
        states.add(parameter(visitor.submit(do="authenticate", stop_at="/auth?"), "state"))
    assert len(states) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22,}", one) for one in states)


def test_sec_02_an_expired_state_is_refused(laptop: Laptop) -> None:
    visitor, started = laptop.visitor(), laptop.start()
    callback = visitor.consent(visitor.start(started.public_url or ""))
    laptop.expire(started)
    assert laptop.ended(started).state is AuthorizationState.EXPIRED
    refused(visitor, callback)
    assert laptop.provider.token_requests() == 0
    assert laptop.status.state is State.NOT_CONNECTED
    # the link is of no use either
    visitor.open(started.public_url or "")
    assert visitor.at is not None
    assert "not finished in time" in visitor.at.text


def test_sec_03_the_same_callback_twice_makes_one_token_request(
    laptop: Laptop, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    visitor.open(callback)
    assert visitor.at is not None
    assert visitor.at.status_code == 200
    assert "used before" in refused(visitor, callback).text
    assert laptop.provider.token_requests() == 1
    assert laptop.provider.is_active(laptop.broker.access_token("data").reveal())


def test_sec_03_twenty_callbacks_at_once_make_one_token_request(
    laptop: Laptop, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: visitor.http.get(callback), range(20)))
    assert laptop.provider.token_requests() == 1
    accepted = [one for one in answers if "/connect/" in one.headers["Location"]]
    assert len(accepted) == 1
    assert laptop.provider.is_active(laptop.broker.access_token("data").reveal())


def test_sec_04_another_browser_cannot_finish_a_sign_in(
    laptop: Laptop, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    refused(laptop.visitor(), callback)  # without a cookie
    laptop.broker.add_connection(ConnectionDraft(name="other", client="interop"))
    other = laptop.visitor()
    other.start(laptop.broker.authorize("other").public_url or "")  # with a cookie of its own
    assert "another browser" in refused(other, callback).text
    assert laptop.provider.token_requests() == 0
    assert laptop.grant is None
    visitor.open(callback)
    assert laptop.status.state is State.CONNECTED


def test_sec_04_a_browser_that_takes_a_sign_in_over_ends_the_first_ones(
    laptop: Laptop, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    laptop.visitor().start(laptop.link())
    refused(visitor, callback)
    assert laptop.provider.token_requests() == 0


def test_sec_04_a_refused_browser_uses_nothing_up(
    laptop: Laptop, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    refused(laptop.visitor(), callback)
    refused(visitor, changed(callback, state="A" * 43))
    visitor.open(callback)
    assert laptop.status.state is State.CONNECTED


def test_sec_04_the_flow_cookie_is_kept_from_scripts_and_other_sites(laptop: Laptop) -> None:
    visitor = laptop.visitor()
    visitor.open(laptop.link())
    assert visitor.at is not None
    page = visitor.at
    form = Forms(page.text).forms[0]
    answer = visitor.http.post(page.url.join(form.action), data=form.fields)
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert cookie.startswith(f"oauthconn-flow-{page.url.port}=")


def test_sec_07_an_evil_server_cannot_harvest_another_ones_code(
    laptop: Laptop, evil: EvilServer
) -> None:
    """Mix-up (RFC 9700 §4.4): the evil server sends its visitor on to the honest one."""
    origin = _second_client(laptop, evil)
    honest_callback = f"{origin}/oauthconn/callback/interop"
    second_callback = f"{origin}/oauthconn/callback/second"
    for redirect_uri in (honest_callback, second_callback):
        # its own state and challenge, the honest client's id, either redirect URI
        evil.redirect_to = (
            f"{laptop.provider.issuer}/auth?client_id=notebook&response_type=code&scope=openid"
            f"&redirect_uri={redirect_uri}&state={{state}}"
            "&code_challenge={code_challenge}&code_challenge_method=S256"
        )
        visitor = laptop.visitor()
        link = laptop.broker.authorize("second").public_url or ""
        callback = visitor.consent(visitor.start(link))
        assert callback.startswith(redirect_uri)
        refused(visitor, callback)
    assert evil.codes() == []
    assert laptop.provider.token_requests() == 0
    assert laptop.broker.connection("second").status.state is State.NOT_CONNECTED


def test_sec_07_a_code_at_another_clients_callback_is_refused(
    laptop: Laptop, evil: EvilServer, came_back: tuple[Visitor, str]
) -> None:
    _second_client(laptop, evil)
    laptop.broker.authorize("second")
    visitor, callback = came_back
    refused(visitor, callback.replace("/callback/interop?", "/callback/second?"))
    assert evil.codes() == []
    assert laptop.provider.token_requests() == 0


@pytest.mark.parametrize("iss", [None, "https://evil.example", ""], ids=["gone", "other", "empty"])
def test_sec_08_an_answer_without_its_issuer_is_refused(
    laptop: Laptop, came_back: tuple[Visitor, str], iss: str | None
) -> None:
    visitor, callback = came_back
    assert parameter(callback, "iss") == laptop.provider.issuer
    refused(visitor, changed(callback, iss=iss))
    assert laptop.provider.token_requests() == 0
    assert laptop.grant is None


def test_sec_09_the_code_goes_where_the_sign_in_began(
    laptop: Laptop, evil: EvilServer, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    issuer = laptop.provider.issuer
    laptop.broker.edit_client(
        "interop",
        {"endpoints": Endpoints(authorization=f"{issuer}/auth", token=f"{evil.issuer}/token")},
    )
    visitor.open(callback)
    assert evil.codes() == []
    assert laptop.provider.token_requests() <= 1


def test_sec_09_an_issuer_that_is_changed_meanwhile_gets_no_code(
    laptop: Laptop, evil: EvilServer, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    laptop.broker.edit_client("interop", {"issuer": evil.issuer})
    visitor.open(callback)
    assert evil.codes() == []
    assert laptop.grant is None
    assert laptop.status.state is State.NOT_CONNECTED


def test_sec_12_every_request_carries_its_own_s256_challenge(laptop: Laptop) -> None:
    challenges = set()
    for _ in range(3):
        sent = parse_qs(urlsplit(laptop.visitor().start(laptop.link())).query)
        assert sent["code_challenge_method"] == ["S256"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", sent["code_challenge"][0])
        challenges.add(sent["code_challenge"][0])
    assert len(challenges) == 3


def test_sec_12_a_code_of_another_sign_in_is_refused_by_the_provider(
    laptop: Laptop, came_back: tuple[Visitor, str]
) -> None:
    """Code injection: the attacker's code in the victim's callback fails for its challenge."""
    _, attackers = came_back
    visitor, started = laptop.visitor(), laptop.start()
    callback = visitor.consent(visitor.start(started.public_url or ""), "eve")
    refused(visitor, changed(callback, code=parameter(attackers, "code")))
    [sent] = laptop.provider.requests("token")
    assert (sent["status"], sent["error"]) == (400, "invalid_grant")
    assert "code_verifier" in sent["parameters"]
    assert laptop.broker.authorization(started.id).state is AuthorizationState.REFUSED
    assert laptop.grant is None


@pytest.mark.parametrize("methods", [None, [], ["plain"]], ids=["none", "empty", "plain"])
def test_sec_13_metadata_cannot_switch_pkce_off(
    make_laptop: Callable[..., Laptop], methods: list[str] | None
) -> None:
    laptop = make_laptop()
    laptop.provider.set(metadata={"code_challenge_methods_supported": methods})
    laptop.sign_in()
    [asked] = laptop.provider.requests("authorization")
    [sent] = laptop.provider.requests("token")
    assert asked["code_challenge_method"] == "S256"
    assert "code_verifier" in sent["parameters"]


def test_sec_14_an_id_token_of_another_sign_in_is_refused(laptop: Laptop) -> None:
    """The provider signs whatever nonce the browser brings; ours is another one."""
    visitor, started = laptop.visitor(), laptop.start()
    asked = visitor.start(started.public_url or "")
    assert len(parameter(asked, "nonce")) >= 22
    answer = refused(visitor, visitor.consent(changed(asked, nonce="attackers-nonce")))
    assert "nonce" in answer.text
    ended = laptop.broker.authorization(started.id)
    assert ended.error is not None
    assert ended.error.code == "invalid_id_token"
    assert laptop.grant is None


def test_sec_14_an_id_token_without_a_nonce_is_refused(laptop: Laptop) -> None:
    visitor = laptop.visitor()
    asked = visitor.start(laptop.link())
    refused(visitor, visitor.consent(changed(asked, nonce=None)))
    assert laptop.grant is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: f"{url}&code=second",
        lambda url: f"{url}&state=second",
        lambda url: f"{url}&iss=second",
        lambda url: f"{url}&error=server_error",
        lambda url: changed(url, code="a\x00b"),
        lambda url: changed(url, code="x" * 5000),
        lambda url: changed(url, code=None),
        lambda url: f"{url.partition('?')[0]}?#{url.partition('?')[2]}",
        lambda url: f"{url}&{'&'.join(f'p{n}=1' for n in range(50))}",
        lambda url: changed(url, more="x" * 9000),
    ],
    ids=["two-codes", "two-states", "two-issuers", "code-and-error", "nul", "long", "no-code",
         "fragment", "many", "longer"],
)  # fmt: skip
def test_sec_15_a_malformed_callback_sends_nothing(
    laptop: Laptop, came_back: tuple[Visitor, str], spoil: Callable[[str], str]
) -> None:
    visitor, callback = came_back
    visitor.open(spoil(callback))
    assert visitor.at is not None
    assert 400 <= visitor.at.status_code < 500
    assert laptop.provider.token_requests() == 0
    assert laptop.grant is None


def test_sec_15_a_callback_is_read_with_get_only(
    laptop: Laptop, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    for method in ("POST", "PUT", "HEAD", "OPTIONS"):
        assert visitor.http.request(method, callback).status_code >= 400
    posted = visitor.http.post(callback.partition("?")[0], data=dict(httpx2.URL(callback).params))
    assert posted.status_code == 403
    assert laptop.provider.token_requests() == 0


def test_sec_16_a_refusal_ends_the_sign_in_and_asks_for_no_token(laptop: Laptop) -> None:
    visitor, started = laptop.visitor(), laptop.start()
    visitor.open(visitor.start(started.public_url or ""))
    page = visitor.abort()
    assert page.status_code == 400
    assert "refused" in page.text
    ended = laptop.broker.authorization(started.id)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert ended.error.code == "access_denied"
    assert laptop.provider.token_requests() == 0
    assert laptop.grant is None
    assert laptop.status.state is State.NOT_CONNECTED


def test_sec_16_an_error_beside_a_code_asks_for_no_token(
    laptop: Laptop, came_back: tuple[Visitor, str]
) -> None:
    visitor, callback = came_back
    page = refused(visitor, changed(callback, error="x", error_description="<img src=x>"))
    assert "<img" not in page.text
    assert laptop.provider.token_requests() == 0


def test_sec_17_no_page_of_ours_keeps_the_code_or_loads_anything(laptop: Laptop) -> None:
    visitor = laptop.visitor()
    visitor.open(laptop.link())
    assert visitor.at is not None
    pages = [visitor.at]
    url = visitor.consent(visitor.submit(do="authenticate", stop_at="/auth?"))
    redirects = [visitor.http.get(url), visitor.http.get(url)]  # accepted, then used before
    for answer in redirects:
        assert answer.status_code == 303
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        clean = answer.headers["Location"]
        assert not {"code", "state", "iss", "error"} & parse_qs(urlsplit(clean).query).keys()
        pages.append(visitor.http.get(clean))
    for page in pages:
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert not re.search(r"<(script|img|iframe|link|object)|\bsrc=|url\(|@import", page.text)
        assert not re.search(r'href="(?!/)', page.text)


def test_sec_20_http_redirect_uris_are_for_this_machine_only(
    make_laptop: Callable[..., Laptop],
) -> None:
    laptop = make_laptop()
    for uri in (
        "http://laptop.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://10.0.0.1/cb",
    ):
        with pytest.raises(InvalidParameterError) as caught:
            laptop.broker.edit_client("interop", {"redirect_uris": (uri,)})
        assert "loopback" in caught.value.message


def test_sec_20_the_two_loopback_names_are_kept_apart(laptop: Laptop) -> None:
    link = laptop.link()
    visitor = laptop.visitor()
    assert urlsplit(link).hostname == "localhost"
    visitor.open(link.replace("localhost", "127.0.0.1"))
    assert visitor.at is not None
    assert visitor.at.status_code == 400
    sent = visitor.start(link)
    assert urlsplit(parameter(sent, "redirect_uri")).hostname == "localhost"


def test_another_redirect_uri_at_the_provider_is_shown_there_and_stores_nothing(
    make_laptop: Callable[..., Laptop],
) -> None:
    laptop = make_laptop(client_id="elsewhere")
    started = laptop.start()
    visitor = laptop.visitor()
    visitor.open(visitor.start(started.public_url or ""))
    assert visitor.at is not None
    assert visitor.at.status_code == 400
    assert visitor.at.url.path == "/auth"  # the provider's own page: it sends nobody back
    assert "redirect_uri" in visitor.at.text
    assert laptop.broker.authorization(started.id).state is AuthorizationState.PENDING
    laptop.expire(started)
    assert laptop.ended(started).state is AuthorizationState.EXPIRED
    assert laptop.provider.token_requests() == 0


def test_the_button_of_a_finished_sign_in_sends_nobody_to_the_provider(laptop: Laptop) -> None:
    visitor = laptop.visitor()
    link = laptop.link()
    visitor.open(link)
    start_page = visitor.at
    visitor.open(visitor.consent(visitor.submit(do="authenticate", stop_at="/auth?")))
    visitor.at = start_page  # the back button shows it without asking
    visitor.submit(do="authenticate")
    assert visitor.at is not None
    assert "Authenticated" in visitor.at.text
    assert len(laptop.provider.requests("authorization")) == 1


def _second_client(laptop: Laptop, evil: EvilServer) -> str:
    """A client of the evil server at the same site; returns the site's origin."""
    laptop.broker.add_client(
        ClientDraft(
            name="second",
            provider="oidc",
            client_id="victim",
            issuer=evil.issuer,
            redirect_uris=("http://localhost:8888/oauthconn/callback/second",),
            loopback_port="any",
        )
    )
    laptop.broker.add_connection(ConnectionDraft(name="second", client="second"))
    parts = urlsplit(laptop.link())
    return f"{parts.scheme}://{parts.netloc}"
