"""The token in a file for a program: who may read it, how long it is there, what it holds."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from counted import MARKER, Connected, CountedTokens, value
from leaks import shown

from jupyter_oauthconn.connectors import token_file
from jupyter_oauthconn.connectors.token_file import CONNECTOR, TokenFile
from jupyter_oauthconn.errors import NotAllowedError, ReauthorizationRequiredError


def opened(source: CountedTokens | None = None) -> TokenFile:
    return CONNECTOR.open(Connected(source or CountedTokens()).access("env"), allow=True)


def until(done: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_off_unless_somebody_says_so() -> None:
    source = CountedTokens()
    with pytest.raises(NotAllowedError, match="every program of your user can read") as caught:
        CONNECTOR.open(Connected(source).access("env"))
    assert "allow=True" in caught.value.hint
    assert source.asked == []
    allowed = Connected(source).access("env", options={"allow": "yes"})
    assert isinstance(CONNECTOR.open(allowed), TokenFile)


def test_a_program_reads_it() -> None:
    code = "import os; print(open(os.environ['DATA_TOKEN_FILE']).read(), end='')"
    with opened() as tokens:
        assert value(1) not in str(tokens.env)
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **tokens.env},
            capture_output=True,
            text=True,
            check=True,
        )
    assert ran.stdout == value(1)


def test_only_for_its_user_and_only_for_a_while(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    handle = opened()
    with handle as tokens:
        path = tokens.path
        assert path.is_relative_to(tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert tokens.env == {"DATA_TOKEN_FILE": str(path)}
    assert not path.parent.exists()
    with pytest.raises(NotAllowedError, match="only there within `with`"):
        print(handle.path)
    with handle as again:
        assert again.path.read_text() == value(1)
    assert list(tmp_path.iterdir()) == []


def test_a_runtime_folder_that_others_can_enter_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with opened() as tokens:
        assert not tokens.path.is_relative_to(tmp_path)


def test_renewed_before_it_ends() -> None:
    # due at once: the end of each is far, also for a machine that is late with the next one
    source = CountedTokens(life=60.0, due=0.01)
    with opened(source) as tokens:
        until(lambda: tokens.path.read_text() not in {value(1), value(2)})
        assert tokens.path.read_text() in {
            value(number) for number in range(3, source.generation + 1)
        }
        assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
        # but for the moment in which the next one is written
        until(lambda: [one.name for one in tokens.path.parent.iterdir()] == ["token"])
        thread = tokens._thread
        assert thread is not None
    thread.join(30)
    assert not thread.is_alive()


def test_gone_when_no_token_is_left_and_back_after_a_sign_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = CountedTokens(life=0.6)
    with opened(source) as tokens, caplog.at_level(logging.WARNING):
        source.failure = ReauthorizationRequiredError("The sign-in behind 'data' is over.")
        until(lambda: not tokens.path.exists())
        assert "The token file of 'data' is not renewed" in caplog.text
        assert MARKER not in caplog.text
        source.failure = None
        until(tokens.path.exists)


def test_gone_when_it_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(CountedTokens(life=0.6)) as tokens, caplog.at_level(logging.WARNING):
        # as on a full disk
        def full(path: Path, token: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(token_file, "_write", full)
        until(lambda: not tokens.path.exists())
        assert "No space left" in caplog.text
        assert MARKER not in caplog.text
        monkeypatch.undo()
        until(tokens.path.exists)


def test_leaving_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    source = CountedTokens(life=0.4)
    asked, go_on = threading.Event(), threading.Event()

    def waits(*_: object, **__: object) -> object:
        asked.set()
        assert go_on.wait(30)
        raise ReauthorizationRequiredError("The sign-in behind 'data' is over.")

    with opened(source) as tokens:
        folder = tokens.path.parent
        # somebody must sign in, and nobody comes
        monkeypatch.setattr(source, "token", waits)
        assert asked.wait(30)
    assert not folder.exists()
    go_on.set()


def test_gone_at_the_token_s_end_while_a_person_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = CountedTokens(life=0.6)
    asked, given_up = threading.Event(), threading.Event()

    async def waits(*_: object, **__: object) -> object:
        asked.set()
        try:
            await asyncio.sleep(60)
        finally:
            given_up.set()

    monkeypatch.setattr(source, "atoken", waits)
    with opened(source) as tokens:
        assert asked.wait(30)
        until(lambda: not tokens.path.exists())
        assert not given_up.is_set(), "who signs in now has the file again"
        left = time.monotonic()
    assert time.monotonic() - left < token_file._LONGEST_JOIN_SECONDS
    assert given_up.is_set()


def test_gone_when_the_process_ends_without_leaving_with(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_token_file import opened\n"
        "handle = opened(); handle.__enter__(); print(handle.path)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        env={**os.environ, "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(ran.stdout.strip()).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_shows_the_token() -> None:
    with opened() as tokens:
        assert MARKER not in shown(tokens, tokens.env)


def test_check() -> None:
    source = CountedTokens()
    access: Any = Connected(source).access("env", options={"allow": "yes"})
    with CONNECTOR.open(access) as tokens:
        assert CONNECTOR.check(tokens, access) == "The file holds the current token."
        source.renew()
        assert CONNECTOR.check(tokens, access) == "The file holds an earlier token."
