"""What came with a request, checked before any verb sees it: path, query, body."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, NoReturn, NotRequired, get_args, get_origin, get_type_hints, is_typeddict
from uuid import UUID

from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    UnknownAuthorizationError,
    UnknownClientError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import is_name

LONGEST_BODY = 64 * 1024
#: Whole numbers beyond are not the same in every JSON reader (RFC 8259 §6).
_LARGEST_NUMBER = 2**53
_NOT_OURS = frozenset({"_xsrf", "no_track_activity"})
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_KINDS: dict[str, type[UnknownConnectionError] | type[UnknownClientError]] = {
    "connections": UnknownConnectionError,
    "clients": UnknownClientError,
}


def check_path(template: str, path: Mapping[str, str]) -> None:
    """Raises the error of an unknown name or id, without asking the database, for one that
    nothing can have."""
    if "name" in path and not is_name(path["name"]):
        raise _KINDS[template.split("/")[2]](path["name"])
    if "id" in path:
        try:
            UUID(path["id"])
        except ValueError:
            if "/authorizations/" in template:
                raise UnknownAuthorizationError(path["id"]) from None
            raise InvalidParameterError(
                "Nothing has such an id.", hint="List them again.", parameter="id"
            ) from None


def read_query(types: Mapping[str, type], given: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """The parameters as values of their types.

    Raises:
        InvalidParameterError: unknown, twice, or of another type; names it.
    """
    found = {}
    for name, values in given.items():
        if name in types:
            if len(values) != 1:
                _refuse(name, "stands twice in the address")
            found[name] = _value(name, types[name], values[0])
        # JupyterLab appends the time, so that no cache answers
        elif name not in _NOT_OURS and not name.isdecimal():
            _refuse(name, "is no parameter of this address")
    return found


def read_body(
    content: bytes, content_type: str, shape: type | None, *, also_unknown: bool = False
) -> dict[str, Any]:
    """The JSON object of a request; an empty body is an empty object.

    Args:
        also_unknown: members that the shape does not name are let through.

    Raises:
        ConfigurationError: it is no JSON object, or too long.
        InvalidParameterError: a member is unknown, missing, or of another type; names it.
    """
    if not content:
        body: object = {}
    elif content_type.partition(";")[0].strip().lower() != "application/json":
        # a form of a foreign page can send anything but this
        _unreadable("The body must come as Content-Type: application/json.")
    elif len(content) > LONGEST_BODY:
        _unreadable(f"The body is longer than {LONGEST_BODY // 1024} kB.")
    else:
        body = _parsed(content)
    if not isinstance(body, dict):
        _unreadable("The body must be a JSON object.")
    _check_members(shape, body, "", also_unknown=also_unknown)
    return body


def _parsed(content: bytes) -> object:
    try:
        body: object = json.loads(
            content.decode(), object_pairs_hook=_without_repetition, parse_constant=_no_number
        )
        # half of a surrogate pair is valid JSON, but no text that could be stored
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        body = None  # outside the handler: the exception quotes what may be a secret
    if body is None:
        _unreadable("The body is no JSON object in UTF-8, or names a member twice.")
    return body


def _without_repetition(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError  # readers differ in which one they take (RFC 8259 §4)
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError  # NaN and Infinity are no JSON


@cache
def members_of(shape: type) -> dict[str, tuple[Any, bool]]:
    """A shape's members: their type, and whether they must be there."""
    # not `__required_keys__` alone: it does not see a NotRequired in a postponed annotation
    return {
        name: (get_args(hint)[0], False)
        if get_origin(hint) is NotRequired
        else (hint, name in shape.__required_keys__)  # type: ignore[attr-defined]
        for name, hint in get_type_hints(shape, include_extras=True).items()
    }


def _check_members(
    shape: type | None, body: Mapping[str, Any], place: str, *, also_unknown: bool = False
) -> None:
    members = members_of(shape) if shape is not None else {}
    for name, value in body.items():
        if name in members:
            _check_value(place + name, members[name][0], value)
        elif not also_unknown:
            _refuse(place + name, "is no member of this body")
    for name, (_, required) in members.items():
        if required and name not in body:
            _refuse(place + name, "is missing")


def _check_value(name: str, hint: Any, value: object) -> None:
    if get_origin(hint) is UnionType:
        if value is None and NoneType in get_args(hint):
            return
        hint = next(one for one in get_args(hint) if one is not NoneType)
    if is_typeddict(hint) and isinstance(value, dict):
        _check_members(hint, value, f"{name}.")
    elif get_origin(hint) is list and isinstance(value, list):
        for one in value:
            _check_value(name, get_args(hint)[0], one)
    elif get_origin(hint) is dict and isinstance(value, dict):
        for key, one in value.items():
            _check_value(f"{name}.{key}", get_args(hint)[1], one)
    elif hint not in _CHECKS or not _CHECKS[hint](value):
        _refuse(name, f"must be {_words(hint)}")


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= _LARGEST_NUMBER  # type: ignore[arg-type]


_CHECKS: dict[Any, Callable[[object], bool]] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: lambda value: _is_number(value) and isinstance(value, int),
    float: _is_number,
}
_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number",
          list: "a list", dict: "an object"}  # fmt: skip


def _words(hint: Any) -> str:
    return _WORDS[dict if is_typeddict(hint) else get_origin(hint) or hint]


def _value(name: str, kind: type, given: bytes) -> object:
    try:
        text = given.decode()
        if "\x00" in text:
            raise ValueError  # PostgreSQL cannot even compare it
        value = _BOOLEANS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        value = math.nan
    if isinstance(value, float | int) and not abs(value) <= _LARGEST_NUMBER:  # also refuses nan
        _refuse(name, f"must be {_words(kind)}")
    return value


def _refuse(name: str, why: str) -> NoReturn:
    shown = name if len(name) <= 80 else f"{name[:80]}…"  # noqa: PLR2004
    raise InvalidParameterError(
        f"{shown!r} {why}.", hint="api/v1/openapi.json describes the request.", parameter=shown
    )


def _unreadable(sentence: str) -> NoReturn:
    raise ConfigurationError(sentence, hint="api/v1/openapi.json describes the request.")
