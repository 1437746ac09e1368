"""Where a token comes from, and which addresses may receive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from jupyter_oauthconn.model import AccessToken

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class TokenSource(Protocol):
    """A connection, as far as a connector knows it."""

    @property
    def name(self) -> str: ...

    def token(self, *, rejected_generation: int | None = None) -> AccessToken: ...

    async def atoken(self, *, rejected_generation: int | None = None) -> AccessToken: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """The hosts that belong to a connection.

    Attributes:
        hosts: exact names or `*.suffix`; None: any host that the caller addresses itself. Empty
            is none at all: what could not be filled in must not become everything.
    """

    hosts: tuple[str, ...] | None

    def covers(self, address: str) -> bool:
        """Whether a request to `address` may carry the token.

        RFC 6750 §5.3: only over TLS. Loopback is the exception: nothing leaves the machine.
        """
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".").lower()
        if not host or (parts.scheme != "https" and not _is_loopback_http(parts.scheme, host)):
            return False
        return self.hosts is None or any(_fits(host, pattern) for pattern in self.hosts)


def authorization_header(token: AccessToken) -> str:
    """The value of the `Authorization` header (RFC 6750 §2.1).

    Providers write the type in every case; resources compare it with `Bearer`.
    """
    scheme = "Bearer" if token.token_type.lower() == "bearer" else token.token_type
    return f"{scheme} {token.reveal()}"


def _is_loopback_http(scheme: str, host: str) -> bool:
    return scheme == "http" and host in _LOOPBACK


def _fits(host: str, pattern: str) -> bool:
    pattern = pattern.lower()
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern
