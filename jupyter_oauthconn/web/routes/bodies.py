"""From the members of a body to the broker's arguments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from jupyter_oauthconn.errors import ConflictError, InvalidParameterError
from jupyter_oauthconn.model import ClientRegistration, Connection

from .route import ApiCall

_LONGEST_SECONDS = 10 * 366 * 86_400.0

_Value = TypeVar("_Value")


def read(reader: Callable[[Any], _Value], body: object) -> _Value:
    """`reader` is one of `wire`'s. Raises `InvalidParameterError`."""
    try:
        return reader(body)
    except (KeyError, TypeError, ValueError):
        # never quoted: a value may be a client secret
        raise InvalidParameterError(
            "A value of the body is none that its member can have.",
            hint="api/v1/openapi.json has the members; the catalog's entry the methods.",
        ) from None


def duration(name: str, seconds: float) -> timedelta:
    """Raises `InvalidParameterError`: negative, or longer than ten years."""
    if not 0 <= seconds <= _LONGEST_SECONDS:
        raise InvalidParameterError(
            f"{name} is no length of time that can be waited for.",
            hint="Give a number of seconds, 0 or more and at most ten years.",
            parameter=name,
        )
    return timedelta(seconds=seconds)


def check_version(call: ApiCall, stored: Callable[[str], ClientRegistration | Connection]) -> None:
    """Raises `ConflictError` when the query's `version` is not the stored one."""
    version = call.query.get("version")
    if version is not None and stored(call.name).version != version:
        raise ConflictError(
            f"{call.name!r} was changed meanwhile.",
            hint="Look at it again, then repeat what you wanted to do.",
        )
