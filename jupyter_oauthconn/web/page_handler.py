"""What the pages for people share: their headers, who looks at them, and whose button it was."""

from __future__ import annotations

from http import HTTPStatus

from tornado.web import HTTPError, decode_signed_value

from jupyter_oauthconn.broker import pages

from .answers import GuardedHandler
from .host import PersonHandler

_PAGE_KEY = "page_key"
_KEY_DAYS = 1


class PageHandler(GuardedHandler, PersonHandler):
    """A page; stands before the host's handler, which knows the people."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        # instead of Jupyter's, whose policy lets its own pages frame it
        for name, value in pages.HEADERS.items():
            self.set_header(name, value)

    async def prepare(self) -> None:
        self.refuse_credential_in_address()
        prepared = super().prepare()
        if prepared is not None:
            await prepared

    def show(self, page: str, status: int = HTTPStatus.OK) -> None:
        self.set_status(status)
        self.finish(page)


class FormPageHandler(PageHandler):
    """A page with buttons. Its `post` begins with `refuse_other_sites` and `refuse_unseen`."""

    def show(self, page: str, status: int = HTTPStatus.OK) -> None:
        # without a referrer a form posts the origin "null", which Jupyter refuses
        self.set_header("Referrer-Policy", "same-origin")
        super().show(page, status)

    def form_fields(self, subject: str) -> dict[str, str]:
        """What comes back with the buttons of a page about `subject`.

        The XSRF token; and, of a page that a person sees, its key: a script in a notebook's output
        has her session too, but only ever gets the page into a request or a frame.
        """
        token = self.xsrf_token
        fields = {"_xsrf": token.decode() if isinstance(token, bytes) else token}
        if self.request.headers.get("Sec-Fetch-Dest") == "document":
            fields[_PAGE_KEY] = self.create_signed_value(_PAGE_KEY, subject).decode()
        return fields

    def refuse_unseen(self, subject: str) -> None:
        """Raises `HTTPError`: no person has pressed the button of a page."""
        if "Sec-Fetch-Dest" not in self.request.headers:
            return  # browsers send it on https and on loopback only
        key = self.get_body_argument(_PAGE_KEY, "")
        secret = self.application.settings["cookie_secret"]
        if decode_signed_value(secret, _PAGE_KEY, key, _KEY_DAYS) != subject.encode():
            raise HTTPError(HTTPStatus.FORBIDDEN)
