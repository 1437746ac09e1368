"""What every answer has: logs without secrets, no cache, no other origin; and JSON's shape."""

from __future__ import annotations

import json
import logging
import secrets
import traceback
from asyncio import Future
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError, RequestHandler

from jupyter_oauthconn.errors import NotAllowedError, NotSignedInError, OAuthConnError

from .problems import problem_of

_log = logging.getLogger(__name__)

_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Vary": "Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_CROSS_ORIGIN = ("Origin", "Credentials", "Headers", "Methods")


class GuardedHandler(RequestHandler):
    """Base of everything that answers; stands before a host's handler."""

    @cached_property
    def request_id(self) -> str:
        """Names this request in the answer and in the log; no part of it comes from outside."""
        return secrets.token_hex(8)

    def refuse_credential_in_address(self) -> None:
        """Raises `NotSignedInError`. Addresses stay in logs and histories; Jupyter would take the
        one in a form, too."""
        if "token" in self.request.arguments:
            raise NotSignedInError(
                "A credential in an address or a form is not accepted.",
                hint="It belongs in the header Authorization. Anybody who reads logs may have seen "
                "this one: replace it.",
            )

    def refuse_other_sites(self) -> None:
        """Raises `HTTPError`: another site's page may have made this browser send its cookies."""
        site, origin = (self.request.headers.get(one) for one in ("Sec-Fetch-Site", "Origin"))
        if site is not None:
            ours = site in {"same-origin", "none"}
        else:
            ours = origin is None or urlsplit(origin).netloc == self.request.host
        if not ours:
            raise HTTPError(HTTPStatus.FORBIDDEN)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.clear_header("Server")
        self.set_header("X-Request-Id", self.request_id)

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        # Jupyter lets every origin read what a token-authenticated request gets
        for name in _CROSS_ORIGIN:
            self.clear_header(f"Access-Control-Allow-{name}")
        return super().finish(chunk)

    def compute_etag(self) -> None:
        """None: no answer may be taken from a cache, and a hash of a token leaves nowhere."""

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if typ is None or isinstance(value, HTTPError | OAuthConnError):
            return  # the caller is told, and the access log has the status
        # Tornado would log the request's address and headers; and the text of an exception that
        # nobody foresaw may quote what it choked on
        _log.error(
            "%s failed with %s (request %s)\n%s",
            self._request_summary(),
            typ.__qualname__,
            self.request_id,
            "".join(traceback.format_tb(tb)),
        )

    def _request_summary(self) -> str:
        # what Tornado writes into its access log; a query may hold a credential that was refused
        return f"{self.request.method} {self.request.path} ({self.request.remote_ip})"


class JsonHandler(GuardedHandler):
    """Base of what answers JSON; replaces a host's pages."""

    #: for the header `Allow` of a 405
    methods: tuple[str, ...] = ()

    def answer(self, body: object, status: int = HTTPStatus.OK) -> None:
        """Sends `body` as JSON; None: an empty answer."""
        self.set_status(HTTPStatus.NO_CONTENT if body is None else status)
        self.finish(None if body is None else json.dumps(body))

    def set_default_headers(self) -> None:
        super().set_default_headers()
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else HTTPError(status_code)
        problem = problem_of(error, self.request_id)
        for name, value in problem.headers.items():
            self.set_header(name, value)
        if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.methods))
        self.answer(problem.body, problem.status)


def shows_bearer(headers: HTTPHeaders) -> bool:
    """Whether there is what a kernel shows; of a server that has started again, the old one."""
    return headers.get("Authorization", "").lower().startswith("bearer ")


def unknown_credential() -> NotSignedInError:
    """A 401 lets a kernel look for the credential that a restarted server has written."""
    return NotSignedInError(
        "This credential is not known here, or not any more.",
        hint="A server that starts again gives its kernels a new one: restart the kernel.",
    )


def kernel_credential_required() -> NotAllowedError:
    """Who calls may be known, but is no kernel."""
    return NotAllowedError(
        "Only a kernel may ask for that, with the credential that its server gave it.",
        hint="In a notebook `oc.connect(name)` does it.",
        code="kernel_credential_required",
    )
