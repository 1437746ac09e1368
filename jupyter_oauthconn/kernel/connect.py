"""The connection object: a name by which a notebook gets tokens and things that carry them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jupyter_oauthconn.connectors.headers import RequestHeaders, credential_header
from jupyter_oauthconn.errors import (
    OAuthConnError,
    ReauthorizationRequiredError,
)
from jupyter_oauthconn.model import AccessToken, Check, Reason, State, Status, scope_set

from . import current, views
from .current import seconds
from .drafts import duration
from .sign_in import Ask, Patience, in_thread, obtain, stopped_waiting

if TYPE_CHECKING:
    import httpx2
    import requests
    import sqlalchemy


_WAKE_SECONDS = 0.2
#: On the wire times are told in whole seconds from now.
_WIRE_STEP = timedelta(seconds=2)


def connect(
    name: str,
    *,
    scope: str | Iterable[str] | None = None,
    wait: bool | float | str | timedelta | None = None,
) -> Connection:
    """Signs in for a connection if needed and returns it.

    Args:
        scope: scope tokens, separated by spaces, that the sign-in must have granted.
        wait: when a person must act: None: as the setting `interaction` says; False: fail at
            once; True: wait; seconds, `"5m"` or a timedelta: wait so long at most.

    Raises:
        InvalidParameterError: `wait` is no duration.
        UnknownConnectionError: there is none of that name.
        InteractionRequiredError: a person must act, and nobody is there.
        ReauthorizationRequiredError: the sign-in does not cover `scope`.
    """
    connection = Connection(name)
    wait = wait if wait is None or isinstance(wait, bool) else duration(wait)
    token = connection._obtain(Ask(name=name), Patience(wait=wait))
    if scope is not None:
        _require_scope(name, scope if isinstance(scope, str) else " ".join(scope), token.scope)
    return connection


class Connection:
    """A named use of an OAuth client. It holds no credential: pickled, it is its name.

    Made by `connect`. A worker process that gets one asks its own token service.
    """

    __slots__ = ("_place", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._place = current.place()

    # --- tokens

    def token(
        self,
        min_validity: float | timedelta = 60.0,
        *,
        exact: bool = False,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        """A fresh access token, from memory while that one lasts.

        Args:
            min_validity: how much longer it must live, in seconds or as a timedelta; at most
                20 % of its life is asked for, unless `exact`.
            rejected: a token that a resource refused; renewed only if it is still the current one.
            resource: a token for that one (RFC 8707); None: what the sign-in is for.

        Raises:
            InvalidParameterError: the provider gives no token for that resource.
            InteractionRequiredError: a person must act, and nobody is there.
            ProviderUnavailableError: no valid token is left and the provider does not answer.
        """
        kept = self._kept(min_validity, exact, rejected, resource)
        if kept is not None:
            return kept
        ask = self._ask(min_validity, exact, rejected, resource)
        token = self._obtain(ask, Patience())
        if _is_same(token, rejected):
            return self._obtain(replace(ask, rejected_generation=token.generation), Patience())
        return token

    async def atoken(
        self,
        min_validity: float | timedelta = 60.0,
        *,
        exact: bool = False,
        rejected: AccessToken | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        """`token` for async code: the event loop runs on while a person signs in."""
        kept = self._kept(min_validity, exact, rejected, resource)
        if kept is not None:
            return kept
        ask = self._ask(min_validity, exact, rejected, resource)
        token = await self._obtain_in_thread(ask)
        if _is_same(token, rejected):
            ask = replace(ask, rejected_generation=token.generation)
            return await self._obtain_in_thread(ask)
        return token

    def headers(self) -> dict[str, str]:
        """`{"Authorization": "Bearer …"}` for one request, masked when shown."""
        return RequestHeaders([credential_header(self.token())])

    def _kept(
        self,
        min_validity: float | timedelta,
        exact: bool,
        rejected: AccessToken | None,
        resource: str | None,
    ) -> AccessToken | None:
        try:
            token = self._place.tokens.fresh(self.name, seconds(min_validity), exact, resource)
        except TypeError:
            return None  # `_ask` says what is wrong with it
        # many threads get a 401 for one token: the first renews it, the others find it here
        if token is None or rejected is None or token.generation != rejected.generation:
            return None if token and _is_same(token, rejected) else token
        return None

    def _ask(
        self,
        min_validity: float | timedelta,
        exact: bool,
        rejected: AccessToken | None,
        resource: str | None,
    ) -> Ask:
        return Ask(
            name=self.name,
            min_validity=duration(min_validity) if min_validity else timedelta(0),
            exact=exact,
            rejected_generation=None if rejected is None else rejected.generation,
            resource=resource,
        )

    def _obtain(self, ask: Ask, patience: Patience) -> AccessToken:
        return obtain(self._place, ask, patience)

    async def _obtain_in_thread(self, ask: Ask) -> AccessToken:
        patience = Patience()
        answer = asyncio.wrap_future(
            in_thread(lambda: obtain(self._place, ask, patience), f"token of {self.name}")
        )
        try:
            while not answer.done():
                # ipykernel's handler of an interrupt queues a callback without waking the loop:
                # only a loop that wakes by itself sees that it shall cancel this cell
                await asyncio.wait({answer}, timeout=_WAKE_SECONDS)
            return answer.result()
        except asyncio.CancelledError as error:
            if patience.begun.is_set():
                # IPython shows this instead of a traceback; a subclass would not be one to asyncio
                text = stopped_waiting(self.name)
                error._render_traceback_ = lambda: [text]  # type: ignore[attr-defined]
            raise
        finally:
            patience.stop.set()
            answer.cancel()  # nobody takes it any more, neither a token nor an error

    # --- what it is

    @property
    def status(self) -> State:
        """Where the connection stands; `.words` for people."""
        return self._status().state

    @property
    def expires_at(self) -> datetime | None:
        """When the access token ends (aware UTC), None when the provider does not say."""
        return self._status().expires_at

    @property
    def identity(self) -> str | None:
        """The account at the provider."""
        return self._status().identity

    @property
    def scope(self) -> str | None:
        """What was granted, separated by spaces."""
        return self._status().scope

    def _status(self) -> Status:
        status = self._place.broker.connection(self.name).status
        return status or Status(state=State.NOT_CONNECTED, next_step=f"`%connect auth {self.name}`")

    # --- what carries its tokens

    def engine(self, url: str | sqlalchemy.URL | None = None, **options: Any) -> Any:
        """A SQLAlchemy engine whose new connections always carry a fresh token.

        Args:
            url: the store's address, without password; None: as the provider's entry says.
            options: `token` (where the driver wants it, e.g. `"password"`), `asynchronous=True`
                for an `AsyncEngine`, and those of `sqlalchemy.create_engine`.
        """
        if url is not None:
            options["url"] = url
        return self.handle("engine", **options)

    def filesystem(self, address: str | None = None, **options: Any) -> Any:
        """An fsspec filesystem.

        Args:
            address: where the files are, e.g. `webdavs://host/`; None: as the entry says.
            options: those of its library.
        """
        if address is not None:
            options["address"] = address
        return self.handle("filesystem", **options)

    def client(self, **options: Any) -> Any:
        """The vendor's own client, where the provider's entry names one."""
        return self.handle("client", **options)

    def credential(self, library: str | None = None, **options: Any) -> Any:
        """A credential object of a vendor's SDK: `google`, `azure`, … None: as the entry says."""
        if library is not None:
            options["library"] = library
        return self.handle("credential", **options)

    def session(self) -> requests.Session:
        """A `requests.Session`: header on each request to this connection's hosts, one retry."""
        made: requests.Session = self.handle("session")
        return made

    def httpx(
        self, *, asynchronous: bool = False, **options: Any
    ) -> httpx2.Client | httpx2.AsyncClient:
        """An `httpx2.Client`: header on each request to this connection's hosts, one retry.

        Args:
            asynchronous: an `AsyncClient`. `async` is a keyword of Python, so the other spelling
                is `conn.httpx(**{"async": True})`.
            options: for the client, e.g. `base_url`, `timeout`.
        """
        made: httpx2.Client | httpx2.AsyncClient = self.handle(
            "httpx", asynchronous=asynchronous, **options
        )
        return made

    def handle(self, kind: str | None = None, /, **options: Any) -> Any:
        """What `%connect NAME --handle KIND` binds; None: the connection's usual one.

        Raises:
            InvalidParameterError: no such kind, or it needs a value that is missing.
            ConfigurationError: its library is not installed; the hint is the command.
        """
        from . import handles

        kind = kind or handles.default_kind(self._place, self.name)
        return handles.open_handle(self._place, self, kind, options)

    def test(
        self, kind: str | None = None, /, *, probe: str = "", **options: Any
    ) -> views.Listing[Check]:
        """Opens a handle, makes a real and cheap call, and says what it saw.

        Args:
            kind: of the handle; None: the connection's usual one.
            probe: a statement, an address or a path, in place of the entry's.
            options: as of `handle`.
        """
        from . import handles

        return views.checks(
            handles.try_handle(self._place, self, kind, probe=probe, options=options)
        )

    def __repr__(self) -> str:
        return f"Connection({self.name!r})"

    def _repr_html_(self) -> str | None:
        """What it is, as whom, until when, and which handles; None: the service does not say."""
        from .handles import card_of

        try:
            return card_of(self._place, self.name)
        except OAuthConnError:
            return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Connection):
            return NotImplemented
        return self.name == other.name and self._place is other._place

    def __hash__(self) -> int:
        return hash((Connection, self.name))

    def __reduce__(self) -> tuple[type[Connection], tuple[str]]:
        return (Connection, (self.name,))


def _is_same(token: AccessToken, rejected: AccessToken | None) -> bool:
    """Whether that is the refused token under another number: a refresh that brought a token for
    another resource counts on. One that a refresh has brought again was issued later."""
    if rejected is None or token.issued_at is None or rejected.issued_at is None:
        return False
    if token.value != rejected.value or token.generation == rejected.generation:
        return False
    return abs(token.issued_at - rejected.issued_at) < _WIRE_STEP


def _require_scope(name: str, asked: str, granted: str) -> None:
    missing = scope_set(asked) - scope_set(granted)
    if not missing:
        return
    wider = " ".join(sorted(scope_set(granted) | scope_set(asked)))
    raise ReauthorizationRequiredError(
        f"The sign-in for {name!r} does not cover {' '.join(sorted(missing))!r}.",
        hint=f'Widen it: `%connect edit {name} --scope "{wider}"`, then '
        f"`%connect auth {name} --again`.",
        reason=Reason.SCOPE_CHANGED.value,
    )
