"""Serves the table of JSON routes: who calls, is she allowed, what came along; then the act."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado.web import HTTPError, RequestHandler

from jupyter_oauthconn import wire
from jupyter_oauthconn.errors import NotAllowedError
from jupyter_oauthconn.model import Owner

from .answers import (
    JsonHandler,
    kernel_credential_required,
    shows_bearer,
    unknown_credential,
)
from .host import Caller, Host, Kind, PersonHandler
from .routes import ANYONE, ApiCall, Route
from .routes.checks import check_path, read_body, read_query
from .threads import asking, reading

Rule = tuple[str, type[RequestHandler], dict[str, Any]]

_LONGEST_WAIT_SECONDS = 25.0
_POLL_SECONDS = 0.2
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Of what is no member of these the service says that it cannot be changed, and what to do instead.
_EDITS = frozenset({wire.ClientChanges, wire.ConnectionChanges})
_NOBODY = Caller(owner=Owner(id=UUID(int=0), name=""), kind=ANYONE, administrator=False)


def api_handlers(host: Host, person: type[PersonHandler], routes: Iterable[Route]) -> list[Rule]:
    """Tornado's rules: one for each address of the table, and one for everything else there."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    rules = [_rule(host, person, pattern(path), methods) for path, methods in by_path.items()]
    return [*rules, _rule(host, person, "api(?:/.*)?", {})]


def pattern(path: str) -> str:
    """The regular expression of a route's path."""
    return re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))


def _rule(host: Host, person: type[PersonHandler], path: str, methods: Mapping[str, Route]) -> Rule:
    members = {"routes": methods, "methods": tuple(methods)}
    handler = type("ApiHandler", (ApiHandler, person), members)
    return re.escape(host.mount) + path, handler, {"host": host}


class ApiHandler(JsonHandler, PersonHandler):
    """One address of the table; stands before the host's handler, which knows the people."""

    #: by method; empty: there is nothing at this address
    routes: Mapping[str, Route]

    #: Jupyter's: a panel that looks every few seconds must not keep an idle server alive
    _track_activity = False

    async def prepare(self) -> None:
        """Looks for a kernel's credential first: no host knows it by its own means."""
        self.refuse_credential_in_address()
        self._kernel = self.host.kernel_caller(self.request.headers.get("Authorization", ""))
        if self._kernel is None and not self._is_public:
            prepared = super().prepare()
            if prepared is not None:
                await prepared

    def check_xsrf_cookie(self) -> None:
        """Too early for Tornado and Jupyter, who call it: a kernel or a server token in the header
        needs none, and who shows nothing should hear that. `_check_from_our_page` asks."""

    async def _serve(self, **path: str) -> None:
        route = self.routes.get(self.request.method or "")
        caller = await self._caller(route)
        if route is None:
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED if self.routes else HTTPStatus.NOT_FOUND)
        self._track_activity = route.method not in _SAFE
        check_path(route.path, path)
        content_type = self.request.headers.get("Content-Type", "")
        call = ApiCall(
            host=self.host,
            caller=caller,
            path=path,
            query=read_query(route.query, self.request.query_arguments),
            body=read_body(
                self.request.body, content_type, route.body, also_unknown=route.body in _EDITS
            ),
        )
        self.answer(await self._answer_of(route, call), route.status)

    # Jupyter's own check knows no kernel credential; `_caller` asks the table for every method
    get = head = post = put = patch = delete = options = allow_unauthenticated(_serve)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._gone.set()

    @cached_property
    def _gone(self) -> asyncio.Event:
        """Set when the client has hung up."""
        return asyncio.Event()

    @property
    def _is_public(self) -> bool:
        return all(one.who == ANYONE for one in self.routes.values())

    async def _caller(self, route: Route | None) -> Caller:
        """Raises `NotSignedInError`, `NotAllowedError`."""
        if self._is_public:
            return _NOBODY
        caller = self._kernel or await self.caller()
        if self.host.where == "hub" and caller.kind is not Kind.BROWSER:
            # a notebook of an administrator's must not administrate for everybody
            caller = replace(caller, administrator=False)
        if route is not None and caller.kind not in route.who:
            raise kernel_credential_required()
        if caller.kind is Kind.BROWSER and self.request.method not in _SAFE:
            try:
                self._check_from_our_page()
            except HTTPError:
                # a server without passwords takes everybody for its person, old kernels too
                if shows_bearer(self.request.headers):
                    raise unknown_credential() from None
                raise
        if route is not None and route.administrator and not caller.administrator:
            raise NotAllowedError(
                "Only an administrator may do that here.",
                hint="Ask an administrator; `GET api/v1/me` says who you are here.",
            )
        return caller

    def _check_from_our_page(self) -> None:
        """Raises `HTTPError`."""
        self.refuse_other_sites()
        super().check_xsrf_cookie()

    async def _answer_of(self, route: Route, call: ApiCall) -> object:
        only_reads = route.method in _SAFE and not route.asks_provider
        run = reading if only_reads else asking
        answer = await run(partial(route.act, call))
        if route.settled is None:
            return answer
        clock = asyncio.get_running_loop().time
        wait: float = call.query.get("wait_seconds", 0.0)
        deadline = clock() + min(max(0.0, wait), _LONGEST_WAIT_SECONDS)
        while not route.settled(answer) and (left := deadline - clock()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), min(_POLL_SECONDS, left))
                break  # nobody is there to be answered
            answer = await run(partial(route.act, call))
        return answer
