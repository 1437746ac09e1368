"""What a browser gets from a loopback site: the transport, and who may open which page."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlsplit

from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import Secret

from . import pages
from .visits import Answer, Inside, Shown, ToProvider, Visit, browser_of, flow_cookie

if TYPE_CHECKING:
    from .loopback import Hosted, LoopbackSite

_LONGEST_QUERY = 8 * 1024
_LONGEST_FORM = 1024


class _Handler(BaseHTTPRequestHandler):
    site: ClassVar[LoopbackSite]
    server_version = "oauthconn"
    sys_version = ""
    timeout = 10  # a connection that sends nothing ends

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query) if len(parts.query) <= _LONGEST_QUERY else None
        if not self._for_us() or query is None:
            self._show(400, pages.failed_page("This address is not served here.", ""))
        elif parts.path.startswith("/oauthconn/connect/"):
            hosted = self.site.by_key(query.get("start", [""])[0])
            self._answer(hosted, lambda visit, one: visit.see(one.id))
        elif parts.path == "/oauthconn/refused":
            self._show(400, pages.refused_page(query.get("why", [""])[0]))
        elif (client := self.site.client_at(parts.path)) is not None:
            parameters = parse_qsl(parts.query, keep_blank_values=True)
            # before whoever waits for the sign-in knows of its end, and perhaps ends this process
            self.site.expect_browser()
            self._send(Visit(self.site, self._browser()).come_back(client, parameters))
        else:
            self._show(404, pages.failed_page("There is nothing at this address.", ""))

    def do_POST(self) -> None:
        declared = self.headers.get("Content-Length", "")
        length = int(declared) if declared.isdecimal() else 0
        if not self._for_us() or self._cross_site() or not 0 < length <= _LONGEST_FORM:
            self._show(403, pages.failed_page("This button was not pressed on our page.", ""))
            return
        form = parse_qs(self.rfile.read(length).decode("ascii", "replace"))
        hosted = self.site.by_key(form.get("start", [""])[0])
        action = form.get("do", ["authenticate"])[0]
        if action == "authenticate":
            self._answer(hosted, lambda visit, one: visit.press(one.id))
        else:
            self._answer(hosted, lambda visit, one: visit.choose(one.id, action))

    def _answer(self, hosted: Hosted | None, act: Callable[[Visit, Hosted], Answer]) -> None:
        """Only who has a link's key gets further."""
        if hosted is None:
            message = "This link does not belong to a sign-in that is waiting here."
            hint = "Start the sign-in again from the notebook and use its newest link."
            self._show(403, pages.failed_page(message, hint))
            return
        try:
            self._send(act(Visit(self.site, self._browser()), hosted))
        except OAuthConnError as error:
            self._show(400, pages.failed_page(error.message, error.hint))

    def _send(self, answer: Answer) -> None:
        match answer:
            case Shown(page, went_well):
                self._show(200 if went_well else 400, page)
            case Inside(address):
                self._redirect(address)
            case ToProvider(address, cookie):
                # Lax, because the provider's redirect back is a cross-site navigation
                name = flow_cookie(self.site.origin)
                kept = f"{name}={cookie.reveal()}; Path=/; HttpOnly; SameSite=Lax"
                self._redirect(address.reveal(), kept)

    def _for_us(self) -> bool:
        # a foreign name that resolves to 127.0.0.1 must not read our pages (DNS rebinding)
        return f"http://{self.headers.get('Host')}" == self.site.origin

    def _cross_site(self) -> bool:
        origin = self.headers.get("Origin")
        # pages with `Referrer-Policy: no-referrer` post with the origin "null"
        foreign = origin not in {None, "null", self.site.origin}
        return foreign or self.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}

    def _browser(self) -> Secret | None:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(flow_cookie(self.site.origin))
        except CookieError:
            return None
        return browser_of(cookie.value if cookie is not None else None)

    def _redirect(self, location: str, cookie: str | None = None) -> None:
        self.send_response(303)
        self.send_header("Location", location)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        for name in ("Cache-Control", "Referrer-Policy"):
            self.send_header(name, pages.HEADERS[name])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _show(self, status: int, page: str) -> None:
        body = page.encode()
        self.send_response(status)
        for name, value in pages.HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.site.page_was_shown()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no request of a browser gets a page of ours too, with its headers."""
        self.close_connection = True
        self._show(code, pages.failed_page("This request cannot be answered.", ""))

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the request line of a callback holds the code."""


def handler_for(site: LoopbackSite) -> type[BaseHTTPRequestHandler]:
    """The handler class of one site."""
    return type("SiteHandler", (_Handler,), {"site": site})
