"""The practice provider: a real small OAuth 2.0 authorization server with rows worth looking at.

For learning and testing, offline, on this machine only. `practice` is all that a notebook needs;
`PracticeServer` is for programs that want one of their own; `python -m jupyter_oauthconn.demo`
runs one in a process of its own. `lab` runs JupyterLab with one in it, on the tutorials: the module
is a server extension too, which nobody but the demo enables. `provider` holds its state and rules,
`routes` its pages.
May import everything below it; Authlib, joserfc and tornado are loaded when a provider starts
(2026-11: Authlib's server instead of one of our own, so that what tutorials show is the standard;
it shares code with our client, so interoperability is proven elsewhere).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dials import URL_VARIABLE, Practice, practice

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from .server import PracticeServer

__all__ = ["URL_VARIABLE", "Practice", "PracticeServer", "practice"]


def __getattr__(name: str) -> object:
    if name == "PracticeServer":
        from .server import PracticeServer

        return PracticeServer
    raise AttributeError(name)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    from .mounted import mount_when_bound

    mount_when_bound(server)
