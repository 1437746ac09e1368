"""webdav4's filesystem. That library is built on httpx, not on httpx2."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from typing import Any

import httpx
from webdav4.client import Client
from webdav4.fsspec import WebdavFileSystem
from webdav4.http import Client as HttpClient

from jupyter_oauthconn.connectors.header_flow import masked, quiet, with_token, without_own
from jupyter_oauthconn.connectors.reach import NO_PROXY, Reach, TokenSource

_TIMEOUT_SECONDS = 30.0


def filesystem(source: TokenSource, reach: Reach, url: str, **options: Any) -> Any:
    """A `WebdavFileSystem` at `url`; options are those of `httpx.Client`."""
    options = {"timeout": _TIMEOUT_SECONDS, **options}
    options["mounts"] = {**NO_PROXY, **(options.get("mounts") or {})}
    client = _QuietClient(auth=_BearerAuth(source, reach), base_url=url, **options)
    made = WebdavFileSystem(url, client=Client(url, http_client=client), skip_instance_cache=True)
    # it has no `close`
    weakref.finalize(made, client.close)
    return made


class _BearerAuth(httpx.Auth):
    """See `header_flow.with_token`."""

    def __init__(self, source: TokenSource, reach: Reach) -> None:
        self._source = source
        self._reach = reach

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        return with_token(
            self._source,
            self._reach,
            request,
            lambda request: isinstance(request.stream, httpx.ByteStream),
        )

    def __repr__(self) -> str:
        return f"<Bearer token of {self._source.name!r}>"


class _QuietClient(HttpClient):
    """Masks the header once it is sent. On a redirect to another origin httpx drops
    `Authorization` alone."""

    def _redirect_headers(self, request: httpx.Request, url: httpx.URL, method: str) -> Any:
        headers = super()._redirect_headers(request, url, method)
        before, after = request.url, url
        same = (before.scheme, before.netloc) == (after.scheme, after.netloc)
        return headers if same else without_own(headers)

    def send(self, *args: Any, **options: Any) -> Any:
        try:
            return masked(super().send(*args, **options))
        except httpx.RequestError as error:
            failure = error
        raise quiet(failure)
