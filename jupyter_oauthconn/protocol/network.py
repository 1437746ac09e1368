"""Sockets under one deadline: what httpcore2 calls instead of its own network backend.

Its own time-outs hold for one read each, so a server that sends a byte now and then would hold a
call for ever. Here every operation gets what is left of the whole call. This is also the only
place that knows for certain whether anything of a request has left the machine.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

import httpcore2

from jupyter_oauthconn.errors import ProviderUnavailableError

from .addresses import AddressGuard


class Call(httpcore2.NetworkBackend):
    """The network side of one request; used once.

    Args:
        secure: the request goes through TLS; what is sent before that (a proxy's CONNECT) is
            nothing of the request.
        typed: an administrator wrote the host by hand.
        total_seconds: for the whole call, DNS and body included.
        connect_seconds: for one connection attempt, and for the TLS handshake.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        secure: bool,
        typed: bool,
        total_seconds: float,
        connect_seconds: float,
    ) -> None:
        self.secure = secure
        self.request_sent = False
        self._guard = guard
        self._typed = typed
        self._end = time.monotonic() + total_seconds
        self._connect_seconds = connect_seconds

    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self._end - time.monotonic())

    def left_to_connect(self) -> float:
        return min(self.left(), self._connect_seconds)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connects to the first judged address of `host` that answers."""
        reason = "no time is left"
        for address in self._guard.resolve(host, port, typed=self._typed, seconds=self.left()):
            if not self.secure and not ip_address(address).is_loopback:
                # plain http is for this machine alone, whatever DNS makes of its name
                reason = "the name of this machine leads elsewhere"
                continue
            seconds = self.left_to_connect()
            if not seconds:
                break
            try:
                connection = socket.create_connection((address, port), timeout=seconds)
            except OSError as error:
                reason = "no answer" if isinstance(error, TimeoutError) else _words(error)
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(self, connection, secure=False)
        raise ProviderUnavailableError(
            f"{host} cannot be reached on port {port}: {reason}.",
            hint="Check the address, this machine's network, and the proxy setting.",
            request_sent=False,
        )


class _Stream(httpcore2.NetworkStream):
    def __init__(self, call: Call, connection: socket.socket, *, secure: bool) -> None:
        self._call = call
        self._socket = connection
        self._secure = secure

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._give_what_is_left()
            return self._socket.recv(max_bytes)
        except TimeoutError:
            raise httpcore2.ReadTimeout from None
        except OSError as error:
            raise httpcore2.ReadError(_words(error)) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            rest = memoryview(buffer)
            while rest:
                self._give_what_is_left()
                if self._secure or not self._call.secure:
                    self._call.request_sent = True
                rest = rest[self._socket.send(rest) :]
        except TimeoutError:
            raise httpcore2.WriteTimeout from None
        except OSError as error:
            raise httpcore2.WriteError(_words(error)) from None

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """The handshake, as a whole under one time-out (OpenSSL's loop keeps to it)."""
        reason, hint = "no answer", "Try again later."
        try:
            self._socket.settimeout(self._call.left_to_connect() or _LEAST)
            wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
            return _Stream(self._call, wrapped, secure=True)
        except ssl.SSLCertVerificationError as error:
            reason = f"its certificate is not trusted ({error.verify_message})"
            hint = (
                "If its certificate comes from your organisation, an administrator can name that "
                "authority's file in ca_bundle."
            )
        except TimeoutError:
            pass
        except OSError as error:
            reason = _words(error)
        except ValueError:
            reason = "its name cannot be checked"
        self.close()
        raise ProviderUnavailableError(
            f"No TLS connection to {server_hostname}: {reason}.", hint=hint, request_sent=False
        )

    def close(self) -> None:
        self._socket.close()

    def _give_what_is_left(self) -> None:
        seconds = self._call.left()
        if not seconds:
            raise TimeoutError
        self._socket.settimeout(seconds)


#: A socket's time-out of zero would mean "do not block".
_LEAST = 0.001


def _words(error: OSError) -> str:
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return str(reason).lower().replace("_", " ")
