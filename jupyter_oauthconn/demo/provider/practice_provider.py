"""The state of one practice provider, and what may be done to it; it lives in memory only."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import Secret

from .faults import Faults
from .sales import Sales
from .state import Account, Client, Code, DeviceRequest, Dials, Grant, Record, Token

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

_CODE_SECONDS = 60
_DEVICE_SECONDS = 600
_REMEMBERED_REQUESTS = 10_000
_CALLBACKS = tuple(
    f"http://{host}{place}"
    for host in ("localhost", "127.0.0.1")
    for place in (":8888/oauthconn/callback/practice", "/oauthconn/callback/*")
)


class PracticeProvider:
    """A small authorization server's memory. Its pages and endpoints are in `demo.routes`.

    Args:
        issuer: its issuer identifier, e.g. `http://127.0.0.1:8030`, without a slash at the end.
        marker: begins every token, code and secret it issues, so that a search for it in files
            and logs finds whatever leaked.
        clock: seconds since the epoch.
    """

    def __init__(
        self, issuer: str, *, marker: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self.issuer = issuer
        self.marker = marker
        self.clock = clock
        self.dials = Dials()
        self.faults = Faults()
        self.sales = Sales()
        self.clients: dict[str, Client] = {}
        self.codes: dict[str, Code] = {}
        self.tokens: dict[str, Token] = {}
        self.devices: dict[str, DeviceRequest] = {}
        self._log: deque[Record] = deque(maxlen=_REMEMBERED_REQUESTS)
        self._lock = threading.Lock()
        self.confidential_secret = Secret(marker + "practice-client-secret")
        self.register("notebook", _CALLBACKS, any_loopback_port=True)
        self.register(
            "confidential-notebook",
            _CALLBACKS,
            secret=self.confidential_secret,
            any_loopback_port=True,
        )

    @cached_property
    def key(self) -> RSAKey:
        """Signs ID tokens; made when it is first needed."""
        from joserfc.jwk import RSAKey

        return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def register(
        self,
        client_id: str,
        redirect_uris: Sequence[str],
        *,
        secret: Secret | None = None,
        any_loopback_port: bool = False,
    ) -> Client:
        """Adds or replaces a client app; without a secret it is a public one."""
        self.clients[client_id] = Client(
            client_id=client_id,
            redirect_uris=tuple(redirect_uris),
            secret=secret.reveal() if secret else None,
            any_loopback_port=any_loopback_port,
        )
        return self.clients[client_id]

    def new_value(self, kind: str) -> str:
        """A fresh token or code, with the marker in front."""
        return f"{self.marker}{kind}_{secrets.token_urlsafe(32)}"

    def new_code(self, client_id: str, account: Account, **request: Any) -> Code:
        """An authorization code for what the account has just allowed."""
        now = self.clock()
        code = Code(
            value=self.new_value("code"),
            client_id=client_id,
            account=account,
            expires_at=now + _CODE_SECONDS,
            auth_time=int(now),
            **request,
        )
        self.codes[code.value] = code
        return code

    def new_device(self, device_code: str, user_code: str, client_id: str, scope: str) -> None:
        """Remembers a device authorization."""
        self.devices[device_code] = DeviceRequest(
            device_code=device_code,
            user_code=user_code,
            client_id=client_id,
            scope=scope,
            expires_at=self.clock() + _DEVICE_SECONDS,
            interval=self.dials.device_interval_seconds,
        )

    def waiting_device(self, user_code: str) -> DeviceRequest | None:
        """The device authorization a person typed the code of (RFC 8628 §6.1: letters only)."""
        typed = "".join(letter for letter in user_code.upper() if letter.isalpha())
        for one in self.devices.values():
            undecided = one.account is None and not one.denied and one.expires_at > self.clock()
            if undecided and one.user_code.replace("-", "") == typed:
                return one
        return None

    def keep(self, kind: str, value: str, grant: Grant, scope: str) -> None:
        """Remembers a token that was issued."""
        now = self.clock()
        lives = self.dials.access_token_seconds if kind == "access_token" else None
        self.tokens[value] = Token(
            value=value,
            kind=kind,
            grant=grant,
            scope=scope,
            issued_at=now,
            expires_at=None if lives is None else now + lives,
        )

    def bearer(self, value: str) -> Token | None:
        """The living access token of that value."""
        token = self.tokens.get(value)
        if token is None or token.kind != "access_token" or not token.alive(self.clock()):
            return None
        return token

    def expire(self, token: Secret) -> bool:
        """Ends all access tokens of the grant behind a token; False: that token is unknown."""
        known = self.tokens.get(token.reveal())
        if known is None:
            return False
        for one in list(self.tokens.values()):
            if one.grant is known.grant and one.kind == "access_token":
                one.revoked = True
        return True

    def revoke(self, token: Secret) -> bool:
        """Ends the grant behind a token, with all its tokens; False: that token is unknown."""
        known = self.tokens.get(token.reveal())
        if known is None:
            return False
        known.grant.revoked = True
        return True

    def note(self, record: Record) -> None:
        """Adds to the log."""
        with self._lock:
            self._log.append(record)

    def requests(self, endpoint: str | None = None, **fields: object) -> list[Record]:
        """The log, oldest first: of one endpoint, with these values in the fields of `Record`.

        Raises:
            InvalidParameterError: a record has no such field.
        """
        for name in fields:
            if name not in Record.__slots__:
                raise InvalidParameterError(
                    f"The practice provider's log has no field {name!r}.",
                    hint=f"It has {', '.join(Record.__slots__)}.",
                    parameter=name,
                )
        with self._lock:
            records = list(self._log)
        return [
            one
            for one in records
            if endpoint in {None, one.endpoint}
            and all(getattr(one, name) == value for name, value in fields.items())
        ]

    def reset(self) -> None:
        """Dials, faults, log and sales rows as at the start; clients and grants stay."""
        self.dials = Dials()
        self.faults.clear()
        self.sales = Sales()
        with self._lock:
            self._log.clear()


def fingerprint(token: str) -> str:
    """Tells tokens apart in the log without showing them."""
    return sha256(token.encode()).hexdigest()[:8]
