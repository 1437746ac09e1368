"""A store in a process of its own: started, waited for, ended with its children."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

#: Two cores may be shared by several stores that start at once.
START_SECONDS = 60.0


def needed(program: str, command: str) -> str:
    """The path of a program; skips the test with the command that installs it."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed here: `{command}`")
    return path


def free_ports(count: int) -> list[int]:
    """Different free ports of the loopback address."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for one in probes:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in probes]
    finally:
        for one in probes:
            one.close()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """A running program; what it writes goes to `log`.

    Args:
        ready: asked until it says True; then the constructor returns.

    A program that ends early, or is not ready in time, fails the test with the log's end.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        end_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._log = log
        self._end_by = end_by
        with log.open("ab") as output:
            # a group of its own: what it starts ends with it
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        try:
            self._wait(ready)
        except BaseException:
            self.close()
            raise

    def _wait(self, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + START_SECONDS
        while not ready():
            if self._process.poll() is not None:
                self._fail(f"ended with {self._process.returncode}")
            if time.monotonic() > end:
                self._fail(f"is not ready after {START_SECONDS:.0f} s")
            time.sleep(0.05)

    def _fail(self, what: str) -> NoReturn:
        log = self._log.read_text(errors="replace")[-4000:]
        raise RuntimeError(f"{self._process.args!r} {what}. Its log:\n{log}")

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, self._end_by)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(5)
