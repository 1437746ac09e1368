"""Providers as they are in the field: somebody else's pages, more hosts, headers, error pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from jupyter_oauthconn.model import Endpoints

from ..interop.certified_provider import CertifiedProvider, install
from .conftest import Lab
from .front_door import front_door
from .sign_in_tab import ANALYST, heading, press, sign_in

CELL = "%load_ext jupyter_oauthconn\nconn = %connect {name}\nprint(conn.identity)"

#: Data of that provider, which nobody gets without its token.
ROWS = """
with conn.httpx(base_url="{issuer}") as client:
    answer = client.get("rows").raise_for_status().json()
for row in answer["rows"]:
    print(row["region"], row["revenue"])
print(answer["for"])
"""


@pytest.fixture(scope="module")
def certified() -> Iterator[CertifiedProvider]:
    install()
    provider = CertifiedProvider()
    yield provider
    provider.close()


def test_a_certified_provider_with_pages_of_its_own(lab: Lab, certified: CertifiedProvider) -> None:
    lab.add_client(
        "interop",
        provider="oidc",
        issuer=certified.issuer,
        redirect_uris=("http://127.0.0.1:8888/oauthconn/callback/interop",),
    )
    name = lab.new_connection("interop")
    notebook = lab.open(
        "certified.ipynb", CELL.format(name=name), ROWS.format(issuer=certified.issuer)
    )
    notebook.run_all()
    tab = notebook.open_tab()
    tab.get_by_role("button", name="Authenticate").click()
    tab.get_by_placeholder("Enter any login").fill("ada")
    tab.get_by_placeholder("and password").fill("x")
    tab.get_by_role("button", name="Sign-in").click()
    tab.get_by_role("button", name="Continue").click()
    heading(tab, "Authenticated")
    expect(notebook.wait(0)).to_contain_text("ada@example.com")
    expect(notebook.wait(1)).to_have_text(re.compile(r"North 120\s+South 95\s+ada"))
    assert certified.token_requests() == 1
    stranger = httpx2.get(f"{certified.issuer}/rows", trust_env=False, timeout=30)
    assert stranger.status_code == 401


def test_a_provider_that_cuts_the_tie_between_windows(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = lab.open("coop.ipynb", CELL.format(name=name))
    notebook.start(0)
    tab = notebook.open_tab()
    with tab.expect_response(lambda one: one.url.startswith(lab.provider.issuer)) as answer:
        press(tab)
    assert answer.value.headers["cross-origin-opener-policy"] == "same-origin"
    tab.go_back()
    sign_in(tab)
    expect(notebook.wait(0)).to_contain_text(ANALYST)


def test_a_provider_that_sends_people_on_to_another_host(lab: Lab) -> None:
    """Chromium applies `form-action` to every redirect behind a button, so no page may have it."""
    issuer = lab.provider.issuer
    with front_door(issuer) as door:
        endpoints = Endpoints(authorization=f"{door}/authorize", token=f"{issuer}/token")
        lab.add_client("through-a-door", endpoints=endpoints)
        name = lab.new_connection("through-a-door")
        notebook = lab.open("door.ipynb", CELL.format(name=name))
        notebook.start(0)
        tab = notebook.open_tab()
        hosts = set[str]()
        tab.on("request", lambda request: hosts.add(request.url.split("/authorize")[0]))
        sign_in(tab)
        expect(notebook.wait(0)).to_contain_text(ANALYST)
    assert {door, issuer} <= hosts


def test_a_provider_that_shows_an_error_page_and_never_comes_back(lab: Lab) -> None:
    lab.provider.provider.register("strict", ["http://127.0.0.1:8888/another/path"])
    lab.add_client("strict", client_id="strict")
    name = lab.new_connection("strict")
    page = lab.browser()
    page.clock.install()
    notebook = lab.open("error.ipynb", CELL.format(name=name), page=page)
    notebook.start(0)
    tab = notebook.open_tab()
    tab.get_by_role("button", name="Authenticate").click()
    expect(tab.get_by_role("heading", level=1)).not_to_have_text(f"Sign in for {name}")
    expect(tab.get_by_role("button")).to_have_count(0)
    card = notebook.card()
    expect(card).to_contain_text("Continue in the other tab")
    expect(card).not_to_contain_text("redirect URI")
    page.clock.fast_forward(46_000)
    expect(card).to_contain_text("compare this redirect URI")
    callback = f"{lab.server.url}oauthconn/callback/strict"
    expect(card).to_contain_text(callback)
    expect(card.get_by_role("button", name="Copy the redirect URI")).to_be_visible()
    assert marked_with_the_mouse(page, card.locator(".jp-OAuthConnCard-note code")) == callback
    card.get_by_role("button", name="Cancel").click()
    expect(notebook.wait(0)).to_contain_text(f"{name}: not authenticated")


def marked_with_the_mouse(page: Page, text: Locator) -> str:
    """Drags over a text of one line; returns what is marked then."""
    text.scroll_into_view_if_needed()
    box = text.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 1, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, middle, steps=5)
    page.mouse.up()
    marked: str = page.evaluate("String(getSelection())")
    return marked
