"""A provider whose answers wait for the test: by the clock, a busy machine would answer before a
test has done what it wants to do meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from jupyter_oauthconn.demo.provider import PracticeProvider
from jupyter_oauthconn.demo.routes import answering


class Held:
    """Answers of the token endpoint that wait to be let go."""

    def __init__(self) -> None:
        self._waiting = 0
        self._go_on = threading.Event()

    async def wait(self, _: float) -> None:
        self._waiting += 1
        while not self._go_on.is_set():
            await asyncio.sleep(0.01)

    def wait_for(self, count: int) -> None:
        """Returns when the provider has worked on so many requests and has not said so."""
        end = time.monotonic() + 60
        while self._waiting < count:
            assert time.monotonic() < end, f"{self._waiting} requests came instead of {count}"
            time.sleep(0.01)

    def let_go(self) -> None:
        self._go_on.set()


@contextmanager
def holding_answers(provider: PracticeProvider) -> Iterator[Held]:
    """The token endpoint does what it is asked, and its answers wait until the end of the block."""
    held, dials = Held(), provider.dials
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "asyncio", SimpleNamespace(sleep=held.wait))
        dials.slow_seconds = 1
        try:
            yield held
        finally:
            dials.slow_seconds = 0
            held.let_go()
