"""The few messages of RADIUS (RFC 2865, RFC 3579 §3.2) with which PostgreSQL asks about a password.

Such a password ends at 128 bytes, so opaque tokens fit and signed ones do not.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_REQUEST, _ACCEPT, _REJECT = 1, 2, 3
_USER_NAME, _USER_PASSWORD, _MESSAGE_AUTHENTICATOR = 1, 2, 80
_HEADER = 20
#: What reading an answer of whatever shape raises.
_NO_VERDICT = (OSError, LookupError, TypeError, ValueError)


class RadiusServer:
    """Answers on a UDP port of loopback until it is closed.

    Attributes:
        secret: what client and server share.
        asked: counts the requests.

    Args:
        accepts: whether a password is that user's; if it cannot tell, nobody is let in.
    """

    def __init__(self, accepts: Callable[[str, str], bool]) -> None:
        self.secret = secrets.token_hex(8)
        self.asked = 0
        self._accepts = accepts
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
            try:
                answer = self._answer(request)
            except ValueError:
                continue  # any user of this machine can send anything (RFC 2865 §3: no answer)
            with suppress(OSError):  # whoever asked has gone
                self._channel.sendto(answer, sender)

    def _answer(self, request: bytes) -> bytes:
        """Raises `ValueError`: it is no request for a password."""
        if len(request) < _HEADER or request[0] != _REQUEST:
            raise ValueError("no Access-Request")
        authenticator = request[4:_HEADER]
        attributes = _attributes(request)
        self.asked += 1
        password = self._revealed(attributes.get(_USER_PASSWORD, b""), authenticator)
        user = attributes.get(_USER_NAME, b"").decode()
        try:
            good = self._accepts(password, user)
        except _NO_VERDICT:
            good = False
        head = bytes([_ACCEPT if good else _REJECT, request[1]]) + (_HEADER + 18).to_bytes(2, "big")
        empty = bytes([_MESSAGE_AUTHENTICATOR, 18]) + bytes(16)
        secret = self.secret.encode()
        seal = hmac.new(secret, head + authenticator + empty, "md5").digest()
        sealed = bytes([_MESSAGE_AUTHENTICATOR, 18]) + seal
        return head + _md5(head + authenticator + sealed + secret) + sealed

    def _revealed(self, hidden: bytes, authenticator: bytes) -> str:
        """RFC 2865 §5.2."""
        clear, before = b"", authenticator
        for at in range(0, len(hidden), 16):
            block = hidden[at : at + 16]
            mask = _md5(self.secret.encode() + before)
            clear += bytes(one ^ other for one, other in zip(block, mask, strict=True))
            before = block
        return clear.rstrip(b"\0").decode(errors="replace")


def _md5(value: bytes) -> bytes:
    # the protocol's, and no protection: both ends are on this machine
    return hashlib.md5(value, usedforsecurity=False).digest()


def _attributes(packet: bytes) -> dict[int, bytes]:
    """Raises `ValueError`: they do not end with the packet."""
    found, rest = {}, packet[_HEADER:]
    while rest:
        kind, length, *_ = *rest, 0
        # of none or less there would be no end
        if length < len(b"TL") or length > len(rest):
            raise ValueError("no attribute has that length")
        found[kind], rest = rest[2:length], rest[length:]
    return found
