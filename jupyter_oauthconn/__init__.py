"""Connections to data behind OAuth 2, for notebooks: `import jupyter_oauthconn as oc`.

Everything public is here and loaded at its first use: the import itself costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors
    from .kernel.connect import Connection, connect
    from .kernel.current import use
    from .kernel.manage import (
        add,
        authenticate,
        clients,
        connections,
        doctor,
        edit,
        edit_client,
        ensure,
        events,
        providers,
        register_client,
        remove,
        remove_client,
        revoke,
        status,
        test,
    )
    from .model import Settings

    __version__: str

_HOMES = {
    "connect": "kernel.connect",
    "Connection": "kernel.connect",
    "use": "kernel.current",
    "Settings": "model",
}
_MANAGE = frozenset({
    "add", "authenticate", "clients", "connections", "doctor", "edit", "edit_client", "ensure",
    "events", "providers", "register_client", "remove", "remove_client", "revoke", "status", "test",
})  # fmt: skip

__all__ = [
    "Connection", "Settings", "__version__", "add", "authenticate", "clients", "connect",
    "connections", "doctor", "edit", "edit_client", "ensure", "errors", "events", "providers",
    "register_client", "remove", "remove_client", "revoke", "status", "test", "use",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module(f"{__name__}.errors")
    if name == "__version__":
        from importlib.metadata import version

        return version("jupyter-oauthconn")
    home = "kernel.manage" if name in _MANAGE else _HOMES.get(name)
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
