"""Connections to data behind OAuth 2, for notebooks: `import jupyter_oauthconn as oc`.

Everything public is here and loaded at its first use: the import itself costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors
    from .kernel.clients import (
        client_request,
        client_use,
        clients,
        edit_client,
        enable_client,
        register_client,
        remove_client,
        test_client,
    )
    from .kernel.connect import Connection, connect
    from .kernel.current import use
    from .kernel.manage import (
        add,
        authenticate,
        connections,
        doctor,
        edit,
        ensure,
        events,
        providers,
        remove,
        revoke,
        status,
        test,
    )
    from .model import Settings

    __version__: str

_HOMES = {
    "kernel.clients": (
        "client_request", "client_use", "clients", "edit_client", "enable_client",
        "register_client", "remove_client", "test_client",
    ),
    "kernel.connect": ("Connection", "connect"),
    "kernel.current": ("use",),
    "kernel.manage": (
        "add", "authenticate", "connections", "doctor", "edit", "ensure", "events", "providers",
        "remove", "revoke", "status", "test",
    ),
    "model": ("Settings",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Connection", "Settings", "__version__", "add", "authenticate", "client_request",
    "client_use", "clients", "connect", "connections", "doctor", "edit", "edit_client",
    "enable_client", "ensure", "errors", "events", "providers", "register_client", "remove",
    "remove_client", "revoke", "status", "test", "test_client", "use",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module(f"{__name__}.errors")
    if name == "__version__":
        from importlib.metadata import version

        return version("jupyter-oauthconn")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext jupyter_oauthconn`: the magics `%connect` and `%oauthclient`."""
    from .magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext jupyter_oauthconn`: takes away whatever `load_ipython_extension` added."""
    from .magics import unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .server.extension import OAuthConn

    return [{"module": __name__, "app": OAuthConn}]
