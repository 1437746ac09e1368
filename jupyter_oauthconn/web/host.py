"""What `web` needs from where it runs: who calls, where it is mounted, which broker answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, Protocol

from tornado.web import RequestHandler

from jupyter_oauthconn.broker import TokenServiceBroker
from jupyter_oauthconn.model import Owner

if TYPE_CHECKING:
    # loads the database's libraries, which a starting server does in a thread
    from jupyter_oauthconn.service.token_service import TokenService


class Kind(Flag):
    """How a caller proved who she is."""

    KERNEL = auto()  # the credential that a host gives its kernels, in the header
    BROWSER = auto()  # a session cookie, with XSRF on writes
    SERVER_TOKEN = auto()  # the Jupyter server's own token, in the header


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. An administrator may register OAuth clients and see all events."""

    owner: Owner
    kind: Kind
    administrator: bool


class Host(Protocol):
    """One mount of a token service."""

    service: TokenService
    #: path below which everything is served, escaped as browsers send it: `/base/oauthconn/`
    mount: str
    #: "server" or "hub"
    where: str

    def broker(self, owner: Owner, *, administrator: bool) -> TokenServiceBroker:
        """The verbs for one owner.

        Args:
            administrator: the caller may do what administrators may.
        """
        ...

    def kernel_caller(self, authorization: str) -> Caller | None:
        """Whose kernel credential an `Authorization` header holds; compares in constant time."""
        ...

    def origin(self, handler: RequestHandler) -> str:
        """The origin of our pages, e.g. `http://localhost:8888`.

        From the setting `public_url` where there is one; a `Host` header only ever chooses among
        the redirect URIs that are stored.
        """
        ...


class PersonHandler(RequestHandler):
    """Base of every route but the token route. A host's subclass knows its people.

    Requests with `?token=` are refused; `dispatch` and the pages check XSRF of `BROWSER` callers.
    """

    host: Host

    def initialize(self, host: Host) -> None:
        self.host = host

    async def caller(self) -> Caller:
        """Raises `NotSignedInError`, or `NotAllowedError` (code guest)."""
        raise NotImplementedError

    async def callback_owner(self) -> Owner:
        """Whose sign-in comes back: on a plain server its one owner, the flow cookie alone proves
        the browser; on a Hub the session's. Raises `NotSignedInError`."""
        raise NotImplementedError

    def go_to_login(self) -> None:
        """Redirects to the login page; only for addresses that hold nothing secret."""
        raise NotImplementedError
