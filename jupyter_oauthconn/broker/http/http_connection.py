"""Requests to one token service over connections that are kept, one for each process and thread."""

from __future__ import annotations

import os
import re
import select
import socket
import ssl
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import Secret

_CONNECT_SECONDS = 10.0
#: Python sees a Ctrl-C between two slices, also where a signal ends no system call (Windows).
_SLICE_SECONDS = 1.0
_LONGEST_BYTES = 8 * 1024 * 1024
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s.+?\s-----END CERTIFICATE-----", re.DOTALL)
_AWAY = (
    "It has ended or is restarting. Run the line again when it is back under the same address; "
    "else restart the kernel, so that it learns where its server is now."
)
_UNSURE = "Whether it was done is not known: look at `%connect` before you do it again."


#: Process and thread.
_Key: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Its body may hold a client secret.

    Attributes:
        path: below the mount.
        seconds: the answer begins within this time.
        repeatable: sending it twice does no more than sending it once.
    """

    method: str
    path: str
    body: Secret | None = None
    seconds: float
    repeatable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; its body may be a token."""

    status: HTTPStatus | int
    content_type: str
    body: bytes = field(repr=False)


class _Connection(HTTPConnection):
    """Sends head and body in one piece: the server wakes up once instead of twice."""

    _unsent = b""

    def send(self, data: Any) -> None:
        self._unsent += data

    def flush(self) -> None:
        whole, self._unsent = self._unsent, b""
        super().send(whole)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same with https."""


class HttpConnections:
    """The connections to one mount. Thread-safe; a forked child opens its own.

    Nothing is followed, no proxy of the environment is asked, and the credential goes nowhere but
    to the origin of `url`.

    Args:
        url: the mount, with its slash at the end.
        certificate: PEM; its first certificate is the only one that is trusted (https).
    """

    def __init__(self, url: str, certificate: str | None) -> None:
        self.url = url
        parts = urlsplit(url)
        self._mount = parts.path
        self._host = parts.hostname or ""
        self._port = parts.port
        self._tls = _pinned(certificate, url) if parts.scheme == "https" else None
        if self._tls is None and parts.scheme != "http":
            raise _unreachable(
                url, "has no address that a kernel can call", "Let the server listen on a port."
            )
        self._kept: dict[_Key, _Connection] = {}
        self._asking: set[_Key] = set()
        self._closed = False
        _all.add(self)

    def ask(self, request: Request, credential: Secret) -> Answer:
        """Raises `ServiceUnreachableError`."""
        while True:
            connection, reused = self._connection()
            try:
                return self._exchange(connection, request, credential)
            except TimeoutError:
                what = f"has not answered for {request.seconds:.0f} seconds"
                break
            except (OSError, HTTPException, ValueError):
                # a connection that was kept may have been closed under our hands; a new one is
                # at fault itself, and is not tried again
                if reused and request.repeatable and not self._closed:
                    continue
                what = "broke the connection before its answer was complete"
                break
        raise _unreachable(self.url, what, _AWAY if request.repeatable else _UNSURE)

    def close(self) -> None:
        """Closes what is open in this process; a thread that waits for an answer gets none."""
        self._closed = True
        while self._kept:
            key, connection = self._kept.popitem()
            if key not in self._asking:
                connection.close()
            elif connection.sock is not None:
                # closing waits for the thread that reads; this wakes it, and then it closes
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def after_fork(self) -> None:
        """In a forked child: the parent's connections are the parent's."""
        for connection in self._kept.values():
            if connection.sock is not None:
                with suppress(OSError):
                    os.close(connection.sock.detach())
        # never finalized: a thread of the parent may have held a lock in one of them
        _of_parents.append(self._kept)
        self._kept, self._asking = {}, set()

    def _connection(self) -> tuple[_Connection, bool]:
        """This thread's connection, and whether it was used before."""
        key = self._key()
        kept = self._kept.get(key)
        if kept is not None:
            # readable before anything was asked: the server has closed it
            if kept.sock is not None and not _readable(kept.sock, 0):
                return kept, True
            kept.close()
        self._close_abandoned()
        fresh = self._open()
        self._kept[key] = fresh
        return fresh, False

    def _open(self) -> _Connection:
        fresh = (
            _Connection(self._host, self._port, timeout=_CONNECT_SECONDS)
            if self._tls is None
            else _TlsConnection(self._host, self._port, timeout=_CONNECT_SECONDS, context=self._tls)
        )
        try:
            fresh.connect()
        except ssl.SSLCertVerificationError as error:
            fresh.close()
            reason = error.verify_message or "it is another one"
        except (OSError, ValueError):
            fresh.close()
            raise _unreachable(self.url, "does not answer", _AWAY) from None
        else:
            return fresh
        raise _unreachable(
            self.url,
            f"shows a certificate that this kernel cannot trust ({reason})",
            "Restart the Jupyter server if its certificate was renewed.",
        )

    def _exchange(self, connection: _Connection, request: Request, credential: Secret) -> Answer:
        key = self._key()
        self._asking.add(key)
        try:
            end = time.monotonic() + request.seconds
            connection.request(
                request.method,
                self._mount + request.path,
                None if request.body is None else request.body.reveal().encode(),
                {
                    "Authorization": f"Bearer {credential.reveal()}",
                    "Accept": "application/json",
                    # a POST without a body is JSON, too: no page's form can send that
                    "Content-Type": "application/json",
                },
            )
            connection.flush()
            _await_answer(connection.sock, end)
            return _read_answer(connection)
        except BaseException as error:  # noqa: BLE001 - raised again, with less to show
            self._kept.pop(key, None)
            connection.close()
            # the frames below this one hold header and body as they are sent
            raise error.with_traceback(None) from None
        finally:
            self._asking.discard(key)

    def _key(self) -> _Key:
        return os.getpid(), threading.get_ident()

    def _close_abandoned(self) -> None:
        """Closes what threads left behind that have ended."""
        threading.current_thread()  # makes a thread that Python did not start known
        here, alive = os.getpid(), {one.ident for one in threading.enumerate()}
        for process, thread in list(self._kept):
            if process == here and thread not in alive:
                abandoned = self._kept.pop((process, thread), None)
                if abandoned is not None:
                    abandoned.close()


def _read_answer(connection: HTTPConnection) -> Answer:
    # a response that is closed only when it is collected swallows a Ctrl-C of that moment
    with connection.getresponse() as response:
        body = response.read(_LONGEST_BYTES)
        if not response.isclosed():
            raise IncompleteRead(b"")  # cut off, or longer than anything of ours
    return Answer(
        status=response.status, content_type=response.headers.get_content_type(), body=body
    )


def _await_answer(answering: socket.socket, end: float) -> None:
    """Returns when the answer begins. Raises `TimeoutError`."""
    while not _readable(answering, min(_SLICE_SECONDS, max(0.0, end - time.monotonic()))):
        if time.monotonic() >= end:
            raise TimeoutError
    # TLS may have been talking to itself; then reading goes on to wait
    answering.settimeout(max(_CONNECT_SECONDS, end - time.monotonic()))


def _readable(one: socket.socket, seconds: float) -> bool:
    if hasattr(select, "poll"):
        # select() itself refuses descriptors from 1024 on
        poll = select.poll()
        poll.register(one, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    return bool(select.select([one], [], [], seconds)[0])


def _pinned(certificate: str | None, url: str) -> ssl.SSLContext:
    """Trusts that one certificate and nothing else.

    Its host name is not compared: the file that names the address holds the certificate itself,
    and whoever answers must have its private key. Only the first one is taken, the server's own:
    one that issues certificates, further down in the file, would vouch for others, too.
    """
    found = _CERTIFICATE.search(certificate or "")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # it need not be a root: what vouches for it is the file
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=found[0] if found else "")
    except (ssl.SSLError, ValueError):
        raise _unreachable(
            url, "is https, and its certificate is not known here", "Restart the Jupyter server."
        ) from None
    return context


def _unreachable(url: str, what: str, hint: str) -> ServiceUnreachableError:
    return ServiceUnreachableError(f"The token service at {url} {what}.", hint=hint, url=url)


_all: weakref.WeakSet[HttpConnections] = weakref.WeakSet()
_of_parents: list[dict[_Key, _Connection]] = []


def _leave_to_parents() -> None:
    for one in list(_all):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parents)
