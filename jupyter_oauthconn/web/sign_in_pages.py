"""The pages of a sign-in that a server hosts: start page, button, callback, how it ended.

What they mean is in `broker.visits`, which the loopback site shares. Here is who may open which
page: the session says it, and after a provider's cross-site redirect, when a `SameSite=Strict`
session cookie does not arrive, the flow cookie of that very sign-in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from tornado.web import HTTPError, RequestHandler

from jupyter_oauthconn.broker import pages
from jupyter_oauthconn.errors import (
    NotAllowedError,
    NotSignedInError,
    OAuthConnError,
    UnknownAuthorizationError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import Authorization, Flow, Owner

from .host import Host, Kind, PersonHandler
from .page_handler import FormPageHandler, PageHandler
from .problems import STATUS
from .threads import asking

if TYPE_CHECKING:
    # loads the database's libraries, which a starting server does in a thread
    from jupyter_oauthconn.broker.visits import Answer, Visit
    from jupyter_oauthconn.service.token_service import TokenService

Rule = tuple[str, type[RequestHandler], dict[str, Any]]

_LONGEST_QUERY = 8 * 1024


def page_handlers(host: Host, person: type[PersonHandler]) -> list[Rule]:
    """Tornado's rules of the pages below the host's mount."""
    return [
        (
            re.escape(host.mount) + path,
            type(handler.__name__, (handler, person), {}),
            {"host": host},
        )
        for path, handler in (
            ("connect/(?P<name>[^/]+)", ConnectHandler),
            ("callback/(?P<client>[^/]+)", CallbackHandler),
            ("refused", RefusedHandler),
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedSite:
    """The pages of one request's person; a `visits.Site`."""

    service: TokenService
    owner: Owner
    owner_name: str | None
    mount: str
    origin: str
    #: what comes back with the buttons of a page
    form_fields: Mapping[str, str]
    flow: Flow = Flow.CALLBACK

    def callback(self, client: str) -> str:
        return f"{self.origin}{self.mount}callback/{client}"

    def page_at(self, connection: str, origin: str) -> str:
        return f"{origin}{self.start_page(connection)}"

    def form(self, connection: str, id: UUID | None) -> pages.Form:
        shown = {} if id is None else {"shown": str(id)}
        return pages.Form(action=self.start_page(connection), fields={**self.form_fields, **shown})

    def outcome(self, authorization: Authorization) -> str:
        page = self.start_page(authorization.connection)
        return f"{page}?{urlencode({'outcome': authorization.id})}"

    def refused(self, code: str) -> str:
        return f"{self.mount}refused?{urlencode({'why': code})}"

    def start_page(self, connection: str) -> str:
        return f"{self.mount}connect/{connection}"


class SignInPageHandler(PageHandler):
    """A page of a sign-in."""

    def send(self, answer: Answer) -> None:
        from jupyter_oauthconn.broker.visits import Inside, Shown, flow_cookie

        match answer:
            case Shown(page, went_well):
                self.show(page, HTTPStatus.OK if went_well else HTTPStatus.CONFLICT)
            case Inside(address):
                self.redirect(address, status=HTTPStatus.SEE_OTHER)
            case to_provider:
                self.set_cookie(
                    flow_cookie(self._origin),
                    to_provider.cookie.reveal(),
                    path=self.host.mount,
                    httponly=True,
                    # the provider's redirect back is a cross-site navigation
                    samesite="Lax",
                    secure=self._origin.startswith("https:"),
                )
                self.redirect(to_provider.address.reveal(), status=HTTPStatus.SEE_OTHER)

    def visit(self, owner: Owner, form_fields: Mapping[str, str] | None = None) -> Visit:
        """What this browser may do as that owner."""
        from jupyter_oauthconn.broker.visits import Visit, browser_of, flow_cookie

        site = MountedSite(
            service=self.host.service,
            owner=owner,
            owner_name=owner.name,
            mount=self.host.mount,
            origin=self._origin,
            form_fields=form_fields or {},
        )
        return Visit(site, browser_of(self.get_cookie(flow_cookie(self._origin))))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else HTTPError(status_code)
        self.show(*_page_of(error, status_code))

    @property
    def _origin(self) -> str:
        return self.host.origin(self)


class ConnectHandler(SignInPageHandler, FormPageHandler):
    """What waits for a connection, its button, and how a sign-in ended."""

    SUPPORTED_METHODS = ("GET", "POST")

    async def get(self, name: str) -> None:
        """Starts nothing, whoever links here."""
        outcome = _id(self.get_query_argument("outcome", None))
        try:
            owner = await self._person()
        except NotSignedInError:
            if outcome is None or not await self._pressed_here(outcome):
                self.go_to_login()
                return
            owner = await self.callback_owner()
        visit = self.visit(owner, self.form_fields(name))
        see = (
            partial(visit.see_connection, name) if outcome is None else partial(visit.see, outcome)
        )
        self.send(await asking(see))

    async def post(self, name: str) -> None:
        """The buttons."""
        self.refuse_other_sites()
        self.refuse_unseen(name)
        owner = await self._person()
        visit = self.visit(owner)
        pressed = self.get_body_argument("do", "")
        shown = _id(self.get_body_argument("shown", None))
        act: Callable[[], Answer]
        if pressed in {"authenticate", "again"}:
            broker = self.host.broker(owner, administrator=False)
            act = partial(
                visit.begin,
                name,
                partial(broker.authorize, name, flow=Flow.CALLBACK),
                shown=shown,
                again=pressed == "again",
            )
        elif shown is not None:
            act = partial(visit.choose, shown, pressed)
        else:
            raise HTTPError(HTTPStatus.BAD_REQUEST)
        self.send(await asking(act))

    async def _person(self) -> Owner:
        """Raises `NotSignedInError`, `NotAllowedError`."""
        caller = await self.caller()
        if caller.kind is not Kind.BROWSER:
            raise NotAllowedError(
                "The pages of a sign-in are for people.",
                hint="Open this address in the browser in which you are signed in.",
            )
        return caller.owner

    async def _pressed_here(self, id: UUID) -> bool:
        """Whether this browser began that sign-in. Raises nothing: the login page says the rest."""
        with suppress(NotSignedInError, UnknownAuthorizationError):
            owner = await self.callback_owner()
            return await asking(partial(self.visit(owner).may_see, id))
        return False


class CallbackHandler(SignInPageHandler):
    """Where a provider sends the browser back to (RFC 6749 §4.1.2). Never ends at its own address,
    which holds the code, and never at a login page, whose address would."""

    SUPPORTED_METHODS = ("GET",)

    async def get(self, client: str) -> None:
        if len(self.request.query) > _LONGEST_QUERY:
            raise HTTPError(HTTPStatus.REQUEST_URI_TOO_LONG)
        owner = await self.callback_owner()
        # not Tornado's arguments: it strips and decodes them
        parameters = parse_qsl(self.request.query, keep_blank_values=True)
        self.send(await asking(partial(self.visit(owner).come_back, client, parameters)))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            super().write_error(status_code, **kwargs)
            return
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        code = error.code if isinstance(error, OAuthConnError) else "invalid_request"
        address = f"{self.host.mount}refused?{urlencode({'why': code})}"
        self.redirect(address, status=HTTPStatus.SEE_OTHER)


class RefusedHandler(SignInPageHandler):
    """Why an answer led to no sign-in: fixed texts, for anybody."""

    SUPPORTED_METHODS = ("GET",)

    async def get(self) -> None:
        why = self.get_query_argument("why", "")
        self.show(pages.refused_page(why), HTTPStatus.CONFLICT)


def _page_of(error: BaseException, status: int) -> tuple[str, int]:
    """The page of an error, and its status."""
    match error:
        case UnknownConnectionError():
            message, title = f"You have no connection named {error.name!r}.", "Not found"
            return pages.failed_page(message, error.listing, title=title), HTTPStatus.NOT_FOUND
        case UnknownAuthorizationError():
            return pages.refused_page(error.code), HTTPStatus.NOT_FOUND
        case OAuthConnError():
            answered = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
            return pages.failed_page(error.message, error.hint), answered
        case HTTPError(status_code=HTTPStatus.FORBIDDEN):
            # XSRF, a foreign page, a foreign host name
            message = "This button was not pressed on our page, or the page is too old."
            return pages.failed_page(message, "Open the page again."), status
    return pages.failed_page("This request cannot be answered.", ""), status


def _id(text: str | None) -> UUID | None:
    """Raises `UnknownAuthorizationError` for what is no id."""
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise UnknownAuthorizationError("that") from None
