"""Kind `env`: the access token in a file, for programs that a notebook starts.

Off unless asked for: every program of the same user can read such a file, and what is read there
is no longer renewed, masked or counted by the token service.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any, NoReturn

from jupyter_oauthconn.errors import NotAllowedError, OAuthConnError
from jupyter_oauthconn.model import AccessToken

from .connector import Access
from .exchange import token_source
from .reach import TokenSource

_LOG = logging.getLogger(__name__)
#: Where the provider does not say how long a token lives, it is asked for again that often.
_UNKNOWN_LIFE = timedelta(minutes=5)
_SHORTEST_PAUSE_SECONDS = 0.2
#: Of its life: the shortest time between two questions, also while the service gives no answer.
_SMALLEST_SHARE = 0.02
_LONGEST_PAUSE_SECONDS = 60.0
#: `with` ends then, also while the next token is still asked for.
_LONGEST_JOIN_SECONDS = 2.0
#: While an answer is awaited: whether the old token has ended, or `with`.
_LOOK_SECONDS = 0.1
_YES = frozenset({"yes", "true", "1"})


class TokenFileConnector:
    """Option `allow=True`, unless the provider's entry says `allow = "yes"`."""

    def open(self, access: Access, *, allow: bool = False) -> TokenFile:
        """Raises `NotAllowedError`: nobody allowed that the token lies in a file."""
        name = access.source.name
        if not allow and access.handle.options.get("allow", "").lower() not in _YES:
            raise NotAllowedError(
                f"The token of {name!r} is not written to a file unless you say so: every program "
                "of your user can read it there.",
                hint=f'`conn.handle("env", allow=True)` if a program needs one; '
                f"`jupyter oauthconn token {name}` gives a token to a program without a file.",
            )
        return TokenFile(token_source(access))

    def check(self, handle: TokenFile, access: Access) -> str:
        """Whether the file holds the token that the service has now."""
        same = handle.path.read_text(encoding="utf-8") == token_source(access).token().reveal()
        return f"The file holds {'the current' if same else 'an earlier'} token."


class TokenFile:
    """A context manager: the file is there, and fresh, from `with` to its end.

        with conn.handle("env", allow=True) as tokens:
            subprocess.run(command, env={**os.environ, **tokens.env})

    The mode is 0600; a new token replaces the file as a whole. When no token is left, neither is
    the file: a program sees that it is missing, in place of a token that has ended.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._folder: Path | None = None
        self._remove: Any = None

    @property
    def path(self) -> Path:
        """Raises `NotAllowedError`: it is only there within `with`."""
        if self._folder is None:
            raise NotAllowedError(
                f"The token file of {self._source.name!r} is only there within `with`.",
                hint='`with conn.handle("env", allow=True) as tokens:`',
            )
        return self._folder / "token"

    @property
    def env(self) -> dict[str, str]:
        """`{"SALES_TOKEN_FILE": path}`: where the token is, never the token itself."""
        name = self._source.name.upper().replace("-", "_")
        return {f"{name}_TOKEN_FILE": str(self.path)}

    def __enter__(self) -> TokenFile:
        token = self._source.token()
        self._folder = Path(tempfile.mkdtemp(prefix="oauthconn-", dir=_runtime_dir()))
        # also when the kernel ends within `with`
        self._remove = weakref.finalize(self, rmtree, self._folder, ignore_errors=True)
        _write(self.path, token)
        self._stop.clear()
        self._thread = threading.Thread(
            target=_renew,
            args=(self._source, self.path, token, self._stop),
            name=f"token file of {self._source.name}",
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            # it may be asking a provider, or a person; what it brings later is thrown away
            self._thread.join(_LONGEST_JOIN_SECONDS)
        if self._remove is not None:
            self._remove()
        self._thread = self._folder = self._remove = None

    def __repr__(self) -> str:
        where = "closed" if self._folder is None else str(self._folder)
        return f"<Token file of {self._source.name!r}: {where}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A token file belongs to the process that made it.")


def _renew(source: TokenSource, path: Path, token: AccessToken, stop: threading.Event) -> None:
    while not stop.wait(_pause(token)):
        try:
            newer = asyncio.run(_next(source, path, token, stop))
            if newer is None:
                return
            if newer.generation != token.generation or not path.exists():
                _write(path, newer)
                token = newer
        except OAuthConnError as error:
            _LOG.warning("The token file of %r is not renewed: %s", source.name, error)
            _remove_ended(path, token)
        except OSError as error:
            _LOG.warning("The token file of %r is not written: %s", source.name, error)
            # an old token would be taken for a good one
            path.unlink(missing_ok=True)


async def _next(
    source: TokenSource, path: Path, token: AccessToken, stop: threading.Event
) -> AccessToken | None:
    """The source's token; None: `with` has ended. That may take as long as a person needs: a wait
    that is cancelled is given up by the service's side, too."""
    asked = asyncio.ensure_future(source.atoken())
    while not asked.done():
        await asyncio.wait({asked}, timeout=_LOOK_SECONDS)
        if stop.is_set():
            asked.cancel()
            return None
        if not asked.done():
            _remove_ended(path, token)
    return asked.result()


def _remove_ended(path: Path, token: AccessToken) -> None:
    if token.expires_at is not None and token.expires_at <= datetime.now(UTC):
        path.unlink(missing_ok=True)


def _pause(token: AccessToken) -> float:
    """Seconds until the next question."""
    now = datetime.now(UTC)
    due = token.refresh_at or token.expires_at or now + _UNKNOWN_LIFE
    life = _UNKNOWN_LIFE
    if token.expires_at is not None and token.issued_at is not None:
        life = token.expires_at - token.issued_at
    shortest = max(_SHORTEST_PAUSE_SECONDS, life.total_seconds() * _SMALLEST_SHARE)
    pause = min(max((due - now).total_seconds(), shortest), _LONGEST_PAUSE_SECONDS)
    left = (token.expires_at - now).total_seconds() if token.expires_at else 0.0
    # at its end the file must go, if there is no other token
    return min(pause, left) if left > 0 else pause


def _write(path: Path, token: AccessToken) -> None:
    """A program that reads meanwhile sees the old token or the new one, whole."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(token.reveal())
    temporary.replace(path)


def _runtime_dir() -> str | None:
    """The user's folder in memory, where the system has one (XDG Base Directory); else None, the
    folder for temporary files. What is made in either is the user's alone (0700)."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    if not folder or not os.path.isdir(folder):
        return None
    about = os.stat(folder)
    mine = about.st_uid == os.getuid() and not about.st_mode & 0o077
    return folder if mine and os.access(folder, os.W_OK) else None


CONNECTOR = TokenFileConnector()
