"""The administration page in a real browser: with the keyboard alone, without script, in both
schemes, on a narrow screen; and what an administrator registers, another person uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from two_users import CLIENT_ID, SESSION, Person, TwoUsers, two_users

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import AuthMethod, ClientDraft, ConnectionDraft, Secret, State

from ..browser.conftest import PATIENCE, axe, check_page, chromium  # noqa: F401 - fixtures
from ..interop.certified_provider import CertifiedProvider, install
from ..jupyter import jupyter_server
from .visiting import state

COOKIE_SECRET = "a secret of the test's own application"
MOST_TABS = 60


@pytest.fixture(scope="module")
def practice() -> Iterator[PracticeServer]:
    # cookies ignore ports: with one host name a cross-site fault would not show
    with PracticeServer(host="localhost") as server:
        yield server


@pytest.fixture(scope="module")
def certified() -> Iterator[CertifiedProvider]:
    install()
    provider = CertifiedProvider()
    yield provider
    provider.close()


@pytest.fixture
def users(practice: PracticeServer, tmp_path: Path) -> Iterator[TwoUsers]:
    with two_users(
        tmp_path / "home", practice, application={"cookie_secret": COOKIE_SECRET}
    ) as running:
        yield running


@dataclass
class Windows:
    """Browsers of people, and what they complained of."""

    users: TwoUsers
    chromium: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def of(self, person: Person, **options: Any) -> Page:
        """A page of a new browser with that person's session."""
        context = self.chromium.new_context(
            **{"viewport": {"width": 1100, "height": 800}, **options}
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        context.on("page", self._listen)
        # as a Hub's: a strict one would not come back with the redirect of a provider elsewhere
        session = {"name": SESSION, "value": person.session, "url": self.users.host.url}
        context.add_cookies([{**session, "sameSite": "Lax"}])
        return context.new_page()

    def admin(self, path: str = "", **options: Any) -> Page:
        page = self.of(self.users.admin, **options)
        page.goto(f"{self.users.url}admin/{path}")
        return page

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("console", lambda one: self._hear(page.url, one.type, one.text))

    def _hear(self, url: str, kind: str, text: str) -> None:
        # Chromium reports each page with status 400 there; what counts is what a page does wrong
        ours = url.startswith(self.users.host.url) and "responded with a status of 4" not in text
        if ours and kind in {"error", "warning"}:
            self.faults.append(f"{kind}: {text}")


@pytest.fixture
def windows(users: TwoUsers, chromium: Browser) -> Iterator[Windows]:  # noqa: F811
    windows = Windows(users, chromium)
    yield windows
    for one in windows.contexts:
        one.close()
    assert windows.faults == []


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def link(page: Page, name: str) -> Locator:
    return page.get_by_role("link", name=name, exact=True)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def tab_to(page: Page, wanted: Locator) -> None:
    """With the Tab key alone; what has the focus must be seen to have it."""
    expect(wanted).to_be_visible()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("node => node === document.activeElement"):
            break
    expect(wanted).to_be_focused()
    outlined = "node => getComputedStyle(node.closest('.providers li') ?? node).outlineStyle"
    assert wanted.evaluate(outlined) != "none"


def press(page: Page, wanted: Locator) -> None:
    tab_to(page, wanted)
    page.keyboard.press("Enter")


def fill(page: Page, label: str, text: str) -> None:
    tab_to(page, page.get_by_label(label))
    page.keyboard.type(text)


def choose(page: Page, now: str, downwards: int, then: str) -> None:
    """In a group of choices."""
    tab_to(page, page.get_by_label(now))
    for _ in range(downwards):
        page.keyboard.press("ArrowDown")
    expect(page.get_by_label(then)).to_be_checked()


def register_with_the_keyboard(
    page: Page, entry: str, name: str, issuer: str, client_id: str, *, public_already: bool
) -> None:
    """From the list of OAuth clients to the one that everyone may use."""
    press(page, link(page, "Register an OAuth client"))
    press(page, link(page, entry))
    any_provider = entry.startswith("Any ")
    heading(page, f"Register an OAuth client {'by its issuer' if any_provider else f'for {entry}'}")
    fill(page, "Name", name)
    fill(page, "Issuer", issuer)
    page.keyboard.press("Enter")
    expect(page.locator("[aria-current=step]")).to_contain_text("Credentials")
    expect(page.locator(".uris")).to_contain_text(f"/callback/{name}")
    fill(page, "Client ID", client_id)
    if not public_already:
        choose(page, "With this client secret", 2, "Without one: it is a public client")
    press(page, button(page, "Register the OAuth client"))
    expect(page.get_by_role("status")).to_contain_text("is registered")
    press(page, button(page, "Run the test"))
    accepted = page.get_by_role("row").filter(has_text="client authentication")
    expect(accepted).to_contain_text("OK")
    assert "Failed" not in page.locator("main").inner_text()
    press(page, link(page, "Go on: who may use it"))
    choose(page, "Nobody but administrators", 1, "Everyone")
    press(page, button(page, "Save"))
    expect(page.get_by_role("status")).to_contain_text("is saved")
    heading(page, name)


def test_registered_with_the_keyboard_and_used_by_another(
    users: TwoUsers, windows: Windows, practice: PracticeServer
) -> None:
    page = windows.admin()
    register_with_the_keyboard(
        page, "Practice provider", "mine", practice.issuer, CLIENT_ID, public_already=True
    )
    users.other.broker.add_connection(ConnectionDraft(name="plans", client="mine"))
    hers = windows.of(users.other)
    hers.goto(f"{users.url}connect/plans")
    button(hers, "Authenticate").click()
    button(hers, "Allow").click()
    heading(hers, "Authenticated")
    assert state(users.other, "plans") is State.CONNECTED
    press(page, link(page, "Sign-ins"))
    expect(page.get_by_role("row").filter(has_text="plans")).to_contain_text("Authenticated")


def test_a_provider_that_others_wrote(
    users: TwoUsers, windows: Windows, certified: CertifiedProvider
) -> None:
    register_with_the_keyboard(
        windows.admin(),
        "Any OpenID Connect or RFC 8414 provider",
        "interop",
        certified.issuer,
        "notebook",
        public_already=False,
    )
    users.other.broker.add_connection(ConnectionDraft(name="plans", client="interop"))
    hers = windows.of(users.other)
    hers.goto(f"{users.url}connect/plans")
    button(hers, "Authenticate").click()
    hers.get_by_placeholder("Enter any login").fill("ada")
    hers.get_by_placeholder("and password").fill("x")
    hers.get_by_role("button", name="Sign-in").click()
    hers.get_by_role("button", name="Continue").click()
    heading(hers, "Authenticated")
    expect(hers.locator("main")).to_contain_text("ada@example.com")
    assert state(users.other, "plans") is State.CONNECTED


def test_a_sign_in_is_tried_on_the_way(
    users: TwoUsers, windows: Windows, practice: PracticeServer
) -> None:
    users.admin.broker.add_client(
        ClientDraft(
            name="mine",
            provider="practice",
            client_id=CLIENT_ID,
            issuer=practice.issuer,
            redirect_uris=(f"{users.url}callback/mine",),
        )
    )
    page = windows.admin("clients/mine/test?step=3")
    with page.context.expect_page() as opened:
        button(page, "Try a sign-in (opens a new tab)").click()
    tab = opened.value
    heading(tab, "Sign in for mine")
    button(tab, "Authenticate").click()
    button(tab, "Allow").click()
    heading(tab, "Authenticated")
    # this host's XSRF cookie is stricter than Jupyter's: coming back, the tab got another one
    page.reload()
    button(page, "Run the test").click()
    refresh = page.get_by_role("row").filter(has_text="refresh token")
    expect(refresh).to_contain_text("OK")


def test_deleting_with_the_keyboard(users: TwoUsers, windows: Windows) -> None:
    users.sign_in(users.other, "sales")
    page = windows.admin("clients/practice")
    press(page, link(page, "Delete"))
    expect(page.locator("main")).to_contain_text("3 connections and 1 sign-in are removed")
    fill(page, "Type the name practice", "practise")
    page.keyboard.press("Enter")
    # said at once to who cannot see it, and one step from the field
    expect(page.get_by_role("alert")).to_be_focused()
    named = page.get_by_role("alert").get_by_role("link")
    press(page, named)
    wrong = page.get_by_label("Type the name practice")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_accessible_description("Error: Type practice exactly, to say that you "
                                                 "mean it.")  # fmt: skip
    page.keyboard.type("practice")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The OAuth client is deleted.")
    assert users.admin.broker.clients() == []


def test_the_first_tab_skips_the_menu(windows: Windows) -> None:
    page = windows.admin()
    page.keyboard.press("Tab")
    skip = link(page, "Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(link(page, "Register an OAuth client")).to_be_focused()


def test_everything_works_without_script(
    users: TwoUsers, windows: Windows, practice: PracticeServer
) -> None:
    page = windows.admin(java_script_enabled=False)
    link(page, "Register an OAuth client").click()
    expect(page.get_by_label("Search providers")).to_be_hidden()
    link(page, "Practice provider").click()
    page.get_by_label("Name").fill("mine")
    button(page, "Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("Give the issuer")
    expect(page.get_by_label("Name")).to_have_value("mine")
    page.get_by_label("Issuer").fill(practice.issuer)
    button(page, "Go on").click()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_label("Client ID").fill(CLIENT_ID)
    page.get_by_text("What sign-ins ask for").click()
    page.get_by_label("Scope").fill("sales.read")
    button(page, "Register the OAuth client").click()
    button(page, "Run the test").click()
    expect(page.get_by_role("row").filter(has_text="client authentication")).to_contain_text("OK")
    link(page, "Go on: who may use it").click()
    page.get_by_label("These users and groups").check()
    page.get_by_label("Groups", exact=True).fill("analysts")
    button(page, "Save").click()
    assert users.admin.broker.client("mine").allowed_groups == ("analysts",)
    link(page, "Edit").click()
    page.get_by_label("Client ID").fill("another")
    button(page, "Save").click()
    expect(page.get_by_role("status")).to_have_text("The changes are saved.")
    button(page, "Switch off").click()
    link(page, "Delete").click()
    page.get_by_label("Type the name mine").fill("mine")
    button(page, "Delete mine").click()
    expect(page.get_by_role("status")).to_have_text("The OAuth client is deleted.")
    link(page, "Settings").click()
    page.get_by_role("group", name="Allow user clients").get_by_label("Yes").check()
    button(page, "Save").click()
    assert users.host.service.settings.now().allow_user_clients


def test_the_script_copies_and_searches(windows: Windows) -> None:
    page = windows.admin("register", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Search providers").fill("snow")
    expect(page.get_by_text("1 of 8 providers")).to_be_visible()
    expect(link(page, "Google")).to_be_hidden()
    page.get_by_label("Search providers").fill("nobody knows it")
    expect(page.get_by_text("None of that name.")).to_be_visible()
    expect(page.locator(".providers li:visible")).to_have_count(1)
    expect(link(page, "Any OpenID Connect or RFC 8414 provider")).to_be_visible()
    page.get_by_label("Search providers").fill("snow")
    link(page, "Snowflake").click()
    page.get_by_label("Name").fill("warehouse")
    page.get_by_label("Account identifier").fill("myorg-acc")
    page.keyboard.press("Enter")
    copy = page.get_by_role("button", name="Copy the redirect URI").first
    copy.click()
    expect(page.get_by_role("button", name="Copied the redirect URI")).to_have_count(1)
    copied = page.evaluate("navigator.clipboard.readText()")
    origin = windows.users.host.url.replace("127.0.0.1", "localhost")
    assert copied == f"{origin}/a%40b/oauthconn/callback/warehouse"
    expect(page.locator(".todo")).to_contain_text(f"OAUTH_REDIRECT_URI = '{copied}'")


def test_fields_that_do_not_apply_are_not_shown(windows: Windows, practice: PracticeServer) -> None:
    page = windows.admin("register/oidc")
    page.get_by_label("Name").fill("mine")
    page.get_by_label("Issuer").fill(practice.issuer)
    button(page, "Go on").click()
    secret = page.get_by_label("Client secret", exact=True)
    kept = page.get_by_label("Where the secret is kept")
    for chosen, shown in (
        ("With this client secret", (True, False)),
        ("With a secret that is kept elsewhere", (False, True)),
        ("Without one: it is a public client", (False, False)),
    ):
        page.get_by_label(chosen).check()
        expect(secret).to_be_visible(visible=shown[0])
        expect(kept).to_be_visible(visible=shown[1])
    # what is wrong is seen, whatever is chosen
    page.get_by_label("With this client secret").check()
    secret.fill("typed")
    page.get_by_label("Without one: it is a public client").check()
    button(page, "Register the OAuth client").click()
    expect(secret).to_be_visible()
    page.goto(f"{windows.users.url}admin/clients/practice/access")
    page.get_by_label("Everyone").check()
    expect(page.get_by_label("Users", exact=True)).to_be_hidden()
    page.get_by_label("These users and groups").check()
    expect(page.get_by_label("Users", exact=True)).to_be_visible()


def test_a_script_of_this_origin_presses_no_button(users: TwoUsers, windows: Windows) -> None:
    """What a notebook's output may run: it has the session, and may send any form."""
    page = windows.of(users.admin)
    page.goto(f"{users.host.url}/login")
    status = page.evaluate(
        """async (address) => {
            const text = await (await fetch(address)).text();
            const form = new DOMParser().parseFromString(text, 'text/html').querySelector('form');
            const sent = new URLSearchParams(new FormData(form));
            sent.set('do', 'save');
            sent.set('client_management_enabled', 'false');
            const answers = [await fetch(address, {method: 'POST', body: sent})];
            return [sent.has('_xsrf'), sent.has('page_key'), ...answers.map((one) => one.status)];
        }""",
        f"{users.url}admin/settings",
    )
    assert status == [True, False, 403]
    assert users.host.service.settings.now().client_management_enabled


def furnish(users: TwoUsers, practice: PracticeServer) -> None:
    """Something to see on every page."""
    broker = users.admin.broker
    broker.add_client(
        ClientDraft(
            name="sales-app",
            provider="oidc",
            client_id="0oa1b2c3d4",
            issuer=practice.issuer,
            client_secret=Secret("of the test"),
            auth_method=AuthMethod.CLIENT_SECRET_BASIC,
            allowed_groups=("analysts",),
            description="For the sales team.",
        )
    )
    broker.edit_connection("budget", {"shared_groups": ("analysts",)})
    broker.change_settings({"administrator_contact": "data-team@example.com"})
    for person in users.host.people:
        users.sign_in(person, "sales")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(
    users: TwoUsers,
    windows: Windows,
    practice: PracticeServer,
    check_page: Callable[[Page, str], None],  # noqa: F811
    scheme: str,
) -> None:
    furnish(users, practice)
    page = windows.admin(color_scheme=scheme)
    secret = users.admin.broker.client("sales-app").secrets[0].id
    grant = users.admin.broker.grants()[0].id
    for path in (
        "", "register", "register/oidc", "register/snowflake", "clients/sales-app",
        "clients/practice", "clients/sales-app/edit", "clients/sales-app/test?step=3",
        "clients/sales-app/access?step=4", "clients/sales-app/secrets",
        f"clients/sales-app/secrets/{secret}", "clients/practice/delete", "connections",
        "connections/new", "connections/new?client=practice", "connections/budget/sharing",
        "connections/budget/remove", "sign-ins", f"sign-ins/{grant}", "settings", "history",
        "health", "nothing", "?done=saved",
    ):  # fmt: skip
        page.goto(f"{users.url}admin/{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        check_page(page, f"{scheme}-{path.replace('/', '-').replace('?', '-')}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_answer_to_a_button_is_accessible(
    users: TwoUsers,
    windows: Windows,
    practice: PracticeServer,
    check_page: Callable[[Page, str], None],  # noqa: F811
    scheme: str,
) -> None:
    furnish(users, practice)
    page = windows.admin("register/practice", color_scheme=scheme)
    button(page, "Go on").click()
    check_page(page, f"{scheme}-1-wrong-address")
    page.get_by_label("Name").fill("mine")
    page.get_by_label("Issuer").fill(practice.issuer)
    button(page, "Go on").click()
    for one in page.locator("summary").all():
        one.click()
    check_page(page, f"{scheme}-2-credentials")
    page.get_by_label("With this client secret").check()
    page.get_by_label("A sign-in ends when unused for").fill("soon")
    button(page, "Register the OAuth client").click()
    check_page(page, f"{scheme}-3-wrong-credentials")
    page.goto(f"{users.url}admin/clients/practice/test")
    button(page, "Run the test").click()
    check_page(page, f"{scheme}-4-tested")
    page.goto(f"{users.url}admin/clients/practice/edit")
    page.get_by_label("Client ID").fill("another")
    button(page, "Save").click()
    heading(page, "2 sign-ins will have to be repeated")
    check_page(page, f"{scheme}-5-question")
    users.admin.broker.edit_client("practice", {"description": "Of the other"})
    button(page, "Confirm and save").click()
    check_page(page, f"{scheme}-6-conflict")
    page.goto(f"{users.url}admin/health")
    button(page, "Ask the doctor").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_page(page, f"{scheme}-7-doctor")
    page.goto(f"{users.url}admin/settings")
    page.get_by_role("group", name="Client management enabled").get_by_label("No").check()
    page.get_by_label("Audit retention").fill("soon")
    button(page, "Save").click()
    check_page(page, f"{scheme}-8-wrong-setting")
    page.get_by_label("Audit retention").fill("60")
    button(page, "Save").click()
    check_page(page, f"{scheme}-9-changed-settings")
    for path in ("", "clients/practice", "register/oidc"):
        page.goto(f"{users.url}admin/{path}")
        check_page(page, f"{scheme}-off-{path.replace('/', '-')}")
    hers = windows.of(users.other, color_scheme=scheme)
    hers.goto(f"{users.url}admin/")
    heading(hers, "Not allowed")
    expect(hers.locator("main")).to_contain_text("Ask data-team@example.com")
    check_page(hers, f"{scheme}-not-allowed")


def test_in_a_real_jupyter_server(
    chromium: Browser,  # noqa: F811
    practice: PracticeServer,
    tmp_path: Path,
) -> None:
    """Its login, its XSRF and its strict cookie; registered and signed in at one go."""
    config = {"IdentityProvider": {"cookie_options": {"samesite": "Strict"}}}
    with jupyter_server(tmp_path, base_url="/a%40b/", config=config) as server:
        practice.provider.register("of-jupyter", [f"{server.mount}callback/mine"])
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{server.mount}admin/")
        page.get_by_label("Password or token").fill(server.token)
        page.get_by_role("button", name="Log in", exact=True).click()
        heading(page, "OAuth clients")
        link(page, "Register an OAuth client").click()
        link(page, "Practice provider").click()
        page.get_by_label("Name").fill("mine")
        page.get_by_label("Issuer").fill(practice.issuer)
        button(page, "Go on").click()
        page.get_by_label("Client ID").fill("of-jupyter")
        button(page, "Register the OAuth client").click()
        with page.context.expect_page() as opened:
            button(page, "Try a sign-in (opens a new tab)").click()
        tab = opened.value
        button(tab, "Authenticate").click()
        button(tab, "Allow").click()
        heading(tab, "Authenticated")
        button(page, "Run the test").click()
        refresh = page.get_by_role("row").filter(has_text="refresh token")
        expect(refresh).to_contain_text("OK")
        page.context.close()
        for headers, status in ((server.kernel_headers, 403), (server.token_headers, 403)):
            assert server.request("GET", "admin/", headers).status == status
        assert server.request("GET", "admin/").status == 302
