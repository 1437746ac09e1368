"""`auth` and `token` against the practice provider, over real HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_oauthconn import wire
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.demo.provider import ACCOUNTS
from jupyter_oauthconn.kernel.practice import consent

from ..broker.desk import Person


def test_auth(run: Any, connection: str, practice: PracticeServer) -> None:
    body = run.ok("auth", connection, "--json").json
    assert wire.connection_json(wire.read_connection(body)) == body
    assert body["status"]["state"] == "connected"
    assert body["status"]["identity"] == "analyst@example.com"
    codes = practice.provider.requests("token", grant_type="authorization_code", outcome="ok")
    assert len(codes) == 1


def test_auth_twice_asks_nobody(run: Any, signed_in: str, practice: PracticeServer) -> None:
    answer = run.ok("auth", signed_in)
    assert "--again" in answer.err
    assert len(practice.provider.requests("token", grant_type="authorization_code")) == 1
    run.ok("auth", signed_in, "--again")
    assert len(practice.provider.requests("token", grant_type="authorization_code")) == 2


def test_auth_where_nobody_is(run: Any, connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("fail", "auto"):
        monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", setting)
        answer = run("auth", connection)
        assert (answer.code, answer.out) == (3, "")
        assert "JUPYTER_OAUTHCONN_INTERACTION=wait" in answer.err
    assert run.ok("status", "--json").json[0]["status"] == "not_connected"


def test_token_is_alone_on_stdout(run: Any, signed_in: str, practice: PracticeServer) -> None:
    answer = run.ok("token", signed_in)
    assert answer.err == ""
    (token,) = answer.out.splitlines()
    assert practice.provider.bearer(token) is not None


def test_token_json(run: Any, signed_in: str) -> None:
    body = run.ok("token", signed_in, "--json").json
    assert body["token_type"] == "Bearer"
    assert 0 < body["expires_in"] <= 3600
    assert body["generation"] == 1


def test_token_min_validity(run: Any, connection: str, practice: PracticeServer) -> None:
    """A fifth of its life is the most that is asked for, so a long one changes nothing."""
    run.ok("auth", connection)
    first = run.ok("token", connection, "--min-validity", "30").out
    assert run.ok("token", connection, "--min-validity", "1h").out == first
    assert not practice.provider.requests("token", grant_type="refresh_token")


def test_token_without_sign_in(run: Any, connection: str) -> None:
    answer = run("token", connection)
    assert (answer.code, answer.out) == (3, "")
    sentence, hint = answer.err.splitlines()
    assert connection in sentence
    assert f"`jupyter oauthconn auth {connection}`" in hint


def test_token_after_a_revocation(run: Any, signed_in: str, practice: PracticeServer) -> None:
    from jupyter_oauthconn.model import Secret

    token = run.ok("token", signed_in).out.strip()
    assert practice.provider.revoke(Secret(token))
    assert run("ensure", signed_in, "--for", "1h").code == 3
    answer = run("token", signed_in)
    assert (answer.code, answer.out) == (3, "")
    assert "--again" in answer.err
    run.ok("auth", signed_in, "--again")
    assert run.ok("token", signed_in).out.strip() != token


def test_provider_down(run: Any, connection: str, practice: PracticeServer) -> None:
    """Not a person's matter: exit code 1."""
    practice.provider.dials.down = True
    answer = run("auth", connection)
    assert answer.code == 1
    assert answer.err


def test_nothing_secret_but_the_token(run: Any, signed_in: str, practice: PracticeServer) -> None:
    """No command's output holds what the practice provider marked as secret."""
    for arguments in (
        ("status",), ("status", "--json"), ("connections", "list", "--json"),
        ("clients", "list", "--json"), ("events", "--json"), ("doctor", signed_in),
        ("ensure", signed_in, "--for", "1h"), ("connections", "test", signed_in),
        ("auth", signed_in, "--again", "--json"), ("revoke", signed_in, "--json"),
    ):  # fmt: skip
        answer = run(*arguments)
        assert practice.provider.marker not in answer.out + answer.err, arguments


class Waiting:
    """`auth` in a process of its own, as a person runs it."""

    def __init__(self, name: str, *options: str) -> None:
        environ = {**os.environ, "JUPYTER_OAUTHCONN_INTERACTION": "wait"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_oauthconn", "auth", name, "--no-browser", *options],
            env=environ, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self.seen = ""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.seen += line
            found = re.search(r"http://(?:127\.0\.0\.1|localhost):\d+/\S+", line)
            if found:
                self.address = found.group()
                break
        else:
            raise AssertionError(self.seen)

    def end(self) -> int:
        try:
            out, err = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"It still runs. {self.seen}{err}{out}") from None
        self.seen += err + out
        return self.process.returncode


def test_waits_for_a_browser(run: Any, connection: str, practice: PracticeServer) -> None:
    """It prints our own page, never the provider's, and goes on when the person has consented."""
    waiting = Waiting(connection)
    assert not waiting.address.startswith(practice.issuer)
    assert "Waiting for you to sign in (ends in 9 min" in waiting.seen
    consent(waiting.address)
    assert waiting.end() == 0
    assert "authenticated as analyst@example.com" in waiting.seen
    assert practice.provider.marker not in waiting.seen
    assert run.ok("token", connection).out


def test_refused_by_the_person(run: Any, connection: str) -> None:
    waiting = Waiting(connection)
    consent(waiting.address, allow=False)
    assert waiting.end() == 1
    assert f"jupyter oauthconn auth {connection}" in waiting.seen
    assert run.ok("status", "--json").json[0]["status"] == "not_connected"


@pytest.mark.parametrize(
    ("button", "code", "identity"),
    [("replace", 0, "guest@example.com"), ("keep", 1, "analyst@example.com")],
)
def test_another_account_is_asked_about_on_the_page(
    run: Any, signed_in: str, button: str, code: int, identity: str
) -> None:
    """The terminal waits on without a question; the account of before stays until then."""
    waiting = Waiting(signed_in, "--again")
    person = Person(None)
    choice = person.press(person.open(waiting.address))
    asked = person.press(choice, {"account": "guest@example.com"}, "allow")
    assert "guest@example.com" in asked.text
    assert run.ok("status", "--json").json[0]["identity"] == "analyst@example.com"
    person.press(asked, value=button)
    person.close()
    assert waiting.end() == code, waiting.seen
    assert run.ok("status", "--json").json[0]["identity"] == identity


def test_device_flow(run: Any, connection: str, practice: PracticeServer) -> None:
    """The code is shown with the provider's page; the command ends when it was typed there."""
    practice.provider.dials.device_interval_seconds = 1
    waiting = Waiting(connection, "--flow", "device")
    code = re.search(r"enter the code (\S+)", waiting.seen)
    assert code is not None, waiting.seen
    asked = practice.provider.waiting_device(code.group(1))
    assert asked is not None
    asked.account = ACCOUNTS["guest@example.com"]
    assert waiting.end() == 0
    assert "authenticated as guest@example.com" in waiting.seen


def test_flow_that_needs_a_server(run: Any, connection: str) -> None:
    answer = run("auth", connection, "--flow", "callback")
    assert answer.code == 1
    assert "--flow loopback" in answer.err


def test_interrupt_ends_the_wait_at_once(run: Any, connection: str) -> None:
    waiting = Waiting(connection)
    begun = time.monotonic()
    waiting.process.send_signal(signal.SIGINT)
    assert waiting.end() == 1
    assert time.monotonic() - begun < 2
    assert waiting.seen.endswith("Stopped.\n")
    assert run.ok("status", "--json").json[0]["status"] == "not_connected"


def test_reader_that_goes_away(run: Any, signed_in: str, home: Path) -> None:
    ended = subprocess.run(
        f"{sys.executable} -m jupyter_oauthconn providers --json | head -c 1; "
        "echo ${PIPESTATUS[0]}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stderr == ""
    assert ended.stdout == "[0\n"
