"""A server that answers as it is told, and remembers what it was asked, byte for byte."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from jupyter_oauthconn.broker.running import ServiceFile
from jupyter_oauthconn.model import Secret

CREDENTIAL = "canary-kernel-credential"
#: In place of an answer.
HANG_UP = b""

Answering = bytes | Callable[[], bytes]


def answer(
    body: object, status: str = "200 OK", *, kind: str = "application/json", more: str = ""
) -> bytes:
    """A whole HTTP answer; the connection is kept."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{more}"
    return head.encode() + b"\r\n" + content


class Scripted:
    """Gives the answers in their order, then the last one again and again.

    Attributes:
        asked: the first line of each request.
        heads: whole requests.
        connections: how many were opened.
    """

    def __init__(self, *answers: Answering, tls: ssl.SSLContext | None = None) -> None:
        self.answers: deque[Answering] = deque(answers)
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.connections = 0
        self._tls = tls
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/oauthconn/"

    def file(self, **other: Any) -> ServiceFile:
        known: dict[str, Any] = {
            "url": self.url,
            "credential": Secret(CREDENTIAL),
            "store": "",
            "pid": 1,
            "version": "9.9",
        }
        return ServiceFile(**(known | other))

    def hang_up(self) -> None:
        """Closes what is open, as a server does with idle connections."""
        while self._open:
            one = self._open.pop()
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def hang_up_who_comes(self) -> None:
        """Waits until somebody is connected, and hangs up soon after."""
        end = time.monotonic() + 60
        while not self.connections and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.3)
        self.hang_up()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.hang_up()

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                one, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._tls is not None:
                one = self._tls.wrap_socket(one, server_side=True)
            self._open.append(one)
            self.connections += 1
            with one.makefile("rb") as reading:
                while line := reading.readline():
                    self._answer(one, line, reading)

    def _answer(self, one: socket.socket, line: bytes, reading: Any) -> None:
        head, length = [line.decode()], 0
        while (more := reading.readline()) not in {b"\r\n", b""}:
            head.append(more.decode())
            name, _, value = more.decode().partition(":")
            length = int(value) if name.lower() == "content-length" else length
        head.append(reading.read(length).decode())
        self.asked.append(line.decode().strip().removesuffix(" HTTP/1.1"))
        self.heads.append("".join(head))
        given = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        content = given if isinstance(given, bytes) else given()
        if content == HANG_UP:
            one.shutdown(socket.SHUT_RDWR)
        one.sendall(content)
