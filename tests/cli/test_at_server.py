"""Commands in a terminal of a Jupyter server that keeps the tokens."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from jupyter_oauthconn.demo import PracticeServer

from ..broker.desk import Person
from ..jupyter import JupyterServer, jupyter_server
from .conftest import Terminal
from .test_sign_in import Waiting


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with jupyter_server(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture
def at_server(
    run: Terminal,
    jupyter: JupyterServer,
    practice: PracticeServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Terminal]:
    """With the connection `sales`, which nobody has signed in for."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(jupyter.runtime))
    monkeypatch.setenv("JUPYTER_OAUTHCONN_URL", jupyter.mount)
    monkeypatch.setenv("JUPYTER_OAUTHCONN_CREDENTIAL_FILE", str(jupyter.service_file))
    run.ok(
        *("clients", "add", "warehouse", "--provider", "practice", "--client-id", "notebook"),
        *("--issuer", practice.issuer, "--loopback-port", "any"),
    )
    run.ok("connections", "add", "sales", "--client", "warehouse")
    yield run
    run.ok("clients", "rm", "warehouse", "--force")


def test_auth_uses_the_pages_of_the_server(at_server: Terminal, jupyter: JupyterServer) -> None:
    waiting = Waiting("sales")
    assert waiting.address == f"{jupyter.mount}connect/sales"
    person = Person(jupyter)
    question = person.press(person.open(waiting.address))
    person.press(question, {"account": "analyst@example.com"}, "allow")
    person.close()
    assert waiting.end() == 0, waiting.seen
    assert "authenticated as analyst@example.com" in waiting.seen
    assert at_server.ok("token", "sales").out.strip()


def test_an_interrupt_leaves_the_sign_in_to_those_who_wait_for_it_too(at_server: Terminal) -> None:
    """The page is the server's: a notebook may wait for the same sign-in."""
    waiting = Waiting("sales")
    waiting.process.send_signal(signal.SIGINT)
    assert waiting.end() == 1
    assert at_server.ok("status", "--json").json[0]["status"] == "pending"


def test_the_robot_says_that_it_has_no_session(at_server: Terminal) -> None:
    answer = at_server("auth", "sales")  # interaction=practice
    assert answer.code == 1
    assert "cannot sign in at a Jupyter server's page" in answer.err
    assert "JUPYTER_OAUTHCONN_URL" in answer.err


def test_the_doctor_of_a_server(
    at_server: Terminal, jupyter: JupyterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = at_server("doctor")
    assert f"{jupyter.mount} answers; JUPYTER_OAUTHCONN_URL names it" in answer.out
    assert "server extension: It is enabled: it answers." in answer.out
    assert f"warehouse: redirect URIs: A sign-in comes back to {jupyter.mount}." in answer.out
    assert "JUPYTER_OAUTHCONN_INTERACTION" not in answer.out  # of this command, not of the server
    assert "\nSETTING" in answer.out
    assert "Of this command" not in answer.out
    with monkeypatch.context() as elsewhere:
        elsewhere.delenv("JUPYTER_OAUTHCONN_URL")
        chosen = at_server("--service", jupyter.url, "doctor", "--json").json[0]
    assert chosen["outcome"] == "ok"
    assert "chosen by its address" in chosen["detail"]


def test_the_doctor_tells_of_another_version(
    at_server: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_oauthconn.kernel.doctor.version", lambda _: "99.0.0")
    checks = {one["check"]: one for one in at_server("doctor", "--json").json}
    assert checks["versions"]["outcome"] == "unknown"
    assert "99.0.0" in checks["versions"]["detail"]
    assert "pip install jupyter-oauthconn==" in checks["versions"]["next_step"]


def test_purge_stays_away_from_a_running_server(
    at_server: Terminal, jupyter: JupyterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as outside:
        outside.delenv("JUPYTER_OAUTHCONN_URL")
        outside.setenv("JUPYTER_OAUTHCONN_HOME", str(jupyter.home))
        answer = at_server("purge", "--yes")
    assert answer.code == 1
    assert f"The Jupyter server at {jupyter.mount}" in answer.err
    assert "jupyter server stop" in answer.err
    assert (jupyter.home / "keys.json").exists()


def test_what_administrators_do_works_at_a_server_too(at_server: Terminal) -> None:
    """Where the owner is the administrator."""
    assert at_server.ok("grants", "list", "--json").json == []
    (line,) = at_server.ok("settings", "set", "refresh_margin", "60", "--json").json
    assert line["value"] == "60"
    (line,) = at_server.ok("settings", "unset", "refresh_margin", "--json").json
    assert line["value"] == "300"
    assert "To: " in at_server.ok("clients", "request", "snowflake").out
    text = at_server.ok("clients", "export").out
    assert "[connections.sales]" in text
    assert "Nothing to do" in at_server.ok("clients", "import", "-", stdin=text).out
    changed = text.replace("[connections.sales]", '[connections.sales]\nlogin_hint = "a@b.example"')
    at_server.ok("clients", "import", "-", stdin=changed)
    assert at_server.ok("connections", "--json").json[0]["login_hint"] == "a@b.example"
    answer = at_server("clients", "rm", "warehouse")
    assert "(sales of " in answer.err
    answer = at_server.ok("clients", "edit", "warehouse", "--client-id", "x", "--dry-run")
    assert answer.out == "No sign-in would have to be repeated.\n"
