"""What a browser gets from a loopback site: start page, button, callback, outcome."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlsplit

from jupyter_oauthconn.errors import (
    AuthorizationExpiredError,
    CallbackMismatchError,
    OAuthConnError,
)
from jupyter_oauthconn.model import Authorization, AuthorizationState, Secret, State

from . import pages

if TYPE_CHECKING:
    from .loopback import Hosted, LoopbackSite

_LONGEST_QUERY = 8 * 1024
_LONGEST_FORM = 1024
_SHORTEST_COOKIE = 43
_LONGEST_COOKIE = 128


class _Handler(BaseHTTPRequestHandler):
    site: ClassVar[LoopbackSite]
    server_version = "oauthconn"
    sys_version = ""
    timeout = 10  # a connection that sends nothing ends

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not self._for_us() or len(parts.query) > _LONGEST_QUERY:
            self._answer(400, pages.failed_page("This address is not served here.", ""))
        elif parts.path.startswith("/oauthconn/connect/"):
            self._outcome(parse_qs(parts.query).get("start", [""])[0])
        elif parts.path == "/oauthconn/refused":
            self._refused(parse_qs(parts.query).get("why", [""])[0])
        elif (client := self.site.client_at(parts.path)) is not None:
            self._callback(client, parse_qsl(parts.query, keep_blank_values=True))
        else:
            self._answer(404, pages.failed_page("There is nothing at this address.", ""))

    def do_POST(self) -> None:
        declared = self.headers.get("Content-Length", "")
        length = int(declared) if declared.isdecimal() else 0
        if not self._for_us() or self._cross_site() or not 0 < length <= _LONGEST_FORM:
            self._answer(403, pages.failed_page("This button was not pressed on our page.", ""))
            return
        form = parse_qs(self.rfile.read(length).decode("ascii", "replace"))
        hosted = self.site.by_key(form.get("start", [""])[0])
        if hosted is None:
            self._unknown()
            return
        try:
            self._act(hosted, form.get("do", ["authenticate"])[0])
        except OAuthConnError as error:
            self._answer(400, pages.failed_page(error.message, error.hint))

    def _act(self, hosted: Hosted, action: str) -> None:
        service, owner_id = self.site.service, self.site.owner_id
        match action:
            case "replace":
                service.sign_ins.confirm(owner_id, hosted.id)
                self._redirect(self._own_page(hosted))
            case "keep":
                service.sign_ins.keep_account(owner_id, hosted.id)
                self._redirect(self._own_page(hosted))
            case _ if self.site.state(hosted.id).state is not AuthorizationState.PENDING:
                # the page was opened again with the back button
                self._redirect(self._own_page(hosted))
            case _:
                browser = self._browser() or Secret(secrets.token_urlsafe(32))
                address = service.sign_ins.press(
                    owner_id,
                    hosted.id,
                    service.connections.get(owner_id, hosted.connection),
                    origin=self.site.origin,
                    browser=browser,
                )
                # Lax, because the provider's redirect back is a cross-site navigation
                cookie = f"{self._cookie}={browser.reveal()}; Path=/; HttpOnly; SameSite=Lax"
                self._redirect(address.reveal(), cookie)

    def _callback(self, client: str, parameters: list[tuple[str, str]]) -> None:
        """Always ends at an address without the code, which would stay in the history."""
        try:
            authorization = self.site.service.sign_ins.callback(
                self.site.owner_id, client, parameters, browser=self._browser()
            )
        except OAuthConnError as error:
            self._redirect(self.site.keep_failure(error))
            return
        hosted = self.site.by_id(authorization.id)
        if hosted is None:
            self._answer(200, pages.done_page(authorization.connection, authorization.identity))
        else:
            self._redirect(self._own_page(hosted))

    def _refused(self, key: str) -> None:
        error = self.site.failure(key)
        if error is None:
            self._unknown()
        elif isinstance(error, AuthorizationExpiredError):
            # it may have gone well before: back button, second click
            page = pages.failed_page(error.message, error.hint, title="This sign-in is over")
            self._answer(400, page)
        else:
            self._answer(400, pages.failed_page(error.message, error.hint))

    def _outcome(self, key: str) -> None:
        hosted = self.site.by_key(key)
        if hosted is None:
            self._unknown()
            return
        try:
            authorization = self.site.state(hosted.id)
            status, page = self._page(hosted, authorization)
        except OAuthConnError as error:
            status, page = 400, pages.failed_page(error.message, error.hint)
        self._answer(status, page)

    def _page(self, hosted: Hosted, authorization: Authorization) -> tuple[int, str]:
        action = f"/oauthconn/connect/{hosted.connection}"
        service, owner_id = self.site.service, self.site.owner_id
        if authorization.confirm:
            before = service.connections.seen(owner_id, hosted.connection).status
            return 200, pages.confirm_page(
                hosted.connection,
                (before.identity if before else None) or "another account",
                authorization.identity or "an account that the provider does not name",
                action=action,
                key=hosted.key,
            )
        match authorization.state:
            case AuthorizationState.PENDING:
                connection = service.connections.get(owner_id, hosted.connection)
                page = service.sign_ins.start_page(owner_id, connection, self.site.origin)
                return 200, pages.start_page(page, action=action, key=hosted.key)
            case AuthorizationState.DONE:
                return 200, pages.done_page(hosted.connection, authorization.identity)
            case AuthorizationState.REFUSED if authorization.error is not None:
                return 400, self._refused_page(hosted, authorization.error.message)
        over = AuthorizationExpiredError("This sign-in was not finished in time.")
        return 400, pages.failed_page(over.message, "")

    def _refused_page(self, hosted: Hosted, message: str) -> str:
        status = self.site.service.connections.seen(self.site.owner_id, hosted.connection).status
        if status is None or status.state is not State.CONNECTED:
            return pages.failed_page(message, "")
        kept = f"{hosted.connection} stays authenticated as {status.identity or 'before'}."
        return pages.failed_page(message, kept, title="Nothing was changed")

    def _unknown(self) -> None:
        error = CallbackMismatchError(
            "This link does not belong to a sign-in that is waiting here.",
            hint="Start the sign-in again from the notebook and use its newest link.",
        )
        self._answer(403, pages.failed_page(error.message, error.hint))

    def _own_page(self, hosted: Hosted) -> str:
        return self.site.public_url(hosted.connection, hosted.key)

    def _for_us(self) -> bool:
        # a foreign name that resolves to 127.0.0.1 must not read our pages (DNS rebinding)
        return f"http://{self.headers.get('Host')}" == self.site.origin

    def _cross_site(self) -> bool:
        origin = self.headers.get("Origin")
        # pages with `Referrer-Policy: no-referrer` post with the origin "null"
        foreign = origin not in {None, "null", self.site.origin}
        return foreign or self.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}

    @property
    def _cookie(self) -> str:
        # cookies ignore ports, so the name carries it
        return f"oauthconn-flow-{self.site.port}"

    def _browser(self) -> Secret | None:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(self._cookie)
        except CookieError:
            return None
        if cookie is None or not _SHORTEST_COOKIE <= len(cookie.value) <= _LONGEST_COOKIE:
            return None
        return Secret(cookie.value)

    def _redirect(self, location: str, cookie: str | None = None) -> None:
        self.send_response(303)
        self.send_header("Location", location)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        for name in ("Cache-Control", "Referrer-Policy"):
            self.send_header(name, pages.HEADERS[name])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: int, page: str) -> None:
        body = page.encode()
        self.send_response(status)
        for name, value in pages.HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no request of a browser gets a page of ours too, with its headers."""
        self.close_connection = True
        self._answer(code, pages.failed_page("This request cannot be answered.", ""))

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the request line of a callback holds the code."""


def handler_for(site: LoopbackSite) -> type[BaseHTTPRequestHandler]:
    """The handler class of one site."""
    return type("SiteHandler", (_Handler,), {"site": site})
