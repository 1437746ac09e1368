"""Who calls a Jupyter server: a kernel by its credential, a person as Jupyter knows her."""

from __future__ import annotations

import os
from collections.abc import Iterable
from inspect import isawaitable
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async
from tornado.httputil import url_concat
from tornado.web import RequestHandler

from jupyter_oauthconn.errors import (
    NotAllowedError,
    NotSignedInError,
    OAuthConnError,
    StorageError,
)
from jupyter_oauthconn.model import Owner
from jupyter_oauthconn.web.host import Caller, Kind, PersonHandler

from .host import ServerHost

_READS = frozenset({"GET", "HEAD"})


class ServerPersonHandler(PersonHandler, JupyterHandler):
    """Jupyter's own checks for people; for kernels only their credential."""

    host: ServerHost
    _kernel: Caller | None = None

    async def prepare(self) -> None:  # type: ignore[override]
        """Raises `NotSignedInError`, or Jupyter's `HTTPError` for host, origin and XSRF."""
        self.current_user = None
        self._kernel = self.host.kernel_caller(self.request.headers.get("Authorization", ""))
        if self._kernel is not None:
            return  # no cookie is looked at or set
        if "token" in self.request.arguments:
            # Jupyter would take it, and set a login cookie for it
            raise NotSignedInError(
                "A token in an address or a form is not accepted here.",
                hint="Send it in the header: `Authorization: token …`.",
            )
        # never a redirect by Jupyter: it would carry the query into the log
        await JupyterHandler.prepare(self, _redirect_to_login=False)

    async def caller(self) -> Caller:
        """Raises `NotSignedInError`, `NotAllowedError`."""
        if self._kernel is not None:
            return self._kernel
        user = self.current_user
        if user is None:
            raise NotSignedInError(
                "Nobody is signed in to this Jupyter server.",
                hint="Open JupyterLab in this browser, sign in there, then reload this page.",
            )
        _refuse_guest(user.username)
        action = "read" if self.request.method in _READS else "write"
        allowed = self.authorizer.is_authorized(self, user, action, self._resource())
        if not await ensure_async(allowed):
            raise NotAllowedError(
                f"{user.username} may not {action} {self._resource()} on this Jupyter server.",
                hint="Its administrator decides that, in the server's authorizer.",
            )
        kind = Kind.SERVER_TOKEN if self.token_authenticated else Kind.BROWSER
        return Caller(owner=self.host.owner, kind=kind, administrator=True)

    async def callback_owner(self) -> Owner:
        return self.host.owner

    def go_to_login(self) -> None:
        # the path alone: a query may hold what must not come into a log
        self.redirect(url_concat(self.get_login_url(), {"next": self.request.path}))

    def set_cors_headers(self) -> None:
        """None: Jupyter lets every origin read what a request with its token gets."""

    def _resource(self) -> str:
        """What an authorizer judges, e.g. `jupyter_oauthconn:connections`."""
        below = self.request.path.removeprefix(self.host.mount).removeprefix("api/v1/")
        return f"jupyter_oauthconn:{below.partition('/')[0]}"


def _refuse_guest(user: str) -> None:
    """Raises `NotAllowedError`: on a Hub a server is its owner's alone, whoever may visit it."""
    owner = os.environ.get("JUPYTERHUB_USER")
    if owner and user != owner:
        raise NotAllowedError(
            f"You visit the server of {owner}; its connections are not yours.",
            hint="Use your own server: there you have your own connections.",
            code="guest",
        )


class _Gate(RequestHandler):
    """Waits for the token service before a request is looked at."""

    host: ServerHost

    async def prepare(self) -> None:
        try:
            await self.host.ready()
        except OAuthConnError as error:
            if self.host.is_kernel(self.request.headers.get("Authorization", "")):
                raise
            # why names folders of this machine, which is not for everybody
            raise StorageError(
                "The token service of this Jupyter server does not run.",
                hint="The server's log says why, and a notebook of this server that connects.",
                code=error.code,
            ) from None
        prepared = super().prepare()
        if isawaitable(prepared):
            await prepared


Rule = tuple[str, type[RequestHandler], dict[str, Any]]


def gated(rules: Iterable[Rule]) -> list[Rule]:
    """The same addresses behind the gate, and without Jupyter's check of its decorators: each of
    these handlers asks who calls itself."""
    return [(pattern, _behind_gate(handler), more) for pattern, handler, more in rules]


def _behind_gate(handler: type[RequestHandler]) -> type[RequestHandler]:
    verbs = {
        name.lower(): allow_unauthenticated(getattr(handler, name.lower()))
        for name in handler.SUPPORTED_METHODS
        if getattr(handler, name.lower()) is not getattr(RequestHandler, name.lower())
    }
    return type(handler.__name__, (_Gate, handler), verbs)
