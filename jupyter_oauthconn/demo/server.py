"""A practice provider on a port of this machine, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from jupyter_oauthconn.errors import InvalidParameterError

from .provider import PracticeProvider

MARKER_VARIABLE = "JUPYTER_OAUTHCONN_PRACTICE_MARKER"
_HOSTS = ("127.0.0.1", "localhost")


class PracticeServer:
    """Serves one provider from its start until `stop()`; also a context manager.

    Args:
        port: 0 takes a free one.
        host: the name in the issuer, `127.0.0.1` or `localhost`; it listens on 127.0.0.1.
        path: of the issuer, e.g. `/practice-provider`, for clients that must cope with one.
        marker: begins every token, code and secret it issues; else from
            JUPYTER_OAUTHCONN_PRACTICE_MARKER.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        path: str = "",
        marker: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if host not in _HOSTS:
            raise InvalidParameterError(
                f"The practice provider cannot be reached as {host!r}.",
                hint="It is for this machine only: 127.0.0.1 or localhost.",
                parameter="host",
            )
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.issuer = f"http://{host}:{self.port}{path}"
        self.data_url = f"{self.issuer}/data"
        if marker is None:
            marker = os.environ.get(MARKER_VARIABLE, "")
        self.provider = PracticeProvider(self.issuer, marker=marker, clock=clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="practice-provider", daemon=True)

    def start(self) -> PracticeServer:
        """Serves from now on; requests that come before its thread is ready wait."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends it; its grants are gone."""
        if self._loop is None:
            self._socket.close()
        elif self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def wait(self) -> None:
        """Serves until another thread stops it."""
        while self._thread.is_alive():
            self._thread.join(1)

    def __enter__(self) -> PracticeServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        loop = self._loop
        assert loop is not None
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        from tornado.httpserver import HTTPServer
        from tornado.web import Application

        from .routes import handlers

        server = HTTPServer(Application(handlers(self.provider)))
        server.add_socket(self._socket)
        await self._end.wait()
        server.stop()
        await server.close_all_connections()


def _listen(port: int) -> socket.socket:
    try:
        one = socket.create_server(("127.0.0.1", port), backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "ports go from 0 to 65535"
        raise InvalidParameterError(
            f"The practice provider cannot use port {port}: {reason}.",
            hint="Choose another port, or 0 for a free one.",
            parameter="port",
        ) from None
    one.setblocking(False)
    return one
