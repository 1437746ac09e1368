"""Kernels that a real Jupyter server has started, with its token service and a person's browser."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

import jupyter_oauthconn as oc
from jupyter_oauthconn import wire
from jupyter_oauthconn.broker.choice import choose
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import Authorization

from ..broker.desk import Person
from ..jupyter import JupyterServer, jupyter_server
from .conftest import ASIDE, Kernel

BASE = "/my%20base/"
CARD = "application/vnd.jupyter-oauthconn.authorization+json"
SETUP = f"""{ASIDE}
%load_ext jupyter_oauthconn
import jupyter_oauthconn as oc
import http.client
sent = []
putrequest = http.client.HTTPConnection.putrequest
def counting(self, method, url, *rest, **options):
    sent.append(method + " " + url.partition('?')[0].rpartition('/')[2])
    return putrequest(self, method, url, *rest, **options)
http.client.HTTPConnection.putrequest = counting
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[PracticeServer]:
    with PracticeServer(host="localhost") as server:
        # native apps register paths; one of these has a base URL before it
        addresses = [f"http://127.0.0.1{path}oauthconn/callback/*" for path in ("/", BASE)]
        server.provider.register("notebook", addresses, any_loopback_port=True)
        yield server


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, provider: PracticeServer
) -> Iterator[JupyterServer]:
    """Below a base URL; with the OAuth client `practice`."""
    folder = tmp_path_factory.mktemp("jupyter")
    with jupyter_server(folder, base_url=BASE) as running:
        client = {
            "name": "practice",
            "provider": "practice",
            "client_id": "notebook",
            "issuer": provider.issuer,
            "loopback_port": "any",
        }
        made = running.request("POST", "api/v1/clients", running.kernel_headers, client)
        assert made.status < 300, made.text
        yield running


@pytest.fixture
def name(server: JupyterServer, provider: PracticeServer) -> Iterator[str]:
    """A connection that nobody has signed in for."""
    provider.provider.reset()
    body = {"name": "sales", "client": "practice"}
    made = server.request("POST", "api/v1/connections", server.kernel_headers, body)
    assert made.status < 300, made.text
    yield "sales"
    server.request("DELETE", "api/v1/connections/sales", server.kernel_headers)


@pytest.fixture
def person(server: JupyterServer) -> Iterator[Person]:
    made = Person(server)
    yield made
    made.close()


class ServedKernel(Kernel):
    """A kernel of a notebook that is open at a server."""

    def __init__(self, server: JupyterServer) -> None:
        body = {"path": "a.ipynb", "name": "a", "type": "notebook", "kernel": {"name": "python3"}}
        session = server.jupyter("POST", "api/sessions", body)
        assert session.status == 201, session.text
        self._server, self._session = server, session.json()
        self.id = self._session["kernel"]["id"]
        client = BlockingKernelClient(
            connection_file=str(server.runtime / f"kernel-{self.id}.json")
        )
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        super().__init__(client, None)

    def interrupt(self) -> None:
        answer = self._server.jupyter("POST", f"api/kernels/{self.id}/interrupt")
        assert answer.status == 204

    def told(self, expression: str) -> Any:
        """The value of an expression, by way of JSON."""
        messages, reply = self.run(f"import json; print(json.dumps({expression}))")
        assert reply["status"] == "ok", reply
        text = "".join(one["content"]["text"] for one in messages if one["msg_type"] == "stream")
        return json.loads(text)

    def close(self) -> None:
        self.client.stop_channels()
        self._server.jupyter("DELETE", f"api/sessions/{self._session['id']}")


@pytest.fixture(scope="module")
def served(server: JupyterServer) -> Iterator[ServedKernel]:
    kernel = ServedKernel(server)
    _, reply = kernel.run(SETUP)
    assert reply["status"] == "ok", reply
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(served: ServedKernel, name: str) -> ServedKernel:
    """A kernel that has asked for nothing yet."""
    served.drain()
    _, reply = served.run(
        "from jupyter_oauthconn.kernel import current; current.place().tokens.forget('sales'); "
        "sent.clear()"
    )
    assert reply["status"] == "ok", reply
    return served


def authorization(server: JupyterServer, id: str) -> Authorization:
    answer = server.request("GET", f"api/v1/authorizations/{id}", server.kernel_headers)
    return wire.read_authorization(answer.json())


def pending_of(server: JupyterServer, shown: dict[str, Any]) -> Authorization:
    """The sign-in whose card is shown."""
    return authorization(server, shown["data"][CARD]["id"])


def outputs(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one["content"] for one in messages if one["msg_type"] == kind]


def test_the_cell_goes_on_and_asks_three_times(
    kernel: ServedKernel, server: JupyterServer, person: Person
) -> None:
    request = kernel.start("conn = oc.connect('sales')", allow_stdin=True)
    shown = kernel.until(request, "display_data")["content"]
    person(pending_of(server, shown))
    messages, reply = kernel.finish(request)
    assert reply["status"] == "ok", reply

    # root-relative: the page's own origin, whatever the browser calls it
    assert 'href="/my%20base/oauthconn/connect/sales"' in shown["data"]["text/html"]
    assert shown["data"]["text/plain"] == f"sales: sign in at {server.mount}connect/sales"
    (update,) = outputs(messages, "update_display_data")
    assert update["transient"] == shown["transient"]
    assert update["data"] == {
        "text/html": "<p><em>sales</em>: authenticated as analyst@example.com</p>",
        "text/plain": "sales: authenticated as analyst@example.com",
    }

    id = shown["data"][CARD]["id"]
    assert kernel.told("sent") == ["POST token", f"GET {id}", "POST token"]
    kernel.run("sent.clear(); conn.token(); conn.headers()")
    assert kernel.told("sent") == []
    kernel.run("current.place().tokens.forget('sales'); conn.token()")
    assert kernel.told("sent") == ["POST token"]
    kernel.run("sent.clear(); conn.token(rejected=conn.token())")
    assert kernel.told("sent") == ["POST token"]


def test_async_the_cell_goes_on_and_asks_three_times(
    kernel: ServedKernel, server: JupyterServer, person: Person
) -> None:
    request = kernel.start("token = await oc.Connection('sales').atoken()", allow_stdin=True)
    shown = kernel.until(request, "display_data")["content"]
    time.sleep(1)  # a wait that looked at short intervals would have asked more than once
    person(pending_of(server, shown))
    messages, reply = kernel.finish(request)
    assert reply["status"] == "ok", reply
    assert len(outputs(messages, "update_display_data")) == 1
    assert [one.partition(" ")[0] for one in kernel.told("sent")] == ["POST", "GET", "POST"]


def test_each_further_question_is_one_request(
    kernel: ServedKernel, server: JupyterServer, person: Person
) -> None:
    """Every 20 seconds; here every second."""
    polling = "from datetime import timedelta; from jupyter_oauthconn.kernel.sign_in import polling"
    kernel.run(f"{polling}; polling._QUESTION = timedelta(seconds=1)")
    try:
        began = time.monotonic()
        request = kernel.start("conn = oc.connect('sales')", allow_stdin=True)
        shown = kernel.until(request, "display_data")["content"]
        kernel.run_aside("", until="sum(one.startswith('GET') for one in sent) == 3")
        person(pending_of(server, shown))
        _, reply = kernel.finish(request)
        assert reply["status"] == "ok", reply
        first, *questions, last = (one.partition(" ")[0] for one in kernel.told("sent"))
        assert (first, set(questions), last) == ("POST", {"GET"}, "POST")
        assert 3 <= len(questions) <= time.monotonic() - began + 1
    finally:
        kernel.run("polling._QUESTION = timedelta(seconds=20)")


@pytest.mark.parametrize(
    "code", ["oc.connect('sales')", "await oc.Connection('sales').atoken()", "%connect sales"]
)
def test_interrupting_ends_the_wait_within_a_second(
    kernel: ServedKernel, server: JupyterServer, person: Person, code: str
) -> None:
    request = kernel.start(code, allow_stdin=True)
    shown = kernel.until(request, "display_data")["content"]
    # the long poll is sent, and has come where its answer is waited for
    kernel.run_aside("", until=f"'GET {shown['data'][CARD]['id']}' in sent")
    time.sleep(0.2)
    began = time.monotonic()
    kernel.interrupt()
    messages, reply = kernel.finish(request)
    assert time.monotonic() - began < 1
    (error,) = outputs(messages, "error")
    assert error["traceback"] == [
        "sales: stopped waiting. The sign-in is still open; run the same line to go on."
    ]
    # the next cell joins the sign-in, also over the connection that was interrupted
    request = kernel.start("oc.connect('sales')", allow_stdin=True)
    again = kernel.until(request, "display_data")["content"]
    assert again["data"][CARD]["id"] == shown["data"][CARD]["id"]
    person(pending_of(server, again))
    _, reply = kernel.finish(request)
    assert reply["status"] == "ok", reply


def test_another_account_is_asked_about_on_the_page(
    kernel: ServedKernel, server: JupyterServer, person: Person
) -> None:
    """The cell goes on when the page's button is pressed, and asks nothing itself."""
    request = kernel.start("conn = oc.connect('sales')", allow_stdin=True)
    person(pending_of(server, kernel.until(request, "display_data")["content"]))
    kernel.finish(request)
    request = kernel.start("oc.authenticate('sales', again=True)", allow_stdin=True)
    pending = pending_of(server, kernel.until(request, "display_data")["content"])
    page = person(pending, account="guest@example.com")
    assert "analyst@example.com" in page
    time.sleep(1.5)
    assert not kernel.client.stdin_channel.msg_ready()
    assert authorization(server, str(pending.id)).confirm
    assert pending.public_url is not None
    person.press(person.open(pending.public_url), value="replace")
    messages, reply = kernel.finish(request)
    assert reply["status"] == "ok", reply
    (update,) = outputs(messages, "update_display_data")
    assert update["data"]["text/plain"] == "sales: authenticated as guest@example.com"


@pytest.mark.parametrize("flow", ["loopback", "paste", "device"])
def test_flows_that_a_server_does_not_have(kernel: ServedKernel, flow: str) -> None:
    messages, reply = kernel.run(f"%connect auth sales --flow {flow}", allow_stdin=True)
    assert reply["status"] == "error"
    (error,) = outputs(messages, "error")
    assert len(error["traceback"]) == 2, error["traceback"]
    assert outputs(messages, "display_data") == []


def test_the_robot_says_why_it_cannot(kernel: ServedKernel) -> None:
    kernel.run("%env JUPYTER_OAUTHCONN_INTERACTION=practice")
    try:
        messages, _ = kernel.run("oc.connect('sales')")
    finally:
        kernel.run("%env JUPYTER_OAUTHCONN_INTERACTION=auto")
    (error,) = outputs(messages, "error")
    sentence, hint = error["traceback"]
    assert "cannot sign in at a Jupyter server's page" in sentence
    assert "JUPYTER_OAUTHCONN_URL" in hint


def test_the_doctor_in_a_kernel(kernel: ServedKernel, server: JupyterServer) -> None:
    found = {
        one["check"]: one
        for one in kernel.told(
            "[dict(check=one.check, outcome=one.outcome, detail=one.detail, step=one.next_step) "
            "for one in oc.doctor()]"
        )
    }
    assert list(found) == [
        "service", "versions", "server extension", "lab extension", "data folder", "file system",
        "database", "key", "settings", "TLS", "practice: redirect URIs", "practice: metadata",
        "practice: PKCE", "practice: provider", "practice: clock",
        "practice: client authentication", "practice: redirect URI", "practice: refresh token",
        "practice: known trap", "sales",
    ]  # fmt: skip
    unwell = {name for name, one in found.items() if one["outcome"] != "ok"}
    # what only a sign-in shows, and a trap that is told whatever is right
    told = {"practice: redirect URI", "practice: refresh token", "practice: known trap"}
    assert unwell <= {"lab extension", "sales", *told}, found
    assert server.mount in found["service"]["detail"]
    assert "JUPYTER_OAUTHCONN_URL" in found["service"]["detail"]
    assert server.mount in found["practice: redirect URIs"]["detail"]
    messages, _ = kernel.run("%connect doctor sales")
    (result,) = outputs(messages, "execute_result")
    assert "Not authenticated" not in result["data"]["text/plain"]
    assert "%connect auth sales" in result["data"]["text/plain"]


#: What a server needs and a kernel does not.
MISSING = [
    "alembic", "authlib", "cryptography", "httpcore2", "httpx2", "ipykernel", "ipywidgets",
    "joserfc", "jupyter_server", "requests", "sqlalchemy", "tornado",
]  # fmt: skip
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({MISSING!r}))
from IPython.core.interactiveshell import InteractiveShell
import jupyter_oauthconn as oc
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_oauthconn")
for line in ("", "sales as conn", "status sales", "doctor", "test sales"):
    print(shell.run_line_magic("connect", line))
print(shell.run_line_magic("oauthclient", "list"))
conn = shell.user_ns["conn"]
assert conn.headers()["Authorization"].startswith("Bearer ")
assert oc.connect("sales").token().reveal()
before = conn.token()
assert conn.token(rejected=before).generation > before.generation
print(oc.providers(), oc.events(), oc.ensure("sales", "1h"), oc.revoke("sales"))
"""


def test_a_kernel_needs_neither_database_nor_http_library(
    name: str, server: JupyterServer, person: Person
) -> None:
    """An environment of its own, where the package was installed without its dependencies."""
    answer = server.request(
        "POST", f"api/v1/connections/{name}/authorizations", server.kernel_headers, {}
    )
    person(wire.read_authorization(answer.json()))
    environ = {
        **server.environ,
        "JUPYTER_OAUTHCONN_URL": server.mount,
        "JUPYTER_OAUTHCONN_CREDENTIAL_FILE": str(server.service_file),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT],
        env=environ, cwd=server.work, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "analyst@example.com" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_wait_survives_a_restart_of_the_server(
    tmp_path: Path, provider: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign-in outlives the server, and so does the wait, which finds the new credential."""
    provider.provider.reset()
    with jupyter_server(tmp_path / "own") as server:
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(server.runtime))
        monkeypatch.setenv("JUPYTER_OAUTHCONN_URL", server.mount)
        monkeypatch.setenv("JUPYTER_OAUTHCONN_CREDENTIAL_FILE", str(server.service_file))
        with closing(choose()) as broker, oc.use(broker):
            oc.add(
                "sales",
                provider="practice",
                client_id="notebook",
                issuer=provider.issuer,
                loopback_port="any",
            )
            pending = broker.authorize("sales")
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(lambda: oc.connect("sales", wait=True).token().generation)
                # its first request is answered, and soon the long poll is under way
                server.wait_for(
                    lambda: "connections/sales/token" in server.log, "it does not ask for a token"
                )
                time.sleep(0.5)
                server.restart()
                person = Person(server)
                person(pending)
                person.close()
                assert waiting.result(60) == 1


def test_a_server_without_the_extension_says_so(tmp_path: Path) -> None:
    """Nothing falls back silently: a page of the kernel's own might be on a machine far away."""
    config = {"ServerApp": {"jpserver_extensions": {"jupyter_oauthconn": False}}}
    with jupyter_server(tmp_path, config=config, ready=False) as server:
        server.wait_for(server._answers, "it does not answer")
        kernel = ServedKernel(server)
        try:
            kernel.run("%load_ext jupyter_oauthconn\nimport jupyter_oauthconn as oc")
            for code in ("%connect", "%connect sales", "oc.connect('sales')"):
                messages, _ = kernel.run(code, allow_stdin=True)
                (error,) = outputs(messages, "error")
                sentence, hint = error["traceback"]
                assert "runs no jupyter_oauthconn extension" in sentence
                assert "pip install jupyter-oauthconn" in hint
            messages, reply = kernel.run("%connect doctor")
            assert reply["status"] == "ok", reply
            (result,) = outputs(messages, "execute_result")
            lines = {
                line.split("  ")[0]: line for line in result["data"]["text/plain"].splitlines()
            }
            assert "failed" in lines["service"]
            assert "failed" in lines["server extension"]
            assert "jupyter server extension list" in lines["server extension"]
            assert "ok" in lines["versions"]
        finally:
            kernel.close()
