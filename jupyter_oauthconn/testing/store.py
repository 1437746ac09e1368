"""What a connector is tested against: a source of tokens, and a store that takes only some."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import AccessToken, Secret

_LIFE = timedelta(minutes=5)


class ScriptedTokens:
    """A token source whose tokens end, are refused or stop when a test says so.

    Attributes:
        issued: the text of each token, in their order.
        forced: how many refreshes `rejected` has caused.
    """

    def __init__(self, name: str = "kit") -> None:
        self.name = name
        self.issued: list[str] = []
        self.forced = 0
        self._lock = threading.Lock()
        self._failure: OAuthConnError | None = None
        self._current = self._issue()

    def token(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        if rejected is not None and not isinstance(rejected, AccessToken):
            raise TypeError("`rejected` is the token that was refused, as the source gave it")
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if rejected is not None and rejected.generation == self._current.generation:
                self.forced += 1
                self._current = self._issue()
            return self._current

    async def atoken(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        return self.token(min_validity, rejected=rejected, resource=resource)

    def renew(self) -> None:
        """The current token has ended; whoever asks gets the next one."""
        with self._lock:
            self._current = self._issue()

    def fail(self, failure: OAuthConnError) -> None:
        """From now on nobody gets a token."""
        self._failure = failure

    def _issue(self) -> AccessToken:
        self.issued.append(f"kit-{secrets.token_urlsafe(24)}")
        now = datetime.now(UTC)
        return AccessToken(
            value=Secret(self.issued[-1]),
            generation=len(self.issued),
            issued_at=now,
            expires_at=now + _LIFE,
        )

    def __repr__(self) -> str:
        return "<tokens of the kit>"


class TokenStore:
    """A store: it takes the newest token, unless that is among those that it refuses.

    As a context manager it serves HTTP at `url`: 200 for a good `Authorization: Bearer …`, else
    401. A store that speaks something else calls `admits` with each token that it is shown.

    Attributes:
        shown: the text of each token that it was shown, in their order.
    """

    def __init__(self) -> None:
        self.url = ""
        self.shown: list[str] = []
        self._tokens: ScriptedTokens | None = None
        self._refused: set[str] = set()
        self._refuses_all = False
        self._server: ThreadingHTTPServer | None = None

    def admits(self, token: str) -> bool:
        """Whether the store lets somebody in with that token."""
        self.shown.append(token)
        newest = self._tokens.issued[-1] if self._tokens is not None else None
        return token == newest and not self._refuses_all and token not in self._refused

    def begin(self, tokens: ScriptedTokens) -> None:
        """Takes these tokens from now on."""
        self._tokens, self._refused, self._refuses_all = tokens, set(), False
        self.shown.clear()

    def refuse(self, token: str | None = None) -> None:
        """Refuses that token, or all."""
        if token is None:
            self._refuses_all = True
        else:
            self._refused.add(token)

    def __enter__(self) -> TokenStore:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def __repr__(self) -> str:
        return "<store of the kit>"


def _handler(store: TokenStore) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
            good = scheme == "Bearer" and store.admits(token)
            body = json.dumps({"good": good}).encode()
            self.send_response(200 if good else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
