"""What a browser's visit to our pages means: which page for which state, what each button does.

The loopback site and a server's pages share it. They differ in transport, in how a person proves
who she is, and in where things are, which a `Site` says. Everything here may wait for a provider.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from jupyter_oauthconn.errors import (
    InvalidClientError,
    InvalidParameterError,
    NotAllowedError,
    OAuthConnError,
)
from jupyter_oauthconn.model import (
    Authorization,
    AuthorizationState,
    Connection,
    Flow,
    LastError,
    Owner,
    Reason,
    Secret,
    State,
)
from jupyter_oauthconn.service.token_service import TokenService

from . import pages

_CONNECTED = frozenset({State.CONNECTED, State.EXPIRING, State.DEGRADED})
_SHORTEST_COOKIE = 43
_LONGEST_COOKIE = 128
_WAITING = (
    "Your notebook asks for access to your data. Go on only if you have started this yourself:"
)
_NOTHING_WAITS = "No notebook waits for it. Sign in now, and notebooks can use it at once."
_ELSEWHERE = (
    "A sign-in for this connection waits on another device or in a terminal. The button ends that "
    "one and starts one here:"
)


class Site(Protocol):
    """Where the pages of one owner are."""

    @property
    def service(self) -> TokenService: ...

    @property
    def owner(self) -> Owner: ...

    @property
    def owner_name(self) -> str | None:
        """None where there is one person only."""
        ...

    @property
    def flow(self) -> Flow:
        """Of the sign-ins that come back to these pages."""
        ...

    def callback(self, client: str) -> str:
        """The absolute address that takes a provider's answer for an OAuth client."""
        ...

    def page_at(self, connection: str, origin: str) -> str:
        """The present page's address, under another origin of the same machine."""
        ...

    def form(self, connection: str, id: UUID | None) -> pages.Form:
        """Where the buttons post to; `id`: the sign-in that the page is about."""
        ...

    def outcome(self, authorization: Authorization) -> str:
        """An address without secrets of a provider, whose page tells how a sign-in stands."""
        ...

    def refused(self, code: str) -> str:
        """An address whose page tells why an answer led to no sign-in."""
        ...

    def start_page(self, connection: str) -> str | None:
        """Where a person may start another sign-in by herself."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A page. `went_well` is False where it tells that something did not work."""

    page: str
    went_well: bool = True


@dataclass(frozen=True, slots=True)
class Inside:
    """On to another address of ours."""

    address: str


@dataclass(frozen=True, slots=True)
class ToProvider:
    """On to the authorization server: the address holds the state, the cookie binds it."""

    address: Secret
    cookie: Secret


Answer = Shown | Inside | ToProvider


def flow_cookie(origin: str) -> str:
    """The flow cookie's name: cookies ignore ports, so it carries the page's."""
    parts = urlsplit(origin)
    return f"oauthconn-flow-{parts.port or (443 if parts.scheme == 'https' else 80)}"


def browser_of(cookie: str | None) -> Secret | None:
    """What a flow cookie says, where it can be one of ours."""
    if cookie is None or not _SHORTEST_COOKIE <= len(cookie) <= _LONGEST_COOKIE:
        return None
    return Secret(cookie)


class Visit:
    """One request of a browser. Every method raises `OAuthConnError`s for a page to tell.

    Args:
        browser: the flow cookie's value.
    """

    def __init__(self, site: Site, browser: Secret | None) -> None:
        self._site = site
        self._browser = browser
        self._service = site.service
        self._person = site.owner
        self._owner = site.owner.id

    def see_connection(self, name: str) -> Shown:
        """What waits for a connection, or where it stands. Starts nothing."""
        connection = self._service.connections.seen(self._person, name)
        pending = self._pending(connection)
        if pending is not None and pending.confirm:
            return self.see(pending.id)
        if pending is None and _is_connected(connection):
            identity = connection.status.identity if connection.status else None
            form = self._site.form(name, None)
            return Shown(pages.connected_page(name, identity, form, owner=self._site.owner_name))
        return self._start_page(connection, pending)

    def see(self, id: UUID) -> Shown:
        """How a sign-in stands, or how it ended."""
        authorization = self._service.sign_ins.read(self._owner, id)
        connection = self._service.connections.seen(self._person, authorization.connection)
        if authorization.confirm:
            return self._confirm_page(connection, authorization)
        match authorization.state:
            case AuthorizationState.PENDING:
                return self._start_page(connection, authorization)
            case AuthorizationState.DONE if _is_connected(connection):
                return Shown(pages.done_page(connection.name, authorization.identity))
            case AuthorizationState.DONE:
                return self._over(connection, "This sign-in went well, and has ended since then.")
            case AuthorizationState.REFUSED if authorization.error is not None:
                return self._refused(connection, authorization.error)
        return self._over(connection, "This sign-in was not finished in time, or was given up.")

    def press(self, id: UUID) -> Answer:
        """The button of the start page."""
        authorization = self._service.sign_ins.read(self._owner, id)
        if authorization.state is not AuthorizationState.PENDING or authorization.confirm:
            # the page was opened again with the back button, or in a second tab
            return Inside(self._site.outcome(authorization))
        try:
            connection = self._service.connections.usable(self._person, authorization.connection)
        except NotAllowedError as error:
            # whoever waits for the sign-in is told, and not only who looks at the page
            self._service.sign_ins.cancel(self._owner, id, error)
            raise
        misfit = self._misfit_page(connection)
        if misfit is not None:
            return misfit
        browser = self._browser or Secret(secrets.token_urlsafe(32))
        address = self._service.sign_ins.press(
            self._owner,
            id,
            connection,
            callback=self._site.callback(connection.client),
            browser=browser,
        )
        return ToProvider(address, browser)

    def begin(
        self, name: str, start: Callable[[], Authorization], *, shown: UUID | None, again: bool
    ) -> Answer:
        """The button of a page that is about a connection: joins what waits for it, or starts.

        Args:
            shown: the sign-in that the page was about; one that has ended begins nothing.
            again: the person wants another sign-in although nothing need be done.
        """
        connection = self._service.connections.seen(self._person, name)
        misfit = self._misfit_page(connection)
        if misfit is not None:
            return misfit
        if shown is not None:
            authorization = self._service.sign_ins.read(self._owner, shown)
            if authorization.state is not AuthorizationState.PENDING:
                return Inside(self._site.outcome(authorization))
        pending = self._pending(connection)
        if pending is not None and pending.confirm:
            return Inside(self._site.outcome(pending))
        if pending is None and not again and _is_connected(connection):
            # an old page: somebody signed in meanwhile
            return Inside(self._site.start_page(name) or "")
        return self.press(start().id)

    def choose(self, id: UUID, which: str) -> Inside:
        """The buttons of the confirm page: `replace` the account, or `keep` it."""
        sign_ins = self._service.sign_ins
        match which:
            case "replace":
                authorization = sign_ins.confirm(self._owner, id)
            case "keep":
                authorization = sign_ins.keep_account(self._owner, id)
            case _:
                raise InvalidParameterError(
                    "This page has no such button.", hint="Open it again.", parameter="do"
                )
        return Inside(self._site.outcome(authorization))

    def come_back(self, client: str, parameters: Sequence[tuple[str, str]]) -> Inside:
        """The provider's answer. Always leads to an address without it: the code would stay in
        the history."""
        sign_ins = self._service.sign_ins
        try:
            pending = sign_ins.use_state(self._owner, parameters, browser=self._browser)
            try:
                self._check_still_allowed(pending.connection_id)
                authorization = sign_ins.finish(self._owner, client, pending, parameters)
            except OAuthConnError as error:
                # the reason is stored with the sign-in, whose page tells it
                sign_ins.cancel(self._owner, pending.id, error)
                authorization = sign_ins.read(self._owner, pending.id)
            return Inside(self._site.outcome(authorization))
        except OAuthConnError as error:
            return Inside(self._site.refused(error.code))

    def _check_still_allowed(self, connection_id: UUID) -> None:
        """An access list may have changed while the person was at the provider."""
        connection = self._service.store.registry.connection_of_id(connection_id)
        if connection is not None:
            self._service.access.check_use(self._person, connection)

    def may_see(self, id: UUID) -> bool:
        """Whether this browser pressed that sign-in's button: it needs no other proof."""
        return self._service.sign_ins.was_begun_by(self._owner, id, self._browser)

    def _pending(self, connection: Connection) -> Authorization | None:
        row = self._service.store.authorizations.pending(self._owner, connection.id)
        return None if row is None else row.authorization

    def _start_page(self, connection: Connection, pending: Authorization | None) -> Shown:
        misfit = self._misfit_page(connection)
        if misfit is not None:
            return misfit
        self._service.access.check_use(self._person, connection)
        why = _NOTHING_WAITS
        if pending is not None:
            why = _WAITING if pending.flow is self._site.flow else _ELSEWHERE
        form = self._site.form(connection.name, pending.id if pending else None)
        page = self._service.sign_ins.start_page(self._owner, connection)
        status = connection.status
        if status is not None and status.reason == Reason.REVOKED and status.last_error is not None:
            # by an administrator: else nobody would know why it is asked for again
            why = f"{status.last_error.message} {why}"
        return Shown(pages.start_page(page, form, owner=self._site.owner_name, why=why))

    def _misfit_page(self, connection: Connection) -> Shown | None:
        callback = self._site.callback(connection.client)
        misfit = self._service.sign_ins.misfit(connection, callback)
        if misfit is None:
            return None
        same_page = None
        if misfit.other_origin is not None:
            same_page = self._site.page_at(connection.name, misfit.other_origin)
        return Shown(pages.misfit_page(misfit, same_page), went_well=False)

    def _confirm_page(self, connection: Connection, authorization: Authorization) -> Shown:
        before = connection.status.identity if connection.status else None
        return Shown(
            pages.confirm_page(
                connection.name,
                before or (None if connection.login_hint else "another account"),
                authorization.identity or "an account that the provider does not name",
                self._site.form(connection.name, authorization.id),
                meant=connection.login_hint or None,
            )
        )

    def _refused(self, connection: Connection, error: LastError) -> Shown:
        again, message = self._site.start_page(connection.name), error.message
        if not _is_connected(connection):
            # RFC 6749 §5.2: the client is at fault, and signing in again does not mend it
            hint = _ASK if error.code == InvalidClientError.code else ""
            return Shown(pages.failed_page(message, hint, again=again), went_well=False)
        identity = connection.status.identity if connection.status else None
        kept = f"{connection.name} stays authenticated as {identity or 'before'}."
        page = pages.failed_page(message, kept, title="Nothing was changed", again=again)
        return Shown(page, went_well=False)

    def _over(self, connection: Connection, message: str) -> Shown:
        again = self._site.start_page(connection.name)
        page = pages.failed_page(message, "", title="This sign-in is over", again=again)
        return Shown(page, went_well=False)


_ASK = "An administrator must check the OAuth client's id and secret; your account is all right."


def _is_connected(connection: Connection) -> bool:
    return connection.status is not None and connection.status.state in _CONNECTED
