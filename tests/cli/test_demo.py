"""`demo`: what it claims it has seen."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from jupyter_oauthconn.demo import PracticeServer

STEPS = [
    "client_registered", "connection_added", "authenticated", "token_issued", "data_read",
    "token_expired_and_refreshed", "rotated_refresh_token_kept", "provider_down",
    "provider_back", "refused_after_revocation", "authenticated_again",
]  # fmt: skip


def test_check(run: Any) -> None:
    begun = time.monotonic()
    answer = run.ok("demo", "--check", "--json")
    assert time.monotonic() - begun < 20
    lines = [json.loads(one) for one in answer.out.splitlines()]
    assert [one["what"] for one in lines] == STEPS
    assert {one["outcome"] for one in lines} == {"ok"}
    assert answer.err == ""


def test_check_leaves_the_persons_own_data_alone(run: Any, home: Any) -> None:
    run.ok("demo", "--check")
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
    assert " 7  ✗ failed" in answer.out
    assert "Step 7, rotated refresh token kept, was not seen as promised." in answer.err


def test_serves_until_interrupted() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "jupyter_oauthconn", "demo"], text=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        text = "".join(process.stdout.readline() for _ in range(5))
        process.send_signal(2)
        assert process.wait(10) == 0
    assert "%connect add sales --provider practice --client-id notebook --issuer http://" in text
    assert "%connect sales" in text
