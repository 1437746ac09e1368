"""Slack's client, whose requests carry a fresh token."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request

from slack_sdk import WebClient

from jupyter_oauthconn.connectors.frames import without_frames
from jupyter_oauthconn.connectors.headers import authorization_header
from jupyter_oauthconn.connectors.reach import Reach, TokenSource, require
from jupyter_oauthconn.model import AccessToken

#: Slack refuses a token with status 200.
_REFUSED = frozenset({"invalid_auth", "token_expired", "token_revoked", "not_authed"})


class FreshWebClient(WebClient):
    """A `WebClient` that holds no token. The header is set as late as can be, below what Slack
    keeps in its answers and errors, and not for where a redirect leads."""

    def __init__(self, source: TokenSource, reach: Reach, **options: Any) -> None:
        self._source = source
        self._reach = reach
        super().__init__(token=None, **options)

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        require(self._source.name, self._reach, url)
        token = self._source.token()
        answer = self._send(url, req, token)
        if _refused(answer):
            newer = self._source.token(rejected=token)
            if newer.generation != token.generation:
                return self._send(url, req, newer)
        return answer

    def _send(self, url: str, request: Request, token: AccessToken) -> dict[str, Any]:
        # urllib sends a usual header to wherever a redirect leads
        request.add_unredirected_header("Authorization", authorization_header(token))
        try:
            answer: dict[str, Any] = super()._perform_urllib_http_request_internal(url, request)
            return answer
        except OSError as error:
            failure = error
        finally:
            request.unredirected_hdrs.pop("Authorization", None)
        # the frames below hold the request's bytes
        raise without_frames(failure)

    def __repr__(self) -> str:
        return f"<Slack client of {self._source.name!r}>"


def _refused(answer: dict[str, Any]) -> bool:
    body = answer["body"]
    try:
        found = json.loads(body) if isinstance(body, str) else None
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("error") in _REFUSED
