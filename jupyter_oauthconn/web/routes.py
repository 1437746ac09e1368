"""The JSON routes as data: address, who may call, what goes in and comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_oauthconn.broker import TokenServiceBroker

from .host import Caller, Host, Kind

EVERYBODY = Kind.KERNEL | Kind.BROWSER | Kind.SERVER_TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One request, checked: what an act gets."""

    host: Host
    caller: Caller
    broker: TokenServiceBroker
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one address below the mount.

    Attributes:
        path: e.g. `api/v1/connections/{name}`.
        act: returns what is answered as JSON; None: 204.
        asks_provider: it may wait for a provider, and runs where that holds up nobody who only
            reads.
        query, body, answer: TypedDicts of `wire`, for the check and the OpenAPI document.
    """

    method: str
    path: str
    act: Callable[[ApiCall], object]
    who: Kind = EVERYBODY
    administrator: bool = False
    asks_provider: bool = False
    query: Mapping[str, type] = field(default_factory=dict)
    body: type | None = None
    answer: type | None = None
    status: int = 200
    summary: str = ""


ROUTES: tuple[Route, ...] = ()
