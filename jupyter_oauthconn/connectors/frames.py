"""What Python keeps of a failing call: the frames of its traceback, with all their locals.

A library's frames hold what it sent, and `%xmode Verbose`, `%debug` and error reporters print that.
Where we raise the error, `without_frames` leaves them all out: a short traceback is the better one.
Where a library raises it, `empty_frames` leaves the lines and takes the locals.
"""

from __future__ import annotations

import traceback
from typing import TypeVar

Failure = TypeVar("Failure", bound=BaseException)


def without_frames(failure: Failure) -> Failure:
    """The error, detached from its traceback and from the errors that it comes from. It must be
    raised outside the `except` that has caught it, else Python attaches them again."""
    failure.__context__ = failure.__cause__ = None
    # what the caller was handling is shown as ever
    failure.__suppress_context__ = False
    return failure.with_traceback(None)


def empty_frames(failure: BaseException) -> None:
    """Empties the frames that the error has left behind, and those of the errors that it comes
    from, but for one that was being handled when the call began: that one is the caller's."""
    traceback.clear_frames(failure.__traceback__)
    todo = [failure.__cause__, failure.__context__]
    seen = {id(failure)}
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen or _is_handled(one):
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        todo += [one.__cause__, one.__context__]


def _is_handled(error: BaseException) -> bool:
    """Whether the code that has caught the error still runs: its frame cannot be emptied."""
    if error.__traceback__ is None:
        return False
    try:
        error.__traceback__.tb_frame.clear()
    except RuntimeError:
        return True
    return False
