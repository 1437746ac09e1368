"""fsspec's HTTP filesystem with a fresh header on each request.

aiohttp drops the header when a redirect leads to another origin; its own middleware would put it
back, which is why it is set here, above the redirects.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import aiohttp
from fsspec.implementations.http import HTTPFileSystem
from multidict import CIMultiDict, CIMultiDictProxy

from jupyter_oauthconn.connectors.frames import without_frames
from jupyter_oauthconn.connectors.reach import (
    CREDENTIAL_HEADERS,
    MASK,
    OWN_HEADERS,
    Reach,
    TokenSource,
    credential_header,
)

_UNAUTHORIZED = 401


def filesystem(source: TokenSource, reach: Reach, **options: Any) -> Any:
    """An `HTTPFileSystem`; its paths are whole addresses."""

    async def get_client(**made_with: Any) -> BearerSession:
        return BearerSession(source, reach, aiohttp.ClientSession(**made_with),
                             made_with.get("middlewares", ()))  # fmt: skip

    return HTTPFileSystem(get_client=get_client, skip_instance_cache=True, **options)


class BearerSession:
    """An `aiohttp.ClientSession` as fsspec uses one, whose requests carry the token.

    Args:
        replaces: only in place of a header that the request has: whoever makes the requests
            follows redirects, and drops it on the way to another origin.
    """

    def __init__(
        self,
        source: TokenSource,
        reach: Reach,
        session: aiohttp.ClientSession,
        middlewares: Sequence[Any] = (),
        *,
        replaces: bool = False,
    ) -> None:
        self._source = source
        self._reach = reach
        self._session = session
        self._middlewares = middlewares
        self._replaces = replaces

    def request(self, method: str, url: Any, **options: Any) -> _Asked:
        return _Asked(self, method, url, options)

    def get(self, url: Any, **options: Any) -> _Asked:
        return _Asked(self, "GET", url, options)

    def head(self, url: Any, **options: Any) -> _Asked:
        # aiohttp's own default
        return _Asked(self, "HEAD", url, {"allow_redirects": False, **options})

    def post(self, url: Any, **options: Any) -> _Asked:
        return _Asked(self, "POST", url, options)

    def put(self, url: Any, **options: Any) -> _Asked:
        return _Asked(self, "PUT", url, options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def __repr__(self) -> str:
        return f"<HTTP session of {self._source.name!r}>"

    async def ask(self, method: str, url: Any, options: dict[str, Any]) -> aiohttp.ClientResponse:
        bare = self._replaces and "Authorization" not in CIMultiDict(options.get("headers") or {})
        if bare or not self._reach.covers(str(url)):
            return await self._send(method, url, options, None)
        token = await self._source.atoken()
        response = await self._send(method, url, options, credential_header(token))
        body = options.get("data")
        if (
            response.status != _UNAUTHORIZED
            # a redirect may have led elsewhere, and a stream cannot be sent twice
            or any(one.url.origin() != response.url.origin() for one in response.history)
            or not (body is None or isinstance(body, str | bytes))
        ):
            return response
        try:
            newer = await self._source.atoken(rejected=token)
        except BaseException:
            response.close()  # nobody else would give its connection back
            raise
        if newer.generation == token.generation:
            return response
        response.release()
        return await self._send(method, url, options, credential_header(newer))

    async def _send(
        self, method: str, url: Any, options: dict[str, Any], header: tuple[str, str] | None
    ) -> aiohttp.ClientResponse:
        headers = CIMultiDict(options.get("headers") or {})
        for name in CREDENTIAL_HEADERS:
            headers.popall(name, None)
        options = {**options, "headers": headers}
        if header is not None:
            headers[header[0]] = header[1]
            if header[0] in OWN_HEADERS:
                others = options.get("middlewares", self._middlewares)
                options["middlewares"] = (*others, _on_one_origin())
        try:
            response = await self._session.request(method, url, **options)
        except aiohttp.ClientError as error:
            failure = error
        else:
            for one in (response, *response.history):
                _mask(one)
            return response
        # the frames below hold the header in clear
        del headers, header, options
        raise without_frames(failure)


def _on_one_origin() -> Any:
    """A middleware for one request and its redirects: aiohttp drops `Authorization` alone on the
    way to another origin, for good."""
    origins = set()

    async def middleware(request: Any, send: Any) -> Any:
        origins.add(request.url.origin())
        if len(origins) > 1:
            for name in OWN_HEADERS:
                request.headers.popall(name, None)
        return await send(request)

    return middleware


def _mask(response: Any) -> None:
    """aiohttp's errors print and pickle the headers of the request that they are about."""
    about = response._request_info
    headers = CIMultiDict(about.headers)
    for name in CREDENTIAL_HEADERS:
        if headers.popall(name, None) is not None:
            headers[name] = MASK
    response._request_info = about._replace(headers=CIMultiDictProxy(headers))


class _Asked:
    """A request that can be awaited or entered, like aiohttp's."""

    def __init__(
        self, session: BearerSession, method: str, url: Any, options: dict[str, Any]
    ) -> None:
        self._session = session
        self._asked = (method, url, options)
        self._response: aiohttp.ClientResponse | None = None

    def __await__(self) -> Generator[Any, None, aiohttp.ClientResponse]:
        return self._session.ask(*self._asked).__await__()

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._response = await self
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.release()
            await self._response.wait_for_close()
