"""Azure's `TokenCredential`, synchronous and asynchronous."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.credentials import AccessToken as AzureToken
from azure.core.credentials import AccessTokenInfo

from jupyter_oauthconn.connectors.headers import MASK, MaskedText
from jupyter_oauthconn.connectors.reach import TokenSource
from jupyter_oauthconn.model import AccessToken

_AHEAD_SECONDS = 300.0
_UNKNOWN_LIFE_SECONDS = 600
#: The SDK does not say which token was refused, and each of its clients keeps one of its own. One
#: that was just issued is taken for newer than that: no client makes another's renewed again.
_JUST_ISSUED = timedelta(seconds=10)


class _Credential:
    """What both have in common.

    Args:
        bound: the provider binds a token to one resource; then the scope that the SDK asks for
            says which. Else the sign-in's token serves for all.
    """

    def __init__(self, source: TokenSource, *, bound: bool = False) -> None:
        self._source = source
        self._bound = bound
        self._given: dict[str | None, AccessToken] = {}

    def _resource(self, scopes: tuple[str, ...]) -> str | None:
        return scopes[0] if self._bound and scopes else None

    def _rejected(self, resource: str | None, claims: object) -> AccessToken | None:
        """The SDK brings claims when a server refused the token although it has not expired."""
        given = self._given.get(resource) if claims else None
        if given is None or given.issued_at is None:
            return given
        return None if datetime.now(UTC) - given.issued_at < _JUST_ISSUED else given

    def __repr__(self) -> str:
        return f"<Azure credential of {self._source.name!r}>"

    def __reduce__(self) -> tuple[object, ...]:
        return (_made, (type(self), self._source, self._bound))


class TokenCredential(_Credential):
    """For the synchronous clients of Azure's SDK."""

    def get_token(self, *scopes: str, claims: str | None = None, **options: Any) -> AzureToken:
        return _azure_token(self._get(scopes, claims))

    def get_token_info(
        self, *scopes: str, options: dict[str, Any] | None = None
    ) -> AccessTokenInfo:
        return _azure_token_info(self._get(scopes, (options or {}).get("claims")))

    def _get(self, scopes: tuple[str, ...], claims: object) -> AccessToken:
        resource = self._resource(scopes)
        token = self._source.token(
            _AHEAD_SECONDS, rejected=self._rejected(resource, claims), resource=resource
        )
        self._given[resource] = token
        return token

    def close(self) -> None:
        """There is nothing to close."""

    def __enter__(self) -> TokenCredential:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncTokenCredential(_Credential):
    """For `azure.….aio` and adlfs."""

    async def get_token(
        self, *scopes: str, claims: str | None = None, **options: Any
    ) -> AzureToken:
        return _azure_token(await self._get(scopes, claims))

    async def get_token_info(
        self, *scopes: str, options: dict[str, Any] | None = None
    ) -> AccessTokenInfo:
        return _azure_token_info(await self._get(scopes, (options or {}).get("claims")))

    async def _get(self, scopes: tuple[str, ...], claims: object) -> AccessToken:
        resource = self._resource(scopes)
        token = await self._source.atoken(
            _AHEAD_SECONDS, rejected=self._rejected(resource, claims), resource=resource
        )
        self._given[resource] = token
        return token

    async def close(self) -> None:
        """There is nothing to close."""

    async def __aenter__(self) -> AsyncTokenCredential:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _made(kind: type[_Credential], source: TokenSource, bound: bool) -> _Credential:
    return kind(source, bound=bound)


def _azure_token(token: AccessToken) -> AzureToken:
    return AzureToken(MaskedText(token.reveal()), _seconds(token.expires_at))


class _MaskedInfo(AccessTokenInfo):
    """Azure's own prints its token."""

    def __repr__(self) -> str:
        return f"AccessTokenInfo(token='{MASK}', expires_on={self.expires_on})"


def _azure_token_info(token: AccessToken) -> AccessTokenInfo:
    return _MaskedInfo(
        MaskedText(token.reveal()),
        _seconds(token.expires_at),
        token_type=token.token_type,
        refresh_on=None if token.refresh_at is None else _seconds(token.refresh_at),
    )


def _seconds(moment: datetime | None) -> int:
    """Seconds of the epoch. A token whose end nobody knows is asked for again after a while."""
    if moment is None:
        return int(datetime.now(UTC).timestamp()) + _UNKNOWN_LIFE_SECONDS
    return int(moment.timestamp())
