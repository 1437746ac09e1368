"""From a model's value to its body and back, along the shape's members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from jupyter_oauthconn import model

from . import shapes


def rfc3339(moment: datetime) -> str:
    """UTC with `Z` and milliseconds, which is what a browser's `Date` keeps (RFC 3339 §5.6)."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


#: The shape in which each kind of value travels; `catalog` names its own here.
SHAPES: dict[type, type] = {
    model.Endpoints: shapes.Endpoints, model.ClientSecretInfo: shapes.ClientSecretInfo,
    model.Endurance: shapes.Endurance, model.ClientRegistration: shapes.Client,
    model.LastError: shapes.LastError, model.Status: shapes.Status,
    model.Connection: shapes.Connection, model.Authorization: shapes.Authorization,
    model.ConnectionUse: shapes.ConnectionUse, model.ClientUse: shapes.ClientUse,
    model.OwnedGrant: shapes.Grant, model.SettingInForce: shapes.Setting,
    model.Event: shapes.Event, model.Check: shapes.Check, model.Revocation: shapes.Revocation,
}  # fmt: skip
_SECONDS = "_seconds"
_LONGEST = timedelta(days=3660)


def body_of(value: object, **instead: object) -> dict[str, object]:
    """The members that the value's shape names; `instead` wins over attributes."""
    names = SHAPES[type(value)].__annotations__
    return {
        name: plain(
            instead[name] if name in instead else getattr(value, name.removesuffix(_SECONDS))
        )
        for name in names
    }


def plain(value: object) -> object:
    """As it stands in a body. Raises `KeyError` for what has no shape, e.g. a secret."""
    match value:
        case StrEnum():
            return value.value
        case datetime():
            return rfc3339(value)
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case tuple() | list():
            return [plain(one) for one in value]
        case Mapping():
            return {key: plain(one) for key, one in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return body_of(value)


_Value = TypeVar("_Value")


def value_of(kind: type[_Value], body: Mapping[str, object], **instead: object) -> _Value:
    """The dataclass `kind` of a body; `instead` wins over members."""
    _checked(dict, body)
    for name in SHAPES[kind].__annotations__:
        if name not in body:
            raise KeyError(name)
    arguments = dict(instead)
    for name, hint in hints(cast(type, kind)).items():
        key = name if name in body else name + _SECONDS
        if name not in instead and key in body:
            arguments[name] = typed(hint, body[key])
    return kind(**arguments)


@cache
def hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields, in their order."""
    found = get_type_hints(kind)
    return {one.name: found[one.name] for one in fields(kind)}


def typed(hint: Any, value: Any) -> Any:
    """A body's value as the type `hint`. Raises `KeyError`, `TypeError`, `ValueError`."""
    if isinstance(hint, UnionType):
        if value is None:
            return None
        hint = next(one for one in get_args(hint) if one is not NoneType)
    if hint in _READERS:
        return _READERS[hint](value)
    if get_origin(hint) is tuple:
        return tuple(typed(get_args(hint)[0], one) for one in _checked(list, value))
    if get_origin(hint) is Mapping:
        of_key, of_value = get_args(hint)
        members = _checked(dict, value).items()
        return {typed(of_key, key): typed(of_value, one) for key, one in members}
    if is_dataclass(hint):
        return value_of(cast(type, hint), _checked(dict, value))
    if hint is UUID or issubclass(hint, StrEnum):
        return hint(_checked(str, value))
    return _checked(hint, value)


def _checked(kind: type[_Value], value: object) -> _Value:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_checked(str, value))
    if moment.tzinfo is None:
        raise ValueError("a time without its offset from UTC")
    return moment


def _number(value: object) -> float:
    return value if isinstance(value, float) else _whole_number(value)


def _whole_number(value: object) -> int:
    if isinstance(value, bool):  # an int to Python, not to JSON
        raise TypeError("expected a number, got bool")
    return _checked(int, value)


def _duration(value: object) -> timedelta:
    seconds = _number(value)
    # also refuses nan; more would overflow a date somewhere
    if not 0 <= seconds <= _LONGEST.total_seconds():
        raise ValueError("a duration that is negative or longer than ten years")
    return timedelta(seconds=seconds)


def _string(value: object) -> str:
    return _checked(str, value)


_READERS: dict[Any, Callable[[object], object]] = {
    str: _string,
    datetime: _moment,
    timedelta: _duration,
    float: _number,
    int: _whole_number,
}
