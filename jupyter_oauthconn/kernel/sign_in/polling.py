"""The questions to the service while a person signs in."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from jupyter_oauthconn.errors import (
    InteractionRequiredError,
    OAuthConnError,
    ServiceUnreachableError,
)
from jupyter_oauthconn.model import Authorization, AuthorizationState, Flow, Interaction

from ..current import Place
from .patience import Patience, StoppedError

T = TypeVar("T")

#: One question to the service lasts this long.
_QUESTION = timedelta(seconds=20)
#: How often a thread looks whether its wait was given up while a question is under way.
_LOOK_SECONDS = 0.2
#: Pause between questions while the page asks whether the other account is meant.
_CONFIRM_SECONDS = 1.0
#: A service that does not answer may be restarting; the sign-in outlives that.
_RESTART_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 2.0
#: Code of a server that answers for the last time.
_STOPPING = "draining"
#: Flows whose questions a page puts: there the person is, and not at the cell.
_WITH_PAGE = frozenset({Flow.CALLBACK, Flow.LOOPBACK})


def poll(place: Place, authorization: Authorization, patience: Patience) -> Authorization:
    """Asks until the sign-in has ended, or the person must be asked here.

    Raises:
        StoppedError, InteractionRequiredError: see `finish`.
        ServiceUnreachableError: the service has not come back within a minute.
    """
    # the robot presses no button of that page: the question is put where it is refused at once
    on_page = authorization.flow in _WITH_PAGE and patience.mode(place) is not Interaction.PRACTICE
    deadline = None if patience.limit is None else time.monotonic() + patience.limit
    outage = _Outage()
    while not patience.stop.is_set():
        left = _QUESTION if deadline is None else _until(deadline)
        pause = 0.0
        try:
            now = _ask(place, authorization.id, min(_QUESTION, left), patience.stop)
        except OAuthConnError as error:
            now, pause = authorization, outage.pause_after(error)
        else:
            outage = _Outage()
            if now.state is not AuthorizationState.PENDING or (now.confirm and not on_page):
                return now
            if now.confirm:
                pause = _CONFIRM_SECONDS  # its question is answered at once: nothing to wait for
        if deadline is not None and time.monotonic() >= deadline:
            raise InteractionRequiredError(
                f"Nobody signed in for {authorization.connection!r} in the time given.",
                hint="The sign-in is still open: the same call waits for it again.",
                authorization=now,
            )
        patience.stop.wait(min(pause, left.total_seconds()))
    raise StoppedError


def _until(deadline: float) -> timedelta:
    return timedelta(seconds=max(0.0, deadline - time.monotonic()))


def _ask(place: Place, id: UUID, wait: timedelta, stop: threading.Event) -> Authorization:
    """One question to the service. Raises `StoppedError` soon after the wait was given up."""
    if threading.current_thread() is threading.main_thread():
        # a signal ends it at once
        return place.broker.authorization(id, wait=wait)
    # nothing ends a question from another thread: it has one of its own and is left to it
    answer = in_thread(lambda: place.broker.authorization(id, wait=wait), "question")
    while not stop.is_set():
        if futures.wait([answer], timeout=_LOOK_SECONDS).done:
            return answer.result()
    raise StoppedError


class _Outage:
    """A service that does not answer, counted from the first time."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._pause = 0.25

    def pause_after(self, error: OAuthConnError) -> float:
        """Seconds until the next question; raises an error that does not pass, or has not."""
        if not isinstance(error, ServiceUnreachableError) and error.code != _STOPPING:
            raise error
        now = time.monotonic()
        if self._began is None:
            self._began = now
        if now - self._began > _RESTART_SECONDS:
            raise error
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        return self._pause


def in_thread(act: Callable[[], T], name: str) -> Future[T]:
    """Runs `act` in a daemon thread of its own.

    An executor's threads are joined at exit, and a wait that was given up must not hold the
    process for as long as a sign-in may take.
    """
    answer: Future[T] = Future()
    answer.set_running_or_notify_cancel()  # from now on nobody can cancel it

    def work() -> None:
        try:
            answer.set_result(act())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits, whole
            answer.set_exception(error)

    # the copy makes what is displayed belong to the cell that waits
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(work,), name=name, daemon=True).start()
    return answer
