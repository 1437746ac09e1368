"""What a person gives (keyword arguments, options, a TOML file), read into drafts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import AuthMethod, ClientDraft, ConnectionDraft, Endpoints, Secret

CLIENT_FIELDS = frozenset(one.name for one in fields(ClientDraft)) - {"name", "client_secret"}
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


def secret_at(reference: str) -> Secret:
    """Reads the secret that `env:NAME` or `file:PATH` names; its value is no argument anywhere.

    Raises:
        InvalidParameterError: malformed, or nothing is there.
    """
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        value = os.environ.get(place, "")
        missing = f"The environment variable {place} is not set."
    elif kind == "file" and place:
        try:
            value = Path(place).expanduser().read_text(encoding="utf-8").strip()
            missing = f"The file {place} is empty."
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            value, missing = "", f"The file {place} cannot be read: {reason}."
    else:
        # the text is not repeated: it may be the secret itself, given by mistake
        value, missing = "", "A secret is given by reference."
    if not value:
        raise InvalidParameterError(
            missing,
            hint="Put the client secret there or name another place: env:NAME or file:PATH "
            "(--secret-env NAME, --secret-file PATH).",
            parameter="secret_reference",
        )
    return Secret(value)


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


def share_with(targets: Iterable[str] | None) -> dict[str, tuple[str, ...]]:
    """`user:U` and `group:G` as the two fields of a connection."""
    found: dict[str, list[str]] = {"shared_users": [], "shared_groups": []}
    kinds = {"user": "shared_users", "group": "shared_groups"}
    for target in targets or ():
        kind, _, name = target.partition(":")
        if kind not in kinds or not name:
            raise InvalidParameterError(
                f"{target!r} names nobody to share with.",
                hint="Write user:NAME or group:NAME.",
                parameter="share_with",
            )
        found[kinds[kind]].append(name)
    return {field: tuple(names) for field, names in found.items() if names}


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
