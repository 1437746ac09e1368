"""PostgreSQL's OAUTHBEARER (RFC 7628): libpq asks for the token by a hook, and has no argument
for it.

libpq calls the hook in the thread that connects, in the middle of a connect; with an event loop
several connects take turns in one thread. So the token waits in a context variable: each task and
each thread has its own. The hook is one for the process; whoever set one before is asked next.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from jupyter_oauthconn.errors import ConfigurationError
from jupyter_oauthconn.model import AccessToken

_BEARER_TOKEN = 1  # PQAUTHDATA_OAUTH_BEARER_TOKEN
_NOT_MINE, _DONE = 0, 1
_FIRST_VERSION = 180000

_waiting: ContextVar[AccessToken | None] = ContextVar("token of this connect", default=None)
_lock = threading.Lock()
#: By the address of libpq's request, until libpq says that it is done.
_lent: dict[int, ctypes.Array[ctypes.c_char]] = {}
#: The callbacks: C calls them as long as the process lives.
_installed: list[Any] = []


class _Request(ctypes.Structure):
    """`PGoauthBearerRequest` of `libpq-fe.h`."""

    _fields_ = (
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("run", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_void_p),
        ("user", ctypes.c_void_p),
    )


_Hook = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_Cleanup = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


@contextmanager
def lent(token: AccessToken) -> Iterator[None]:
    """What connects within this block, here or in this task, gives the token to the server.

    Raises:
        ConfigurationError: psycopg is not there, or its libpq is older than 18.
    """
    _install()
    before = _waiting.set(token)
    try:
        yield
    finally:
        _waiting.reset(before)


def _install() -> None:
    if _installed:
        return
    with _lock:
        if _installed:
            return
        libpq = _libpq()
        libpq.PQgetAuthDataHook.restype = ctypes.c_void_p
        before = _Hook(libpq.PQgetAuthDataHook())
        hook, cleanup = _callbacks(before)
        libpq.PQsetAuthDataHook.argtypes = [_Hook]
        libpq.PQsetAuthDataHook(hook)
        _installed.extend([libpq, before, hook, cleanup])


def _callbacks(before: Any) -> tuple[Any, Any]:
    def cleanup(_connection: int, request: int) -> None:
        text = _lent.pop(request, None)
        if text is not None:
            ctypes.memset(text, 0, len(text))

    def hook(kind: int, connection: int, data: int) -> int:
        token = _waiting.get()
        if kind != _BEARER_TOKEN or token is None:
            # without one, libpq goes on to its own device flow or fails
            return int(before(kind, connection, data)) if before else _NOT_MINE
        request = ctypes.cast(data, ctypes.POINTER(_Request)).contents
        text = _lent[data] = ctypes.create_string_buffer(token.reveal().encode())
        request.token = ctypes.addressof(text)
        request.cleanup = ctypes.cast(for_libpq, ctypes.c_void_p).value
        return _DONE

    for_libpq = _Cleanup(cleanup)
    return _Hook(hook), for_libpq


def _libpq() -> Any:
    """The very library that this process's psycopg uses."""
    try:
        from psycopg import pq
    except ImportError:
        raise ConfigurationError(
            "OAUTHBEARER of PostgreSQL needs psycopg 3, which is not installed here.",
            hint='`%pip install "psycopg[binary]>=3.3"`, then run this again.',
        ) from None
    if pq.version() < _FIRST_VERSION:
        raise ConfigurationError(
            "OAUTHBEARER of PostgreSQL needs libpq 18, and psycopg uses libpq "
            f"{pq.version() // 10000}.",
            hint='`%pip install --upgrade "psycopg[binary]>=3.3"`, which brings its own libpq.',
        )
    return ctypes.CDLL(_file(pq.__impl__))


def _file(implementation: str) -> str:
    if implementation == "binary":
        import psycopg_binary

        package = Path(psycopg_binary.__file__).parent
        folders = (package.with_name("psycopg_binary.libs"), package / ".dylibs", package)
        for folder in folders:
            for found in sorted(folder.glob("libpq*")):
                return str(found)
    from psycopg.pq.misc import find_libpq_full_path

    found_by_system = find_libpq_full_path()
    if found_by_system is None:
        raise ConfigurationError(
            f"The libpq that psycopg uses was not found on {sys.platform}.",
            hint='`%pip install "psycopg[binary]"`, which brings its own.',
        )
    return str(found_by_system)
