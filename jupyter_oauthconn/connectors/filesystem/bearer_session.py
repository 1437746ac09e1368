"""An aiohttp session whose requests carry the token, for the filesystems that are built on one.

aiohttp drops the header when a redirect leads to another origin; its own middleware would put it
back, which is why it is set here, above the redirects.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from jupyter_oauthconn.connectors.frames import without_frames
from jupyter_oauthconn.connectors.headers import (
    CREDENTIAL_HEADERS,
    OWN_HEADERS,
    credential_header,
)
from jupyter_oauthconn.connectors.reach import Reach, TokenSource

_UNAUTHORIZED = 401
#: A body that is no stream.
_SENT_AS_IT_IS = str | bytes | bytearray | memoryview


class BearerSession:
    """In place of an `aiohttp.ClientSession`, as fsspec, gcsfs and Azure's SDK use one.

    A token that is refused is renewed, and the request is sent once more. The one that came in its
    place must be accepted before it is renewed in turn: the libraries have retries of their own.

    Args:
        swaps: adds no header; only replaces the token in a request that has one. The library above
            follows redirects itself, and takes the header away where they lead elsewhere.
        origin: where alone the token goes; None: wherever `reach` covers. Google names addresses
            for the parts of an upload, to which gcsfs would take it.
    """

    def __init__(
        self,
        source: TokenSource,
        reach: Reach,
        session: aiohttp.ClientSession,
        middlewares: Sequence[Any] = (),
        *,
        swaps: bool = False,
        origin: str | None = None,
    ) -> None:
        self._source = source
        self._reach = reach
        self._session = session
        self._middlewares = middlewares
        self._swaps = swaps
        self._origin = None if origin is None else URL(origin).origin()
        #: Of the token that replaced a refused one, until a server accepts it.
        self._unproven: int | None = None

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
        if not self._is_covered(url, options):
            return await self._send(method, url, options, None)
        token = await self._source.atoken()
        response = await self._send(method, url, options, credential_header(token))
        # a redirect may have led elsewhere, without the header
        elsewhere = any(one.url.origin() != response.url.origin() for one in response.history)
        refused = response.status == _UNAUTHORIZED and not elsewhere
        if token.generation == self._unproven and not refused:
            self._unproven = None
        body = options.get("data")
        # a stream cannot be sent twice
        once_more = refused and (body is None or isinstance(body, _SENT_AS_IT_IS))
        if not once_more or token.generation == self._unproven:
            return response
        try:
            newer = await self._source.atoken(rejected=token)
        except BaseException:
            response.close()  # nobody else would give its connection back
            raise
        if newer.generation == token.generation:
            return response
        response.release()
        self._unproven = newer.generation
        response = await self._send(method, url, options, credential_header(newer))
        if response.status != _UNAUTHORIZED:
            self._unproven = None
        return response

    def _is_covered(self, url: Any, options: dict[str, Any]) -> bool:
        if self._swaps and "Authorization" not in CIMultiDict(options.get("headers") or {}):
            return False
        if self._origin is not None and URL(url).origin() != self._origin:
            return False
        return self._reach.covers(str(url))

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
            return await self._session.request(method, url, **options)
        except aiohttp.ClientError as error:
            failure = error
        # aiohttp's frames hold the request's bytes
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
