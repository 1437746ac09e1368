"""The pages of a sign-in that a server hosts: what they say, what their buttons do."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from two_users import TwoUserHost, TwoUserPerson, TwoUsers

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import AuthorizationState, ClientDraft, Flow, Owner, State

from ..demo.held import holding_answers
from ..interop.visitor import Forms, changed
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

# --- what a person sees


def test_the_start_page_says_who_what_and_for_what(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    users.admin.broker.authorize("sales")
    text = browser.see().text
    assert browser.heading == "Sign in for sales"
    for said in ("Your notebook asks", "admin", "Practice provider", "notebook", "sales.read"):
        assert said in text
    assert "Until now" not in text
    assert browser.buttons == ["authenticate"]


def test_a_waiting_notebook_goes_on(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    waiting = users.admin.broker.authorize("sales")
    page = browser.sign_in_at()
    assert page.status_code == 200
    assert browser.heading == "Authenticated"
    assert f"<strong>{ANALYST}</strong>" in page.text
    assert "one that waited goes on" in page.text
    ended = users.admin.broker.authorization(waiting.id)
    assert (ended.state, ended.identity) == (AuthorizationState.DONE, ANALYST)
    assert users.admin.broker.access_token("sales").reveal()
    assert state(users.other) is State.NOT_CONNECTED
    assert token_requests(server) == 1


def test_a_person_may_sign_in_before_any_notebook_asks(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    assert "No notebook waits" in browser.see().text
    assert pending(users.admin) is None
    asked = browser.press()
    started = pending(users.admin)
    assert started is not None
    assert started.flow is Flow.CALLBACK
    assert browser.come_back(browser.consent_as(asked)).status_code == 200
    assert state(users.admin) is State.CONNECTED


def test_a_connected_one_says_so_and_can_be_renewed(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    browser.sign_in_at()
    text = browser.see().text
    assert browser.heading == "sales is authenticated"
    assert ANALYST in text
    assert browser.buttons == ["again"]
    before = users.admin.broker.access_token("sales").reveal()
    asked = browser.press("again")
    assert parse_qs(urlsplit(asked).query)["login_hint"] == [ANALYST]
    assert users.admin.broker.access_token("sales").reveal() == before
    assert "Until now as" in browser.see().text
    browser.come_back(browser.consent_as(browser.press()))
    assert browser.heading == "Authenticated"
    assert users.admin.broker.access_token("sales").reveal() != before


@pytest.mark.parametrize(
    ("choice", "kept", "heading"),
    [("keep", ANALYST, "Nothing was changed"), ("replace", GUEST, "Authenticated")],
)
def test_another_account_is_asked_about_first(
    users: TwoUsers, browser: PersonsBrowser, choice: str, kept: str, heading: str
) -> None:
    browser.sign_in_at()
    browser.sign_in_at(do="again", account=GUEST)
    assert browser.heading == "Another account for sales?"
    assert identity(users.admin) == ANALYST
    browser.see()  # the address of the connection asks the same
    assert browser.heading == "Another account for sales?"
    browser.submit(do=choice)
    assert browser.heading == heading
    assert f"authenticated as <strong>{kept}" in browser.page.text or kept in browser.page.text
    assert identity(users.admin) == kept


def test_an_old_question_decides_nothing_later(users: TwoUsers, browser: PersonsBrowser) -> None:
    browser.sign_in_at()
    browser.sign_in_at(do="again", account=GUEST)
    question = browser.page
    browser.submit(do="keep")
    browser.sign_in_at(do="again", account=GUEST)
    asked_now = pending(users.admin)
    browser.at = question
    browser.submit(do="replace")
    assert browser.heading == "Nothing was changed"
    assert identity(users.admin) == ANALYST
    assert pending(users.admin) == asked_now


def test_a_refusal_is_told_and_stores_nothing(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    waiting = users.admin.broker.authorize("sales")
    browser.see()
    page = browser.come_back(browser.consent_as(browser.press(), allow=False))
    assert browser.heading == "Not authenticated"
    assert "was refused" in page.text
    assert page.status_code == 409
    ended = users.admin.broker.authorization(waiting.id)
    assert ended.error is not None
    assert ended.error.code == "access_denied"
    assert token_requests(server) == 0
    again = [one for one in Forms(page.text).links if one.endswith("/connect/sales")]
    assert len(again) == 1
    browser.open(f"http://127.0.0.1:{users.port}{again[0]}")
    assert browser.heading == "Sign in for sales"


def test_a_provider_that_fails_is_named_and_whoever_waits_is_told(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    waiting = users.admin.broker.authorize("sales")
    callback = browser.begin()
    server.provider.faults.plan("error:server_error")
    page = browser.come_back(callback)
    assert browser.at_path == "connect/sales"
    assert "server_error" in page.text
    assert users.admin.broker.authorization(waiting.id).state is AuthorizationState.REFUSED
    assert state(users.admin) is State.NOT_CONNECTED


def test_an_unknown_or_foreign_connection_is_not_there(
    users: TwoUsers, make_browser: MakeBrowser
) -> None:
    for person, name in (
        (users.admin, "nothing"), (users.other, "budget"), (users.admin, "%3Cb%3E"),
    ):  # fmt: skip
        browser = make_browser(person)
        page = browser.see(f"connect/{name}")
        assert page.status_code == 404
        assert browser.heading == "Not found"
        assert "<b>" not in page.text
        posted = browser.http.post(
            f"{users.url}connect/{name}", data={"_xsrf": person.xsrf, "do": "authenticate"}
        )
        assert posted.status_code == 404


# --- who may open it


def test_without_a_session_the_login_comes_first_and_learns_no_query(
    users: TwoUsers, make_browser: MakeBrowser
) -> None:
    browser = make_browser(None)
    for query in ("", "?outcome=7f9df0a1-6f9c-4ed6-b7ee-1f5d5d6d2c11", "?x=1"):
        answer = browser.http.get(f"{users.url}connect/sales{query}")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "/login?next=/a%40b/oauthconn/connect/sales"
    posted = browser.http.post(f"{users.url}connect/sales", data={"do": "authenticate"})
    assert posted.status_code == 403
    assert pending(users.admin) is None


def test_pages_are_for_people(users: TwoUsers, make_browser: MakeBrowser) -> None:
    browser = make_browser(None)
    for headers in (users.admin.kernel, users.admin.program):
        got = browser.http.get(f"{users.url}connect/sales", headers=headers)
        posted = browser.http.post(
            f"{users.url}connect/sales", headers=headers, data={"do": "authenticate"}
        )
        assert not {got.status_code, posted.status_code} & {200, 303}
    for secret in (users.admin.server_token, users.admin.kernel_credential, users.admin.session):
        answer = browser.http.get(f"{users.url}connect/sales?token={secret}")
        assert answer.status_code == 401
        assert secret not in answer.text
    assert pending(users.admin) is None


# --- back, reload, twice


def test_a_reload_or_a_second_callback_says_something_true(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    callback = browser.begin()
    browser.come_back(callback)
    browser.open(str(browser.page.url))  # reload
    assert browser.heading == "Authenticated"
    page = browser.come_back(callback)
    assert browser.heading == "This sign-in is over"
    assert "used before" in page.text
    assert browser.at_path == "refused"
    assert token_requests(server) == 1
    assert state(users.admin) is State.CONNECTED


def test_an_old_start_page_begins_nothing_after_the_end(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    for waits in (True, False):
        users.admin.broker.revoke("sales")
        if waits:
            users.admin.broker.authorize("sales")
        old = browser.see()
        browser.sign_in_at()
        asked = len(server.provider.requests("authorize"))
        browser.at = old
        browser.submit(do="authenticate")
        assert browser.heading == ("Authenticated" if waits else "sales is authenticated")
        assert len(server.provider.requests("authorize")) == asked
        assert pending(users.admin) is None


def test_a_second_press_replaces_the_first(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    start = browser.see()
    first = browser.press()
    waiting = pending(users.admin)
    browser.at = start
    second = browser.press()
    assert pending(users.admin) == waiting
    browser.come_back(browser.consent_as(first))
    assert browser.heading == "Not authenticated"
    assert "begun anew" in browser.page.text
    assert browser.come_back(browser.consent_as(second)).status_code == 200
    assert token_requests(server) == 1


def test_two_tabs_for_two_connections_do_not_disturb_each_other(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    first, second = browser.begin("sales"), browser.begin("budget")
    browser.come_back(first)
    assert browser.heading == "Authenticated"
    browser.come_back(second)
    assert browser.heading == "Authenticated"
    assert (state(users.admin), state(users.admin, "budget")) == (State.CONNECTED,) * 2


def test_the_later_of_two_browsers_goes_on(
    users: TwoUsers, make_browser: MakeBrowser, server: PracticeServer
) -> None:
    users.admin.broker.authorize("sales")
    first, second = make_browser(), make_browser()
    callback = first.begin()
    later = second.begin()
    first.come_back(callback)
    assert first.heading == "Not authenticated"
    assert "another browser" in first.page.text
    assert token_requests(server) == 0
    second.come_back(later)
    assert second.heading == "Authenticated"


def test_an_outcome_that_has_passed_is_not_called_authenticated(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    browser.sign_in_at()
    outcome = str(browser.page.url)
    users.admin.broker.revoke("sales")
    browser.open(outcome)
    assert browser.heading == "This sign-in is over"
    for id in ("7f9df0a1-6f9c-4ed6-b7ee-1f5d5d6d2c11", "x", "%00"):
        page = browser.see(f"connect/sales?outcome={id}")
        assert (page.status_code, browser.heading) == (404, "This sign-in is over")


# --- another way is under way


@pytest.mark.parametrize("flow", [Flow.DEVICE, Flow.LOOPBACK])
def test_a_sign_in_elsewhere_is_named_and_ends_only_by_the_button(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer, flow: Flow
) -> None:
    person = users.admin
    if flow is Flow.DEVICE:
        elsewhere = person.broker.authorize("sales", flow=flow)
    else:
        elsewhere, _ = person.broker._service.sign_ins.start(
            person.owner.id, person.broker.connection("sales"), flow=flow, public_url=None
        )
    page = browser.see()
    assert "on another device or in a terminal" in page.text
    assert person.broker.authorization(elsewhere.id).state is AuthorizationState.PENDING
    asked = browser.press()
    ended = person.broker.authorization(elsewhere.id)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert "started instead" in ended.error.message
    browser.come_back(browser.consent_as(asked))
    assert browser.heading == "Authenticated"
    assert state(person) is State.CONNECTED


# --- one person's server: a Strict session cookie does not come back from the provider


@pytest.fixture
def one_owner(users: TwoUsers, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a plain Jupyter server, where everything is one owner's."""

    async def callback_owner(self: TwoUserPerson) -> Owner:
        return users.admin.owner

    monkeypatch.setattr(TwoUserPerson, "callback_owner", callback_owner)


@pytest.mark.usefixtures("one_owner")
def test_the_flow_cookie_alone_shows_how_its_own_sign_in_ended(
    users: TwoUsers, browser: PersonsBrowser, make_browser: MakeBrowser
) -> None:
    callback = browser.begin()
    browser.log_out()
    browser.come_back(callback)
    assert browser.heading == "Authenticated"
    outcome = str(browser.page.url)
    stranger = make_browser(None)
    assert stranger.http.get(outcome).status_code == 302
    stranger.http.cookies.set(f"oauthconn-flow-{users.port}", "A" * 43, domain="127.0.0.1")
    assert stranger.http.get(outcome).status_code == 302
    # nothing else opens to it
    assert browser.http.get(f"{users.url}connect/sales").status_code == 302
    budget = users.admin.broker.authorize("budget")
    assert browser.http.get(f"{users.url}connect/budget?outcome={budget.id}").status_code == 302


@pytest.mark.usefixtures("one_owner")
def test_the_question_after_such_a_return_is_answered_with_the_session(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    browser.sign_in_at()
    callback = browser.begin(do="again", account=GUEST)
    browser.log_out()
    browser.come_back(callback)
    assert browser.heading == "Another account for sales?"
    question = browser.page
    browser.submit(do="replace")
    assert browser.page.status_code in {401, 403}
    assert identity(users.admin) == ANALYST
    browser.log_in_as(users.admin)
    browser.at = question
    answer = browser.http.post(
        f"{users.url}connect/sales",
        data={**Forms(question.text).forms[0].fields, "_xsrf": users.admin.xsrf, "do": "replace"},
    )
    assert answer.status_code == 303
    assert identity(users.admin) == GUEST


# --- addresses


def set_redirect_uris(users: TwoUsers, *uris: str, port: str | None = None) -> None:
    users.admin.broker.edit_client("practice", {"redirect_uris": uris, "loopback_port": port})


@pytest.mark.parametrize(
    "registered",
    [
        "http://127.0.0.1:8888/a%40b/oauthconn/callback/practice",
        "http://127.0.0.1:{port}/oauthconn/callback/practice",
        "http://127.0.0.1:{port}/a@b/oauthconn/callback/practice",
        "http://127.0.0.1:{port}/a%40b/oauthconn/callback/other",
        "http://localhost:{port}/a%40b/oauthconn/callback/practice",
        "http://[::1]:{port}/a%40b/oauthconn/callback/practice",
        "https://127.0.0.1:{port}/a%40b/oauthconn/callback/practice",
        "https://hub.example.com/a%40b/oauthconn/callback/practice",
    ],
)
def test_sec_20_another_origin_or_path_sends_nothing_and_says_what_helps(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer, registered: str
) -> None:
    registered = registered.format(port=users.port)
    set_redirect_uris(users, registered)
    waiting = users.admin.broker.authorize("sales")
    page = browser.see()
    assert browser.heading == "This address is not registered"
    assert page.status_code == 409
    assert browser.buttons == []
    ours = f"http://127.0.0.1:{users.port}/a%40b/oauthconn/callback/practice"
    assert registered in page.text
    assert f"--redirect-uri {registered} --redirect-uri {ours}" in page.text
    assert ("jupyter lab --port 8888" in page.text) == (":8888/a%40b" in registered)
    posted = browser.http.post(
        f"{users.url}connect/sales", data={"_xsrf": users.admin.xsrf, "do": "authenticate"}
    )
    assert posted.status_code == 409
    assert server.provider.requests("authorize") == []
    # the right address is a click away: what waits is not ended
    assert users.admin.broker.authorization(waiting.id).state is AuthorizationState.PENDING


def test_sec_20_the_other_loopback_name_is_one_click_away(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    set_redirect_uris(users, f"http://localhost:{users.port}/a%40b/oauthconn/callback/practice")
    page = browser.see()
    assert Forms(page.text).links == [
        f"http://localhost:{users.port}/a%40b/oauthconn/connect/sales"
    ]


def test_sec_20_any_loopback_port_is_not_any_loopback_name(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    uri = "http://localhost:8888/a%40b/oauthconn/callback/practice"
    set_redirect_uris(users, uri, port="any")
    assert browser.see().status_code == 409
    set_redirect_uris(users, uri.replace("localhost", "127.0.0.1"), port="any")
    assert browser.see().status_code == 200
    asked = parse_qs(urlsplit(browser.press()).query)
    assert asked["redirect_uri"] == [f"{users.url}callback/practice"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8888"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Forwarded-For": "evil.example", "X-Forwarded-Port": "1"},
    ],
    ids=str,
)
def test_sec_19_no_header_chooses_the_redirect_uri(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer, headers: dict[str, str]
) -> None:
    set_redirect_uris(users, f"{users.url}callback/practice")
    form = {"_xsrf": users.admin.xsrf, "do": "authenticate"}
    answer = browser.http.post(f"{users.url}connect/sales", data=form, headers=headers)
    if answer.status_code == 303:
        asked = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert asked["redirect_uri"] == [f"{users.url}callback/practice"]
        assert "Host" not in headers
    else:
        assert answer.status_code == 409
        assert "Set-Cookie" not in answer.headers
        assert pending(users.admin) is None
        # no advice to register what a provider and we would refuse
        assert "--redirect-uri" not in answer.text


def test_sec_18_nothing_says_where_to_return_to(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    elsewhere = (
        "//evil.example", "https:evil.example", "/\\evil.example", "javascript:alert(1)",
        "/%2f%2fevil.example", "/user/other/",
    )  # fmt: skip
    names = ("next", "return_to", "redirect", "redirect_uri", "url", "continue")
    for value in elsewhere:
        form = {name: value for name in names} | {"_xsrf": users.admin.xsrf, "do": "again"}
        answer = browser.http.post(
            f"{users.url}connect/sales", params=dict.fromkeys(names, value), data=form
        )
        asked = answer.headers["Location"]
        assert asked.startswith(f"{server.issuer}/authorize?")
        assert leads_nowhere_else(asked)
        callback = browser.consent_as(asked)
        for name in names:
            callback += f"&{name}={value}"
        location = browser.http.get(callback).headers["Location"]
        assert location.startswith("/a%40b/oauthconn/connect/sales?outcome=")
        assert leads_nowhere_else(location)
        page = browser.see(location.removeprefix("/a%40b/oauthconn/"))
        assert browser.heading == "Authenticated"
        assert leads_nowhere_else(page.text)


def leads_nowhere_else(text: str) -> bool:
    return not any(word in unquote(text) for word in ("evil", "javascript", "user/other"))


def test_a_new_client_comes_back_to_this_servers_path(
    users: TwoUsers, server: PracticeServer
) -> None:
    draft = ClientDraft(name="here", provider="oidc", client_id="x", issuer=server.issuer)
    assert users.admin.broker.add_client(draft).redirect_uris == (
        "http://localhost:8888/a%40b/oauthconn/callback/here",
        "http://127.0.0.1:8888/a%40b/oauthconn/callback/here",
    )


def test_over_https_the_flow_cookie_is_sent_over_https_only(
    users: TwoUsers, browser: PersonsBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = "https://hub.example.com"
    monkeypatch.setattr(TwoUserHost, "origin", lambda *_: public)
    set_redirect_uris(users, f"{public}/a%40b/oauthconn/callback/practice")
    form = {"_xsrf": users.admin.xsrf, "do": "authenticate"}
    answer = browser.http.post(f"{users.url}connect/sales", data=form)
    assert answer.status_code == 303
    [cookie] = answer.headers.get_list("Set-Cookie")
    assert cookie.startswith("oauthconn-flow-443=")
    assert "Secure" in cookie.split("; ")


# --- headers


def every_page(
    users: TwoUsers, browser: PersonsBrowser
) -> dict[str, tuple[int, dict[str, str], str]]:
    """Status, headers and text of each page there is."""
    seen = {}

    def note(name: str, method: str, path: str, **more: object) -> None:
        answer = browser.http.request(method, users.url + path, **more)  # type: ignore[arg-type]
        seen[name] = (answer.status_code, dict(answer.headers), answer.text)

    note("start", "GET", "connect/sales")
    callback = browser.begin()
    browser.come_back(callback)
    note("done", "GET", f"connect/sales?{urlsplit(str(browser.page.url)).query}")
    note("connected", "GET", "connect/sales")
    browser.sign_in_at(do="again", account=GUEST)
    note("confirm", "GET", "connect/sales")
    note("refused", "GET", "refused?why=callback_mismatch")
    note("unknown", "GET", "connect/nothing")
    note("wrong method", "PUT", "connect/sales")
    note("posted callback", "POST", "callback/practice", data={"code": "x"})
    note("posted refused", "POST", "refused", data={"code": "x"})
    note("no xsrf", "POST", "connect/sales", data={"do": "authenticate"})
    note("no button", "POST", "connect/sales", data={"_xsrf": users.admin.xsrf})
    return seen


def test_sec_58_headers_of_every_page(users: TwoUsers, browser: PersonsBrowser) -> None:
    pages = every_page(users, browser)
    assert {name: status for name, (status, _, _) in pages.items()} == {
        "start": 200, "done": 200, "connected": 200, "confirm": 200, "refused": 409,
        "unknown": 404, "wrong method": 405, "posted callback": 405, "posted refused": 405,
        "no xsrf": 403, "no button": 400,
    }  # fmt: skip
    for name, (_, headers, text) in pages.items():
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, name
        assert "frame-ancestors 'none'" in policy, name
        for word in ("form-action", "script-src", "unsafe", ","):
            assert word not in policy, name
        assert headers["x-frame-options"] == "DENY", name
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["cross-origin-opener-policy"] == "same-origin", name
        assert headers["cache-control"] == "no-store", name
        if "<form" in text:
            # with `no-referrer` its POST has the origin "null", which Jupyter refuses
            assert headers["referrer-policy"] == "same-origin", name
        else:
            assert headers["referrer-policy"] in {"no-referrer", "same-origin"}, name
        assert "access-control-allow-origin" not in headers, name
        assert "etag" not in headers, name
        assert headers["content-type"] == "text/html; charset=utf-8", name
        assert not re.search(r"<(script|img|iframe|link|object)|\bsrc=|url\(|@import| on\w+=", text)
        assert not re.search(r'href="(?!/)', text), name
        assert "Traceback" not in text, name


def test_sec_17_the_callback_leads_to_a_clean_address(
    users: TwoUsers, browser: PersonsBrowser
) -> None:
    callback = browser.begin()
    for url in (callback, callback, changed(callback, state="x"), f"{callback}{'x' * 9000}"):
        answer = browser.http.get(url)
        assert answer.status_code == 303
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.text == ""
        clean = urlsplit(answer.headers["Location"])
        assert clean.path in {"/a%40b/oauthconn/connect/sales", "/a%40b/oauthconn/refused"}
        assert parse_qs(clean.query).keys() in ({"outcome"}, {"why"})
        for secret in ("code", "state"):
            assert parse_qs(urlsplit(callback).query)[secret][0] not in answer.headers["Location"]


def test_sec_59_names_are_text(users: TwoUsers, browser: PersonsBrowser) -> None:
    title = '<a href="https://evil.example">Bank</a>"\'&'
    users.admin.broker.edit_client("practice", {"title": title})
    page = browser.see()
    assert "&lt;a href=&quot;https://evil.example&quot;&gt;" in page.text
    assert Forms(page.text).links == []


# --- threads


def test_a_hanging_provider_holds_up_nobody(
    users: TwoUsers, make_browser: MakeBrowser, server: PracticeServer
) -> None:
    browser = make_browser()
    callback = browser.begin()
    other = make_browser(users.other)
    with ThreadPoolExecutor(1) as pool:
        with holding_answers(server.provider) as held:
            hanging = pool.submit(browser.http.get, callback)
            held.wait_for(1)
            assert other.see().status_code == 200
            assert other.see("refused?why=x").status_code == 409
            assert not hanging.done()
        assert hanging.result().status_code == 303


def test_an_answer_to_a_sign_in_that_was_given_up_says_so(
    users: TwoUsers, browser: PersonsBrowser, server: PracticeServer
) -> None:
    waiting = users.admin.broker.authorize("sales")
    callback = browser.begin()
    users.admin.broker.revoke("sales")
    browser.come_back(callback)
    assert browser.heading == "This sign-in is over"
    assert token_requests(server) == 0
    page = browser.see(f"connect/sales?outcome={waiting.id}")
    assert browser.heading == "This sign-in is over"
    assert "not finished in time" in page.text
