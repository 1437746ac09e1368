"""`demo`: what it claims it has seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_oauthconn.demo import PracticeServer

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


def test_serves_until_interrupted(home: Path) -> None:
    """The lines that it prints for IPython work as they stand."""
    with subprocess.Popen(
        [sys.executable, "-m", "jupyter_oauthconn", "demo"], text=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(7)]
        lines = [line.strip() for line in printed if line.startswith("  ")]
        shell = subprocess.run(
            [sys.executable, "-m", "IPython", "--quick", "--colors=NoColor", "-c",
             "\n".join([*lines[:-1], "print(conn.identity, len(" + lines[-1] + "))"])],
            capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "IPYTHONDIR": str(home.parent / "ipython")},
        )  # fmt: skip
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert len(lines) == 4
    account, rows = shell.stdout.split()[-2:]
    assert (account, int(rows) > 0) == ("analyst@example.com", True), shell
