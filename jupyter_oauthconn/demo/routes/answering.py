"""How the provider answers: what all its handlers share, and faults on the way out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any

from tornado.httputil import format_timestamp
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.web import HTTPError, RequestHandler

from ..provider import Fault, OAuthServer, PracticeProvider, Record, Reply
from . import pages

_HOTEL = (
    "<!doctype html><html lang=en><title>Welcome</title>"
    "<p>Sign in to the hotel's network.</p></html>"
)


class ProviderHandler(RequestHandler):
    """A page or endpoint of the provider."""

    provider: PracticeProvider
    oauth: OAuthServer

    def initialize(self, provider: PracticeProvider, oauth: OAuthServer) -> None:
        self.provider = provider
        self.oauth = oauth

    def prepare(self) -> None:
        if self.provider.dials.down:
            self.hang_up()

    def hang_up(self) -> None:
        """Closes the connection without an answer."""
        self.detach().close()

    def parameters(self, arguments: Mapping[str, list[bytes]]) -> dict[str, list[str]]:
        return {
            name: [one.decode("utf-8", "replace") for one in all] for name, all in arguments.items()
        }

    def show(self, page: str, status: int = HTTPStatus.OK) -> None:
        """Answers with a page."""
        self.set_status(status)
        for name, value in pages.HEADERS.items():
            self.set_header(name, value)
        self.finish(page)

    def set_default_headers(self) -> None:
        self.clear_header("Server")

    def check_xsrf_cookie(self) -> None:
        """Clients have no cookies here, and the consent form has a check of its own."""

    def compute_etag(self) -> None:
        """None: no answer of a provider may be taken from a cache."""

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self.show(
            pages.message_page("This does not work", f"{status_code} {self._reason}."), status_code
        )

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        # Tornado would log the query too, which holds what an app asked for
        if not isinstance(value, HTTPError) and typ and value:
            app_log.error(
                "%s %s failed", self.request.method, self.request.path, exc_info=(typ, value, tb)
            )

    def _log(self) -> None:
        """Silent, for the same reason; the provider keeps its own log."""


class EndpointHandler(ProviderHandler):
    """An endpoint for programs: JSON, logged, with faults."""

    async def answer(
        self,
        endpoint: str,
        handle: Callable[[], Reply],
        *,
        client: str | None = None,
        grant_type: str | None = None,
        token: str | None = None,
    ) -> None:
        """Handles the request unless a fault comes first, logs it, answers."""
        fault = self.provider.faults.take(endpoint)
        reply = handle() if fault is None or fault.handles_first else _instead(fault)
        self.provider.note(
            Record(
                at=self.provider.clock(),
                endpoint=endpoint,
                status=reply.status,
                outcome=reply.outcome,
                client=client,
                grant_type=grant_type,
                token=token,
                fault=str(fault) if fault else None,
            )
        )
        if endpoint == "token" and self.provider.dials.slow_seconds:
            await asyncio.sleep(self.provider.dials.slow_seconds)
        if fault and fault.name in {"hangup_before", "hangup_after"}:
            self.hang_up()
            return
        await self._send(reply, fault)

    async def _send(self, reply: Reply, fault: Fault | None) -> None:
        self.set_status(reply.status)
        for name, value in reply.headers.items():
            self.set_header(name, value)
        if isinstance(reply.body, str):
            self.set_header("Content-Type", "text/html; charset=utf-8")
            await self.finish(reply.body)
            return
        if fault and isinstance(reply.body, dict):
            _spoil(reply.body, fault)
        if fault and fault.name == "clock":
            self.set_header("Date", format_timestamp(time.time() + float(fault.value)))
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        body = json.dumps(reply.body).encode()
        if fault and fault.name == "drip":
            await self._drip(body)
        else:
            await self.finish(body)

    async def _drip(self, body: bytes) -> None:
        self.set_header("Content-Length", str(len(body)))
        with contextlib.suppress(StreamClosedError):
            for byte in body:
                self.write(bytes([byte]))
                await self.flush()
                await asyncio.sleep(1)
            await self.finish()


def _spoil(body: dict[str, Any], fault: Fault) -> None:
    if fault.name == "drop":
        body.pop(fault.value, None)
    elif fault.name == "patch":
        name, _, value = fault.value.partition("=")
        body[name] = json.loads(value)


def _instead(fault: Fault) -> Reply:
    """What a fault answers in the provider's place."""
    body: Any = {"message": f"Practice fault {fault.name}."}
    headers: dict[str, str] = {}
    status = HTTPStatus.OK
    match fault.name:
        case "status":
            status = HTTPStatus(int(fault.value))
        case "error":
            body = {"error": fault.value}
            refused = fault.value == "invalid_client"
            status = HTTPStatus.UNAUTHORIZED if refused else HTTPStatus.BAD_REQUEST
        case "html":
            body = _HOTEL
        case "retry_after":
            status, headers = HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": fault.value}
        case "redirect":
            status, headers = HTTPStatus.TEMPORARY_REDIRECT, {"Location": fault.value}
    return Reply(status, body, headers, outcome="fault")
