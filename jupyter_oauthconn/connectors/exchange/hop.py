"""What a token was traded for, kept as long as it is good."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from jupyter_oauthconn.catalog import Exchange, ExchangeKind
from jupyter_oauthconn.connectors.connector import Access
from jupyter_oauthconn.connectors.reach import Remembered, TokenSource
from jupyter_oauthconn.errors import (
    ConfigurationError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import AccessToken

from . import trades
from .trades import LATE, CloudKey, Terms

#: More than this part of its life is not asked for.
_LARGEST_SHARE = 0.2
#: A server that did not answer is not asked again at once while the old credential serves.
_PAUSE = timedelta(seconds=5)
_UNAUTHORIZED = 401
#: Codes by which servers say that it is the token that they refuse (RFC 6749, RFC 6750, STS).
_TOKEN_REFUSED = frozenset(
    {"invalid_grant", "invalid_token", "ExpiredToken", "ExpiredTokenException"}
    | {"InvalidIdentityToken", "InvalidIdentityTokenException"}
)


class _Timed(Protocol):
    @property
    def issued_at(self) -> datetime | None: ...

    @property
    def expires_at(self) -> datetime | None: ...


T = TypeVar("T", bound=_Timed)


class SecondHop(Generic[T]):
    """Trades the source's token, one exchange at a time, and keeps the answer.

    Args:
        trade: makes one exchange.
    """

    def __init__(self, source: TokenSource, trade: Callable[[AccessToken], T]) -> None:
        self._source = source
        self._trade = trade
        self._lock = threading.Lock()
        self._kept: T | None = None
        self._traded: AccessToken | None = None
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def current(self, min_validity: float = 60.0, *, rejected: T | None = None) -> T:
        """A credential that lives at least so many seconds (at most 20 % of its life is asked).

        Args:
            rejected: what the store refused; it is traded anew only if it is still the kept one.

        Raises:
            ProviderRejectedError: the server refuses the exchange, also for a renewed token.
            ProviderUnavailableError: it does not answer, and no credential is left.
        """
        kept = self._kept
        usable = kept is not None and kept != rejected and _lives(kept, min_validity)
        if kept is not None and usable and not _is_late(kept):
            return kept
        # others go on with the old one while the first of them renews it
        if not self._lock.acquire(blocking=not usable) and kept is not None:
            return kept
        try:
            return self._renewed(min_validity, rejected)
        finally:
            self._lock.release()

    async def acurrent(self, min_validity: float = 60.0, *, rejected: T | None = None) -> T:
        """`current` for async code; the exchange runs in a thread."""
        kept = self._kept
        usable = kept is not None and kept != rejected and _lives(kept, min_validity)
        if kept is not None and usable and not _is_late(kept):
            return kept
        return await asyncio.to_thread(self.current, min_validity, rejected=rejected)

    def _renewed(self, min_validity: float, rejected: T | None) -> T:
        kept = self._kept
        if kept is not None and kept == rejected:
            self._kept = kept = None
        now = datetime.now(UTC)
        if kept is not None and _lives(kept, min_validity):
            if not _is_late(kept) or now < self._not_before:
                return kept
            try:
                return self._exchange(refused=None)
            except ProviderUnavailableError:
                self._not_before = now + _PAUSE
                return kept
        return self._exchange(refused=self._traded if rejected is not None else None)

    def _exchange(self, refused: AccessToken | None) -> T:
        token = self._source.token()
        if refused is not None and token.generation == refused.generation:
            token = self._source.token(rejected=refused)
        try:
            made = self._trade(token)
        except ProviderRejectedError as error:
            if error.status != _UNAUTHORIZED and error.error not in _TOKEN_REFUSED:
                raise
            newer = self._source.token(rejected=token)
            if newer.generation == token.generation or refused is not None:
                raise
            token = newer
            made = self._trade(token)
        self._kept, self._traded = made, token
        return made


class ExchangedTokens:
    """A `TokenSource` whose tokens are those of the second hop.

    Pickled, it is the source and the exchange: the other process makes its own.
    """

    def __init__(
        self, source: TokenSource, exchange: Exchange, identity: str | None = None
    ) -> None:
        self._source = source
        self._exchange = exchange
        self._identity = identity
        self._hops: dict[str | None, SecondHop[AccessToken]] = {}
        self._generation = 0
        self._lock = threading.Lock()

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
        hop = self._hop(resource)
        return hop.current(min_validity, rejected=rejected)

    async def atoken(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        hop = self._hop(resource)
        return await hop.acurrent(min_validity, rejected=rejected)

    def _hop(self, resource: str | None) -> SecondHop[AccessToken]:
        with self._lock:
            if resource not in self._hops:
                self._hops[resource] = SecondHop(self._source, self._trader(resource))
            return self._hops[resource]

    def _trader(self, resource: str | None) -> Callable[[AccessToken], AccessToken]:
        terms = Terms(
            name=self.name, exchange=self._exchange, identity=self._identity, resource=resource
        )
        make = (
            trades.tableau if self._exchange.kind is ExchangeKind.TABLEAU else trades.token_exchange
        )

        def trade(token: AccessToken) -> AccessToken:
            made = make(terms, token)
            if isinstance(self._source, Remembered):
                self._source.note(made.value)
            with self._lock:
                self._generation += 1
                return replace(made, generation=self._generation)

        return trade

    def __repr__(self) -> str:
        return f"<Exchanged tokens of {self.name!r}>"

    def __reduce__(self) -> tuple[object, ...]:
        return (ExchangedTokens, (self._source, self._exchange, self._identity))


def token_source(access: Access) -> TokenSource:
    """Whose tokens the store takes: those of the second hop where the handle has one.

    STS gives no token but keys: see `cloud_key`.
    """
    exchange = access.handle.exchange
    if exchange is None or exchange.kind is ExchangeKind.STS_WEB_IDENTITY:
        return access.source
    return ExchangedTokens(access.source, exchange, access.identity)


def cloud_key(access: Access) -> SecondHop[CloudKey]:
    """AWS's temporary credentials. Raises `ConfigurationError`: the handle's data names no STS."""
    exchange = access.handle.exchange
    if exchange is None or exchange.kind is not ExchangeKind.STS_WEB_IDENTITY:
        raise ConfigurationError(
            f"The connection {access.source.name!r} does not say where its token is exchanged for "
            "AWS credentials.",
            hint='The handle needs `exchange = { kind = "sts_web_identity", … }` in the '
            "provider's entry.",
        )
    terms = Terms(name=access.source.name, exchange=exchange, identity=access.identity)
    source = access.source

    def trade(token: AccessToken) -> CloudKey:
        made = trades.web_identity(terms, token)
        if isinstance(source, Remembered):
            source.note(made.secret_key, made.session_token)
        return made

    return SecondHop(source, trade)


def _is_late(kept: _Timed) -> bool:
    if kept.issued_at is None or kept.expires_at is None:
        return False
    return datetime.now(UTC) >= kept.issued_at + (kept.expires_at - kept.issued_at) * LATE


def _lives(kept: _Timed, min_validity: float) -> bool:
    if kept.expires_at is None:
        return True
    validity = timedelta(seconds=min_validity)
    if kept.issued_at is not None:
        validity = min(validity, (kept.expires_at - kept.issued_at) * _LARGEST_SHARE)
    return kept.expires_at - datetime.now(UTC) > validity
