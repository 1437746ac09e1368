"""The dials of the practice provider, for notebooks and tests: `practice`."""

from __future__ import annotations

import atexit
import http.client
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
    ServiceUnreachableError,
)
from jupyter_oauthconn.model import Secret

if TYPE_CHECKING:
    from .database import SalesDatabase
    from .provider import Record
    from .server import PracticeServer

#: names the issuer of a practice provider that runs elsewhere on this machine
URL_VARIABLE = "JUPYTER_OAUTHCONN_PRACTICE_URL"
_TIMEOUT_SECONDS = 10
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


_Value = TypeVar("_Value", float, bool)


class _Dial(Generic[_Value]):
    """A property that lives in the provider's process."""

    def __set_name__(self, owner: type[Practice], name: str) -> None:
        self._name = name

    def __get__(self, practice: Practice | None, owner: type[Practice]) -> _Value:
        if practice is None:
            raise AttributeError(self._name)
        value: _Value = practice._ask("GET", "dials")[self._name]
        return value

    def __set__(self, practice: Practice, value: _Value) -> None:
        practice._ask("PATCH", "dials", {self._name: value})


class Practice:
    """A practice provider with dials, in this process or another one of this machine.

    Attributes:
        access_token_seconds: life of access tokens issued from now on; 3600 at the start.
        refresh_grace_seconds: how long a rotated refresh token may be used again; 0 at the start:
            the second use revokes the whole grant.
        rotate: whether a refresh gives a new refresh token.
        expires_in_answer: whether token answers say `expires_in`.
        slow_seconds: token answers wait so long.
        device_interval_seconds: least time between two polls of the device flow.
        down: connections are closed without an answer; the dials still work.
    """

    #: so that a misspelt dial is an error
    __slots__ = ("_database", "_issuer", "_server")

    access_token_seconds = _Dial[float]()
    refresh_grace_seconds = _Dial[float]()
    rotate = _Dial[bool]()
    expires_in_answer = _Dial[bool]()
    slow_seconds = _Dial[float]()
    device_interval_seconds = _Dial[float]()
    down = _Dial[bool]()

    def __init__(self) -> None:
        self._issuer: str | None = None
        self._server: PracticeServer | None = None
        self._database: SalesDatabase | None = None

    def start(self, *, port: int = 0) -> Practice:
        """Attaches to the provider that JUPYTER_OAUTHCONN_PRACTICE_URL names, else starts one here.

        A second call changes nothing. `port` matters for a provider that starts here; a fixed one
        keeps the issuer the same when a kernel starts again.

        Raises:
            NotAllowedError: the variable names another machine.
            ServiceUnreachableError: nothing answers there.
        """
        named = os.environ.get(URL_VARIABLE)
        if named and named != self._issuer:
            self.attach(named)
        elif self._issuer is None:
            from .server import PracticeServer

            self._server = PracticeServer(port=port).start()
            self._issuer = self._server.issuer
            atexit.register(self._server.stop)
        return self

    def attach(self, issuer: str) -> Practice:
        """Uses the practice provider of that issuer from now on."""
        if urlsplit(issuer).hostname not in _LOOPBACK:
            raise NotAllowedError(
                "A practice provider runs on this machine only.",
                hint=f"{URL_VARIABLE} must begin with http://127.0.0.1 or http://localhost.",
            )
        before, self._issuer = self._issuer, issuer.rstrip("/")
        try:
            self._ask("GET", "dials")
        except (ConfigurationError, ServiceUnreachableError):
            self._issuer = before
            raise
        return self

    @property
    def issuer(self) -> str:
        """The issuer to register an OAuth client with."""
        if self._issuer is None:
            raise ConfigurationError(
                "The practice provider is not running.", hint="Call practice.start() first."
            )
        return self._issuer

    @property
    def data_url(self) -> str:
        """Where its data is: `/sales`, `/regions` and `/whoami` below this address."""
        return f"{self.issuer}/data"

    @property
    def confidential_secret(self) -> Secret:
        """The client secret of its client app `confidential-notebook`."""
        return Secret(self._ask("GET", "dials")["confidential_secret"])

    def start_database(self) -> int:
        """A real PostgreSQL of this machine with the table `sales`, to which an access token is the
        password; its port. A second call changes nothing; it ends with this process.

        Raises:
            ConfigurationError: its server is not installed; the hint is the command.
        """
        if self._database is None:
            from .database import SalesDatabase

            self._database = SalesDatabase(self.issuer)
            atexit.register(self._database.close)
        return self._database.port

    def expire(self, name: str) -> None:
        """The access tokens of that connection are refused from now on; a refresh helps."""
        self.expire_token(_current_token(name))

    def revoke(self, name: str) -> None:
        """The provider takes that connection's grant back; only a new sign-in helps."""
        self.revoke_token(_current_token(name))

    def expire_token(self, token: Secret) -> None:
        """Refuses all access tokens of the grant that this access or refresh token belongs to."""
        self._end("expire", token)

    def revoke_token(self, token: Secret) -> None:
        """Revokes the grant that this access or refresh token belongs to."""
        self._end("revoke", token)

    def fail(self, times: int = 1, status: int = 503) -> None:
        """The next token requests are answered with that HTTP status."""
        self.fault(f"status:{status}", times)

    def fault(self, kind: str, times: int = 1, *, endpoint: str = "token") -> None:
        """Something goes wrong with the next requests of an endpoint.

        Args:
            kind: `status:NNN`, `error:CODE`, `html`, `hangup_before`, `hangup_after` (it is done,
                the answer is cut), `drip` (a byte a second), `drop:FIELD`, `patch:FIELD=JSON`,
                `retry_after:SECONDS`, `clock:SECONDS`, `redirect:URL`.
        """
        self._ask("POST", "faults", {"kind": kind, "times": times, "endpoint": endpoint})

    def requests(self, endpoint: str | None = None, **fields: object) -> list[Record]:
        """What was asked of the provider, oldest first, e.g. `requests("token", outcome="ok")`."""
        from .provider.state import Record

        asked = {"endpoint": endpoint, **fields}
        return [Record(**one) for one in self._ask("POST", "requests", asked)]

    def register(
        self,
        client_id: str,
        redirect_uris: Sequence[str],
        *,
        secret: Secret | None = None,
        any_loopback_port: bool = False,
    ) -> None:
        """Adds or replaces a client app; without a secret it is a public one.

        Args:
            any_loopback_port: loopback addresses hold for any port (RFC 8252 §7.3).
        """
        self._ask(
            "POST",
            "clients",
            {
                "client_id": client_id,
                "redirect_uris": list(redirect_uris),
                "secret": secret.reveal() if secret else None,
                "any_loopback_port": any_loopback_port,
            },
        )

    def reset(self) -> None:
        """Dials, faults, log and rows as at the start. Client apps and grants stay."""
        self._ask("POST", "reset")

    def __repr__(self) -> str:
        # without its port: this is the output of a tutorial's cell, which never changes
        return f"<practice provider, {'running' if self._issuer else 'not started'}>"

    def _end(self, action: str, token: Secret) -> None:
        if not self._ask("POST", action, {"token": token.reveal()}):
            raise ConfigurationError(
                "The practice provider has not issued this connection's token.",
                hint=f"It can end grants of its own only: {self.issuer}",
            )

    def _ask(self, method: str, action: str, body: dict[str, Any] | None = None) -> Any:
        parts = urlsplit(self.issuer)
        connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(
                method,
                f"{parts.path}/practice/{action}",
                body=json.dumps(body or {}) if method != "GET" else None,
                headers={"X-Practice": "dials", "Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            status, content = answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            raise ServiceUnreachableError(
                f"No practice provider answers at {self.issuer}.",
                hint="It may have ended with the process that started it.",
                url=self.issuer,
            ) from None
        finally:
            connection.close()
        if status == http.HTTPStatus.OK:
            return content
        raise InvalidParameterError(content["message"], hint=content["hint"])


def _current_token(name: str) -> Secret:
    """The connection's access token, from this notebook's own token service."""
    import jupyter_oauthconn as oc

    return Secret(oc.connect(name).token().reveal())


practice = Practice()
