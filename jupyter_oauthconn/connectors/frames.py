"""What Python keeps of a failing call: the frames of its traceback, with all their locals.

A library's frames hold what it sent, and `%xmode Verbose`, `%debug` and error reporters print that.
"""

from __future__ import annotations

import traceback
from typing import TypeVar

Failure = TypeVar("Failure", bound=BaseException)


def without_frames(failure: Failure) -> Failure:
    """The error alone, to be raised from here: without its traceback, and without those that it
    comes from."""
    failure.__context__ = failure.__cause__ = None
    return failure.with_traceback(None)


def clear_frames(failure: BaseException) -> None:
    """Empties the frames that the error has left behind, and those of the errors that it comes
    from: where another library is about to raise it, traceback and all."""
    todo: list[BaseException | None] = [failure]
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            todo += [one.__cause__, one.__context__]
