"""Tab after `%connect` and `%oauthclient`, from memory: neither network nor database is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
)

from jupyter_oauthconn.catalog import load
from jupyter_oauthconn.connectors import kinds
from jupyter_oauthconn.errors import ConfigurationError
from jupyter_oauthconn.kernel import current

from . import clients, connections
from .arguments import CHOICES, Verb

_LINE = re.compile(r"(?:^|=)\s*%(connect|oauthclient)\s+(.*)$")


def matches(context: CompletionContext) -> SimpleMatcherResult:
    """What can stand at the cursor in a line of ours."""
    line = _LINE.search(context.text_until_cursor)
    if line is None:
        return {"completions": []}
    before = line[2][: len(line[2]) - len(context.token)].split()
    candidates = candidates_after(line[1], before, context.token)
    found = [SimpleCompletion(one, type="param") for one in candidates]
    return {"completions": found or _NothingElse(), "suppress": True}


class _NothingElse(list[SimpleCompletion]):
    """IPython lets a list without completions suppress nothing: this one says that it has some."""

    def __len__(self) -> int:
        return 1


def candidates_after(magic: str, before: list[str], token: str) -> list[str]:
    """Sorted words that begin with `token` and fit after the words `before`."""
    names = current.place().names
    previous = before[-1] if before else ""
    after_option: Mapping[str, Iterable[str]] = {
        "--handle": kinds() if previous == "--handle" else (),
        "--client": names.clients,
        **CHOICES,
    }
    fitting: Iterable[str]
    if previous == "--provider" or (magic, before) == ("oauthclient", ["request"]):
        fitting = names.providers or _catalog_keys(current.place().settings.catalog_paths)
    elif previous in after_option:
        fitting = after_option[previous]
    elif magic == "connect":
        fitting = _connect(before, names.connections)
    else:
        fitting = _of_verb(clients.VERBS, before, names.clients, {"register", "import", "request"})
    return sorted(one for one in fitting if one.startswith(token))


@cache
def _catalog_keys(folders: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(one.key for one in load([Path(one) for one in folders]).entries())
    except ConfigurationError:
        return ()


def _connect(before: list[str], known: set[str]) -> Iterable[str]:
    if not before:
        return {*connections.VERBS, *known, "--long"}
    if before[0] in connections.VERBS:
        return _of_verb(connections.VERBS, before, known, {"add"})
    return [] if before[-1] == "as" else {"as", *connections.BIND.options} - set(before)


def _of_verb(
    verbs: Mapping[str, Verb], before: list[str], known: set[str], new: set[str]
) -> Iterable[str]:
    """`new`: verbs whose name is not one that exists."""
    if not before:
        return verbs
    verb = verbs.get(before[0])
    if verb is None:
        return ()
    first = len(before) == 1 or before[0] == "export"
    named = known - set(before) if first and before[0] not in new else set()
    return {*named, *verb.parser.options}
