"""A token source in memory whose tokens are counted: `canary-token-1`, `canary-token-2`, …"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jupyter_oauthconn.catalog import Handle
from jupyter_oauthconn.connectors import Reach
from jupyter_oauthconn.connectors.connector import Access
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import AccessToken, Secret

MARKER = "canary-token"
HOUR = 3600.0
MINUTE = 60.0


def value(generation: int) -> str:
    return f"{MARKER}-{generation}"


def bearer(generation: int) -> str:
    return f"Bearer {MARKER}-{generation}"


@dataclass(frozen=True)
class Asked:
    min_validity: float
    rejected: int | None
    resource: str | None


class CountedTokens:
    """Renews as the service does: when little life is left, or for the current one `rejected`.

    Pickled, it is the name of a source of another process, as a connection is.

    Args:
        life: of each token, in seconds; None: it has no end that is known.
        due: after which share of its life each is renewed.
    """

    def __init__(
        self,
        life: float | None = HOUR,
        *,
        extra: Mapping[str, str] | None = None,
        due: float = 0.8,
    ) -> None:
        self.name = "data"
        self.life = life
        self.due = due
        self.extra = extra or {}
        self.asked: list[Asked] = []
        self.generation = 0
        self.renewable = True
        self.failure: OAuthConnError | None = None
        self._current: AccessToken | None = None
        self._lock = threading.Lock()

    def token(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        with self._lock:
            self.asked.append(
                Asked(min_validity, None if rejected is None else rejected.generation, resource)
            )
            if self.failure is not None:
                raise self.failure
            current = self._current
            refused = current is not None and current == rejected and self.renewable
            if current is None or refused or not self._serves(current, min_validity):
                current = self._current = self._next(resource)
            return current

    def _serves(self, current: AccessToken, min_validity: float) -> bool:
        now = datetime.now(UTC)
        due = current.refresh_at is not None and current.refresh_at <= now
        return not due and current.valid_for(timedelta(seconds=min_validity), now=now)

    async def atoken(self, min_validity: float = 60.0, **options: Any) -> AccessToken:
        await asyncio.sleep(0)
        return self.token(min_validity, **options)

    def renew(self) -> None:
        """As when somebody else has renewed it."""
        with self._lock:
            self._current = None

    def age(self, seconds: float) -> None:
        """The current token was issued that long ago."""
        with self._lock:
            assert self._current is not None
            issued_at = datetime.now(UTC) - timedelta(seconds=seconds)
            self._current = replace(self._current, issued_at=issued_at)

    @property
    def forced(self) -> int:
        return sum(one.rejected is not None for one in self.asked)

    def _next(self, resource: str | None) -> AccessToken:
        self.generation += 1
        now = datetime.now(UTC)
        life = None if self.life is None else timedelta(seconds=self.life)
        return AccessToken(
            value=Secret(value(self.generation)),
            generation=self.generation,
            token_type="bearer",
            issued_at=now,
            expires_at=life and now + life,
            refresh_at=life and now + life * self.due,
            resource=resource,
            extra=self.extra,
        )

    def __reduce__(self) -> tuple[type[CountedTokens], tuple[()]]:
        return (CountedTokens, ())


@dataclass
class Connected:
    """What a test needs to open handles: `access(kind)`."""

    source: CountedTokens = field(default_factory=CountedTokens)
    hosts: tuple[str, ...] | None = ("127.0.0.1",)

    def access(self, kind: str, **handle: Any) -> Access:
        parameters = handle.pop("parameters", {})
        return Access(
            source=self.source,
            reach=Reach(self.hosts),
            handle=Handle(kind=kind, **handle),
            parameters=parameters,
        )
