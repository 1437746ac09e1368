"""`%connect` and `%oauthclient`: the kernel side as lines of a notebook.

May import `kernel` and everything below it, and IPython. A line is read by argparse, a verb is a
function; errors are the sentence and its hint, without a traceback. No secret is ever an
argument, because IPython keeps input lines. Unloading takes away all that loading added: IPython
removes nothing by itself (2026-11).
"""

from __future__ import annotations

from typing import Any

from . import completion, rendering
from .clients import OAuthClientMagics
from .connections import ConnectMagics

_MAGICS = (ConnectMagics, OAuthClientMagics)


def load(shell: Any) -> None:
    """Registers magics, completion and the short form of errors with an IPython shell."""
    for kind in _MAGICS:
        shell.register_magics(kind)
    completion.install(shell)
    rendering.install()


def unload(shell: Any) -> None:
    """Takes them away again."""
    for name in ("connect", "oauthclient"):
        shell.magics_manager.magics["line"].pop(name, None)
    for kind in _MAGICS:
        registered = shell.magics_manager.registry.pop(kind.__name__, None)
        if registered in shell.configurables:
            shell.configurables.remove(registered)
    completion.uninstall(shell)
    rendering.uninstall()
