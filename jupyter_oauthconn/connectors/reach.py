"""Where a token comes from, and which addresses may receive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

from jupyter_oauthconn.errors import NotAllowedError
from jupyter_oauthconn.model import AccessToken, Secret

from .headers import MASK

#: Nothing that goes there leaves the machine.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: For the clients of httpx and httpx2: what goes there takes no proxy of the environment, which
#: would be another machine.
NO_PROXY = dict.fromkeys(
    f"http://{host}" for host in ("localhost", "localhost.", "127.0.0.1", "[::1]")
)


class TokenSource(Protocol):
    """A connection, as far as a connector knows it. Thread-safe; cheap while a token is fresh.

    `rejected` is a token that a store refused: it is renewed only if it is still the current one.
    `resource` (RFC 8707) asks for a token for that one; None: what the sign-in is for.
    """

    @property
    def name(self) -> str: ...

    def token(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken: ...

    async def atoken(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken: ...


@dataclass(frozen=True, slots=True)
class ForResource:
    """A token source whose tokens are for one resource, unless the caller names another."""

    source: TokenSource
    resource: str

    @property
    def name(self) -> str:
        return self.source.name

    def token(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        resource = resource or self.resource
        return self.source.token(min_validity, rejected=rejected, resource=resource)

    async def atoken(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        resource = resource or self.resource
        return await self.source.atoken(min_validity, rejected=rejected, resource=resource)


class Remembered:
    """A token source that knows what it gave, and what was traded for that, so that a foreign
    message can be shown without it."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._given: set[Secret] = set()

    @property
    def name(self) -> str:
        return self._source.name

    def token(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        token = self._source.token(min_validity, rejected=rejected, resource=resource)
        self.note(token.value)
        return token

    async def atoken(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        token = await self._source.atoken(min_validity, rejected=rejected, resource=resource)
        self.note(token.value)
        return token

    def note(self, *secrets: Secret) -> None:
        self._given.update(secrets)

    def masked(self, text: str) -> str:
        """`text` without any of them, also where an address holds it percent-encoded."""
        for secret in self._given.copy():
            for one in (secret.reveal(), quote(secret.reveal(), safe="")):
                text = text.replace(one, MASK)
        return text

    def __repr__(self) -> str:
        return f"<Tokens of {self.name!r}>"


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
        try:
            parts = urlsplit(address)
            host = (parts.hostname or "").rstrip(".").lower()
        except ValueError:  # no address at all
            return False
        if not host or (parts.scheme != "https" and not _is_loopback_http(parts.scheme, host)):
            return False
        return self.hosts is None or any(_fits(host, pattern) for pattern in self.hosts)


def require(name: str, reach: Reach, address: str) -> str:
    """`address`, if the token of the connection `name` may go there.

    Raises:
        NotAllowedError: it may not: another host, or neither https nor loopback.
    """
    if reach.covers(address):
        return address
    parts = urlsplit(address)
    hosts = "any host by https" if reach.hosts is None else ", ".join(reach.hosts) or "no host"
    raise NotAllowedError(
        f"The token of {name!r} is not sent to {parts.scheme or 'no scheme'}://{parts.hostname}: "
        f"the connection is for {hosts}.",
        hint="Use the address of the connection's own store, or a connection for that one.",
    )


def is_plain_loopback(address: str) -> bool:
    """Whether a request to `address` goes to this machine without TLS.

    Such a one must not take a proxy, whatever the environment says: it would leave the machine.
    """
    parts = urlsplit(address)
    return _is_loopback_http(parts.scheme, (parts.hostname or "").rstrip(".").lower())


def _is_loopback_http(scheme: str, host: str) -> bool:
    return scheme == "http" and host in LOOPBACK


def _fits(host: str, pattern: str) -> bool:
    pattern = pattern.lower()
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern
