"""What a person gives (keyword arguments, options, a TOML file), read into drafts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import (
    EVERYBODY,
    AuthMethod,
    ClientDraft,
    ConnectionDraft,
    Endpoints,
)

CLIENT_FIELDS = frozenset(one.name for one in fields(ClientDraft)) - {
    "name", "client_secret", "secret_reference", "secret_ends_at",
}  # fmt: skip
_CONNECTION_FIELDS = frozenset(one.name for one in fields(ConnectionDraft)) - {"name", "parameters"}
_DURATIONS = frozenset({"access_token_lifetime", "refresh_token_lifetime", "inactivity"})
_LISTS = frozenset(
    {"redirect_uris", "allowed_users", "allowed_groups", "shared_users", "shared_groups"}
)
#: What `--set` must not reach: it would become an argument of another meaning.
_OWN_OPTIONS = frozenset(
    {one.name for draft in (ClientDraft, ConnectionDraft) for one in fields(draft)}
    | {"secret_from", "share_with", "changes"}
)
_LONGEST = timedelta(days=3660)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(given: str | float | timedelta) -> timedelta:
    """Reads `"6h"`, `"90m"`, `"30s"`, `"2d"`, a number of seconds, or a timedelta.

    Raises:
        InvalidParameterError: it is none of these, not positive, or longer than ten years.
    """
    if isinstance(given, timedelta):
        read = given
    else:
        text = str(given).strip().lower()
        unit = _UNITS.get(text[-1:])
        try:
            read = timedelta(seconds=float(text[:-1]) * unit if unit else float(text))
        except (ValueError, OverflowError):
            read = timedelta(0)
    if not timedelta(0) < read <= _LONGEST:
        raise InvalidParameterError(
            f"{given!r} is not a duration.",
            hint="Write for example 6h, 90m, 30s or a number of seconds.",
        )
    return read


def day(given: str | date | None) -> datetime | None:
    """The last second of a day (aware UTC), from a date or a text like `2027-01-31`.

    Raises:
        InvalidParameterError: it is no day.
    """
    if given is None:
        return None
    try:
        found = date.fromisoformat(given) if isinstance(given, str) else given
        return datetime(found.year, found.month, found.day, 23, 59, 59, tzinfo=UTC)
    except (ValueError, OverflowError, AttributeError):
        raise InvalidParameterError(
            f"{given!r} is no day.", hint="Write for example 2027-01-31.", parameter="ends_at"
        ) from None


def lasting_reference(reference: str) -> str:
    """Where a secret is, so that it is found from another folder, too: a later export names it."""
    kind, _, place = reference.partition(":")
    return f"file:{Path(place).expanduser().absolute()}" if kind == "file" else reference


def client_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `ClientDraft`, from texts where a person writes texts.

    Raises:
        InvalidParameterError: an unknown field or unreadable value; names it.
    """
    _require_known(given, CLIENT_FIELDS, "An OAuth client")
    read = {name: _field(name, value) for name, value in given.items() if value is not None}
    if isinstance(read.get("endpoints"), Mapping):
        known = frozenset(one.name for one in fields(Endpoints))
        _require_known(read["endpoints"], known, "endpoints")
        read["endpoints"] = Endpoints(**read["endpoints"])
    return read


def connection_fields(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Fields of `ConnectionDraft`, and apart from them the values of the entry's variables."""
    read: dict[str, Any] = {}
    parameters: dict[str, str | None] = {}
    for name, value in given.items():
        if name in _CONNECTION_FIELDS:
            if value is not None:
                read[name] = _field(name, value)
        else:
            parameters[name] = None if value is None else str(value)
    return read, parameters


def share_with(targets: Iterable[str] | None) -> dict[str, Any]:
    """`user:U`, `group:G` and `user:*` (everyone) as the two fields of a connection; None: neither.

    Raises:
        InvalidParameterError: a text that names nobody.
    """
    if targets is None:
        return {}
    found: dict[str, list[str]] = {"user": [], "group": []}
    for target in targets:
        kind, _, name = target.partition(":")
        # of groups there is no "every one": it would say no more than `user:*`
        if kind not in found or not name or (kind == "group" and name == EVERYBODY):
            raise InvalidParameterError(
                f"{target!r} names nobody to share with.",
                hint="Write user:NAME or group:NAME, or user:* for everyone.",
                parameter="share_with",
            )
        found[kind].append(name)
    return {"shared_users": tuple(found["user"]), "shared_groups": tuple(found["group"])}


def settings(pairs: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """The values of `--set key=value`; `key=` takes one away.

    Raises:
        InvalidParameterError: a key is no parameter of a provider but has an option of its own.
    """
    found = {}
    for key, value in pairs:
        if key in _OWN_OPTIONS:
            raise InvalidParameterError(
                f"{key!r} is no parameter of a provider.",
                hint=f"Give it as an option of its own, --{key.replace('_', '-')}; a name cannot "
                "be changed.",
                parameter=key,
            )
        found[key] = value or None
    return found


def present(values: Mapping[str, str | None]) -> dict[str, str]:
    """Values for something new, where there is nothing to take away."""
    return {name: value for name, value in values.items() if value is not None}


def _field(name: str, value: Any) -> Any:
    if name in _DURATIONS:
        return duration(value)
    if name in _LISTS:
        return (value,) if isinstance(value, str) else tuple(value)
    if name == "scope" and not isinstance(value, str):
        return " ".join(value)
    if name == "auth_method":
        try:
            return AuthMethod(value)
        except ValueError:
            raise InvalidParameterError(
                f"{value!r} is not a method of client authentication.",
                hint=f"Use {', '.join(one.value for one in AuthMethod)}.",
                parameter=name,
            ) from None
    return value


def _require_known(given: Iterable[str], known: frozenset[str], what: str) -> None:
    for name in given:
        if name not in known:
            similar = get_close_matches(name, known, n=1)
            raise InvalidParameterError(
                f"{what} has no field {name!r}.",
                hint=f"Did you mean {similar[0]}?"
                if similar
                else f"There are {', '.join(sorted(known))}.",
                parameter=name,
            )
