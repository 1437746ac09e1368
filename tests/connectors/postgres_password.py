"""A RADIUS server (RFC 2865) before which PostgreSQL lays the password: it must be a live token.

So the server of `postgres18.py` takes tokens as passwords as managed ones do, which the drivers
cannot tell apart. A RADIUS password ends at 128 bytes, so these tokens are opaque ones.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import threading

from issuer import Issuer

_ACCEPT, _REJECT = 2, 3
_USER_NAME, _USER_PASSWORD, _MESSAGE_AUTHENTICATOR = 1, 2, 80
_HEADER = 20


class RadiusServer:
    """Answers on a UDP port of loopback until it is closed. `asked` counts the requests."""

    def __init__(self, issuer: Issuer) -> None:
        self.secret = secrets.token_hex(8)
        self.asked = 0
        self._issuer = issuer
        self._channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._channel.bind(("127.0.0.1", 0))
        self.port: int = self._channel.getsockname()[1]
        self._ended = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended = True
        # a datagram of no request wakes the thread
        self._channel.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._channel.close()

    def _serve(self) -> None:
        while not self._ended:
            request, sender = self._channel.recvfrom(4096)
            if len(request) > _HEADER:
                self.asked += 1
                self._channel.sendto(self._answer(request), sender)

    def _answer(self, request: bytes) -> bytes:
        authenticator = request[4:_HEADER]
        attributes = _attributes(request)
        password = self._revealed(attributes[_USER_PASSWORD], authenticator)
        good = self._issuer.accepts(password, attributes[_USER_NAME].decode())
        head = bytes([_ACCEPT if good else _REJECT, request[1]]) + (_HEADER + 18).to_bytes(2, "big")
        empty = bytes([_MESSAGE_AUTHENTICATOR, 18]) + bytes(16)
        secret = self.secret.encode()
        seal = hmac.new(secret, head + authenticator + empty, hashlib.md5).digest()
        sealed = bytes([_MESSAGE_AUTHENTICATOR, 18]) + seal
        return head + hashlib.md5(head + authenticator + sealed + secret).digest() + sealed

    def _revealed(self, hidden: bytes, authenticator: bytes) -> str:
        """RFC 2865 §5.2."""
        clear, before = b"", authenticator
        for at in range(0, len(hidden), 16):
            block = hidden[at : at + 16]
            mask = hashlib.md5(self.secret.encode() + before).digest()
            clear += bytes(one ^ other for one, other in zip(block, mask, strict=True))
            before = block
        return clear.rstrip(b"\0").decode(errors="replace")


def _attributes(packet: bytes) -> dict[int, bytes]:
    found, at = {}, _HEADER
    while at < len(packet):
        kind, length = packet[at], packet[at + 1]
        found[kind] = packet[at + 2 : at + length]
        at += length
    return found
