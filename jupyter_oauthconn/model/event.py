"""What happened (for the history) and what was found (for tests and the doctor)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the history: ids and names, never values.

    Attributes:
        kind: e.g. `client_registered`, `connected`, `token_issued`, `refreshed`,
            `refresh_failed`, `revoked`, `key_added`.
        outcome: `ok` or an error code.
        origin: host, kernel, notebook where known.
    """

    kind: str
    outcome: str = "ok"
    id: int = 0
    at: datetime | None = None
    owner: str = ""
    actor: str = ""
    client: str | None = None
    connection: str | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted; None: all. `before`: only those with a smaller id."""

    owner: str | None = None
    kind: str | None = None
    outcome: str | None = None
    client: str | None = None
    connection: str | None = None
    before: int | None = None


ALL_EVENTS = EventFilter()


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding of a test or of the doctor."""

    check: str
    outcome: Outcome
    detail: str
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What `revoke` did. Local tokens are always gone.

    Attributes:
        at_provider: `ok`, `failed` (the provider did not confirm) or `unknown` (it has no
            revocation endpoint, or there was nothing to revoke).
        siblings: other connections that the same provider grant may have carried.
    """

    at_provider: Outcome
    detail: str
    siblings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endurance:
    """Whether a connection lasts for a planned run.

    Attributes:
        lasts: None: nobody can tell, as the provider does not say how long a sign-in lasts.
    """

    lasts: bool | None
    detail: str
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
