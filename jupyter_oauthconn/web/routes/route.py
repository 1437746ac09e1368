"""A JSON route as data, and the request that its act gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from jupyter_oauthconn.broker import TokenServiceBroker

from ..host import Caller, Host, Kind

ANYONE = Kind(0)
EVERYBODY = Kind.KERNEL | Kind.BROWSER | Kind.SERVER_TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One request, checked: what an act gets."""

    host: Host
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]

    @property
    def broker(self) -> TokenServiceBroker:
        """The caller's verbs."""
        return self.host.broker(self.caller.owner, administrator=self.caller.administrator)

    @property
    def name(self) -> str:
        """`{name}` of the path."""
        return self.path["name"]

    @property
    def id(self) -> UUID:
        """`{id}` of the path."""
        return UUID(self.path["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one address below the mount.

    Attributes:
        path: e.g. `api/v1/connections/{name}`.
        act: returns what is answered as JSON; None: 204.
        who: of these kinds; `ANYONE` need not say who she is.
        asks_provider: it may wait for a provider, and runs where that holds up nobody who only
            reads.
        settled: a long poll: the act is repeated until this is true of its answer, for
            `wait_seconds` of the query at most.
        query: the parameters and their types; all may be left out.
        body, answer: TypedDicts of `wire`, for the check and the OpenAPI document.
        several: answers a page of `answer`s.
    """

    method: str
    path: str
    act: Callable[[ApiCall], object]
    summary: str
    who: Kind = EVERYBODY
    administrator: bool = False
    asks_provider: bool = False
    settled: Callable[[Any], bool] | None = None
    query: Mapping[str, type] = field(default_factory=dict)
    body: type | None = None
    answer: type | None = None
    several: bool = False
    status: int = 200
