"""PyGithub, with a fresh token for each request."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from github import Github
from github.Auth import Auth
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass

from jupyter_oauthconn.connectors.headers import MaskedText, authorization_header
from jupyter_oauthconn.connectors.reach import Reach, TokenSource
from jupyter_oauthconn.connectors.with_requests import SessionAuth, keep_quiet


def client(source: TokenSource, reach: Reach, **options: Any) -> Github:
    """A client that renews a token that is refused.

    PyGithub takes no session, and its public hook changes the connections of every client in the
    process. So this one's private attributes are set; were they renamed, the header would still be
    fresh, and a refused token an error.
    """
    made = Github(auth=FreshAuth(source), **options)
    auth = _Swapped(source, reach)
    classes = {
        "http": _renewing(HTTPRequestsConnectionClass, auth),
        "https": _renewing(HTTPSRequestsConnectionClass, auth),
    }
    requester: Any = made.requester
    requester._Requester__httpConnectionClass = classes["http"]
    requester._Requester__httpsConnectionClass = classes["https"]
    requester._Requester__connectionClass = classes[urlsplit(requester.base_url).scheme]
    return made


class FreshAuth(Auth):
    """For `github.Github(auth=…)`."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    @property
    def token_type(self) -> str:
        return "Bearer"

    @property
    def token(self) -> str:
        return MaskedText(self._source.token().reveal())

    def authentication(self, headers: dict[str, str]) -> None:
        headers["Authorization"] = authorization_header(self._source.token())

    def __repr__(self) -> str:
        return f"<GitHub credential of {self._source.name!r}>"


class _Swapped(SessionAuth):
    """Adds no header: PyGithub follows redirects itself, and takes the header away where they
    lead to another host."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return super().__call__(request) if "Authorization" in request.headers else request


def _renewing(base: type[Any], auth: SessionAuth) -> type[Any]:
    class Connection(base):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.session.auth = auth
            keep_quiet(
                self.session,
                max_retries=self.retry,
                pool_connections=self.pool_size,
                pool_maxsize=self.pool_size,
            )

    return Connection
