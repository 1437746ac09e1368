"""A token-protected JupyterLab in a real Chromium, and the practice provider on another host."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import ClientDraft, ConnectionDraft, Settings, Status

from ..browser.conftest import PATIENCE, axe, check_page, chromium
from ..jupyter import JupyterServer, jupyter_server
from .notebook_page import NotebookPage, write_notebook

__all__ = ["axe", "check_page", "chromium"]

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "jupyter_oauthconn" / "labextension"
SOURCES = ROOT / "labextension" / "src"

#: Light or dark as the browser wants it, and nothing that covers the notebook.
SETTINGS = {
    "@jupyterlab/apputils-extension/themes": {"adaptive-theme": True},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # so that the canary sees it
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
}


@pytest.fixture(scope="session")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for JUPYTER_PATH with the lab extension as it is in this tree: an editable install
    holds a copy from the time of the install."""
    built = BUILT / "package.json"
    newest = max(path.stat().st_mtime for path in SOURCES.rglob("*") if path.is_file())
    up_to_date = built.exists() and built.stat().st_mtime >= newest
    assert up_to_date, (
        "the lab extension is not built from the sources that are there: "
        "(cd labextension && npm ci && npm run build:prod)"
    )
    share = tmp_path_factory.mktemp("share")
    (share / "labextensions").mkdir()
    (share / "labextensions" / "jupyter-oauthconn").symlink_to(BUILT)
    return share


_numbers = itertools.count(1)


@dataclass
class Lab:
    """A person with JupyterLab, a provider, and browsers that know Jupyter's token."""

    server: JupyterServer
    chromium: Browser
    provider: PracticeServer
    app: str = "lab"
    contexts: list[BrowserContext] = field(default_factory=list)

    def browser(self, **options: Any) -> Page:
        """A page of a new browser that is logged in to Jupyter, and shows nothing yet."""
        page = self.stranger(**options)
        page.goto(f"{self.server.url}api/status?token={self.server.token}")
        return page

    def stranger(self, **options: Any) -> Page:
        """A page of a new browser that has never been here."""
        size = {"width": 1100, "height": 700}
        context = self.chromium.new_context(**{"viewport": size, **options})
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        return context.new_page()

    def open(self, name: str, *cells: str, page: Page | None = None) -> NotebookPage:
        """Opens a notebook; with `cells` it is written first."""
        path = self.server.work / name
        if cells:
            write_notebook(path, *cells)
        page = page or self.browser()
        where = "lab/tree" if self.app == "lab" else "notebooks"
        page.goto(f"{self.server.url}{where}/{quote(name)}" + ("?reset" * (self.app == "lab")))
        # a page shows an idle kernel before it has one
        self.server.wait_for(lambda: self._kernel_answers(name), "the kernel does not start", 60)
        notebook = NotebookPage(page, path)
        notebook.wait_until_ready()
        return notebook

    def _kernel_answers(self, name: str) -> bool:
        kernels = [
            one["kernel"]
            for one in self.server.jupyter("GET", "api/sessions").json()
            if one["path"] == name
        ]
        return any(one["execution_state"] == "idle" and one["connections"] for one in kernels)

    def new_connection(self, client: str = "training", name: str | None = None) -> str:
        """A connection for which nobody has signed in yet; returns its name."""
        name = name or f"sales{next(_numbers)}"
        with closing(self.broker()) as broker:
            broker.add_connection(ConnectionDraft(name=name, client=client))
        return name

    def add_client(self, name: str = "training", **draft: Any) -> None:
        """Registers an OAuth client; by default a public one that may come back to any port."""
        usual: dict[str, Any] = {
            "provider": "practice",
            "client_id": "notebook",
            "issuer": self.provider.issuer,
            "loopback_port": "any",
        }
        with closing(self.broker()) as broker:
            broker.add_client(ClientDraft(name=name, **{**usual, **draft}))

    def status(self, connection: str) -> Status:
        with closing(self.broker()) as broker:
            status = broker.connection(connection).status
        assert status is not None
        return status

    def broker(self) -> LocalBroker:
        """The same store, opened beside the server, as a program of the same user may."""
        return LocalBroker(Settings(), self.server.home)

    def close_browsers(self) -> None:
        while self.contexts:
            self.contexts.pop().close()


@pytest.fixture(scope="module")
def provider() -> Iterator[PracticeServer]:
    # cookies ignore ports: with one host name a cross-site fault would not show
    with PracticeServer(host="localhost") as server:
        yield server


@pytest.fixture(scope="module")
def start_lab(
    chromium: Browser,
    provider: PracticeServer,
    share: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Lab]]:
    """Starts a server; arguments are those of `jupyter_server`."""
    with ExitStack() as ends:

        def start(*, app: str = "lab", environ: dict[str, str] | None = None, **more: Any) -> Lab:
            folder = tmp_path_factory.mktemp("jupyter")
            environ = {
                "JUPYTER_PATH": str(share),
                "JUPYTER_OAUTHCONN_PRACTICE_URL": provider.issuer,
                **(environ or {}),
            }
            _write_settings(folder)
            server = ends.enter_context(jupyter_server(folder, app=app, environ=environ, **more))
            lab = Lab(server, chromium, provider, app)
            ends.callback(lab.close_browsers)
            return lab

        yield start


@pytest.fixture(scope="module")
def running_lab(start_lab: Callable[..., Lab]) -> Lab:
    """With the OAuth client `training`."""
    lab = start_lab()
    lab.add_client()
    return lab


@pytest.fixture
def lab(running_lab: Lab) -> Iterator[Lab]:
    """The module's server; its provider is as at the start, and the test's browsers end."""
    running_lab.provider.provider.reset()
    yield running_lab
    running_lab.close_browsers()
    for session in running_lab.server.jupyter("GET", "api/sessions").json():
        running_lab.server.jupyter("DELETE", f"api/sessions/{session['id']}")


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., None]:
    """Saves what a notebook or another page shows; those of the README are made again by

    OAUTHCONN_PICTURES=pictures pytest tests/lab/test_tutorial.py
    """
    folder = Path(os.environ.get("OAUTHCONN_PICTURES", tmp_path))

    def save(page: Page, name: str, first: Locator, around: Locator, *, margin: int = 0) -> None:
        """`first` is scrolled to the top; what is saved is `around`, with a margin in pixels."""
        folder.mkdir(parents=True, exist_ok=True)
        first.evaluate("node => node.scrollIntoView({block: 'start'})")
        page.mouse.move(0, 0)  # nothing lights up
        box = around.bounding_box()
        assert box is not None
        clip = FloatRect(
            x=box["x"] - margin,
            y=box["y"] - margin,
            width=box["width"] + 2 * margin,
            height=box["height"] + 2 * margin,
        )
        page.screenshot(path=folder / f"{name}.png", clip=clip)

    return save


def _write_settings(folder: Path) -> None:
    for name, values in SETTINGS.items():
        path = folder / "config/lab/user-settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
