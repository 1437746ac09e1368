"""What the practice provider remembers: clients, codes, grants, tokens, dials, requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import InvalidParameterError

#: scope → what the consent page says about it
SCOPES = {
    "openid": "Know who you are",
    "email": "See your email address",
    "offline_access": "Stay connected while you are away, until you withdraw it",
    "sales.read": "Read the sales figures",
    "sales.write": "Add sales figures",
}
DEFAULT_SCOPE = "sales.read"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Account:
    """A person who can sign in. There is no password: whoever sees the page may choose."""

    sub: str
    email: str
    name: str

    def claims(self, scope: str) -> dict[str, object]:
        """The claims that the scope allows (OpenID Connect Core §5.4)."""
        claims: dict[str, object] = {"sub": self.sub}
        if "email" in scope.split():
            claims |= {"email": self.email, "email_verified": True, "name": self.name}
        return claims


ACCOUNTS = {
    one.email: one
    for one in (
        Account("analyst-1", "analyst@example.com", "Ana Lyst"),
        Account("guest-2", "guest@example.com", "Gus T. Guest"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client app. A redirect URI is an exact string; a path that ends in `/*` takes one segment.

    Attributes:
        any_loopback_port: registered loopback addresses hold for any port (RFC 8252 §7.3).
    """

    client_id: str
    redirect_uris: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    any_loopback_port: bool = False

    def accepts(self, redirect_uri: str) -> bool:
        """Whether the provider may send a browser there (RFC 9700 §2.1: exact comparison)."""
        return redirect_uri in self.redirect_uris or (
            self.any_loopback_port
            and any(_same_but_port(one, redirect_uri) for one in self.redirect_uris)
        )

    # what Authlib asks of a client

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """There is none: every request names its own (RFC 9700 §2.1)."""

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or DEFAULT_SCOPE

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return self.accepts(redirect_uri)

    def check_client_secret(self, secret: str) -> bool:
        return self.secret is not None and compare_digest(secret.encode(), self.secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method == "none") == (self.secret is None)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return True


def _same_but_port(registered: str, asked: str) -> bool:
    parts = urlsplit(registered)
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        return False
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = re.escape(parts.path.removesuffix("*"))
    if parts.path.endswith("/*"):
        path += "[a-z0-9][a-z0-9_-]{0,39}"
    return re.fullmatch(rf"http://{re.escape(host)}(:[0-9]{{1,5}})?{path}", asked) is not None


@dataclass(slots=True)
class Grant:
    """What one account allowed one client: the family of all tokens that came of it."""

    client_id: str
    account: Account
    revoked: bool = False


@dataclass(slots=True, kw_only=True)
class Code:
    """An authorization code (RFC 6749 §4.1.2) and what its token request must match."""

    value: str = field(repr=False)
    client_id: str
    account: Account
    redirect_uri: str
    scope: str
    expires_at: float
    auth_time: int
    code_challenge: str
    code_challenge_method: str
    nonce: str | None = None
    grant: Grant | None = None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        """Not known."""

    def get_amr(self) -> None:
        """Not known."""


@dataclass(slots=True, kw_only=True)
class Token:
    """An access or refresh token. `used_at`: when a refresh token was rotated away."""

    value: str = field(repr=False)
    kind: str
    grant: Grant
    scope: str
    issued_at: float
    expires_at: float | None
    revoked: bool = False
    used_at: float | None = None

    def check_client(self, client: Any) -> bool:
        return bool(self.grant.client_id == client.get_client_id())

    def get_scope(self) -> str:
        return self.scope

    def alive(self, now: float) -> bool:
        """Whether it still opens anything."""
        ended = self.expires_at is not None and self.expires_at <= now
        return not (ended or self.revoked or self.grant.revoked or self.used_at is not None)


@dataclass(slots=True, kw_only=True)
class DeviceRequest:
    """A device authorization (RFC 8628) between its start and its tokens."""

    device_code: str = field(repr=False)
    user_code: str
    client_id: str
    scope: str
    expires_at: float
    interval: float
    polled_at: float | None = None
    account: Account | None = None
    denied: bool = False
    consumed: bool = False

    def get_client_id(self) -> str:
        return self.client_id

    def get_scope(self) -> str:
        return self.scope

    def get_user_code(self) -> str:
        return self.user_code


@dataclass(slots=True, kw_only=True)
class Dials:
    """How the provider behaves. Seconds may be fractions; `expires_in` is rounded down.

    Attributes:
        access_token_seconds: life of an access token.
        refresh_grace_seconds: how long a rotated refresh token may be used again without being
            taken for a theft.
        rotate: every refresh gives a new refresh token.
        expires_in_answer: token answers say `expires_in`.
        slow_seconds: token answers wait so long.
        device_interval_seconds: least time between two polls of the device flow.
        down: connections are closed without an answer.
    """

    access_token_seconds: float = 3600
    refresh_grace_seconds: float = 0
    rotate: bool = True
    expires_in_answer: bool = True
    slow_seconds: float = 0
    device_interval_seconds: float = 5
    down: bool = False

    def change(self, changes: Mapping[str, object]) -> None:
        """Sets the named dials.

        Raises:
            InvalidParameterError: no such dial, or a value of another kind.
        """
        for name, value in changes.items():
            usual = _USUAL.get(name)
            if usual is None:
                raise InvalidParameterError(
                    f"The practice provider has no dial named {name!r}.",
                    hint=f"Its dials: {', '.join(_USUAL)}.",
                    parameter=name,
                )
            if isinstance(usual, bool):
                fits, wanted = isinstance(value, bool), "True or False"
            else:
                fits, wanted = _is_seconds(value), "a number of seconds, not below zero"
            if not fits:
                raise InvalidParameterError(f"{name} must be {wanted}.", parameter=name)
            setattr(self, name, value)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


_USUAL: dict[str, object] = {one.name: one.default for one in fields(Dials)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One request in the provider's log; never a token, code or secret.

    Attributes:
        at: seconds since the epoch.
        endpoint: `token`, `authorize`, `data/sales`, …
        outcome: `ok`, the OAuth error's code, `refresh_token_reused`, `code_reused`, or `fault`
            when a fault answered instead of the provider.
        token: first 8 hex digits of the SHA-256 of the bearer or refresh token that came in.
        fault: the fault that was applied, if any.
    """

    at: float
    endpoint: str
    status: int
    outcome: str
    client: str | None = None
    grant_type: str | None = None
    token: str | None = None
    fault: str | None = None
