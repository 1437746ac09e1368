"""What is wrong and how to mend it, as seen from here: which service answers, and what it says."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from jupyter_oauthconn.errors import (
    OAuthConnError,
    UnknownClientError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import Check
from jupyter_oauthconn.service.checks.extensions import SERVER_EXTENSION, extension_checks
from jupyter_oauthconn.service.checks.findings import failed, ok, unknown

from .current import Place

if TYPE_CHECKING:
    from jupyter_oauthconn.broker import TokenServiceBroker
    from jupyter_oauthconn.broker.running import ServiceFile

_PACKAGE = "jupyter-oauthconn"
_URL = "JUPYTER_OAUTHCONN_URL"


def examine(place: Place, name: str | None = None) -> list[Check]:
    """The service and its findings; without `name` also what only this side knows.

    A service that does not answer is a finding like any other.
    """
    server = None
    try:
        broker = place.broker
        server = _server_behind(broker)
        found = broker.doctor() if name is None else _about(broker, name)
        service = ok("service", _which(place, broker, server))
    except OAuthConnError as error:
        found, service = (), failed("service", error.message, error.hint)
    if name is not None:
        return [service, *found]
    return [service, _versions(server), *_extensions(found), *found]


def _about(broker: TokenServiceBroker, name: str) -> Sequence[Check]:
    """A connection or an OAuth client: who asks knows the name alone."""
    try:
        return broker.doctor(connection=name)
    except UnknownConnectionError:
        with suppress(UnknownClientError):
            return broker.doctor(client=name)
    step = "`%connect` and `%oauthclient` list them."
    return [
        failed("name", f"There is neither a connection nor an OAuth client named {name!r}.", step)
    ]


def _server_behind(broker: TokenServiceBroker) -> ServiceFile | None:
    """What the server that the broker speaks to has left for its kernels; None: no server."""
    from jupyter_oauthconn.broker.http import HttpBroker

    return broker.server if isinstance(broker, HttpBroker) else None


def _which(place: Place, broker: TokenServiceBroker, server: ServiceFile | None) -> str:
    """Which service answered, and why that one."""
    if server is not None:
        why = f"{_URL} names it" if os.environ.get(_URL) else "it was chosen by its address"
        return f"The Jupyter server at {server.url} answers; {why}."
    if not type(broker).__module__.startswith(__name__.partition(".")[0]):
        return f"The given {type(broker).__name__} answers."
    from jupyter_oauthconn.broker.choice import data_home

    started = os.environ.get(_URL) or "JPY_SESSION_NAME" in os.environ
    why = "`oc.use` says so" if started else "no Jupyter server gave it another"
    return f"This process keeps the tokens itself, in {data_home(place.settings)}; {why}."


def _versions(server: ServiceFile | None) -> Check:
    check, here = "versions", version(_PACKAGE)
    ours = f"{_PACKAGE} {here} on Python {platform.python_version()}"
    if server is None:
        return ok(check, f"{ours}, for kernel and service alike.")
    if server.version == here:
        return ok(check, f"{ours} here, {server.version} in the server.")
    return unknown(
        check,
        f"{ours} here, {server.version} in the server: they may not understand each other.",
        f"`pip install {_PACKAGE}=={server.version}` here, then restart the kernel; or the newer "
        "one in the server's environment, then restart the server.",
    )


def _extensions(found: Sequence[Check]) -> list[Check]:
    """What can be told from here; nothing where the server has told it itself."""
    if any(one.check == SERVER_EXTENSION for one in found):
        return []
    server, lab = extension_checks(answers=False)
    if os.environ.get(_URL):
        server = ok(
            SERVER_EXTENSION, f"The server that started this process has it: {_URL} is set."
        )
    elif "JPY_SESSION_NAME" in os.environ:
        server = failed(
            SERVER_EXTENSION,
            "The Jupyter server that started this kernel does not run it.",
            f"`pip install {_PACKAGE}` in the server's environment, then start the server again; "
            "`jupyter server extension list` there shows it.",
        )
    return [server, lab]
