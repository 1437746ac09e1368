"""What a person sees while a cell waits for her, and how she is asked.

The only module of the kernel side that touches IPython, and only where it is loaded already.
"""

from __future__ import annotations

import builtins
import getpass
import os
import sys
import threading
import uuid
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlsplit

from jupyter_oauthconn.model import Authorization, Flow, Secret

MIME_AUTHORIZATION = "application/vnd.jupyter-oauthconn.authorization+json"

#: Mount of the token service on the page's own origin where nothing better is known.
_USUAL_MOUNT = "/oauthconn/"

PASTE_WARNING = (
    "Sign in there. The page that opens last cannot be loaded: copy its address from the "
    "browser's address bar. Never send that address to anybody: it is the key to your account."
)


def _shell() -> Any:
    """The running IPython shell or None; never loads IPython."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def _kernel() -> Any:
    return getattr(_shell(), "kernel", None)


def somebody_is_there() -> bool:
    """Whether a person can be expected to act.

    In a notebook: the front end answers questions (nbclient, papermill and nbval say no). In a
    terminal or script: the input is a terminal.
    """
    kernel = _kernel()
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # closed
        return False


def can_ask() -> bool:
    """Whether a question can be put now: the kernel's input channel belongs to the main thread."""
    return somebody_is_there() and threading.current_thread() is threading.main_thread()


def ask_yes(question: str) -> bool:
    return builtins.input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def ask_name(question: str, name: str) -> bool:
    """Whether somebody types that very name: a gesture that no slip of a finger makes."""
    return builtins.input(f"{question} Type {name} to go on: ").strip() == name


def ask_secret(prompt: str) -> Secret:
    """Asks without echo: an input line of a cell would be kept in the history."""
    return Secret(getpass.getpass(prompt).strip())


class Pending:
    """A pending sign-in on the screen. In a notebook its output is replaced when the wait ends."""

    def __init__(self, authorization: Authorization, *, browser: bool = True) -> None:
        self._name = authorization.connection
        self._display_id: str | None = None
        if _kernel() is not None:
            self._display_id = uuid.uuid4().hex
            _publish(_card(authorization), self._display_id)
            return
        _say(text_of(authorization))
        if browser and authorization.public_url and browser_is_here(os.environ, sys.platform):
            import webbrowser

            webbrowser.open(authorization.public_url)

    def replace(self, outcome: str) -> None:
        """One line instead; a saved output keeps no id, host, port or time."""
        if self._display_id is None:
            _say(f"{self._name}: {outcome}")
        else:
            _publish(_line(self._name, outcome), self._display_id, update=True)


def show_outcome(name: str, outcome: str) -> None:
    """The line alone, where nothing was shown before."""
    if _kernel() is None:
        _say(f"{name}: {outcome}")
    else:
        _publish(_line(name, outcome), None)


def show_text(text: str) -> None:
    """A plain note that is no result: it goes where the cell prints."""
    sys.stdout.write(text + "\n")


def text_of(authorization: Authorization) -> str:
    """The sign-in as plain text with absolute addresses."""
    name = authorization.connection
    match authorization.flow:
        case Flow.DEVICE:
            return (
                f"{name}: open {authorization.verification_uri} "
                f"(on {_host(authorization.verification_uri)}) on any device and enter the code "
                f"{authorization.user_code}"
            )
        case Flow.PASTE:
            return f"{name}: open {authorization.verification_uri}\n{PASTE_WARNING}"
        case _:
            return f"{name}: sign in at {authorization.public_url or _link(authorization)}"


def html_of(authorization: Authorization) -> str:
    """The sign-in as HTML; whatever comes from the provider is escaped, and text if it can be."""
    name = escape(authorization.connection)
    match authorization.flow:
        case Flow.DEVICE:
            uri = escape(authorization.verification_uri or "")
            host = escape(_host(authorization.verification_uri))
            # text, not a link: the person sees whose page it is before she opens it
            body = (
                f"open <code>{uri}</code> (on {host}) on any device and enter the code "
                f"<code>{escape(authorization.user_code or '')}</code>"
            )
        case Flow.PASTE:
            body = (
                f"{_anchor(authorization.verification_uri or '', 'open the sign-in page')}. "
                f"{escape(PASTE_WARNING)}"
            )
        case _:
            body = f"{_anchor(_link(authorization), 'sign in')}. The cell goes on by itself."
    return f"<p><em>{name}</em>: {body}</p>"


def _link(authorization: Authorization) -> str:
    """The start page for a link in a cell.

    A loopback page is another origin than the notebook's and needs its whole address. A page of
    the server that serves the notebook needs a root-relative one: a relative link is rewritten
    by the lab, an absolute one loses the cookie on the other loopback name.
    """
    if authorization.public_url is None:
        # the server knows no address of its own, but its kernels call it below the same path
        mount = urlsplit(os.environ.get("JUPYTER_OAUTHCONN_URL", "")).path or _USUAL_MOUNT
        return mount + authorization.path
    if authorization.flow is Flow.LOOPBACK:
        return authorization.public_url
    parts = urlsplit(authorization.public_url)
    return parts._replace(scheme="", netloc="").geturl()


def _anchor(address: str, text: str) -> str:
    if urlsplit(address).scheme not in {"", "http", "https"}:
        return escape(text)
    return (
        f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{escape(text)}</a>'
    )


def _host(address: str | None) -> str:
    return urlsplit(address or "").hostname or "an unknown host"


def _card(authorization: Authorization) -> dict[str, object]:
    return {
        MIME_AUTHORIZATION: {
            "id": str(authorization.id),
            "connection": authorization.connection,
            "flow": authorization.flow.value,
            "path": authorization.path,
            "public_url": authorization.public_url,
            "user_code": authorization.user_code,
            "verification_uri": authorization.verification_uri,
        },
        "text/html": html_of(authorization),
        "text/plain": text_of(authorization),
    }


def _line(name: str, outcome: str) -> dict[str, object]:
    return {
        "text/html": f"<p><em>{escape(name)}</em>: {escape(outcome)}</p>",
        "text/plain": f"{name}: {outcome}",
    }


def _publish(data: dict[str, object], display_id: str | None, *, update: bool = False) -> None:
    from IPython.display import display

    if display_id is None:
        display(data, raw=True)  # type: ignore[no-untyped-call]
    else:
        display(data, raw=True, display_id=display_id, update=update)  # type: ignore[no-untyped-call]


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def browser_is_here(environ: Mapping[str, str], platform: str) -> bool:
    """Whether a browser would open on the screen that the person looks at."""
    if "SSH_CONNECTION" in environ or "SSH_TTY" in environ:
        return False
    if platform in {"darwin", "win32"}:
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
