"""Paths and bodies of requests to a token service, and what its answers hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

from jupyter_oauthconn.model import Secret

from .http_connection import Answer

JSON = "application/json"

_Value = TypeVar("_Value")


class ForeignAnswerError(Exception):
    """An answer that no token service of ours gives. Never leaves this package."""


def value_of(answer: Answer, read: Callable[[Any], _Value]) -> _Value:
    try:
        if answer.status == HTTPStatus.NO_CONTENT:
            return read(None)
        if answer.content_type != JSON:
            raise ValueError
        return read(json.loads(answer.body))
    except (KeyError, TypeError, ValueError, RecursionError):
        # without its frames, which may hold a token
        raise ForeignAnswerError from None


def page_of(read: Callable[[Any], _Value], body: Any) -> tuple[list[_Value], str | None]:
    items, cursor = body["items"], body["next"]
    if not isinstance(items, list) or not isinstance(cursor, str | None):
        raise TypeError
    return [read(one) for one in items], cursor


def items_of(read: Callable[[Any], _Value]) -> Callable[[Any], list[_Value]]:
    return lambda body: page_of(read, body)[0]


def nothing(body: object) -> None:
    """An answer that says only that it was done."""


def text_of(body: Any) -> str:
    text = body["text"]
    if not isinstance(text, str):
        raise TypeError
    return text


def path_of(*parts: str, **query: object) -> str:
    """What is None is left out."""
    path = "/".join(parts)
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def sealed(body: Mapping[str, Any]) -> Secret:
    """JSON that no frame shows: it may hold a client secret."""
    return Secret(json.dumps(body))
