"""Where Jupyter is: another port than registered, another base URL, Notebook 7, a terminal beside
it, no extension."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from jupyter_oauthconn.model import State

from .conftest import Lab
from .sign_in_tab import ANALYST, heading, sign_in

CELL = "%load_ext jupyter_oauthconn\n%connect {name} as conn\nprint(conn.identity)"


def test_another_port_than_registered(lab: Lab, check_page: Callable[[Page, str], None]) -> None:
    lab.add_client("fixed", loopback_port=None)
    name = lab.new_connection("fixed")
    notebook = lab.open("port.ipynb", CELL.format(name=name))
    notebook.start(0)
    tab = notebook.open_tab()
    asked = len(lab.provider.provider.requests("authorize"))
    if (button := tab.get_by_role("button", name="Authenticate")).is_visible():
        button.click()
    heading(tab, "This address is not registered")
    for told in (
        "http://localhost:8888/oauthconn/callback/fixed",
        f"{lab.server.url}oauthconn/callback/fixed",
        "8888",
    ):
        expect(tab.locator("main")).to_contain_text(told)
    expect(tab.get_by_role("listitem")).not_to_have_count(0)
    check_page(tab, "other-port")
    assert len(lab.provider.provider.requests("authorize")) == asked
    notebook.interrupt()
    notebook.wait(0)


def test_jupyter_on_127_0_0_1_and_the_provider_on_localhost(lab: Lab) -> None:
    """Two sites: `SameSite` cookies are kept back at the provider's redirect to us."""
    jupyter, provider = origin(lab.server.url), origin(lab.provider.issuer)
    assert urlsplit(jupyter).hostname == "127.0.0.1"
    assert urlsplit(provider).hostname == "localhost"
    name = lab.new_connection()
    notebook = lab.open("hosts.ipynb", CELL.format(name=name))
    assert origin(notebook.page.url) == jupyter
    notebook.start(0)
    tab = notebook.open_tab()
    visited = [origin(tab.url)]
    tab.on("framenavigated", lambda frame: visited.append(origin(frame.url)))
    sign_in(tab)
    assert visited == [jupyter, provider, jupyter]
    expect(notebook.wait(0)).to_contain_text(ANALYST)


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def test_a_base_url_with_escapes(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(base_url="/a%40b/")
    callback = f"{lab.server.url}oauthconn/callback/training"
    lab.provider.provider.register("escaped", [callback])
    lab.add_client(client_id="escaped", redirect_uris=(callback,), loopback_port=None)
    name = lab.new_connection()
    notebook = lab.open("escapes.ipynb", CELL.format(name=name))
    notebook.start(0)
    tab = notebook.open_tab()
    assert "/a%40b/oauthconn/connect/" in tab.url
    tab.get_by_role("button", name="Authenticate").click()
    tab.get_by_role("button", name="Allow").click()
    heading(tab, "Authenticated")
    assert "/a%40b/oauthconn/" in tab.url
    expect(notebook.wait(0)).to_contain_text(ANALYST)


def test_notebook_7(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(app="notebook")
    lab.add_client()
    name = lab.new_connection()
    notebook = lab.open("seven.ipynb", CELL.format(name=name))
    notebook.start(0)
    expect(notebook.card()).to_contain_text("Waiting for you")
    sign_in(notebook.open_tab())
    expect(notebook.wait(0)).to_contain_text(ANALYST)
    expect(notebook.card()).to_have_count(0)


@contextmanager
def terminal(lab: Lab, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_oauthconn", *arguments],
        # nobody types there: somebody reads what is printed
        env=lab.server.environ | {"JUPYTER_OAUTHCONN_INTERACTION": "wait"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_terminal_beside_the_server_uses_its_pages(lab: Lab) -> None:
    name = lab.new_connection()
    with terminal(lab, "auth", name, "--no-browser") as process:
        assert process.stdout is not None
        printed = ""
        while f"/connect/{name}" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        link = next(word for word in printed.split() if f"/connect/{name}" in word)
        assert link.startswith(f"{lab.server.url}oauthconn/connect/{name}")
        tab = lab.browser()
        tab.goto(link)
        sign_in(tab)
        printed += process.communicate(timeout=30)[0]
        assert process.returncode == 0, printed
    assert f"authenticated as {ANALYST}" in printed
    assert lab.status(name).state is State.CONNECTED


def test_a_server_without_the_extension_is_named_in_the_cell(
    start_lab: Callable[..., Lab],
) -> None:
    without = {"ServerApp": {"jpserver_extensions": {"jupyter_oauthconn": False}}}
    lab = start_lab(config=without, ready=False)
    lab.server.wait_for(lambda: "is running at" in lab.server.log, "JupyterLab does not start", 45)
    notebook = lab.open("without.ipynb", CELL.format(name="sales"))
    told = notebook.run(0)
    expect(told).to_contain_text("The Jupyter server that started this kernel")
    expect(told).to_contain_text("install")
    expect(told).not_to_contain_text("Traceback")
