"""`demo`: what it claims it has seen."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.demo.lab import FIRST_TUTORIAL
from tests.cli.lab_visitor import LabVisitor

ROOT = Path(__file__).parents[2]
STEPS = [
    "client_registered", "connection_added", "authenticated", "token_issued", "data_read",
    "token_expired", "refreshed", "rotated_refresh_token_kept", "provider_down",
    "provider_back", "refused_after_revocation", "authenticated_again",
]  # fmt: skip


def test_check(run: Any, home: Path) -> None:
    """Every step, and the person's own data untouched."""
    answer = run.ok("demo", "--check", "--json")
    lines = [json.loads(one) for one in answer.out.splitlines()]
    assert [one["what"] for one in lines] == STEPS
    assert {one["outcome"] for one in lines} == {"ok"}
    assert answer.err == ""
    assert not home.exists()


def test_check_fails_when_the_provider_saw_something_else(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that does not rotate: our side is content, its log is not."""

    class WithoutRotation(PracticeServer):
        def start(self) -> PracticeServer:
            self.provider.dials.rotate = False
            return super().start()

    monkeypatch.setattr("jupyter_oauthconn.demo.server.PracticeServer", WithoutRotation)
    answer = run("demo", "--check")
    assert answer.code == 1
    assert " 8  ✗ failed" in answer.out
    assert "Step 8, rotated refresh token kept, was not seen as promised." in answer.err


@contextmanager
def demo(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a person starts it, on a port that was free a moment ago."""
    with subprocess.Popen(
        [sys.executable, "-m", "jupyter_oauthconn", "demo", "--no-browser", *options],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def who_is_left(processes: list[psutil.Process]) -> list[psutil.Process]:
    return psutil.wait_procs(processes, timeout=60)[1]


def stored_texts(notebook: str) -> list[str]:
    """What the cells of a tutorial print, as its file says."""
    cells = json.loads((ROOT / "notebooks" / notebook).read_text(encoding="utf-8"))["cells"]
    return [
        "".join(
            "".join(one["text"]) if "text" in one else "".join(one["data"]["text/plain"]) + "\n"
            for one in cell["outputs"]
        )
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def test_the_tutorials_in_jupyterlab(home: Path) -> None:
    """Beside another server, with nothing but the printed address, and Ctrl-C at the end."""
    other = socket.create_server(("127.0.0.1", 0))
    taken = other.getsockname()[1]
    with other, demo("--json", "--port", str(taken)) as process:
        assert process.stdout is not None
        answer = json.loads(process.stdout.readline())
        assert urlsplit(answer["url"]).port != taken
        assert answer["open"].startswith(f"{answer['url']}?token=")
        assert answer["data"] == f"{answer['issuer']}/data"
        visitor = LabVisitor(answer["open"])
        try:
            assert visitor.page.url.path == f"/lab/tree/{FIRST_TUTORIAL}"
            assert "JupyterLab" in visitor.page.text
            assert not any(one["outputs"] for one in visitor.cells(FIRST_TUTORIAL))
            quiet = visitor.settings("@jupyterlab/apputils-extension:notification")
            assert quiet["fetchNews"] == "false", "nothing lies before the first tutorial"
            # a person who stopped half-way, and begins again
            visitor.run(FIRST_TUTORIAL, cells=6)
            for notebook in (FIRST_TUTORIAL, "02_tokens_over_time.ipynb"):
                assert visitor.run(notebook) == stored_texts(notebook)
        finally:
            visitor.close()
        started = family(process)
        assert len(started) >= 4, "a server and three kernels"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert who_is_left(started) == []
    assert not home.exists()


def test_whatever_ends_the_demo_ends_its_server() -> None:
    """Killed, it can neither say a word nor clean up."""
    with demo("--port", "0") as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(8)]
        folder = Path(printed[-1].strip())
        started = family(process)
        process.kill()
        assert who_is_left(started) == []
    text = "".join(printed)
    assert "Open the first tutorial:" in text
    assert "/lab/tree/01_first_connection.ipynb?token=" in text
    assert "press Authenticate, then Allow" in text
    assert folder.stat().st_mode & 0o077 == 0
    shutil.rmtree(folder)


def test_closing_the_terminal_removes_the_folder() -> None:
    with demo("--port", "0") as process:
        assert process.stdout is not None
        folder = Path([process.stdout.readline() for _ in range(8)][-1].strip())
        assert folder.is_dir()
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
    assert not folder.exists()


def test_without_jupyterlab_it_says_what_to_install(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    answer = run("demo")
    assert answer.code == 1
    assert "needs JupyterLab" in answer.err
    assert 'pip install ".[demo]"' in answer.err


def test_a_lab_that_does_not_start_shows_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "jupyterlab" / "__init__.py"
    broken.parent.mkdir()
    broken.write_text("raise ImportError('half an installation')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with demo("--port", "0") as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "half an installation" in err
    assert err.endswith("JupyterLab did not start.\nWhat it wrote is above.\n")


def test_the_session_of_the_readme(home: Path) -> None:
    """Its lines as they stand, but for the port."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^(?:In \[\d\]|   \.\.\.): (.*)$", readme, re.MULTILINE)
    assert len(lines) == 6
    with PracticeServer(path="/oauthconn/practice", host="localhost") as server:
        code = "\n".join([*lines, "print(conn.identity, len(rows))"])
        assert "http://localhost:8888/oauthconn/practice" in code
        code = code.replace("http://localhost:8888/oauthconn/practice", server.issuer)
        shell = subprocess.run(
            [sys.executable, "-m", "IPython", "--quick", "--colors=NoColor", "-c", code],
            capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "IPYTHONDIR": str(home.parent / "ipython")},
        )  # fmt: skip
    assert shell.stdout.splitlines()[-1:] == ["analyst@example.com 54"], shell


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_is_none(run: Any, port: str) -> None:
    answer = run("demo", f"--port={port}")
    assert answer.code == 2
    assert "they go from 0 to 65535" in answer.err
