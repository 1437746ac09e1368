"""From a model's value to its body and back, along the shape's members."""

from __future__ import annotations

from collections.abc import Mapping
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


_SHAPES: dict[type, type] = {
    model.Endpoints: shapes.Endpoints, model.ClientSecretInfo: shapes.ClientSecretInfo,
    model.Endurance: shapes.Endurance, model.ClientRegistration: shapes.Client,
    model.LastError: shapes.LastError, model.Status: shapes.Status,
    model.Connection: shapes.Connection, model.Authorization: shapes.Authorization,
    model.Event: shapes.Event, model.Check: shapes.Check, model.Revocation: shapes.Revocation,
}  # fmt: skip
_SECONDS = "_seconds"


def body_of(value: object, **instead: object) -> dict[str, object]:
    """The members that the value's shape names; `instead` wins over attributes."""
    names = _SHAPES[type(value)].__annotations__
    return {
        name: _plain(
            instead[name] if name in instead else getattr(value, name.removesuffix(_SECONDS))
        )
        for name in names
    }


def _plain(value: object) -> object:
    match value:
        case StrEnum():
            return value.value
        case datetime():
            return rfc3339(value)
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case tuple():
            return [_plain(one) for one in value]
        case Mapping():
            return {key: _plain(one) for key, one in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return body_of(value)


_Value = TypeVar("_Value")


def value_of(kind: type[_Value], body: Mapping[str, object], **instead: object) -> _Value:
    """The dataclass `kind` of a body; `instead` wins over members."""
    for name in _SHAPES[kind].__annotations__:
        if name not in body:
            raise KeyError(name)
    arguments = dict(instead)
    for name, hint in _hints(cast(type, kind)).items():
        key = name if name in body else name + _SECONDS
        if name not in instead and key in body:
            arguments[name] = _typed(hint, body[key])
    return kind(**arguments)


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind)}


def _typed(hint: Any, value: Any) -> object:
    if get_origin(hint) is UnionType:
        if value is None:
            return None
        hint = next(one for one in get_args(hint) if one is not NoneType)
    if get_origin(hint) is tuple:
        return tuple(_typed(get_args(hint)[0], one) for one in value)
    if get_origin(hint) is Mapping:
        return dict(value)
    if hint is datetime:
        return datetime.fromisoformat(value)
    if hint is timedelta:
        return timedelta(seconds=value)
    if is_dataclass(hint):
        return value_of(cast(type, hint), value)
    if hint is UUID or issubclass(hint, StrEnum):
        return hint(value)
    if not isinstance(value, hint):
        raise TypeError(f"expected {hint.__name__}, got {type(value).__name__}")
    return value
