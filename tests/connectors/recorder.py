"""An HTTP server that stands for a vendor: it notes where a token went, and answers as told."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Seen:
    """A request. `path` is without its query."""

    method: str
    path: str
    authorization: str | None
    query: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    body: bytes | str | dict[str, Any] | list[Any] = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = ""

    @property
    def bytes(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


Answer = Callable[[Seen], Reply]

#: Ways in which a vendor fails: it is not there, hangs up when it has read a request, ends in the
#: middle of its answer, answers with what is no HTTP, refuses the token, or has trouble of its own.
_IN_PLACE_OF_AN_ANSWER = {
    "away": b"",
    "silent": b"",
    "garbled": b"HTTP/1.1 no status\r\n\r\n\r\n",
}
CONNECTION_FAILURES = (*_IN_PLACE_OF_AN_ANSWER, "cut off")
FAILURES = (*CONNECTION_FAILURES, "refuses", "broken")


class Recorder:
    """`answer` decides what is said; `refused` are the values of `Authorization` that get
    `refusal`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.seen: list[Seen] = []
        self.refused: set[str] = set()
        self.refusal = Reply({"error": {"code": 401, "message": "refused"}}, 401)
        self.answer: Answer = lambda seen: Reply("ok")
        self.ca = ""
        self.failure = ""
        self.leave: Callable[[], None]

    def fail(self, failure: str) -> None:
        """From now on, in one of the ways of `FAILURES`."""
        if failure == "away":
            self.leave()
        self.failure = failure

    @property
    def tokens(self) -> list[str | None]:
        """The values of `Authorization` that came, one for each request."""
        return [one.authorization for one in self.seen]

    def trusted_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The only one whom aiohttp trusts; takes away the variables by which `requests` would
        trust others in place of whom it is told to."""
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        # aiohttp makes its own when it is imported, and adlfs lets nobody give it another
        trusting = ssl.create_default_context(cafile=self.ca)
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)

    def reply(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        if self.failure == "broken":
            return Reply({"error": {"code": 500, "message": "broken"}}, 500)
        if seen.authorization in self.refused or self.failure == "refuses":
            return self.refusal
        return self.answer(seen)


@contextmanager
def recorder(*, tls: bool = False) -> Iterator[Recorder]:
    """A server on 127.0.0.1; with `tls`, its `ca` is the file of its own certificate."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    made = Recorder(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(made)
    if tls:
        certificate = _certificate()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        made.ca = str(certificate)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)

    def leave() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    made.leave = leave
    thread.start()
    try:
        yield made
    finally:
        leave()


def _handler(made: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self._body()
            path, _, query = self.path.partition("?")
            seen = Seen(
                self.command,
                path,
                self.headers.get("Authorization"),
                query,
                body,
                dict(self.headers.items()),
            )
            reply = made.reply(seen)
            # closes a connection that was kept alive, too
            self.close_connection = self.close_connection or made.failure in CONNECTION_FAILURES
            if made.failure in _IN_PLACE_OF_AN_ANSWER:
                self.wfile.write(_IN_PLACE_OF_AN_ANSWER[made.failure])
                return
            content = reply.bytes
            self.send_response(reply.status)
            kind = reply.content_type or (
                "application/json" if isinstance(reply.body, dict | list) else "text/plain"
            )
            for name, one in {"Content-Type": kind, **reply.headers}.items():
                self.send_header(name, one)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                half = len(content) // 2 if made.failure == "cut off" else None
                self.wfile.write(content[:half])

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *_: Any) -> None:
            pass

    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        setattr(Handler, f"do_{method}", Handler._do)
    return Handler


@cache
def _certificate() -> Path:
    """Key and self-signed certificate for loopback, made once for the run, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recorder of the tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    x509.DNSName("localhost"),
                ]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = Path(mkdtemp(prefix="recorder-")) / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
