"""The pages of a real Jupyter server in a real browser, the provider on another host name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from jupyter_oauthconn.demo import PracticeServer

from ..browser.conftest import PATIENCE, axe, check_page, chromium  # noqa: F401 - fixtures
from ..jupyter import JupyterServer, jupyter_server

ANALYST, GUEST = "analyst@example.com", "guest@example.com"


@pytest.fixture(scope="module")
def provider() -> Iterator[PracticeServer]:
    # cookies ignore ports: with one host name a cross-site fault would not show
    with PracticeServer(host="localhost") as provider:
        yield provider


@pytest.fixture(scope="module")
def jupyter(
    provider: PracticeServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JupyterServer]:
    """Behind a base URL with an escape; its session cookie is as strict as can be."""
    config = {
        "IdentityProvider": {"cookie_options": {"samesite": "Strict"}},
        # what an administrator may have set to let pages be framed
        "ServerApp": {
            "tornado_settings": {"headers": {"Content-Security-Policy": "frame-ancestors *"}}
        },
    }
    folder = tmp_path_factory.mktemp("jupyter")
    with jupyter_server(folder, base_url="/a%40b/", config=config) as server:
        provider.provider.register("notebook", [f"{server.mount}callback/practice"])
        for path, body in (
            (
                "api/v1/clients",
                {
                    "name": "practice",
                    "provider": "practice",
                    "client_id": "notebook",
                    "issuer": provider.issuer,
                    "redirect_uris": [f"{server.mount}callback/practice"],
                },
            ),
            ("api/v1/connections", {"name": "sales", "client": "practice"}),
        ):
            answer = server.request("POST", path, server.kernel_headers, body)
            assert answer.status < 300, answer.text
        yield server


@dataclass
class Visitor:
    """Somebody who is signed in to Jupyter, and what her browser complained of."""

    jupyter: JupyterServer
    chromium: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    posts: list[Request] = field(default_factory=list)

    def page(self, *, logged_in: bool = True, **options: Any) -> Page:
        context = self.chromium.new_context(viewport={"width": 900, "height": 700}, **options)
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        if logged_in:
            page.goto(f"{self.jupyter.url}login")
            self.log_in(page)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("console", lambda one: self._listen(one.type, one.text))
        page.on("request", lambda one: self.posts.append(one) if one.method == "POST" else None)
        return page

    def log_in(self, page: Page) -> None:
        """Jupyter's login page."""
        page.get_by_label("Password or token").fill(self.jupyter.token)
        page.get_by_role("button", name="Log in", exact=True).click()
        page.wait_for_url(lambda url: "/login" not in url)

    def sign_in(self, page: Page, button: str = "Authenticate", account: str = ANALYST) -> None:
        page.goto(self.connect)
        page.get_by_role("button", name=button).click()
        page.get_by_role("radio", name=account).check()
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url("**/oauthconn/**")

    @property
    def connect(self) -> str:
        return f"{self.jupyter.mount}connect/sales"

    def revoke(self) -> None:
        path = "api/v1/connections/sales/grant"
        assert self.jupyter.request("DELETE", path, self.jupyter.kernel_headers).status < 300

    def waits(self) -> str:
        """A kernel asks for a token; the sign-in that it waits for."""
        path = "api/v1/connections/sales/token"
        answer = self.jupyter.request("POST", path, self.jupyter.kernel_headers, {})
        assert answer.status == 409
        return str(answer.json()["authorization"]["public_url"])

    def token(self) -> int:
        path = "api/v1/connections/sales/token"
        body = {"interactive": False}
        return self.jupyter.request("POST", path, self.jupyter.kernel_headers, body).status

    def _listen(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and "the server responded with a status of 4" not in text:
            self.faults.append(f"{kind}: {text}")


@pytest.fixture
def visitor(jupyter: JupyterServer, chromium: Browser) -> Iterator[Visitor]:  # noqa: F811
    visitor = Visitor(jupyter, chromium)
    yield visitor
    visitor.revoke()
    for one in visitor.contexts:
        one.close()
    assert visitor.faults == []


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def test_a_waiting_kernel_goes_on(visitor: Visitor) -> None:
    link = visitor.waits()
    assert link == visitor.connect
    page = visitor.page()
    page.goto(link)
    heading(page, "Sign in for sales")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Authenticate")).to_be_focused()
    page.keyboard.press("Enter")
    heading(page, "Allow notebook to use your account?")
    page.get_by_role("button", name="Allow").click()
    heading(page, "Authenticated")
    expect(page.get_by_text("one that waited goes on")).to_be_visible()
    assert urlsplit(page.url).query.startswith("outcome=")
    assert visitor.token() == 200
    # Jupyter compares it: with `no-referrer` it would be "null", and nobody could press
    ours = [one for one in visitor.posts if one.url.startswith(visitor.jupyter.mount)]
    origin = urlsplit(visitor.jupyter.url)
    assert [one.all_headers()["origin"] for one in ours] == [f"{origin.scheme}://{origin.netloc}"]
    page.reload()
    heading(page, "Authenticated")
    page.go_back()
    page.wait_for_url("**/oauthconn/**")
    heading(page, "This sign-in is over")
    assert "code=" not in page.url


def test_the_strict_session_does_not_come_back_and_need_not(visitor: Visitor) -> None:
    page = visitor.page()
    callbacks: list[Request] = []
    page.on("request", lambda one: callbacks.append(one) if "/callback/" in one.url else None)
    visitor.sign_in(page)
    heading(page, "Authenticated")
    [came_back] = callbacks
    cookie = came_back.all_headers()["cookie"]
    assert f"oauthconn-flow-{urlsplit(visitor.jupyter.url).port}=" in cookie
    assert "username-" not in cookie
    visitor.sign_in(page, "Sign in again", GUEST)
    heading(page, "Another account for sales?")
    page.get_by_role("button", name=f"Use {GUEST}").click()
    heading(page, "Authenticated")
    expect(page.get_by_text(GUEST)).to_be_visible()


def test_without_a_session_login_comes_first(visitor: Visitor) -> None:
    page = visitor.page(logged_in=False)
    page.goto(visitor.connect)
    assert urlsplit(page.url).path == "/a%40b/login"
    visitor.log_in(page)
    heading(page, "Sign in for sales")


def test_denied_then_again(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto(visitor.waits())
    page.get_by_role("button", name="Authenticate").click()
    page.get_by_role("button", name="Deny").click()
    heading(page, "Not authenticated")
    page.get_by_role("link", name="Start again on this page").click()
    heading(page, "Sign in for sales")
    page.get_by_role("button", name="Authenticate").dblclick()
    page.get_by_role("button", name="Allow").click()
    heading(page, "Authenticated")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(
    visitor: Visitor,
    check_page: Callable[[Page, str], None],  # noqa: F811
    scheme: str,
) -> None:
    page = visitor.page(color_scheme=scheme)
    visitor.waits()
    page.goto(visitor.connect)
    check_page(page, f"{scheme}-1-start")
    visitor.sign_in(page)
    check_page(page, f"{scheme}-2-done")
    page.goto(visitor.connect)
    check_page(page, f"{scheme}-3-connected")
    visitor.sign_in(page, "Sign in again", GUEST)
    check_page(page, f"{scheme}-4-another-account")
    page.get_by_role("button", name="Keep").click()
    heading(page, "Nothing was changed")
    check_page(page, f"{scheme}-5-kept")
    page.goto(f"{visitor.jupyter.mount}refused?why=callback_mismatch")
    check_page(page, f"{scheme}-6-refused")
    page.goto(f"{visitor.jupyter.mount}connect/nothing")
    check_page(page, f"{scheme}-7-unknown")
    visitor.revoke()
    page.goto(visitor.connect.replace("127.0.0.1", "localhost"))
    visitor.log_in(page)
    heading(page, "This address is not registered")
    check_page(page, f"{scheme}-8-other-address")


def test_the_other_loopback_name_leads_to_the_registered_one(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto(visitor.connect.replace("127.0.0.1", "localhost"))
    visitor.log_in(page)
    heading(page, "This address is not registered")
    page.get_by_role("link", name=visitor.connect).click()
    # for a strict session cookie the two names are two sites
    visitor.log_in(page)
    heading(page, "Sign in for sales")
    assert page.url == visitor.connect
    page.get_by_role("button", name="Authenticate").click()
    page.get_by_role("button", name="Allow").click()
    heading(page, "Authenticated")
