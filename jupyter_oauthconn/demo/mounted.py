"""The practice provider inside a Jupyter server, below `<base_url>oauthconn/practice`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado.web import RequestHandler

from .dials import URL_VARIABLE
from .provider import PracticeProvider
from .routes import handlers

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def issuer_at(port: int, base_url: str) -> str:
    """The issuer of the provider in that server."""
    return f"http://localhost:{port}{base_url}oauthconn/practice"


def mount_when_bound(server: ServerApp) -> None:
    """Serves a practice provider as soon as the server knows its port, and tells its kernels.

    On a server that others can reach there is none: whoever sees its pages may sign in.
    """
    if server.sock or server.certfile or server.ip not in _LOOPBACK:
        server.log.error(
            "The practice provider is for this machine only, over plain http: it is not started. "
            "Start the server with --ip=localhost and without a certificate or socket."
        )
        return
    # extensions are loaded before the server looks for a free port, which the issuer contains
    server.io_loop.add_callback(_mount, server)


def _mount(server: ServerApp) -> None:
    issuer = issuer_at(server.port, server.base_url)
    routes = [
        (pattern, _without_login(handler), arguments)
        for pattern, handler, arguments in handlers(PracticeProvider(issuer))
    ]
    server.web_app.add_handlers(".*$", routes)  # type: ignore[no-untyped-call]
    # kernels inherit it, and `practice.start()` in a notebook finds this provider
    os.environ[URL_VARIABLE] = issuer


def _without_login(handler: type[RequestHandler]) -> type[RequestHandler]:
    """The same handler, marked for Jupyter as one that checks its callers by itself."""
    methods = {
        name: allow_unauthenticated(getattr(handler, name))
        for name in map(str.lower, handler.SUPPORTED_METHODS)
        if getattr(handler, name) is not RequestHandler._unimplemented_method
    }
    return type(handler.__name__, (handler,), methods)
