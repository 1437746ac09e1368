"""Times, access lists and states in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

from jupyter_oauthconn.model import (
    EVERYBODY,
    IN_DATABASE,
    AuthMethod,
    ClientRegistration,
    Outcome,
)

_DAY = timedelta(days=1)
_UNITS = (("day", _DAY), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def count(number: int, noun: str) -> str:
    """`1 sign-in`, `3 sign-ins`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def moment(value: datetime | None) -> str:
    """`3 Mar 2027, 14:05 UTC`; empty where nothing is known."""
    if value is None:
        return ""
    value = value.astimezone(UTC)
    return f"{value.day} {value:%b %Y, %H:%M} UTC"


def day(value: datetime) -> str:
    """The last day before an end: `3 March 2027`."""
    last = value.astimezone(UTC) - timedelta(seconds=1)
    return f"{last.day} {last:%B %Y}"


def length(value: timedelta) -> str:
    """`12 days`, in the largest unit that says enough."""
    for noun, unit in _UNITS:
        if value >= unit * (2 if noun != "minute" else 1):
            return count(value // unit, noun)
    return count(int(value.total_seconds()), "second")


def exact_length(value: timedelta) -> str:
    """As a person would type it: `90d`, `8h`, `300s`."""
    seconds = int(value.total_seconds())
    for letter, unit in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % unit == 0:
            return f"{seconds // unit}{letter}"
    return f"{value.total_seconds():.15g}s"


def end(value: datetime, now: datetime) -> str:
    """`ends on 3 March 2027, in 12 days`."""
    if value <= now:
        return f"ended on {day(value)}"
    return f"ends on {day(value)}, in {length(value - now)}"


def secret_end(client: ClientRegistration, now: datetime) -> tuple[str, str]:
    """How long an OAuth client's secret lasts, and its mood (see `views.Cell`)."""
    if client.auth_method is AuthMethod.NONE:
        return "public client, no secret", ""
    if not client.secrets:
        return "no secret is set", "failed"
    live = [one for one in client.secrets if one.ends_at is None or one.ends_at > now]
    if not live:
        return end(max(one.ends_at for one in client.secrets if one.ends_at), now), "failed"
    ends = [one.ends_at for one in live if one.ends_at is not None]
    if len(ends) < len(live):
        return "no end known", ""
    last = max(ends)
    return end(last, now), "failed" if last - now < timedelta(days=14) else ""


def may_use(client: ClientRegistration) -> str:
    """An access list in words."""
    if client.owner is not None:
        return f"{client.owner} alone"
    return people(client.allowed_users, client.allowed_groups, nobody="administrators only")


def people(users: Sequence[str], groups: Sequence[str], *, nobody: str) -> str:
    """`everyone`, or `ada, grace, group analysts`."""
    if EVERYBODY in users:
        return "everyone"
    return ", ".join((*users, *(f"group {one}" for one in groups))) or nobody


def managed_by(client: ClientRegistration) -> str:
    if client.managed_by != IN_DATABASE:
        return f"{client.managed_by} (read-only here)"
    return "its owner" if client.owner is not None else "administrators"


def plain(code: str) -> str:
    """`client_registered` as people read it; `client_edited:issuer+scope`, too."""
    return code.replace("_", " ").replace(":", ": ").replace("+", ", ")


def outcome(value: Outcome) -> str:
    return {Outcome.OK: "OK", Outcome.FAILED: "Failed", Outcome.UNKNOWN: "Cannot be told"}[value]


def with_code(text: str, shown: Callable[[str], Markup] = escape) -> Markup:
    """A sentence whose commands stand between backticks."""
    return Markup("").join(
        Markup("<code>{}</code>").format(shown(part)) if place % 2 else shown(part)
        for place, part in enumerate(text.split("`"))
    )


def in_cell(text: str) -> Markup:
    """The same in a table, whose columns must fit."""
    return with_code(text, breakable)


def breakable(text: str) -> Markup:
    """What is longer than a word, e.g. an address, may be broken anywhere; words are not."""
    return Markup("").join(
        Markup('<span class="long">{}</span>').format(part)
        if len(part) > _LONGEST_WORD
        else escape(part)
        for part in re.split(r"(\s+)", text)
    )


_LONGEST_WORD = 20
FILTERS = {"with_code": with_code, "in_cell": in_cell, "breakable": breakable, "count": count}
