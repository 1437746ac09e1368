"""How a caller waits for a person, and what a wait that was given up ends with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta

from jupyter_oauthconn.model import Interaction

from .. import display
from ..current import Place, seconds


class StoppedError(Exception):
    """The wait was given up from outside. Never leaves the kernel side."""


class WaitInterrupt(KeyboardInterrupt):
    """Ctrl-C or "interrupt" while a person was waited for."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: where the wait was is of no use to anybody."""
        return [str(self)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How a caller waits for a person.

    Attributes:
        wait: None: as the setting `interaction` says; True, False: whatever it says; seconds: at
            most so long.
        browser: may a browser be opened here.
        stop: ends the wait from another thread.
        begun: set once a person is waited for.
    """

    wait: bool | float | timedelta | None = None
    browser: bool = True
    stop: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    @property
    def limit(self) -> float | None:
        """The longest wait in seconds; None: until the sign-in ends."""
        if self.wait is None or isinstance(self.wait, bool):
            return None
        return seconds(self.wait)

    def mode(self, place: Place) -> Interaction:
        """What happens here when a person must act; never `AUTO`."""
        if self.wait is False:
            return Interaction.FAIL
        setting = place.settings.interaction
        if setting is Interaction.PRACTICE:
            return setting
        if self.wait is not None:
            return Interaction.WAIT
        if setting is not Interaction.AUTO:
            return setting
        # a forked child has its parent's front end in memory, but not its sockets
        if place.forked or not display.somebody_is_there():
            return Interaction.FAIL
        return Interaction.WAIT


def stopped_waiting(name: str) -> str:
    """What a person reads who interrupted the wait."""
    return f"{name}: stopped waiting. The sign-in is still open; run the same line to go on."
