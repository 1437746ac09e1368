"""An authorization server for the real stores of these tests, and a token source on it.

It signs RS256 JWTs, publishes keys (RFC 7517) and metadata (RFC 8414), answers introspection
(RFC 7662) and revocation (RFC 7009) on loopback, and hands out opaque tokens for stores whose
protocol has no room for a JWT.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import RSAKey

from jupyter_oauthconn.errors import OAuthConnError, ReauthorizationRequiredError
from jupyter_oauthconn.model import AccessToken, Secret

AUDIENCE = "store"
SCOPE = "data"
USER = "ada"
OTHER_USER = "bob"


class Issuer:
    """A running authorization server. `url` is its issuer identifier."""

    def __init__(self) -> None:
        parameters = {"kid": "tests", "use": "sig", "alg": "RS256"}
        self._key = RSAKey.generate_key(2048, parameters, private=True)
        self._issued: dict[str, dict[str, Any]] = {}
        self._revoked: set[str] = set()
        #: Each token that a store has asked about, oldest first.
        self.asked: list[str] = []
        #: Those of them that were not, or no more, good.
        self.refused: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def issue(
        self,
        user: str = USER,
        *,
        lifetime: float = 300.0,
        audience: str = AUDIENCE,
        scope: str = SCOPE,
        opaque: bool = False,
    ) -> str:
        """An access token; `lifetime` in seconds, less than zero for one that has expired."""
        now = time.time()
        claims = {
            "iss": self.url,
            "sub": user,
            "username": user,
            "preferred_username": user,
            "client_id": "notebook",
            "aud": audience,
            "scope": scope,
            "iat": int(now),
            "nbf": int(now),
            # whole seconds, as most stores want them: never earlier than the promised end
            "exp": ceil(now + lifetime),
            "jti": secrets.token_hex(8),
        }
        header = {"alg": "RS256", "kid": "tests", "typ": "JWT"}
        token = secrets.token_urlsafe(48) if opaque else jwt.encode(header, claims, self._key)
        # the end by this module's clock, which a test can set ahead; the claims by that of the
        # machine, as the stores read them
        self._issued[token] = {**claims, "ends": datetime.now(UTC).timestamp() + lifetime}
        return token

    def revoke(self, token: str) -> None:
        self._revoked.add(token)

    def introspect(self, token: str) -> dict[str, Any]:
        """The claims with `active`, or `active` alone for a token that is not, or no more, good."""
        self.asked.append(token)
        claims = self._issued.get(token)
        now = datetime.now(UTC).timestamp()
        if claims is None or token in self._revoked or claims["ends"] <= now:
            self.refused.append(token)
            return {"active": False}
        return {"active": True, **{name: claims[name] for name in claims if name != "ends"}}

    def accepts(self, token: str, user: str) -> bool:
        """Whether a store for `AUDIENCE` and `SCOPE` lets `user` in with it."""
        claims = self.introspect(token)
        return (
            claims["active"]
            and claims["aud"] == AUDIENCE
            and SCOPE in claims["scope"].split()
            and claims["username"] == user
        )

    def published(self, path: str) -> dict[str, Any] | None:
        if path == "/jwks":
            return {"keys": [self._key.as_dict(private=False)]}
        if path.startswith("/.well-known/"):
            return {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "device_authorization_endpoint": f"{self.url}/device",
                "jwks_uri": f"{self.url}/jwks",
                "introspection_endpoint": f"{self.url}/introspect",
                "revocation_endpoint": f"{self.url}/revoke",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": [SCOPE],
            }
        return None


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(issuer.published(self.path))

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            token = parse_qs(self.rfile.read(length).decode()).get("token", [""])[0]
            if self.path == "/introspect":
                self._answer(issuer.introspect(token))
            elif self.path == "/revoke":
                issuer.revoke(token)
                self._answer({})
            else:
                self._answer(None)

        def _answer(self, body: dict[str, Any] | None) -> None:
            content = json.dumps(body).encode()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@dataclass(frozen=True, slots=True)
class Refresh:
    """One token that was asked for.

    Attributes:
        life_passed: the share of the former token's life that had passed; None for the first.
        forced: a store had refused the former one.
    """

    generation: int
    life_passed: float | None
    forced: bool


class IssuedTokens:
    """A token source as the service behaves, with tokens of the issuer.

    A token is renewed when asked for with less than 20 % of its life left, or when `rejected` is
    the current one; one refresh at a time, however many threads ask.

    Args:
        lifetime: of each token, in seconds.
        claims: for `Issuer.issue`, e.g. `audience`, `opaque`.
    """

    def __init__(
        self, issuer: Issuer, user: str = USER, *, lifetime: float = 300.0, **claims: Any
    ) -> None:
        self.name = "data"
        self.refreshes: list[Refresh] = []
        self.issued: list[str] = []
        self.delay = 0.0
        self._issuer = issuer
        self._user = user
        self._lifetime = lifetime
        self._claims = claims
        self._lock = threading.Lock()
        self._current: dict[str | None, AccessToken] = {}
        self._failure: OAuthConnError | None = None

    @property
    def generation(self) -> int:
        """Of the newest token; 0 before the first."""
        return len(self.refreshes)

    @property
    def forced(self) -> int:
        """How many refreshes a store's refusal has caused."""
        return sum(one.forced for one in self.refreshes)

    def token(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        with self._lock:
            current = self._current.get(resource)
            forced = current is not None and current == rejected
            needed = timedelta(seconds=min_validity)
            if current is None or forced or not current.valid_for(needed, now=datetime.now(UTC)):
                current = self._current[resource] = self._renewed(current, resource, forced)
            return current

    async def atoken(
        self,
        min_validity: float = 60.0,
        *,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        return await asyncio.to_thread(
            self.token, min_validity, rejected=rejected, resource=resource
        )

    def revoke(self) -> None:
        """At the issuer, behind the source's back: the next store that asks there refuses it."""
        self._issuer.revoke(self.token().reveal())

    def spoil(self, **claims: Any) -> None:
        """Replaces the current token by one that looks fresh and that a store refuses.

        The refresh after that is good again.

        Args:
            claims: for `Issuer.issue`: what is wrong with it, e.g. `lifetime=-60`.
        """
        now = datetime.now(UTC)
        with self._lock:
            bad = {"user": self._user, **self._claims, **claims}
            self._current[None] = self._as_answered(self._issuer.issue(**bad), now, None)
            self.refreshes.append(Refresh(self.generation + 1, None, False))

    def end(self, failure: OAuthConnError | None = None) -> None:
        """The consent is lost: the current token is revoked, and a refresh raises `failure`."""
        self.revoke()
        self.fail(failure)

    def fail(self, failure: OAuthConnError | None = None) -> None:
        """From now on there is no token that is not there already."""
        self._failure = failure or ReauthorizationRequiredError(
            "The sign-in behind 'data' is over: the provider has revoked it.",
            hint="`%connect auth data --again`",
        )

    def _renewed(
        self, before: AccessToken | None, resource: str | None, forced: bool
    ) -> AccessToken:
        if self._failure is not None:
            raise self._failure
        now = datetime.now(UTC)
        passed = None
        if before is not None and before.issued_at is not None and before.expires_at is not None:
            passed = (now - before.issued_at) / (before.expires_at - before.issued_at)
        time.sleep(self.delay)
        claims = {**self._claims, **({"audience": resource} if resource else {})}
        value = self._issuer.issue(self._user, lifetime=self._lifetime, **claims)
        made = self._as_answered(value, now, resource)
        self.refreshes.append(Refresh(made.generation, passed, forced))
        return made

    def _as_answered(self, value: str, now: datetime, resource: str | None) -> AccessToken:
        self.issued.append(value)
        return AccessToken(
            value=Secret(value),
            generation=self.generation + 1,
            issued_at=now,
            expires_at=now + timedelta(seconds=self._lifetime),
            refresh_at=now + timedelta(seconds=0.8 * self._lifetime),
            scope=SCOPE,
            resource=resource,
        )
