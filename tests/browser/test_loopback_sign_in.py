"""Signing in on a laptop, as a person does it: our pages and the provider's in a real browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from jupyter_oauthconn.model import AuthorizationState, Endpoints, State

from .conftest import Person

ANALYST, GUEST = "analyst@example.com", "guest@example.com"


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def test_a_person_signs_in_with_the_keyboard_alone(person: Person) -> None:
    page = person.browser()
    page.goto(person.link())
    heading(page, "Sign in for sales")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Authenticate")).to_be_focused()
    page.keyboard.press("Enter")
    heading(page, "Allow notebook to use your account?")
    assert urlsplit(page.url).netloc == urlsplit(person.server.issuer).netloc
    page.get_by_role("button", name="Allow").focus()
    page.keyboard.press("Enter")
    heading(page, "Authenticated")
    expect(page.get_by_text(ANALYST)).to_be_visible()
    assert "code=" not in page.url
    assert person.status.state is State.CONNECTED
    assert person.status.identity == ANALYST
    assert person.hosts == {urlsplit(one).netloc for one in (page.url, person.server.issuer)}


def test_a_person_refuses_and_can_start_again(person: Person) -> None:
    page = person.browser()
    link = person.link()
    page.goto(link)
    page.get_by_role("button", name="Authenticate").click()
    page.get_by_role("button", name="Deny").click()
    heading(page, "Not authenticated")
    expect(page.get_by_text("was refused")).to_be_visible()
    assert "access_denied" not in page.url
    page.reload()
    heading(page, "Not authenticated")
    assert person.status.state is State.NOT_CONNECTED
    assert person.token_requests() == 0
    page.goto(link)  # the old link tells the same; a new one works
    heading(page, "Not authenticated")
    person.sign_in()
    assert person.status.state is State.CONNECTED


def test_back_and_reload_after_the_end_change_nothing(person: Person) -> None:
    page = person.browser()
    page.goto(person.link())
    page.reload()
    page.get_by_role("button", name="Authenticate").click()
    page.get_by_role("button", name="Allow").wait_for()
    page.reload()
    page.get_by_role("button", name="Allow").click()
    heading(page, "Authenticated")
    page.reload()
    heading(page, "Authenticated")
    page.go_back()  # the provider answers once more, to a sign-in that is over
    heading(page, "This sign-in is over")
    assert "code=" not in page.url
    page.goto(person.broker.authorize("sales").public_url or "")
    heading(page, "Sign in for sales")
    page.go_back()
    page.go_forward()
    heading(page, "Sign in for sales")
    assert person.token_requests() == 1
    assert person.status.state is State.CONNECTED


def test_an_old_start_page_cannot_begin_an_ended_sign_in(person: Person) -> None:
    first, second = person.browser(), person.browser()
    link = person.link()
    first.goto(link)
    second.goto(link)
    second.get_by_role("button", name="Authenticate").click()
    second.get_by_role("button", name="Allow").click()
    heading(second, "Authenticated")
    asked = len(person.server.provider.requests("authorize"))
    first.get_by_role("button", name="Authenticate").click()
    heading(first, "Authenticated")
    assert len(person.server.provider.requests("authorize")) == asked


def test_a_second_click_does_no_harm(person: Person) -> None:
    page = person.browser()
    started = person.broker.authorize("sales")
    page.goto(started.public_url or "")
    page.get_by_role("button", name="Authenticate").dblclick()
    heading(page, "Allow notebook to use your account?")
    page.get_by_role("button", name="Allow").dblclick()
    heading(page, "Authenticated")
    assert person.token_requests() == 1
    assert person.broker.authorization(started.id).state is AuthorizationState.DONE


def test_the_later_of_two_browsers_goes_on(person: Person) -> None:
    first, second = person.browser(), person.browser()
    link = person.link()
    for page in (first, second):
        page.goto(link)
        page.get_by_role("button", name="Authenticate").click()
        heading(page, "Allow notebook to use your account?")  # the second one is the later one
    first.get_by_role("button", name="Allow").click()
    heading(first, "Not authenticated")
    assert person.token_requests() == 0
    second.get_by_role("button", name="Allow").click()
    heading(second, "Authenticated")


@pytest.mark.parametrize(("button", "identity"), [("Keep", ANALYST), ("Use", GUEST)])
def test_another_account_is_asked_about_first(person: Person, button: str, identity: str) -> None:
    person.sign_in()
    page = person.sign_in(GUEST)
    heading(page, "Another account for sales?")
    assert person.status.identity == ANALYST
    page.get_by_role("button", name=re.compile(f"^{button} ")).click()
    heading(page, "Authenticated" if button == "Use" else "Nothing was changed")
    expect(page.get_by_text(f"authenticated as {identity}")).to_be_visible()
    assert person.status.identity == identity
    assert person.broker.access_token("sales").reveal()


def test_a_link_that_nobody_waits_for_says_so(person: Person) -> None:
    page = person.browser()
    page.goto(person.link().partition("?")[0] + "?start=" + "0" * 32)
    heading(page, "Not authenticated")
    expect(page.get_by_text("newest link")).to_be_visible()


@pytest.fixture
def front_door(person: Person) -> Iterator[str]:
    """A first address of the provider that sends people on to a second host."""
    target = person.server.issuer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"{target}{self.path}")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_provider_may_send_people_on_to_another_host(person: Person, front_door: str) -> None:
    """Chromium applies `form-action` to every redirect behind a button, so no page may have it."""
    endpoints = Endpoints(
        authorization=f"{front_door}/authorize", token=f"{person.server.issuer}/token"
    )
    person.broker.edit_client("practice", {"endpoints": endpoints})
    heading(person.sign_in(), "Authenticated")
    assert urlsplit(front_door).netloc in person.hosts


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(
    person: Person, check_page: Callable[[Page, str], None], scheme: str
) -> None:
    page = person.browser(color_scheme=scheme)
    page.goto(person.link())
    check_page(page, f"{scheme}-1-start")
    page.get_by_role("button", name="Authenticate").click()
    check_page(page, f"{scheme}-2-provider")
    page.get_by_role("button", name="Allow").click()
    check_page(page, f"{scheme}-3-done")
    page.goto(person.link())
    check_page(page, f"{scheme}-4-start-again")
    page.get_by_role("button", name="Authenticate").focus()
    page.keyboard.press("Enter")
    page.get_by_role("radio", name=GUEST).check()
    page.get_by_role("button", name="Allow").click()
    check_page(page, f"{scheme}-5-another-account")
    page.get_by_role("button", name="Keep").click()
    check_page(page, f"{scheme}-6-kept")
    page.goto(person.link())
    page.get_by_role("button", name="Authenticate").click()
    page.get_by_role("button", name="Deny").click()
    check_page(page, f"{scheme}-7-refused")
    page.goto(f"{person.server.issuer}/device")
    check_page(page, f"{scheme}-8-provider-device")
    page.get_by_label("Type the code").fill("WRONG")
    page.get_by_role("button", name="Continue").click()
    check_page(page, f"{scheme}-9-provider-wrong-code")
