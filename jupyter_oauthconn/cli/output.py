"""How a command answers: tables and JSON on stdout, sentences on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jupyter_oauthconn.errors import OAuthConnError

if TYPE_CHECKING:
    from jupyter_oauthconn.model import Check

DONE = 0
FAILED = 1
PERSON_NEEDED = 3


def show_json(body: object) -> None:
    print(json.dumps(body, indent=2, ensure_ascii=False))


def say(sentence: str) -> None:
    """A note beside the result; it never mixes with what a script reads."""
    print(for_terminal(_line(sentence)), file=sys.stderr)


def complain(error: OAuthConnError) -> None:
    say(error.message)
    if error.hint:
        say(error.hint)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> str:
    """Columns under their headings; `empty` where there is no row."""
    lines = [headings, *([_line(cell) for cell in row] for row in rows)]
    if len(lines) == 1:
        return for_terminal(empty)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """One line a fact, those without a value left out."""
    known = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{name.ljust(width)}  {_line(value)}" for name, value in known)


_MARKS = {"ok": "✓ ok", "failed": "✗ failed", "unknown": "? unknown"}


def findings(checks: Iterable[Check]) -> str:
    """One finding a line, its next step below it."""
    lines = []
    for one in checks:
        lines.append(f"{_MARKS[one.outcome.value]:<9}  {one.check}: {_line(one.detail)}")
        if one.next_step:
            lines.append(f"{'':<9}  → {for_terminal(_line(one.next_step))}")
    return "\n".join(lines) or "There was nothing to check."


def local_time(moment: datetime | None) -> str:
    """As the reader's clock shows it; empty where nothing is known."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def time_left(moment: datetime | None) -> str:
    """`in 52 min`, `ended`, or empty where nothing is known."""
    if moment is None:
        return ""
    left = moment - datetime.now(UTC)
    return f"in {in_words(left)}" if left > timedelta(0) else "ended"


_MINUTE = timedelta(minutes=1)
_LONG = ((timedelta(days=2), timedelta(days=1), "days"), (2 * 60 * _MINUTE, 60 * _MINUTE, "h"))


def in_words(duration: timedelta) -> str:
    for least, unit, name in (*_LONG, (2 * _MINUTE, _MINUTE, "min")):
        if duration >= least:
            return f"{duration // unit} {name}"
    return f"{duration // timedelta(seconds=1)} s"


#: Hints are written for notebooks; here a person can paste the command of the terminal.
_COMMANDS = (
    (re.compile(r"%oauthclient register\b"), "jupyter oauthconn clients add"),
    (re.compile(r"%oauthclient (?=[a-z])"), "jupyter oauthconn clients "),
    (re.compile(r"%oauthclient\b"), "jupyter oauthconn clients list"),
    (re.compile(r"%connect (?=(?:add|edit|test|rm)\b)"), "jupyter oauthconn connections "),
    (re.compile(r"%connect (?=(?:auth|status|ensure|revoke|doctor)\b)"), "jupyter oauthconn "),
    (re.compile(r"%connect(?=`|$)"), "jupyter oauthconn connections list"),
)


def for_terminal(text: str) -> str:
    """The same sentence with the terminal's commands instead of the notebook's."""
    for magic, command in _COMMANDS:
        text = magic.sub(command, text)
    return text


def _line(text: str) -> str:
    """One line without control characters: names and errors come from providers, too."""
    return "".join(one if one.isprintable() else " " for one in text)
