"""Everything that could show a secret: what Python prints, pickles, and keeps in a traceback."""

from __future__ import annotations

import pickle
import traceback
from typing import Any


def shown(*things: Any) -> str:
    """`repr`, `str`, attributes and pickle of each; a refusal to be pickled counts with its text.

    Of text only how it is represented: it is there to be sent.
    """
    texts = []
    for thing in things:
        texts += [
            repr(thing),
            "" if isinstance(thing, str) else str(thing),
            repr(getattr(thing, "__dict__", "")),
        ]
        try:
            texts.append(pickle.dumps(thing).decode("latin-1"))
        except (TypeError, AttributeError, pickle.PicklingError, NotImplementedError) as error:
            texts.append(str(error))
    return "\n".join(texts)


def told(error: BaseException) -> str:
    """An error with all that it is chained to, and the locals of every frame."""
    texts, todo, seen = [], [error], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        made = traceback.TracebackException.from_exception(one, capture_locals=True)
        texts += [shown(one, one.args), "".join(made.format())]
        todo += [chained for chained in (one.__cause__, one.__context__) if chained is not None]
    return "\n".join(texts)
