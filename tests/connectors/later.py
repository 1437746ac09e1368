"""Time that passes when a test says so.

A token that ends in half a second by the machine's clock may have ended before a busy machine came
to use it, and the test fails that wanted to see it used.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace

import pytest

#: Who compares a token's end with the time: what is tested here, the sources of tokens, and a
#: library that keeps one until then.
_CONNECTORS = "jupyter_oauthconn.connectors."
_SOURCES = ("issuer", "counted")
_LIBRARIES = ("azure.core.pipeline.policies._authentication",)


class Later:
    """Sets the clocks of the connectors and of the tests' token sources ahead.

    Those of other libraries, and of processes, go on as they do.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._passed = timedelta(0)
        later = self

        class Ahead(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:
                return datetime.now(tz) + later._passed

        self._datetime = Ahead
        self._time = SimpleNamespace(time=lambda: time.time() + later._passed.total_seconds())

    def now(self) -> datetime:
        return datetime.now(UTC) + self._passed

    def __call__(self, seconds: float) -> None:
        """So much time has passed."""
        self._passed += timedelta(seconds=seconds)
        # each time: some connectors are loaded when they are first opened
        for name, module in list(sys.modules.items()):
            ours = name.startswith(_CONNECTORS)
            if (ours or name in _SOURCES) and getattr(module, "datetime", None) is datetime:
                self._monkeypatch.setattr(module, "datetime", self._datetime)
            if (ours or name in _LIBRARIES) and getattr(module, "time", None) is time:
                self._monkeypatch.setattr(module, "time", self._time)
