"""A `requests.Session` whose requests carry a fresh token."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from jupyter_oauthconn.model import AccessToken

from .connector import Access, answered, probe_address
from .frames import without_frames
from .headers import OWN_HEADERS, MaskedText, authorization_header, credential_header
from .reach import Reach, TokenSource, is_plain_loopback

_UNAUTHORIZED = 401
_CHECK_SECONDS = 30


class SessionConnector:
    """Kind `session`: a `requests.Session`. It takes no options; set its attributes."""

    def open(self, access: Access) -> requests.Session:
        # loads httpx2, which whoever wants `requests` may never need
        from .exchange import token_source

        return session(token_source(access), access.reach)

    def check(self, handle: requests.Session, access: Access) -> str:
        response = handle.get(probe_address(access), timeout=_CHECK_SECONDS)
        response.raise_for_status()
        return answered(response.request.url or "", response.status_code)


def session(source: TokenSource, reach: Reach) -> requests.Session:
    made = _Session()
    made.auth = _BearerAuth(source, reach)
    keep_quiet(made)
    return made


def keep_quiet(session: requests.Session, **options: Any) -> None:
    """From now on, the error of a connection that fails holds no bytes of its request.

    Args:
        options: of `requests.adapters.HTTPAdapter`.
    """
    for scheme in ("https://", "http://"):
        session.mount(scheme, _QuietAdapter(**options))


class _Session(requests.Session):
    """On a redirect to another origin `requests` drops `Authorization` alone."""

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        before, after = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(before, after):
            for name in OWN_HEADERS:
                prepared_request.headers.pop(name, None)
        super().rebuild_auth(prepared_request, response)


class _QuietAdapter(HTTPAdapter):
    """Raises without the frames below, which hold the request's bytes: `%xmode Verbose` prints
    what a frame holds."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        if is_plain_loopback(request.url or ""):
            options["proxies"] = {}
        try:
            return super().send(request, *args, **options)
        except requests.RequestException as error:
            failure = error
        raise without_frames(failure)


class _BearerAuth(AuthBase):
    """Sets the header on each request; after a 401 once more with a newer token.

    On a redirect to another origin `requests` drops the header, and nothing here puts it back.
    """

    def __init__(self, source: TokenSource, reach: Reach) -> None:
        self._source = source
        self._reach = reach

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._reach.covers(request.url or ""):
            return request
        token = self._source.token()
        name, header = self._header(token)
        request.headers[name] = header
        request.register_hook("response", _OnceMore(self, token))
        return request

    def _header(self, token: AccessToken) -> tuple[str, MaskedText]:
        return credential_header(token)

    def once_more(
        self, response: requests.Response, token: AccessToken, options: dict[str, Any]
    ) -> requests.Response:
        """The answer to a 401, or to the same request with a newer token."""
        # a redirect's last request may have gone elsewhere, without the header
        name, header = self._header(token)
        refused = response.status_code == _UNAUTHORIZED
        if not refused or response.request.headers.get(name) != header:
            return response
        # what was streamed once cannot be sent again: then the 401 is the answer
        if not isinstance(response.request.body, str | bytes | None):
            return response
        newer = self._source.token(rejected=token)
        if newer.generation == token.generation:
            return response
        response.content  # noqa: B018 - read to the end, so that its socket can be used again
        response.close()
        again = response.request.copy()
        name, header = self._header(newer)
        again.headers[name] = header
        answer: requests.Response = response.connection.send(again, **options)
        answer.history.append(response)
        answer.request = again
        return answer

    def __repr__(self) -> str:
        return f"<Bearer token of {self._source.name!r}>"


class _OnceMore:
    """A request's hook. Errors bring the request along: pickled with one, it does nothing more."""

    def __init__(self, auth: _BearerAuth | None = None, token: AccessToken | None = None) -> None:
        self._auth = auth
        self._token = token

    def __call__(self, response: requests.Response, **options: Any) -> requests.Response:
        if self._auth is None or self._token is None:
            return response
        return self._auth.once_more(response, self._token, options)

    def __reduce__(self) -> tuple[type[_OnceMore], tuple[()]]:
        return _OnceMore, ()


class SessionAuth(_BearerAuth):
    """For libraries that set up their own session and ask an object to put the token in: Trino's
    `Authentication` has these two methods."""

    def set_http_session(self, http_session: requests.Session) -> requests.Session:
        http_session.auth = self
        return http_session

    def _header(self, token: AccessToken) -> tuple[str, MaskedText]:
        # another's session sends every other header to wherever a redirect leads
        return "Authorization", authorization_header(token)

    def get_exceptions(self) -> tuple[type[Exception], ...]:
        return ()


CONNECTOR = SessionConnector()
