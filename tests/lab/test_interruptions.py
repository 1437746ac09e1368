"""Interrupting the wait, restarting kernel and server, several cells that want the same."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import expect

from jupyter_oauthconn.model import State

from .conftest import Lab
from .sign_in_tab import ANALYST, allow, heading, press, sign_in

LOAD = "%load_ext jupyter_oauthconn\n"


def count(lab: Lab, endpoint: str) -> int:
    return len(lab.provider.provider.requests(endpoint))


def test_interrupting_ends_the_cell_and_the_sign_in_stays_open(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = lab.open("interrupt.ipynb", f"{LOAD}%connect {name} as conn")
    notebook.start(0)
    tab = notebook.open_tab()
    press(tab)
    began = time.monotonic()
    notebook.interrupt()
    told = notebook.wait(0)
    assert time.monotonic() - began < 2
    expect(told).to_contain_text(f"{name}: stopped waiting. The sign-in is still open")
    expect(told).not_to_contain_text("Traceback")
    assert "jupyter_oauthconn/" not in told.inner_text()
    expect(notebook.card()).to_have_count(0)

    notebook.start(0)
    expect(notebook.card()).to_contain_text("Continue in the other tab")
    allow(tab)  # the tab of the first run
    heading(tab, "Authenticated")
    expect(notebook.wait(0)).to_contain_text(f"{name}: authenticated as {ANALYST}")


def test_a_restarted_kernel_needs_no_new_sign_in(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = lab.open(
        "restart.ipynb", f"{LOAD}%connect {name} as conn", "conn.token(), conn.identity"
    )
    notebook.start(0)
    sign_in(notebook.open_tab())
    notebook.wait(0)
    asked = count(lab, "authorize")
    notebook.restart()
    told = notebook.run(0)
    expect(told).not_to_contain_text("sign in")
    expect(notebook.card()).to_have_count(0)
    expect(notebook.run(1)).to_contain_text(ANALYST)
    assert count(lab, "authorize") == asked


def test_run_all_in_two_kernels_is_one_sign_in(lab: Lab) -> None:
    name = lab.new_connection()
    cells = (f"{LOAD}%connect {name} as conn", f"%connect {name}", "conn.identity")
    first, second = (lab.open(f"{one}.ipynb", *cells) for one in ("first", "second"))
    for notebook in (first, second):
        notebook.run_all()
        expect(notebook.card()).to_be_visible()
    sign_in(second.open_tab())
    for notebook in (first, second):
        expect(notebook.wait(2)).to_contain_text(ANALYST)
    assert len(lab.provider.provider.requests("token")) == 1


def test_the_server_ends_and_comes_back_during_the_wait(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab()
    lab.add_client()
    name = lab.new_connection()
    lab.provider.provider.reset()
    cell = f"{LOAD}%connect {name} as conn\nconn.identity"
    notebook = lab.open("server.ipynb", cell)
    notebook.start(0)
    tab = notebook.open_tab()
    press(tab)
    lab.server.kill()
    lab.server.start()
    allow(tab)
    heading(tab, "Authenticated")
    assert lab.status(name).state is State.CONNECTED
    later = lab.open("later.ipynb", cell)
    told = later.run(0)
    expect(told).to_contain_text(ANALYST)
    expect(later.card()).to_have_count(0)
    assert count(lab, "token") == 1
