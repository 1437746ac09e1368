"""What the token service hands out: an access token, never a refresh token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

from .secret import Secret

#: Asked of every token unless the caller says otherwise.
DEFAULT_MIN_VALIDITY = timedelta(seconds=60)

#: A longer validity than this share of a token's life is not asked for: a fixed minute would
#: refresh a ten-second token at every call.
_LARGEST_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AccessToken:
    """An access token (RFC 6749 §1.4), masked wherever Python shows it.

    Attributes:
        value: the token.
        token_type: as the provider wrote it, usually `Bearer`.
        expires_at: aware UTC, or None when the provider says nothing.
        refresh_at: from this moment the service renews it; ask again then.
        issued_at: aware UTC, when the token request was started.
        scope: granted scope, space-separated.
        resource: RFC 8707 resource it is for, or None.
        generation: counts the tokens of one grant; name it when a resource rejected the token.
        extra: fields the catalog entry keeps from the token answer, e.g. `instance_url`.
    """

    value: Secret
    generation: int
    token_type: str = "Bearer"
    expires_at: datetime | None = None
    refresh_at: datetime | None = None
    issued_at: datetime | None = None
    scope: str = ""
    resource: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def reveal(self) -> str:
        """The token's string."""
        return self.value.reveal()

    def valid_for(self, validity: timedelta, *, now: datetime, exact: bool = False) -> bool:
        """Whether the token lives that much longer; an unknown end counts as living."""
        if self.expires_at is None:
            return True
        if not exact and self.issued_at is not None:
            validity = min(validity, (self.expires_at - self.issued_at) * _LARGEST_SHARE)
        return self.expires_at - now > validity

    def __repr__(self) -> str:
        return f"AccessToken('********', scope={self.scope!r})"

    def __str__(self) -> str:
        return "********"

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError(
            "An access token is not formatted into text: pass conn.headers() to your HTTP call, "
            "or use token.reveal() where the string itself is needed."
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An access token is not pickled: pass the connection (or its name) to the other "
            "process and ask it for its token there."
        )
