"""Every token, code, secret and verifier carries a marker, as in tests/test_canary.py; afterwards
it is searched for in all that a server, its kernels, its browser and a saved notebook keep."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page, Response, expect

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import AuthMethod

from ..test_canary import MARKER, SITECUSTOMIZE, leaks
from .conftest import Lab
from .sign_in_tab import ANALYST, heading, press

CELLS = (
    """
import logging, os, sys
logging.basicConfig(level=logging.DEBUG, filename="kernel.log")
%load_ext jupyter_oauthconn
import jupyter_oauthconn as oc
import ipywidgets
ipywidgets.IntSlider()
""",
    "conn = %connect sales",
    """
marker = open(os.environ["MARKER_FILE"]).read()
assert conn.token().reveal().startswith(marker), "the canary would find nothing"
del marker
""",
    """
%xmode Verbose
def fails(token, headers):
    copy = token
    return 1 / 0
fails(conn.token(), conn.headers())
""",
    "%connect auth sales --again",
    "conn.token(), conn.headers(), oc.events(), oc.clients()",
    "%connect doctor sales",
    """
open("kernel-environment", "wb").write(
    open("/proc/self/environ", "rb").read() + open("/proc/self/cmdline", "rb").read()
    + repr(dict(os.environ)).encode() + repr(sys.argv).encode())
""",
)


@pytest.fixture(scope="module")
def provider() -> Iterator[PracticeServer]:
    with PracticeServer(host="localhost", marker=MARKER) as server:
        yield server


class Watched:
    """What one browser keeps or shows of our origin: history, pages, answers, storage."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._origin = lab.server.url.rstrip("/")
        self._folder = folder
        self._history: list[str] = []
        self._bodies: list[bytes] = []

    def watch(self, page: Page) -> None:
        page.on("framenavigated", self._navigated)
        page.on("response", self._answered)

    def _navigated(self, frame: Frame) -> None:
        # the provider's own page has the state in its address, as OAuth has it
        if frame.url.startswith(self._origin):
            self._history.append(frame.url)

    def _answered(self, answer: Response) -> None:
        ours = answer.url.startswith(f"{self._origin}/oauthconn/")
        if ours and answer.status not in {302, 303, 204}:
            self._bodies.append(answer.body())

    def write(self, page: Page) -> None:
        state = page.context.storage_state()
        del state["cookies"]  # the flow cookie is a secret, and a cookie is its place
        self._folder.mkdir()
        (self._folder / "history").write_text("\n".join(self._history))
        (self._folder / "answers").write_bytes(b"\n".join(self._bodies))
        (self._folder / "storage").write_text(json.dumps(state))
        assert any("/oauthconn/" in url for url in self._history)
        assert any(b"Authenticated" in body for body in self._bodies)


def start_marked_lab(start_lab: Callable[..., Lab], private: Path) -> Lab:
    (private / "sitecustomize.py").write_text(SITECUSTOMIZE)
    (private / "marker").write_text(MARKER)
    lab = start_lab(environ={"PYTHONPATH": str(private), "MARKER_FILE": str(private / "marker")})
    secret = lab.provider.provider.confidential_secret
    lab.add_client(
        "secretive",
        client_id="confidential-notebook",
        client_secret=secret,
        auth_method=AuthMethod.CLIENT_SECRET_BASIC,
    )
    return lab


def test_sec_51_53_54_no_secret_stays_where_a_server_and_a_browser_keep_things(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = start_marked_lab(start_lab, tmp_path)
    lab.new_connection("secretive", "sales")
    credential = json.loads(lab.server.service_file.read_text())["credential"]
    assert credential.startswith(MARKER)
    page = lab.browser()
    watched = Watched(lab, lab.server.folder / "browser")
    page.context.on("page", watched.watch)
    watched.watch(page)
    notebook = lab.open("canary.ipynb", *CELLS, page=page)
    notebook.run(0)
    notebook.start(1)
    expect(notebook.card(1)).to_be_visible()
    identifier = _pending_id(lab)
    tab = notebook.open_tab(1)
    press(tab, "confidential-notebook")
    tab.get_by_role("button", name="Allow").click()
    heading(tab, "Authenticated")
    expect(notebook.wait(1)).to_contain_text(ANALYST)
    expect(notebook.run(2)).not_to_contain_text("AssertionError")
    expect(notebook.run(3)).to_contain_text("ZeroDivisionError")
    _send_a_wrong_answer(tab, lab)
    notebook.start(4)
    _refuse(notebook.open_tab(4))
    notebook.wait(4)
    for cell in (5, 6, 7):
        notebook.run(cell)
    saved = notebook.save()
    _told_nothing_of_the_sign_in(saved, lab, identifier)
    watched.write(page)
    environment = Path(f"/proc/{lab.server.process.pid}/environ").read_bytes()
    (lab.server.folder / "server-environment").write_bytes(environment)

    assert lab.server.stop() == 0
    assert not lab.server.service_file.exists()
    files = [path for path in lab.server.folder.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"server.log", "kernel.log", "canary.ipynb", "kernel-environment"} <= names
    assert {"history.sqlite", "oauthconn.db", "history", "answers", "storage"} <= names
    assert "/oauthconn/callback/secretive?" in lab.server.log, "its log has no callback in it"
    assert _history_lines(lab) >= len(CELLS)
    assert leaks(files) == []


def _pending_id(lab: Lab) -> str:
    """Joins the sign-in that a cell waits for."""
    path = "api/v1/connections/sales/authorizations"
    joined = lab.server.request("POST", path, lab.server.token_headers, {})
    assert joined.status == 201, joined.text
    return str(joined.json()["id"])


def _send_a_wrong_answer(tab: Page, lab: Lab) -> None:
    """An answer that belongs to no sign-in, to a browser that is logged in and to one that is
    not: its code must not come into a log by way of Jupyter's login page."""
    wrong = f"{lab.server.mount}callback/secretive?code={MARKER}&state={MARKER}"
    for shown in (tab.context.new_page(), lab.stranger()):
        shown.goto(wrong)
        assert MARKER not in shown.url
        assert MARKER not in shown.content()
        shown.close()


def _refuse(tab: Page) -> None:
    press(tab, "confidential-notebook")
    tab.get_by_role("button", name="Deny").click()
    heading(tab, "Nothing was changed")


def _told_nothing_of_the_sign_in(saved: dict[str, Any], lab: Lab, identifier: str) -> None:
    """A saved notebook tells neither which sign-in it was, nor where, nor when."""
    assert saved["metadata"]["widgets"], "no widget state was saved, so none was searched"
    cells = json.dumps([cell["outputs"] for cell in saved["cells"][:2]])
    kept = cells + json.dumps(saved["metadata"])
    port = lab.server.url.rstrip("/").rpartition(":")[2]
    for one in (identifier, "127.0.0.1", "localhost", port, "/oauthconn/", "expires"):
        assert one not in kept, one
    assert re.search(r"20\d\d-\d\d-\d\d", kept) is None
    assert f"sales: authenticated as {ANALYST}" in cells


def _history_lines(lab: Lab) -> int:
    path = next(lab.server.folder.glob("ipython/**/history.sqlite"))
    with sqlite3.connect(path) as history:
        count: int = history.execute("select count(*) from history").fetchone()[0]
    history.close()
    return count
