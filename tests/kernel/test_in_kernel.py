"""Cells of a real ipykernel: display and its replacement, interrupts, no input, no secrets."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fake_broker import MARKER

if TYPE_CHECKING:
    from conftest import Kernel

CARD = "application/vnd.jupyter-oauthconn.authorization+json"
WAITING = ["oc.connect('fresh')", "await oc.Connection('fresh').atoken()"]


def outputs(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one["content"] for one in messages if one["msg_type"] == kind]


def interrupt(kernel: Kernel, how: str) -> None:
    """As a signal, or as the message that front ends may send instead."""
    if how == "signal":
        kernel.manager.interrupt_kernel()
    else:
        client = kernel.client
        client.control_channel.send(client.session.msg("interrupt_request", content={}))


def test_one_display_that_is_replaced(kernel: Kernel) -> None:
    request = kernel.start("conn = oc.connect('fresh')", allow_stdin=True)
    shown = kernel.until(request, "display_data")["content"]
    kernel.run_aside("broker.sign_in('fresh')")
    messages, reply = kernel.finish(request)
    assert reply["status"] == "ok"

    assert set(shown["data"]) == {CARD, "text/html", "text/plain"}
    assert shown["data"][CARD]["connection"] == "fresh"
    assert 'rel="noopener noreferrer"' in shown["data"]["text/html"]
    (update,) = outputs(messages, "update_display_data")
    assert update["transient"] == shown["transient"]
    assert update["data"] == {
        "text/html": "<p><em>fresh</em>: authenticated as you@example.com</p>",
        "text/plain": "fresh: authenticated as you@example.com",
    }
    assert update["metadata"] == {}
    assert outputs(messages, "display_data") == []


@pytest.mark.parametrize("code", WAITING)
@pytest.mark.parametrize("how", ["signal", "message"])
def test_interrupting_ends_the_wait_within_a_second(kernel: Kernel, code: str, how: str) -> None:
    request = kernel.start(code, allow_stdin=True)
    kernel.until(request, "display_data")
    kernel.run_aside("", until="'authorization' in broker.calls")  # well into the wait
    began = time.monotonic()
    interrupt(kernel, how)
    messages, reply = kernel.finish(request)
    assert time.monotonic() - began < 1
    assert reply["status"] == "error"
    (error,) = outputs(messages, "error")
    assert error["traceback"] == [
        "fresh: stopped waiting. The sign-in is still open; run the same line to go on."
    ]
    # the sign-in is still open, and the next cell goes on with it
    _, later = kernel.run("before = broker.pending('fresh'); assert before is not None")
    assert later["status"] == "ok"
    request = kernel.start("oc.connect('fresh')", allow_stdin=True)
    kernel.until(request, "display_data")
    kernel.run_aside("broker.sign_in('fresh')")
    _, reply = kernel.finish(request)
    assert reply["status"] == "ok"
    _, reply = kernel.run("assert broker.authorization(before.id).identity")
    assert reply["status"] == "ok"


@pytest.mark.parametrize("code", ["%connect fresh", *WAITING])
def test_without_input_a_cell_fails_at_once_and_shows_no_link(kernel: Kernel, code: str) -> None:
    began = time.monotonic()
    messages, reply = kernel.run(code, allow_stdin=False)
    assert time.monotonic() - began < 1
    assert (reply["status"], reply["ename"]) == ("error", "ConsentRequiredError")
    assert outputs(messages, "display_data") == []
    (error,) = outputs(messages, "error")
    assert len(error["traceback"]) == 2  # the sentence and its hint
    assert "'fresh'" in error["traceback"][0]
    assert "%connect auth fresh" in error["traceback"][1]
    # nothing was started, and nothing was waited for
    _, reply = kernel.run("assert broker.pending('fresh') is None")
    assert reply["status"] == "ok"
    _, reply = kernel.run("assert 'authorization' not in broker.calls")
    assert reply["status"] == "ok"


def test_async_display_belongs_to_its_cell(kernel: Kernel) -> None:
    request = kernel.start("token = await oc.Connection('fresh').atoken()", allow_stdin=True)
    kernel.until(request, "display_data")
    kernel.run_aside("broker.sign_in('fresh')")
    messages, reply = kernel.finish(request)
    assert reply["status"] == "ok"
    assert len(outputs(messages, "update_display_data")) == 1


def test_two_threads_one_display(kernel: Kernel) -> None:
    request = kernel.start(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    found = list(pool.map(lambda _: oc.connect('fresh').name, range(4)))\n"
        "print(found)",
        allow_stdin=True,
    )
    kernel.until(request, "display_data")
    kernel.run_aside("", until="broker.calls.count('authorization') == 4")
    kernel.run_aside("broker.sign_in('fresh')")
    messages, reply = kernel.finish(request)
    assert reply["status"] == "ok"
    assert outputs(messages, "display_data") == []
    assert len(outputs(messages, "update_display_data")) == 1


def test_paste_is_asked_without_echo(kernel: Kernel) -> None:
    request = kernel.start("%connect auth fresh --flow paste", allow_stdin=True)
    shown = kernel.until(request, "display_data")["content"]
    asked = kernel.answer("http://127.0.0.1:8888/oauthconn/callback/app?code=pasted-code")
    messages, reply = kernel.finish(request)
    assert asked["password"] is True
    assert reply["status"] == "ok"
    assert "Never send that address to anybody" in shown["data"]["text/plain"]
    assert "pasted-code" not in json.dumps([one["content"] for one in messages])


def test_another_account_is_asked_about(kernel: Kernel) -> None:
    kernel.run("broker.sign_in('sales')")
    code = "oc.authenticate('sales', again=True, flow='device')"
    request = kernel.start(code, allow_stdin=True)
    kernel.until(request, "display_data")
    kernel.run_aside("broker.come_back_as('sales', 'guest@example.com')")
    asked = kernel.answer("y")
    messages, reply = kernel.finish(request)
    assert asked["password"] is False
    assert "guest@example.com" in asked["prompt"]
    assert reply["status"] == "ok"
    (update,) = outputs(messages, "update_display_data")
    assert update["data"]["text/plain"] == "sales: authenticated as guest@example.com"


@pytest.mark.parametrize("how", ["signal", "message"])
def test_interrupting_works_while_the_page_asks(kernel: Kernel, how: str) -> None:
    """Another account came back, and its page waits for an answer: the cell asks nothing."""
    kernel.run("broker.sign_in('sales')")
    request = kernel.start("oc.authenticate('sales', again=True)", allow_stdin=True)
    kernel.until(request, "display_data")
    # the second question is put while the page asks
    asked_twice = "broker.calls.count('authorization') > 1"
    kernel.run_aside("broker.come_back_as('sales', 'guest@example.com')", until=asked_twice)
    began = time.monotonic()
    interrupt(kernel, how)
    messages, _ = kernel.finish(request)
    assert time.monotonic() - began < 1
    (error,) = outputs(messages, "error")
    assert error["traceback"][0].startswith("sales: stopped waiting.")
    assert not kernel.client.stdin_channel.msg_ready()


def test_nothing_that_is_saved_holds_the_token(kernel: Kernel) -> None:
    messages, _ = kernel.run("broker.sign_in('sales')")
    for code in (
        "%connect sales as conn",
        "conn",
        "conn.token()",
        "conn.headers()",
        "[conn.token(), {'h': conn.headers()}]",
        "print(conn.token(), conn.headers())",
        "conn.session().auth, conn.httpx().auth",
        "vars(oc.connect('sales')) if hasattr(conn, '__dict__') else dir(conn)",
        "oc.connections()",
        "%xmode Verbose",
        "def f():\n    token, headers, c = conn.token(), conn.headers(), conn\n    1 / 0\nf()",
        "f'{conn.token()}'",
        "%xmode Context",
        "%whos",
    ):
        found, _ = kernel.run(code)
        messages += found
    saved = json.dumps([one["content"] for one in messages])
    assert "ZeroDivisionError" in saved
    assert "********" in saved
    assert MARKER not in saved


def test_the_history_keeps_lines_without_secrets(kernel: Kernel, running_home: Path) -> None:
    kernel.run("%connect add late --client app")
    request = kernel.start(
        "%oauthclient register typed --provider acme --client-id i", allow_stdin=True
    )
    kernel.answer("hunter2-typed-in")
    _, reply = kernel.finish(request)
    assert reply["status"] == "ok", reply
    _, reply = kernel.run("assert broker.secrets['typed'].reveal() == 'hunter2-' + 'typed-in'")
    assert reply["status"] == "ok", reply
    kernel.run("get_ipython().history_manager.writeout_cache()")
    (file,) = running_home.rglob("history.sqlite")
    with sqlite3.connect(file) as database:
        lines = "\n".join(row[0] for row in database.execute("SELECT source_raw FROM history"))
    database.close()
    assert "%oauthclient register typed" in lines
    assert "hunter2-typed-in" not in lines
    assert MARKER not in lines


def test_removing_what_is_used_asks_for_its_name(kernel: Kernel) -> None:
    _, reply = kernel.run("%oauthclient rm app", allow_stdin=False)
    assert (reply["status"], reply["ename"]) == ("error", "InUseError")
    for typed, left in (("yes", "app"), ("app", "")):
        request = kernel.start("%oauthclient rm app", allow_stdin=True)
        asked = kernel.answer(typed)
        messages, reply = kernel.finish(request)
        assert reply["status"] == "ok", reply
        assert "Type app to go on" in asked["prompt"]
        assert asked["password"] is False
        shown = "".join(one["text"] for one in outputs(messages, "stream"))
        assert "fresh       you    0" in shown
        assert shown.endswith("app: kept\n" if left else "app: removed\n")
        _, reply = kernel.run(f"assert ''.join(c.name for c in broker.clients()) == {left!r}")
        assert reply["status"] == "ok", reply
