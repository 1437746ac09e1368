"""An `httpx2` client whose requests carry a fresh token."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx2

from .reach import Reach, TokenSource, authorization_header

_UNAUTHORIZED = 401


def client(source: TokenSource, reach: Reach, **options: Any) -> httpx2.Client:
    return httpx2.Client(auth=_BearerAuth(source, reach), **options)


def async_client(source: TokenSource, reach: Reach, **options: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(auth=_BearerAuth(source, reach), **options)


class _BearerAuth(httpx2.Auth):
    """Sets the header on each request; after a 401 once more with a newer token.

    Redirects are followed below this: the client drops the header on the way to another origin.
    """

    def __init__(self, source: TokenSource, reach: Reach) -> None:
        self._source = source
        self._reach = reach

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        if not self._reach.covers(str(request.url)):
            yield request
            return
        token = self._source.token()
        header = request.headers["Authorization"] = authorization_header(token)
        response = yield request
        if _rejected(response, request, header):
            newer = self._source.token(rejected_generation=token.generation)
            if newer.generation != token.generation:
                response.read()
                request.headers["Authorization"] = authorization_header(newer)
                yield request

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if not self._reach.covers(str(request.url)):
            yield request
            return
        token = await self._source.atoken()
        header = request.headers["Authorization"] = authorization_header(token)
        response = yield request
        if _rejected(response, request, header):
            newer = await self._source.atoken(rejected_generation=token.generation)
            if newer.generation != token.generation:
                await response.aread()
                request.headers["Authorization"] = authorization_header(newer)
                yield request

    def __repr__(self) -> str:
        return f"<Bearer token of {self._source.name!r}>"


def _rejected(response: httpx2.Response, request: httpx2.Request, header: str) -> bool:
    """Whether the token was refused, and the body can be sent a second time."""
    return (
        response.status_code == _UNAUTHORIZED
        and response.request.headers.get("Authorization") == header
        and isinstance(request.stream, httpx2.ByteStream)
    )
