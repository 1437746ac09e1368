"""What may go wrong on purpose: the next answers of an endpoint are late, wrong, cut or missing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from jupyter_oauthconn.errors import InvalidParameterError

_Check = Callable[[str], object]


def _status(text: str) -> HTTPStatus:
    status = HTTPStatus(int(text))
    if status < HTTPStatus.MULTIPLE_CHOICES:
        raise ValueError
    return status


def _nothing(text: str) -> None:
    if text:
        raise ValueError


def _field(text: str) -> str:
    if not text.isidentifier():
        raise ValueError
    return text


def _patch(text: str) -> object:
    name, _, value = text.partition("=")
    _field(name)
    return json.loads(value)


#: kind → (how its value is checked, whether the request is handled before the fault, what it does)
KINDS: dict[str, tuple[_Check, bool, str]] = {
    "status": (_status, False, "status:NNN answers with that status and no OAuth error"),
    "error": (_field, False, "error:CODE answers with that OAuth error (RFC 6749 §5.2)"),
    "html": (_nothing, False, "html answers 200 with a web page, like a hotel's network"),
    "retry_after": (int, False, "retry_after:SECONDS answers 429 with that Retry-After"),
    "redirect": (str, False, "redirect:URL answers 307 to that address"),
    "hangup_before": (_nothing, False, "hangup_before closes the connection, nothing is done"),
    "hangup_after": (_nothing, True, "hangup_after does what was asked and closes the connection"),
    "drip": (_nothing, True, "drip does what was asked and sends one byte of the answer a second"),
    "drop": (_field, True, "drop:FIELD leaves that field out of the answer"),
    "patch": (_patch, True, "patch:FIELD=JSON replaces that field of the answer"),
    "clock": (float, True, "clock:SECONDS shifts the Date header of the answer"),
}

#: endpoints of machines; the pages have no faults
ENDPOINTS = (
    "token", "metadata", "jwks", "userinfo", "revocation", "introspection",
    "device_authorization", "data/sales", "data/regions", "data/whoami",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, e.g. `status:503`: its `name` and `value`."""

    name: str
    value: str

    @property
    def handles_first(self) -> bool:
        """Whether the provider does what was asked before the fault strikes."""
        return KINDS[self.name][1]

    def __str__(self) -> str:
        return f"{self.name}:{self.value}" if self.value else self.name


class Faults:
    """Faults that wait for the next requests, in the order in which they were planned."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, Fault]] = []
        self._lock = threading.Lock()

    def plan(self, kind: str, times: int = 1, endpoint: str = "token") -> None:
        """The next `times` requests of the endpoint meet this fault.

        Raises:
            InvalidParameterError: no such kind, value or endpoint.
        """
        name, _, value = kind.partition(":")
        try:
            KINDS[name][0](value)
        except (KeyError, ValueError):
            raise InvalidParameterError(
                f"The practice provider has no fault {kind!r}.",
                hint="; ".join(text for _, _, text in KINDS.values()) + ".",
                parameter="kind",
            ) from None
        if endpoint not in ENDPOINTS:
            raise InvalidParameterError(
                f"The practice provider has no endpoint {endpoint!r} with faults.",
                hint=f"It has {', '.join(ENDPOINTS)}.",
                parameter="endpoint",
            )
        with self._lock:
            self._waiting += [(endpoint, Fault(name, value))] * times

    def take(self, endpoint: str) -> Fault | None:
        """The fault for a request that has just come in; it is used up."""
        with self._lock:
            for index, (where, fault) in enumerate(self._waiting):
                if where == endpoint:
                    del self._waiting[index]
                    return fault
        return None

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
