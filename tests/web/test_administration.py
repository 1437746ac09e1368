"""The administration page over HTTP: who may see it, what its buttons do, what it never says."""

from __future__ import annotations

import csv
import io
import re
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from two_users import CLIENT_ID, MOUNT, SESSION, Person, TwoUserPerson, TwoUsers, two_users

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    ConnectionDraft,
    Event,
    EventFilter,
    Secret,
    State,
)
from jupyter_oauthconn.web import handlers

from .administrator import AdministratorsBrowser, PageForms
from .visiting import ANALYST, state, token_requests

CANARY = "cAnArYmArKeR0aNaRy"
COOKIE_SECRET = "a secret of the test's own application"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DOCUMENT = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin"}

#: every page, and its buttons; `{secret}` and `{grant}` are ids
PAGES = {
    "": (),
    "register": (),
    "register/oidc": ("go-on", "unchecked", "back", "register"),
    "clients/secretive": ("enable", "disable"),
    "clients/secretive/edit": ("save", "confirm", "back"),
    "clients/secretive/test": ("test", "try"),
    "clients/secretive/access": ("save",),
    "clients/secretive/secrets": ("add",),
    "clients/secretive/secrets/{secret}": ("confirm",),
    "clients/secretive/delete": ("delete",),
    "connections": (),
    "connections/new": ("create",),
    "connections/budget/sharing": ("share", "allow"),
    "connections/budget/remove": ("confirm",),
    "sign-ins": (),
    "sign-ins/{grant}": ("confirm",),
    "settings": ("save", "default:audit_retention"),
    "history": (),
    "history.csv": (),
    "health": ("doctor",),
}
ACTS = [(path, do) for path, buttons in PAGES.items() for do in buttons]

Open = Callable[..., AdministratorsBrowser]


@pytest.fixture
def users(server: PracticeServer, tmp_path: Path) -> Iterator[TwoUsers]:
    with two_users(
        tmp_path / "home", server, application={"cookie_secret": COOKIE_SECRET}
    ) as running:
        yield running


@pytest.fixture
def open_browser() -> Iterator[Open]:
    """Opens browsers: of a host, with a person's session."""
    opened: list[AdministratorsBrowser] = []

    def open_one(users: TwoUsers, person: Person | None, **headers: str) -> AdministratorsBrowser:
        opened.append(AdministratorsBrowser(users, person, **headers))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def browser(users: TwoUsers, open_browser: Open) -> AdministratorsBrowser:
    return open_browser(users, users.admin)


def confidential(server: PracticeServer) -> ClientDraft:
    return ClientDraft(
        name="secretive",
        provider="practice",
        client_id="confidential-notebook",
        issuer=server.issuer,
        client_secret=Secret(CANARY),
        auth_method=AuthMethod.CLIENT_SECRET_BASIC,
        loopback_port="any",
    )


def placed(users: TwoUsers, path: str) -> str:
    """The path with the ids that are there."""
    client = users.admin.broker.client("secretive")
    grant = users.admin.broker.grants()[0]
    return path.format(secret=client.secrets[0].id, grant=grant.id)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoUsers]:
    """With something on every page; the tests that use it change nothing."""
    home = tmp_path_factory.mktemp("administration") / "home"
    with (
        PracticeServer() as server,
        two_users(home, server, application={"cookie_secret": COOKIE_SECRET}) as running,
    ):
        running.admin.broker.add_client(confidential(server))
        running.sign_in(running.admin, "sales")
        yield running


def history(users: TwoUsers) -> list[Event]:
    return list(users.admin.broker.events(limit=1000))


# --- who may


def test_every_address_and_button_stands_in_the_table(furnished: TwoUsers) -> None:
    from jupyter_oauthconn.web.administration.pages import PAGES as SERVED

    for page in SERVED:
        match = [one for one in PAGES if re.fullmatch(page.path, f"/{one}")]
        assert match, page.path
        # of two rules that fit, Tornado takes the first
        first = [one for one in match if _first(SERVED, one) is page]
        assert [{do.partition(":")[0] for do in PAGES[one]} for one in first] == [set(page.acts)]
    rules = [one for one, *_ in handlers(furnished.host, TwoUserPerson) if "admin" in one]
    assert len(rules) == len(SERVED) + 2


def _first(served: tuple, path: str) -> object:  # type: ignore[type-arg]
    return next(one for one in served if re.fullmatch(one.path, f"/{path}"))


@pytest.mark.parametrize("path", [*PAGES, "nothing", "clients/unknown"])
def test_only_an_administrator_in_a_browser_sees_it(furnished: TwoUsers, path: str) -> None:
    at = f"admin/{placed(furnished, path)}"
    admin, other = furnished.admin, furnished.other
    before = history(furnished)
    own = furnished.ask("GET", at, admin.cookies)
    assert own.status == (404 if path in {"nothing", "clients/unknown"} else 200), own.body
    nobody = furnished.ask("GET", at)
    assert (nobody.status, nobody.headers["Location"]) == (302, f"/login?next={MOUNT}{at}")
    hers = furnished.ask("GET", at, other.cookies)
    assert hers.status == 403
    assert b"Ask an administrator" in hers.body
    assert b"secretive" not in hers.body
    for headers in (admin.kernel, admin.program, other.kernel, other.program):
        answer = furnished.ask("GET", at, headers)
        assert answer.status == 403
        assert b"is for people" in answer.body or b"no administrator" in answer.body
    for credential in (admin.server_token, admin.kernel_credential):
        answer = furnished.ask("GET", f"{at}?token={credential}", admin.cookies)
        assert answer.status == 401
        assert credential.encode() not in answer.body
    assert history(furnished) == before


def test_who_is_to_be_asked_is_named(users: TwoUsers) -> None:
    users.admin.broker.change_settings({"administrator_contact": "data-team@example.com"})
    answer = users.ask("GET", "admin/", users.other.cookies)
    assert b"Ask data-team@example.com" in answer.body


@pytest.mark.parametrize(("path", "do"), ACTS)
def test_no_button_works_for_anybody_else(furnished: TwoUsers, path: str, do: str) -> None:
    at = f"admin/{placed(furnished, path)}"
    admin, other = furnished.admin, furnished.other
    before = history(furnished)

    def press(headers: dict[str, str], xsrf: str) -> int:
        body = f"do={do}&version=1&_xsrf={xsrf}".encode()
        return furnished.ask("POST", at, {**FORM, **headers}, body).status

    assert press({}, "") == 403
    assert press(admin.cookies, "") == 403
    assert press(admin.cookies, other.xsrf) == 403
    assert press(other.cookies, other.xsrf) == 403
    assert press({**admin.kernel, **FORM}, "") == 403
    assert press({**admin.program, **FORM}, "") == 403
    foreign = {"Origin": "https://evil.example"}
    assert press({**admin.cookies, **foreign}, admin.xsrf) == 403
    for site in ("cross-site", "same-site"):
        assert press({**admin.cookies, "Sec-Fetch-Site": site}, admin.xsrf) == 403
    for destination in ("empty", "iframe", "document"):
        fetched = {**admin.cookies, "Sec-Fetch-Site": "same-origin"}
        assert press({**fetched, "Sec-Fetch-Dest": destination}, admin.xsrf) == 403
    assert history(furnished) == before


def test_a_button_that_no_page_has_does_nothing(furnished: TwoUsers) -> None:
    admin = furnished.admin
    for body in (b"do=nothing", b"", b"do=enable", b"proxy=%ff&do=save"):
        sent = body + f"&_xsrf={admin.xsrf}".encode()
        answer = furnished.ask("POST", "admin/settings", {**FORM, **admin.cookies}, sent)
        assert answer.status == 400
    headers = {**admin.browser, "Content-Type": "application/json"}
    answer = furnished.ask("POST", "admin/settings", headers, b'{"do": "save"}')
    assert answer.status == 400
    assert furnished.ask("PUT", "admin/settings", admin.browser).status == 405


def page_key(browser: AdministratorsBrowser) -> str | None:
    [form] = [one for one in PageForms(browser.at.text).forms if one.method == "post"][:1]
    return form.fields.get("page_key")


def test_a_page_that_a_script_fetched_has_no_key(users: TwoUsers, open_browser: Open) -> None:
    """A script in a notebook's output has her session, and may send any form."""
    script = open_browser(users, users.admin, **{**DOCUMENT, "Sec-Fetch-Dest": "empty"})
    script.see("settings")
    assert page_key(script) is None
    assert script.press("save", audit_retention="60").status_code == 403

    person = open_browser(users, users.admin, **DOCUMENT)
    person.see("settings")
    assert page_key(person)
    assert person.press("save", audit_retention="60").status_code == 200
    assert "The settings are saved" in person.text


def test_a_key_is_for_one_person_and_for_these_pages(users: TwoUsers, open_browser: Open) -> None:
    person = open_browser(users, users.admin, **DOCUMENT)
    person.http.headers["Referer"] = users.url
    start = person.http.get(f"{users.url}connect/sales")
    [of_connect] = [one.fields["page_key"] for one in PageForms(start.text).forms]
    hers = open_browser(users, users.other, **DOCUMENT)
    start = hers.http.get(f"{users.url}connect/sales")
    [of_other] = [one.fields["page_key"] for one in PageForms(start.text).forms]
    person.see("settings")
    fields = person.form_of("save").fields
    for key in (of_connect, of_other, fields["page_key"][:-4] + "0000", ""):
        sent = {**fields, "page_key": key, "audit_retention": "60", "do": "save"}
        assert person.post(f"{users.url}admin/settings", sent).status_code == 403
    assert "Nothing was changed" in person.text


# --- how it is sent


@pytest.mark.parametrize("path", [*PAGES, "nothing"])
def test_every_page_has_its_headers(furnished: TwoUsers, path: str) -> None:
    for person in furnished.host.people:
        answer = furnished.ask("GET", f"admin/{placed(furnished, path)}", person.cookies)
        headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "'self'" not in policy.replace("form-action 'self'", "")
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers.get_all("Access-Control-Allow-Origin") is None
        if headers["Content-Type"].startswith("text/html"):
            assert headers["Referrer-Policy"] == "same-origin"
            assert not re.search(rb"\son\w+=|\sstyle=|javascript:", answer.body)
            assert answer.body.count(b"<script") == answer.body.count(b"integrity=") == 1


def test_the_script_may_be_kept(furnished: TwoUsers) -> None:
    page = furnished.ask("GET", "admin/", furnished.admin.cookies).body.decode()
    [address] = re.findall(r'<script src="([^"]+)"', page)
    path = address.removeprefix(MOUNT)
    answer = furnished.ask("GET", path)
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in answer.headers["Cache-Control"]
    other_version = furnished.ask("GET", path.partition("?")[0] + "?v=old")
    assert other_version.headers["Cache-Control"] == "no-store"


def test_a_message_is_one_of_ours(furnished: TwoUsers) -> None:
    told = furnished.ask("GET", "admin/?done=Call%20555", furnished.admin.cookies)
    assert b"555" not in told.body
    assert furnished.ask("GET", "admin/?done=%ff", furnished.admin.cookies).status == 400
    told = furnished.ask("GET", "admin/?done=saved", furnished.admin.cookies)
    assert b"The changes are saved." in told.body


# --- registering


def register(
    browser: AdministratorsBrowser, issuer: str, name: str = "mine", **typed: str | None
) -> None:
    """The wizard's first two steps."""
    browser.see("register/practice")
    browser.press("go-on", name=name, issuer=issuer)
    browser.press("register", **{"client_id": CLIENT_ID, "credential": "public", **typed})


def test_the_wizard_registers_a_client_that_another_uses(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    browser.see("register")
    assert "Snowflake" in browser.text
    register(browser, server.issuer, loopback_any="yes", description="For <b>everybody</b>")
    assert browser.heading == "Test mine"
    assert "is registered" in browser.text
    client = users.admin.broker.client("mine")
    # where this very server is; the usual ones lead nowhere here
    assert client.redirect_uris == (f"{users.url}callback/mine",)
    browser.press("test")
    assert any(one.startswith("client authentication OK") for one in browser.rows())
    assert any("Cannot be told" in one for one in browser.rows())

    users.other.broker.clients()
    with pytest.raises(OAuthConnError):
        users.other.broker.add_connection(ConnectionDraft(name="hers", client="mine"))
    browser.see("clients/mine/access?step=4")
    browser.press("save", who="everyone")
    assert browser.heading == "mine"
    assert "May use it everyone" in browser.text
    users.other.broker.add_connection(ConnectionDraft(name="hers", client="mine"))
    users.sign_in(users.other, "hers")
    assert state(users.other, "hers") is State.CONNECTED
    assert "&lt;b&gt;everybody" in browser.at.text
    assert "<b>everybody" not in browser.at.text


def test_what_was_typed_comes_back_except_the_secret(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    register(
        browser,
        server.issuer,
        credential="secret",
        client_secret=CANARY,
        client_id="",
        scope="sales.read",
        inactivity="soon",
        secret_ends="2020-01-01",
        redirect_uris="http://intranet/callback",
        description="For the sales team",
        loopback_any="yes",
    )
    assert browser.at.status_code == 400
    assert CANARY not in browser.at.text
    assert browser.errors.keys() == {"inactivity", "secret_ends"}
    fields = browser.form_of("register").fields
    assert fields["scope"] == "sales.read"
    assert fields["inactivity"] == "soon"
    assert fields["description"] == "For the sales team"
    assert fields["redirect_uris"] == "http://intranet/callback"
    assert fields["loopback_any"] == "yes"
    assert fields["issuer"] == server.issuer
    assert fields["client_secret"] == ""
    # the service's own complaints stand at their fields, too
    good = {"client_secret": CANARY, "secret_ends": "", "inactivity": "0"}
    browser.press("register", **good)
    assert browser.errors.keys() == {"client_id"}
    assert "--client-id" not in browser.text
    browser.press("register", **good, client_id="x")
    assert browser.errors.keys() == {"redirect_uris"}
    assert CANARY not in browser.at.text
    browser.press("register", client_id="x", redirect_uris="https://jupyter.example.com/cb")
    assert browser.errors == {"client_secret": "Type the client secret; this page never keeps it."}
    with pytest.raises(OAuthConnError):
        users.admin.broker.client("mine")


def test_a_fault_of_the_first_step_leads_back_there(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    browser.see("register/practice")
    for name, issuer, wrong in (
        ("No Name", server.issuer, "name"),
        ("practice", server.issuer, "name"),
        ("mine", "", "issuer"),
    ):
        browser.press("go-on", name=name, issuer=issuer)
        assert browser.errors.keys() == {wrong}
        assert browser.form_of("go-on").fields["name"] == name
    browser.press("go-on", name="mine", issuer="http://login.example.com")
    assert "cannot be used: it is not https" in browser.errors["issuer"]
    # somebody else takes the name meanwhile
    browser.see("register/practice")
    browser.press("go-on", name="mine", issuer=server.issuer)
    users.admin.broker.add_client(
        ClientDraft(name="mine", provider="practice", client_id="x", issuer=server.issuer)
    )
    browser.press("register", client_id="x", credential="public", description="Kept")
    assert browser.errors.keys() == {"name"}
    browser.press("go-on", name="other-one")
    fields = browser.form_of("register").fields
    assert fields["description"] == "Kept"
    assert "/callback/other-one" in fields["redirect_uris"]
    assert "/callback/mine" not in fields["redirect_uris"]


def test_the_steps_at_the_provider_have_the_values_filled_in(
    browser: AdministratorsBrowser,
) -> None:
    browser.see("register/snowflake")
    browser.press("go-on", name="warehouse", parameter_account="no account")
    assert browser.errors.keys() == {"parameter-account"}
    assert "--set" not in browser.text
    browser.press("go-on", parameter_account="myorg-acc")
    text = browser.text
    # the one of this server comes first, because it is where the administrator is
    port = urlsplit(str(browser.at.url)).port
    here = f"http://localhost:{port}/a%40b/oauthconn/callback/warehouse"
    assert f"OAUTH_REDIRECT_URI = '{here}'" in text
    assert f"{here} Copy the redirect URI {here} This server: where you are now." in text
    # nobody reaches this server at the usual one
    assert ":8888" not in text
    # this provider knows no 127.0.0.1
    assert "127.0.0.1" not in browser.form_of("register").fields["redirect_uris"]
    assert 'rel="noopener noreferrer"' in browser.at.text


def test_the_issuer_is_asked_before_anything_is_registered(
    browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    browser.see("register/oidc")
    browser.press("go-on", name="mine", issuer=f"{server.issuer}/")
    # which one it names is what there is to compare
    assert f"another issuer: {server.issuer}." in browser.errors["issuer"]
    assert "unchecked" not in browser.buttons
    browser.press("go-on", issuer=server.issuer)
    assert "register" in browser.buttons
    browser.see("register/oidc")
    assert "unchecked" not in browser.buttons
    # taken, so that nobody else gets the port meanwhile, and nobody listens
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{taken.getsockname()[1]}"
        browser.press("go-on", name="mine", issuer=away)
        assert browser.errors.keys() == {"issuer"}, browser.text
    # it may be down just now: then the test of step 3 tells again
    browser.press("unchecked")
    assert "register" in browser.buttons


def test_any_provider_is_called_by_its_host(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    for name, title, shown in (
        ("one", "", urlsplit(server.issuer).netloc),
        ("two", "Sales platform", "Sales platform"),
    ):
        browser.see("register/oidc")
        browser.press("go-on", name=name, issuer=server.issuer, title=title)
        browser.press("register", client_id=CLIENT_ID, credential="public")
        assert users.admin.broker.client(name).title == shown


def test_a_failed_test_leads_to_the_field_and_back(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    register(browser, server.issuer, client_id="mistyped", credential="public")
    step = str(browser.at.url).partition("?")[2]
    assert "step=3" in step
    assert "is registered" in browser.text
    browser.press("test")
    # what follows from it is not counted again
    assert "Failed 1 thing to mend" in browser.text
    assert "Compare client ID and secret with the provider's page. Edit the client ID" in (
        browser.text
    )
    # what was done before is not said again above what was found
    assert "is registered" not in browser.text
    assert "Go on all the same: who may use it" in browser.text
    [place] = re.findall(r'href="([^"]*/edit[^"]*)#client_id"', browser.at.text)
    browser.see(unescape(place).partition("/admin/")[2])
    assert 'aria-current="step"' in browser.at.text
    assert "<details" not in browser.at.text
    browser.press("save", client_id=CLIENT_ID)
    assert browser.heading == "Test mine"
    assert urlsplit(str(browser.at.url)).path.endswith("/clients/mine/test")
    assert 'aria-current="step"' in browser.at.text
    browser.press("test")
    assert "Nothing failed" in browser.text
    assert "Go on: who may use it" in browser.text
    edits = [one.kind for one in history(users) if one.kind.startswith("client_edited")]
    assert edits == ["client_edited:client_id"]


def test_a_wrong_secret_leads_to_a_new_one_and_back(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    users.admin.broker.add_client(confidential(server))
    browser.see("clients/secretive/test")
    browser.press("test")
    assert "Add a client secret" in browser.text
    [place] = re.findall(r'href="([^"]*/secrets[^"]*)#client_secret"', browser.at.text)
    browser.see(unescape(place).partition("/admin/")[2])
    browser.press("add", client_secret=server.provider.confidential_secret.reveal())
    assert browser.heading == "Test secretive"
    browser.press("test")
    assert "The provider accepts the client" in browser.text, browser.text


def test_sharing_says_who_cannot_sign_in_and_lets_them(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    users.admin.broker.add_client(
        ClientDraft(name="mine", provider="practice", client_id=CLIENT_ID, issuer=server.issuer)
    )
    browser.see("clients/mine")
    assert "New connection" in browser.text
    browser.see("connections/new?client=mine")
    browser.press("create", name="plans", who="these", groups="analysts, finance")
    assert browser.heading == "Who sees plans?"
    assert "%connect plans" in browser.text
    assert "group analysts, group finance" in browser.text
    assert "allow" in browser.buttons
    browser.press("allow")
    assert "They may use the OAuth client now." in browser.text
    client = users.admin.broker.client("mine")
    assert (client.allowed_users, client.allowed_groups) == ((), ("analysts", "finance"))
    browser.see("connections/plans/sharing")
    assert "allow" not in browser.buttons
    browser.press("share", who="everyone", groups="")
    assert "everyone may see this connection, but not use" in browser.text
    browser.press("allow")
    assert users.admin.broker.client("mine").allowed_users == ("*",)


def test_a_secret_by_reference_and_its_end(
    users: TwoUsers,
    browser: AdministratorsBrowser,
    server: PracticeServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OF_THE_TEST", CANARY)
    by_reference = {"credential": "reference", "secret_ends": "2099-12-31"}
    register(browser, server.issuer, **by_reference, secret_reference=CANARY)
    assert "env:NAME" in browser.errors["secret_reference"]
    assert CANARY not in browser.at.text  # perhaps it was the secret itself, in the wrong field
    register(browser, server.issuer, **by_reference, secret_reference="env:NOT_THERE")
    assert "NOT_THERE is not set" in browser.errors["secret_reference"]
    browser.press("register", secret_reference="env:OF_THE_TEST")
    assert browser.heading == "Test mine"
    [secret] = users.admin.broker.client("mine").secrets
    assert secret.reference == "env:OF_THE_TEST"
    assert secret.ends_at is not None
    assert datetime(2099, 12, 31, 23, 59, tzinfo=UTC) < secret.ends_at
    assert secret.ends_at <= datetime(2100, 1, 1, tzinfo=UTC)
    browser.see("")
    assert any("ends on 31 December 2099, in" in one for one in browser.rows())


# --- one client


def test_two_administrators(users: TwoUsers, browser: AdministratorsBrowser) -> None:
    browser.see("clients/practice/edit")
    users.admin.broker.edit_client("practice", {"description": "Of the other", "scope": ""})
    browser.press("save", description="Mine", title="Training")
    assert browser.at.status_code == 409
    assert "changed meanwhile by admin" in browser.text
    assert "Description Of the other Mine" in list(browser.rows())
    assert browser.form_of("save").fields["title"] == "Training"
    assert users.admin.broker.client("practice").description == "Of the other"
    browser.press("save")
    client = users.admin.broker.client("practice")
    assert (client.description, client.title) == ("Mine", "Training")

    for path, do in (("", "disable"), ("/access", "save"), ("/delete", "delete")):
        browser.see(f"clients/practice{path}")
        users.admin.broker.edit_client("practice", {"title": f"At {path}"})
        more = {"typed_name": "practice"} if do == "delete" else {}
        assert browser.press(do, **more).status_code == 409, path
    assert users.admin.broker.client("practice").enabled


def test_an_edit_that_ends_sign_ins_asks_first(
    users: TwoUsers, browser: AdministratorsBrowser
) -> None:
    for person in users.host.people:
        users.sign_in(person, "sales")
    browser.see("clients/practice/edit")
    browser.press("save", client_id="another", description="Kept in the question")
    assert browser.heading == "2 sign-ins will have to be repeated"
    assert sorted(browser.rows())[-2:] == ["sales admin 1", "sales other 1"]
    assert state(users.other) is State.CONNECTED
    browser.press("back")
    assert browser.form_of("save").fields["client_id"] == "another"
    browser.press("save")
    users.admin.broker.edit_client("practice", {"title": "Changed meanwhile"})
    assert browser.press("confirm").status_code == 409
    browser.press("save")
    browser.press("confirm")
    assert "The changes are saved." in browser.text
    assert state(users.other) is State.REAUTH_REQUIRED
    client = users.admin.broker.client("practice")
    assert (client.client_id, client.description) == ("another", "Kept in the question")


def test_what_is_harmless_is_saved_at_once(users: TwoUsers, browser: AdministratorsBrowser) -> None:
    users.sign_in(users.other, "sales")
    browser.see("clients/practice/edit")
    browser.press("save")
    assert "Nothing was changed." in browser.text
    browser.see("clients/practice/edit")
    browser.press("save", inactivity="30d", access_token_lifetime="8h")
    client = users.admin.broker.client("practice")
    assert client.inactivity == timedelta(days=30)
    assert client.access_token_lifetime == timedelta(hours=8)
    browser.see("clients/practice/edit")
    assert browser.form_of("save").fields["inactivity"] == "30d"
    browser.press("save", inactivity="0", redirect_uris="", client_id="")
    assert browser.errors.keys() == {"redirect_uris"}
    assert state(users.other) is State.CONNECTED


def test_a_second_secret(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    users.admin.broker.add_client(confidential(server))
    browser.see("clients/secretive/secrets")
    browser.press("add")
    assert "Type the secret" in browser.errors["client_secret"]
    browser.press("add", client_secret=f"{CANARY}2", secret_ends="2099-12-31")
    assert "The client secret is added" in browser.text
    browser.see("clients/secretive/secrets")
    rows = [one for one in browser.rows() if "sealed here" in one]
    assert len(rows) == 2
    browser.press("add", client_secret=f"{CANARY}3")
    assert "two live secrets already" in browser.text
    first = users.admin.broker.client("secretive").secrets[-1]
    browser.see(f"clients/secretive/secrets/{first.id}")
    browser.press("confirm")
    assert "The client secret is removed." in browser.text
    [left] = users.admin.broker.client("secretive").secrets
    assert left.ends_at is not None
    assert browser.see(f"clients/secretive/secrets/{first.id}").status_code == 400
    browser.see(f"clients/secretive/secrets/{left.id}")
    assert "It is the only one" in browser.text


def test_switching_off_and_on(users: TwoUsers, browser: AdministratorsBrowser) -> None:
    users.sign_in(users.other, "sales")
    browser.see("clients/practice")
    browser.press("disable")
    assert "switched off" in browser.text
    assert state(users.other) is State.CLIENT_DISABLED
    browser.press("enable")
    assert state(users.other) is State.CONNECTED


def test_deleting_needs_the_name(users: TwoUsers, browser: AdministratorsBrowser) -> None:
    users.sign_in(users.other, "sales")
    browser.see("clients/practice/delete")
    assert "3 connections and 1 sign-in are removed" in browser.text
    browser.press("delete", typed_name="Practice")
    assert "Type practice exactly" in browser.errors["typed_name"]
    users.sign_in(users.admin, "sales")
    assert browser.press("delete", typed_name="practice").status_code == 409
    assert "2 sign-ins" in browser.text
    browser.press("delete", typed_name="practice")
    assert "The OAuth client is deleted." in browser.text
    assert users.admin.broker.clients() == []
    assert users.other.broker.connections() == []


def test_a_sign_in_is_tried_with_a_connection_of_ones_own(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    register(browser, server.issuer, name="list", loopback_any="yes")
    browser.see("clients/list/test")
    browser.press("try")
    # `list` is a verb of %connect
    assert browser.heading == "Sign in for list-2"
    browser.see("clients/list/test")
    browser.press("try")
    assert browser.heading == "Sign in for list-2"
    assert token_requests(server) == 0


def test_what_a_file_manages_is_read_only(
    server: PracticeServer, tmp_path: Path, open_browser: Open
) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(
        f'[clients.declared]\nprovider = "practice"\nclient_id = "x"\nissuer = "{server.issuer}"\n'
    )
    with two_users(tmp_path / "home", server, config_files=(str(file),)) as users:
        browser = open_browser(users, users.admin)
        browser.see("clients/declared")
        assert f"managed by {file}" in browser.text
        assert browser.buttons == []
        for path in ("edit", "access", "delete"):
            assert browser.see(f"clients/declared/{path}").status_code == 403
            assert f"managed by {file}" in browser.text
        browser.see("clients/practice")
        fields = browser.form_of("disable").fields
        url = f"{users.url}admin/clients/declared"
        assert browser.post(url, {**fields, "do": "disable"}).status_code == 403
        assert users.admin.broker.client("declared").enabled


# --- switched off


def test_without_client_management_everything_is_seen_and_nothing_changed(
    users: TwoUsers, browser: AdministratorsBrowser
) -> None:
    browser.see("settings")
    browser.press("save", client_management_enabled="false")
    before = users.admin.broker.client("practice")
    browser.see("")
    assert "switched off here" in browser.text
    assert f'href="{MOUNT}admin/settings"' in browser.at.text
    assert "practice" in browser.text
    browser.see("clients/practice")
    assert browser.buttons == []
    assert before.client_id in browser.text
    browser.see("clients/practice/test")
    assert browser.press("test").status_code == 200
    for path in ("register/oidc", "clients/practice/edit", "clients/practice/access",
                 "clients/practice/delete"):  # fmt: skip
        assert browser.see(path).status_code == 403, path
        assert "is switched off here" in browser.text
    seen = str(users.admin.broker.client_use("practice"))
    token = {"_xsrf": users.admin.xsrf, "version": str(before.version)}
    for path, do, more in (
        ("register/oidc", "register", {"name": "x", "client_id": "x", "credential": "public",
                                       "issuer": "https://login.example.com"}),
        ("clients/practice", "disable", {}),
        ("clients/practice/edit", "save", {"client_id": "y", "redirect_uris": "https://x.example"}),
        ("clients/practice/access", "save", {"who": "nobody"}),
        ("clients/practice/secrets", "add", {"client_secret": "z"}),
        ("clients/practice/delete", "delete", {"typed_name": "practice",
                                               "seen": seen}),
    ):  # fmt: skip
        answer = browser.post(f"{users.url}admin/{path}", {**token, **more, "do": do})
        assert answer.status_code == 403, path
    assert users.admin.broker.clients() == [before]
    browser.see("settings")
    browser.press("save", client_management_enabled="true")
    browser.see("register/oidc")
    assert browser.at.status_code == 200


def test_settings(users: TwoUsers, browser: AdministratorsBrowser) -> None:
    browser.see("settings")
    assert list(browser.form_of("save").fields)[1] == "client_management_enabled"
    browser.press("save", audit_retention="soon", administrator_contact="Ada")
    assert browser.errors.keys() == {"audit_retention"}
    assert browser.form_of("save").fields["administrator_contact"] == "Ada"
    browser.press("save", audit_retention="3600")
    assert "saved and in force" in browser.text
    now = users.host.service.settings.now()
    assert now.audit_retention == timedelta(hours=1)
    assert now.administrator_contact == "Ada"
    assert {one.kind for one in history(users)} >= {"setting_changed:audit_retention"}
    assert "default:authorization_lifetime" not in browser.buttons
    browser.press("default:audit_retention")
    assert users.host.service.settings.now().audit_retention == timedelta(days=90)
    assert "back to its default" in browser.text


def test_settings_of_the_configuration_are_read_only(
    server: PracticeServer, tmp_path: Path, open_browser: Open
) -> None:
    with two_users(
        tmp_path / "home", server, audit_retention=timedelta(hours=2), proxy=None
    ) as users:
        browser = open_browser(users, users.admin)
        browser.see("settings")
        assert "audit_retention" not in browser.form_of("save").fields
        origin = "the program that opened the service"
        assert f"audit_retention 2 hours {origin}" in list(browser.rows())
        fields = browser.form_of("save").fields
        url = f"{users.url}admin/settings"
        browser.post(url, {**fields, "audit_retention": "60", "do": "save"})
        assert "Nothing was changed." in browser.text
        answer = browser.post(url, {**fields, "do": "default:audit_retention"})
        assert answer.status_code == 403
        assert users.host.service.settings.now().audit_retention == timedelta(hours=2)


# --- connections and sign-ins


def test_a_shared_connection_is_seen_by_the_other(
    users: TwoUsers, browser: AdministratorsBrowser
) -> None:
    users.sign_in(users.admin, "budget")
    browser.see("connections")
    rows = list(browser.rows())
    [others] = [one for one in rows if one.startswith("sales %connect sales other")]
    assert "Share" not in others
    browser.see("connections/budget/sharing")
    browser.press("share", who="these")
    assert browser.errors.keys() == {"users"}
    browser.press("share", who="these", users="*")
    assert "choose that above" in browser.errors["users"]
    browser.press("share", users="", groups="analysts")
    assert "Everybody signs in for themselves" in browser.text
    seen = users.other.broker.connection("budget")
    assert (seen.mine, seen.owner) == (False, "admin")
    assert state(users.other, "budget") is State.NOT_CONNECTED
    browser.see("connections/budget/sharing")
    users.admin.broker.edit_connection("budget", {"scope": "sales.read"})
    assert browser.press("share", who="nobody").status_code == 409
    assert "seen by group analysts" in browser.text
    browser.press("share", who="nobody")
    with pytest.raises(OAuthConnError):
        users.other.broker.connection("budget")


def test_a_connection_is_made_and_removed(users: TwoUsers, browser: AdministratorsBrowser) -> None:
    browser.see("connections/new?client=practice")
    browser.press("create", name="list", who="nobody")
    assert browser.errors.keys() == {"name"}
    browser.press("create", name="plans", scope="not.allowed sales.read")
    assert browser.errors.keys() == {"scope"}
    browser.press("create", name="plans", who="everyone", scope="sales.read",
                  login_hint=ANALYST)  # fmt: skip
    made = users.other.broker.connection("plans")
    assert made.login_hint == ANALYST
    users.sign_in(users.other, "plans")
    browser.see("connections/plans/remove")
    assert "1 sign-in of it will be ended" in browser.text
    browser.press("confirm")
    assert "The connection is removed" in browser.text
    with pytest.raises(OAuthConnError):
        users.other.broker.connection("plans")
    # of another person nobody removes one here
    assert browser.see("connections/hers/remove").status_code == 404


def test_sign_ins_of_others_are_seen_and_ended_never_used(
    users: TwoUsers, browser: AdministratorsBrowser, server: PracticeServer
) -> None:
    users.sign_in(users.other, "sales", account="guest@example.com")
    users.sign_in(users.admin, "sales")
    held = users.other.broker.access_token("sales").reveal()
    browser.see("sign-ins?owner=other")
    [_, row] = browser.rows()
    assert row.startswith("other sales practice Authenticated guest@example.com")
    assert held not in browser.at.text
    [link] = re.findall(r'href="([^"]+/sign-ins/[^"]+)"', browser.at.text)
    browser.see(link.partition("/admin/")[2])
    assert "other is signed in for sales as guest@example.com" in browser.text
    assert state(users.other) is State.CONNECTED
    browser.press("confirm")
    assert "ended, here and at the provider" in browser.text
    assert state(users.other) is State.NOT_CONNECTED
    assert state(users.admin) is State.CONNECTED
    assert len(server.provider.requests("revocation")) >= 1
    assert browser.see(link.partition("/admin/")[2]).status_code == 400
    [event] = users.admin.broker.events(wanted=EventFilter(kind="revoked"))
    assert (event.owner, event.actor) == ("other", "admin")
    # and she is told, instead of wondering
    status = users.other.broker.connection("sales").status
    assert status is not None
    assert "admin ended this sign-in on" in status.next_step
    assert (
        "admin ended this sign-in on"
        in users.ask("GET", "connect/sales", users.other.cookies).body.decode()
    )
    # of another client it is another sign-in, whatever its name
    users.admin.broker.add_client(
        ClientDraft(name="second", provider="practice", client_id=CLIENT_ID,
                    issuer=server.issuer, allowed_users=("*",))
    )  # fmt: skip
    users.other.broker.edit_connection("sales", {"client": "second"})
    status = users.other.broker.connection("sales").status
    assert status is not None
    assert "ended" not in status.next_step
    users.other.broker.edit_connection("sales", {"client": "practice"})
    users.sign_in(users.other, "sales")
    users.other.broker.revoke("sales")
    status = users.other.broker.connection("sales").status
    assert status is not None
    assert "ended" not in status.next_step


# --- history


def exported(browser: AdministratorsBrowser, query: str = "") -> list[dict[str, str]]:
    answer = browser.see(f"history.csv{query}")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_history_is_filtered_paged_and_saved(
    users: TwoUsers, browser: AdministratorsBrowser
) -> None:
    owner = str(users.other.owner.id)
    for number in range(120):
        users.host.service.store.journal.add(
            Event(kind="counted", owner=owner, connection=f"c{number}")
        )
    browser.see("history?kind=counted")

    def shown() -> list[str]:
        return [one.split()[-1] for one in browser.rows() if "counted" in one]

    def follow(text: str) -> None:
        [link] = re.findall(rf'href="([^"]+)">{text}<', browser.at.text)
        browser.see(link.replace("&amp;", "&").partition("/admin/")[2])

    assert shown() == [f"c{number}" for number in range(119, 69, -1)]
    assert ">Newer<" not in browser.at.text
    follow("Older")
    assert shown()[0] == "c69"
    follow("Older")
    assert shown() == [f"c{number}" for number in range(19, -1, -1)]
    assert ">Older<" not in browser.at.text
    follow("Newer")
    assert shown()[0] == "c69"
    follow("Newer")
    assert shown()[0] == "c119"
    assert len(exported(browser, "?kind=counted")) == 120
    assert [one["connection"] for one in exported(browser, "?kind=counted&connection=c7")] == ["c7"]
    assert {one["owner"] for one in exported(browser, "?owner=other")} == {"other"}
    assert exported(browser, "?outcome=failed") == []
    for odd in ("before=x", "before=99999999999999999999", "before=5&trail=a.b", "kind=%00"):
        assert browser.see(f"history?{odd}").status_code == 200


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "|", "%"])
def test_a_spreadsheet_calculates_nothing(
    users: TwoUsers, browser: AdministratorsBrowser, start: str
) -> None:
    text = f'{start}HYPERLINK("http://evil.example","x"),"'
    users.host.service.store.journal.add(Event(kind="odd", owner=text, actor=text))
    [row] = exported(browser, "?kind=odd")
    assert row["owner"] == row["actor"] == f"'{text}"


# --- health


def test_health(users: TwoUsers, browser: AdministratorsBrowser) -> None:
    browser.see("health")
    [key] = users.host.service.store.key_uses()
    assert any(one.startswith(f"{key.id} Active") for one in browser.rows())
    assert "revision" in browser.text
    assert "Every setting is at its default." in browser.text
    browser.press("doctor")
    assert any(one.startswith("practice: client authentication OK") for one in browser.rows())


# --- secrets


def test_no_secret_ever_comes_back(
    users: TwoUsers, server: PracticeServer, open_browser: Open
) -> None:
    pages: list[str] = []

    class Listening(AdministratorsBrowser):
        def _follow(self, answer):  # type: ignore[no-untyped-def]
            pages.append(answer.text + str(answer.headers))
            shown = super()._follow(answer)
            pages.append(shown.text + str(shown.headers) + str(shown.url))
            return shown

    browser = Listening(users, users.admin)
    typed = {"credential": "secret", "client_secret": CANARY}
    register(browser, server.issuer, "secretive", **typed, client_id="")
    browser.press("register", client_secret=CANARY, client_id="x", inactivity="never")
    browser.press("register", client_secret=CANARY, inactivity="", secret_ends="2099-01-01")
    assert browser.heading == "Test secretive"
    browser.see("clients/secretive/secrets")
    browser.press("add", client_secret=f"{CANARY}2", secret_ends="soon")
    browser.press("add", client_secret=f"{CANARY}2", secret_ends="")
    browser.see("clients/secretive/secrets")
    browser.press("add", client_secret=f"{CANARY}3")
    browser.see("clients/secretive/edit")
    fields = browser.form_of("save").fields
    url = f"{users.url}admin/clients/secretive/edit"
    browser.post(url, {**fields, "client_secret": CANARY, "client_id": "", "do": "save"})
    browser.post(url, {**fields, "client_secret": CANARY, "version": "1", "do": "save"})
    browser.see("clients/secretive/test")
    browser.press("test")
    users.sign_in(users.admin, "sales")
    token = users.admin.broker.access_token("sales").reveal()
    for path in PAGES:
        browser.see(placed(users, path))
    browser.close()
    assert len(users.admin.broker.client("secretive").secrets) == 2
    assert len(pages) > 50
    for page in pages:
        assert CANARY not in page
        assert token not in page
        assert users.admin.session not in page
        assert users.admin.kernel_credential not in page


def test_nothing_of_anybody_is_taken_for_html(
    users: TwoUsers, browser: AdministratorsBrowser
) -> None:
    evil = "<img src=x onerror=alert(1)>\"'`</style>"
    users.admin.broker.edit_client(
        "practice", {"title": evil, "description": evil, "allowed_users": (evil,)}
    )
    users.admin.broker.edit_connection("budget", {"login_hint": evil, "shared_users": (evil,)})
    users.admin.broker.change_settings({"administrator_contact": evil})
    users.host.service.store.journal.add(Event(kind=evil, outcome=evil, owner=evil, client=evil))
    for path in ("", "clients/practice", "clients/practice/edit", "clients/practice/access",
                 "connections", "connections/budget/sharing", "settings", "history", "sign-ins",
                 f"history?connection={evil}&outcome={evil}", "connections/new"):  # fmt: skip
        browser.see(path)
        assert browser.at.status_code == 200
        assert "<img" not in browser.at.text
        assert browser.at.text.count("</style>") == 1
    assert urlsplit(str(browser.at.url)).path.endswith("/connections/new")
    hers = users.ask("GET", "admin/", {"Cookie": f"{SESSION}={users.other.session}"})
    assert b"<img" not in hers.body
