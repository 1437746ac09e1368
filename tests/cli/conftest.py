"""Commands in process against a token service of their own, and a real practice provider."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_oauthconn.cli import main
from jupyter_oauthconn.demo import PracticeServer

#: Begins everything secret that the practice provider makes.
MARKER = "sEcReT-"
USUAL_SCOPE = "openid email offline_access sales.read"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Tty(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


class Terminal:
    """Types commands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, stdin: str = "", typed: str | None = None) -> Answer:
        """`stdin` is piped into it; `typed`: a person is there and answers that."""
        source = io.StringIO(stdin) if typed is None else Tty(f"{typed}\n")
        self._monkeypatch.setattr(sys, "stdin", source)
        try:
            code = main(arguments)
        except SystemExit as end:  # argparse: --help and wrong usage
            code = int(end.code or 0)
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return Answer(code, out, err)

    def ok(self, *arguments: str, stdin: str = "", typed: str | None = None) -> Answer:
        answer = self(*arguments, stdin=stdin, typed=typed)
        assert answer.code == 0, (arguments, answer)
        return answer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("JUPYTER_OAUTHCONN_HOME", str(folder))
    monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "practice")
    return folder


@pytest.fixture
def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal(monkeypatch, capsys)


@pytest.fixture(scope="session")
def server() -> Iterator[PracticeServer]:
    with PracticeServer(marker=MARKER) as server:
        yield server


@pytest.fixture
def practice(server: PracticeServer) -> PracticeServer:
    server.provider.reset()
    return server


@pytest.fixture
def client(run: Terminal, practice: PracticeServer) -> str:
    """An OAuth client of the practice provider."""
    run.ok(
        *("clients", "add", "warehouse", "--provider", "practice", "--client-id", "notebook"),
        *("--issuer", practice.issuer, "--loopback-port", "any"),
        *("--scope", f"{USUAL_SCOPE} sales.write"),
    )
    return "warehouse"


@pytest.fixture
def connection(run: Terminal, client: str) -> str:
    """A connection that nobody has signed in for."""
    run.ok("connections", "add", "sales", "--client", client, "--scope", USUAL_SCOPE)
    return "sales"


@pytest.fixture
def signed_in(run: Terminal, connection: str) -> str:
    run.ok("auth", connection)
    return connection
