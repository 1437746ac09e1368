"""PyGithub's way to authenticate, with a fresh token for each request."""

from __future__ import annotations

from github.Auth import Auth

from jupyter_oauthconn.connectors.headers import MaskedText, authorization_header
from jupyter_oauthconn.connectors.reach import TokenSource


class FreshAuth(Auth):
    """For `github.Github(auth=…)`. A 401 is the answer: PyGithub gives no chance of a retry."""

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
