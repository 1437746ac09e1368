"""Which token service answers, decided in this one place."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import Settings

from . import TokenServiceBroker
from .running import ServiceFile, process_is_alive, running

_URL = "JUPYTER_OAUTHCONN_URL"
_FILE = "JUPYTER_OAUTHCONN_CREDENTIAL_FILE"
_IN_THE_KERNEL = (
    "Where the browser is on the same machine as this kernel, the kernel can keep the tokens "
    "itself: `import jupyter_oauthconn as oc; oc.use(oc.Settings())`, then run the line again."
)


def choose(where: Settings | str | None = None) -> TokenServiceBroker:
    """The broker of this process: of the server that started it, else a token service of its own.

    Args:
        where: settings of a local service, used wherever this runs; or the address of a server
            of this user; None: what the environment says.

    Raises:
        ServiceUnreachableError: no server of this user runs at that address; or a Jupyter server
            without the extension started this kernel, and a sign-in page of the kernel's own
            might be on a machine that no browser reaches.
    """
    environ = os.environ
    if isinstance(where, str):
        return _remote(partial(server_at, where))
    if where is None and environ.get(_URL):
        return _remote(partial(_server_of_this_process, environ[_URL], environ.get(_FILE, "")))
    if where is None and "JPY_SESSION_NAME" in environ:
        raise ServiceUnreachableError(
            "The Jupyter server that started this kernel runs no jupyter_oauthconn extension.",
            hint="Install it in the environment that runs the server, which may be another than "
            "the kernel's (`pip install jupyter-oauthconn`), and restart the server; "
            f"`jupyter server extension list` shows it then. {_IN_THE_KERNEL}",
        )
    from .local import LocalBroker

    settings = where or Settings.from_environ(environ)
    return LocalBroker(settings, data_home(settings))


def server_at(url: str) -> ServiceFile:
    """The running server of this user that has this address, whatever page of it is named.

    Raises:
        ServiceUnreachableError: there is none; lists those that run.
    """
    folder, typed = runtime_folder(), _split(url)
    found = _running_at(typed, folder)
    if found is not None:
        return found
    servers = running(folder)
    shown = "that address"
    if typed is not None:
        # without what may be secret: a user's password, a query
        shown = f"{typed.scheme}://{typed.netloc.rpartition('@')[2]}{typed.path}"
    raise ServiceUnreachableError(
        f"No Jupyter server of yours that has a token service runs at {shown}.",
        hint=f"There is {' and '.join(one.url for one in servers)}."
        if servers
        else "None runs at all. Start one in an environment where jupyter-oauthconn is installed.",
        url="" if typed is None else shown,
    )


def runtime_folder() -> Path:
    """Where servers of this user leave their service files."""
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir())


def data_home(settings: Settings) -> Path:
    """The folder of database and keys."""
    if settings.home is not None:
        return Path(settings.home).expanduser().absolute()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "oauthconn"


def _remote(find: Callable[[], ServiceFile]) -> TokenServiceBroker:
    from .http import HttpBroker

    return HttpBroker(find)


def _server_of_this_process(url: str, file: str) -> ServiceFile:
    """The server that the environment names.

    Raises:
        ServiceUnreachableError: neither is there, or they do not belong together.
    """
    if not file:
        return server_at(url)
    path, typed = Path(file), _split(url)
    try:
        found = ServiceFile.read(path)
    except ServiceUnreachableError:
        # one that was restarted has another process and so another file
        restarted = _running_at(typed, path.parent)
        if restarted is None:
            raise
        return restarted
    if not process_is_alive(found.pid):
        found = _running_at(typed, path.parent) or found
    if typed is None or not _is_at(typed, found):
        # a credential goes nowhere but to the origin it came with
        raise ServiceUnreachableError(
            f"{_FILE} leads to {found.url}, which is not what {_URL} says.",
            hint="Leave both as the Jupyter server sets them: restart the kernel or terminal.",
            url=found.url,
        )
    return found


def _running_at(typed: SplitResult | None, folder: Path) -> ServiceFile | None:
    if typed is None:
        return None
    return next((one for one in running(folder) if _is_at(typed, one)), None)


def _is_at(typed: SplitResult, server: ServiceFile) -> bool:
    found = _split(server.url)
    if found is None or _origin(found) != _origin(typed):
        return False
    base = found.path.removesuffix("oauthconn/")
    return f"{typed.path}/".startswith(base)


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    host = parts.hostname or ""
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, "localhost" if host in _THIS_MACHINE else host, port


_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return None
    return parts
