"""An `httpx2` client whose requests carry a fresh token."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Generator
from typing import Any

import httpx2

from jupyter_oauthconn.errors import InvalidParameterError

from .connector import Access, answered, base_address, probe_address
from .exchange import token_source
from .header_flow import is_refused, masked, quiet, with_token, without_own
from .headers import credential_header
from .reach import NO_PROXY, Reach, TokenSource


class HttpxConnector:
    """Kind `httpx`. Options are those of `httpx2.Client`; `asynchronous` gives an `AsyncClient`.

    Where the provider says at which address its data is, that is the client's `base_url`.
    """

    def open(self, access: Access, **options: Any) -> httpx2.Client | httpx2.AsyncClient:
        # `async` is a keyword of Python: only `**{"async": True}` can say it
        asynchronous = options.pop("async", options.pop("asynchronous", False))
        if "auth" in options:
            raise InvalidParameterError(
                f"The client of {access.source.name!r} brings its own auth.",
                hint="Leave `auth` out, or use httpx2 directly with `conn.headers()`.",
                parameter="auth",
            )
        options.setdefault("base_url", base_address(access))
        make = async_client if asynchronous else client
        return make(token_source(access), access.reach, **options)

    def check(
        self, handle: httpx2.Client | httpx2.AsyncClient, access: Access
    ) -> str | Awaitable[str]:
        address = probe_address(access)
        if isinstance(handle, httpx2.AsyncClient):
            return _checked(handle, address)
        return _seen(handle.get(address))


async def _checked(handle: httpx2.AsyncClient, address: str) -> str:
    return _seen(await handle.get(address))


def _seen(response: httpx2.Response) -> str:
    response.raise_for_status()
    return answered(str(response.request.url), response.status_code)


def client(source: TokenSource, reach: Reach, **options: Any) -> httpx2.Client:
    options["mounts"] = {**NO_PROXY, **(options.get("mounts") or {})}
    return _QuietClient(auth=_BearerAuth(source, reach), **options)


def async_client(source: TokenSource, reach: Reach, **options: Any) -> httpx2.AsyncClient:
    options["mounts"] = {**NO_PROXY, **(options.get("mounts") or {})}
    return _QuietAsyncClient(auth=_BearerAuth(source, reach), **options)


class _DropsOwnHeaders:
    """On a redirect to another origin: httpx2 drops `Authorization` alone."""

    def _redirect_headers(self, request: httpx2.Request, url: httpx2.URL, method: str) -> Any:
        headers = super()._redirect_headers(request, url, method)  # type: ignore[misc] # httpx2's
        return headers if url.origin == request.url.origin else without_own(headers)


class _QuietClient(_DropsOwnHeaders, httpx2.Client):
    """Masks the header once it is sent."""

    def send(self, *args: Any, **options: Any) -> httpx2.Response:
        try:
            return masked(super().send(*args, **options))
        except httpx2.RequestError as error:
            failure = error
        raise quiet(failure)


class _QuietAsyncClient(_DropsOwnHeaders, httpx2.AsyncClient):
    """As `_QuietClient`."""

    async def send(self, *args: Any, **options: Any) -> httpx2.Response:
        try:
            return masked(await super().send(*args, **options))
        except httpx2.RequestError as error:
            failure = error
        raise quiet(failure)


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
        return with_token(self._source, self._reach, request, _can_be_repeated)

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if not self._reach.covers(str(request.url)):
            yield request
            return
        token = await self._source.atoken()
        name, header = credential_header(token)
        request.headers[name] = header
        response = yield request
        if is_refused(response, name, header) and _can_be_repeated(request):
            newer = await self._source.atoken(rejected=token)
            if newer.generation != token.generation:
                await response.aread()
                request.headers[name] = credential_header(newer)[1]
                yield request

    def __repr__(self) -> str:
        return f"<Bearer token of {self._source.name!r}>"


def _can_be_repeated(request: httpx2.Request) -> bool:
    return isinstance(request.stream, httpx2.ByteStream)


CONNECTOR = HttpxConnector()
