"""The way to a provider, against real sockets: deadlines, limits, redirects, TLS, leaks."""

from __future__ import annotations

import gzip
import logging
import os
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_oauthconn.errors import (
    InvalidParameterError,
    OAuthConnError,
    ProviderProtocolError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import AuthMethod, Secret
from jupyter_oauthconn.protocol import (
    AddressGuard,
    ClientCredentials,
    HttpAnswer,
    HttpRequest,
    Transport,
    refresh_request,
    validate_token_answer,
)

from .conftest import Server, says

Serve = Callable[..., Server]
CANARY = "canary-8f14e45fceea167a5a36dedd4bea2543"


def get(url: str) -> HttpRequest:
    return HttpRequest(method="GET", url=url)


def refreshing(url: str) -> HttpRequest:
    return refresh_request(
        endpoint=url,
        credentials=ClientCredentials(
            client_id="client",
            method=AuthMethod.CLIENT_SECRET_BASIC,
            secret=Secret(f"secret-{CANARY}"),
        ),
        refresh_token=Secret(f"refresh-{CANARY}"),
    )


def test_request_and_answer_arrive_whole(serve: Serve, transport: Transport) -> None:
    server = serve(
        says("200 OK", b'{"a":1}', "Date: Mon, 23 Nov 2026 10:00:00 GMT", "X-Two: 1", "X-Two: 2")
    )
    began = time.monotonic()
    answer = transport.send(
        HttpRequest(method="POST", url=server.url("/t?x=1"), headers={"X-One": "1"}, body=b"a=b")
    )
    took = time.monotonic() - began
    assert (answer.status, answer.body) == (200, b'{"a":1}')
    assert answer.headers["x-two"] == "1, 2"
    assert answer.date is not None
    assert answer.date.isoformat() == "2026-11-23T10:00:00+00:00"
    assert 0 < answer.elapsed_seconds <= took
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /t?x=1 HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity" in head
    assert b"X-One: 1" in head
    assert body == b"a=b"


def test_each_call_has_a_connection_of_its_own(serve: Serve, transport: Transport) -> None:
    server = serve(says("200 OK"))
    transport.send(get(server.url()))
    transport.send(get(server.url()))
    assert server.connections == 2


def test_many_threads_share_one_transport(serve: Serve, transport: Transport) -> None:
    def echo(connection: socket.socket, request: bytes) -> None:
        says("200 OK", request.partition(b"\r\n\r\n")[2])(connection, request)

    server = serve(echo)

    def ask(number: int) -> bool:
        body = str(number).encode()
        request = HttpRequest(method="POST", url=server.url(), body=body)
        return transport.send(request).body == body

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(40)))


#: A server at fault would hold a call that long.
HOLD_SECONDS = 60


def drip(connection: socket.socket, head: bytes, piece: bytes) -> None:
    connection.sendall(head)
    end = time.monotonic() + HOLD_SECONDS
    while time.monotonic() < end:
        connection.sendall(piece)
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["headers", "body", "chunks", "informational"],
)
def test_sec_26_a_dripping_server_does_not_hold_the_call(
    serve: Serve, impatient: Transport, head: bytes, piece: bytes
) -> None:
    server = serve(lambda connection, _: drip(connection, head, piece))
    started = time.monotonic()
    with pytest.raises(ProviderUnavailableError, match="in time") as caught:
        impatient.send(get(server.url()))
    assert time.monotonic() - started < 1.5
    assert caught.value.request_sent


def test_sec_26_a_server_that_never_answers(serve: Serve, impatient: Transport) -> None:
    server = serve(lambda connection, _: server.ending.wait(HOLD_SECONDS) and None)
    started = time.monotonic()
    with pytest.raises(ProviderUnavailableError, match=r"127\.0\.0\.1 did not answer") as caught:
        impatient.send(get(server.url("/secret-path?code=1")))
    assert time.monotonic() - started < 1.5
    assert caught.value.request_sent
    assert "secret-path" not in str(caught.value)


def test_sec_26_a_dripping_tls_handshake(impatient: Transport) -> None:
    """A record that never ends, as the answer to the ClientHello: nothing of the request left."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                drip(connection, b"\x16\x03\x03\x40\x00", b"\x02")

        thread = threading.Thread(target=answer)
        thread.start()
        started = time.monotonic()
        with pytest.raises(ProviderUnavailableError, match="TLS") as caught:
            impatient.send(get(f"https://127.0.0.1:{listener.getsockname()[1]}/"))
        assert time.monotonic() - started < 1.5
        thread.join(30)
        assert not thread.is_alive()
    assert not caught.value.request_sent


@pytest.mark.parametrize("declared", [True, False])
def test_sec_26_a_hundred_megabytes_are_cut_off(
    serve: Serve, transport: Transport, declared: bool
) -> None:
    sent = 0

    def flood(connection: socket.socket, _: bytes) -> None:
        nonlocal sent
        length = b"Content-Length: 104857600\r\n" if declared else b"Connection: close\r\n"
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        for _number in range(1600):
            sent += connection.send(b"x" * 65536)

    server = serve(flood)
    with pytest.raises(ProviderProtocolError, match="more than 65536 bytes"):
        transport.send(get(server.url()))
    server.close()
    assert sent < 20_000_000


def test_limit_is_exact(serve: Serve, transport: Transport) -> None:
    server = serve(says("200 OK", b"x" * 100))
    assert len(transport.send(get(server.url()), limit=100).body) == 100
    with pytest.raises(ProviderProtocolError):
        transport.send(get(server.url()), limit=99)


def test_sec_26_compressed_answers_are_refused(serve: Serve, transport: Transport) -> None:
    server = serve(says("200 OK", gzip.compress(b"0" * 10_000_000), "Content-Encoding: gzip"))
    with pytest.raises(ProviderProtocolError, match="compressed"):
        transport.send(get(server.url()))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P"])
def test_sec_24_redirects_are_not_followed(serve: Serve, transport: Transport, status: str) -> None:
    evil = serve(says("200 OK"))
    honest = serve(says(status, b"", f"Location: {evil.url()}"))
    answer = transport.send(refreshing(honest.url()))
    with pytest.raises(ProviderProtocolError, match="redirects are not followed"):
        validate_token_answer(answer)
    assert evil.connections == 0


def test_sec_25_self_signed_is_refused_and_its_authority_accepted(
    serve: Serve, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    server = serve(says("200 OK"), context)
    guard = AddressGuard(["localhost"])
    refusing = Transport(guard=guard)
    with pytest.raises(ProviderUnavailableError, match="certificate is not trusted") as caught:
        refusing.send(refreshing(server.url(host="localhost")))
    assert not caught.value.request_sent
    assert "ca_bundle" in caught.value.hint
    assert server.requests == []
    trusting = Transport(guard=guard, ca_bundle=str(path))
    assert trusting.send(refreshing(server.url(host="localhost"))).status == 200


def test_sec_25_certificate_of_another_host(
    serve: Serve, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    path, context = certificate
    server = serve(says("200 OK"), context, "127.0.0.2")
    trusting = Transport(guard=AddressGuard(["127.0.0.2"]), ca_bundle=str(path))
    with pytest.raises(ProviderUnavailableError, match="not trusted"):
        trusting.send(get(server.url(host="127.0.0.2")))
    assert server.requests == []


def test_sec_25_ca_bundle_must_be_readable(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(InvalidParameterError, match="ca_bundle"):
            Transport(guard=AddressGuard(), ca_bundle=str(path))


def test_sec_25_proxies_of_the_environment_are_ignored(
    serve: Serve, transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy = serve(says("200 OK", b'"proxy"'))
    server = serve(says("200 OK", b'"server"'))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert transport.send(get(server.url())).body == b'"server"'
    assert proxy.connections == 0
    assert b"authorization" not in server.requests[0].lower()


def test_proxy_that_is_set_is_used(serve: Serve, certificate: tuple[Path, ssl.SSLContext]) -> None:
    """CONNECT through the proxy; the proxy sees the host and nothing of the request."""
    path, context = certificate
    server = serve(says("200 OK", b'{"a":1}'), context)

    def connect(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port)) as onward:
            back = threading.Thread(target=pump, args=(onward, connection), daemon=True)
            back.start()
            pump(connection, onward)
            back.join(30)

    proxy = serve(connect)
    through = Transport(
        guard=AddressGuard(),
        ca_bundle=str(path),
        proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}",
    )
    assert through.send(refreshing("https://provider.example/token")).body == b'{"a":1}'
    assert CANARY.encode() in server.requests[0]
    assert proxy.requests[0].startswith(b"CONNECT provider.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in proxy.requests[0]
    assert CANARY.encode() not in proxy.requests[0]


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


def test_proxy_that_refuses_has_got_nothing(serve: Serve) -> None:
    proxy = serve(says("407 Proxy Authentication Required", b""))
    through = Transport(guard=AddressGuard(), proxy=f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(ProviderUnavailableError, match="through the proxy") as caught:
        through.send(refreshing("https://provider.example/token"))
    assert not caught.value.request_sent


def test_loopback_is_called_past_the_proxy(serve: Serve) -> None:
    proxy, server = serve(says("200 OK", b"proxy")), serve(says("200 OK", b"server"))
    through = Transport(guard=AddressGuard(["127.0.0.1"]), proxy=f"http://127.0.0.1:{proxy.port}")
    assert through.send(refreshing(server.url())).body == b"server"
    assert proxy.connections == 0


@pytest.mark.parametrize("proxy", ["https://proxy:1", "socks5://proxy:1", "proxy:3128", "http://"])
def test_proxy_address_is_checked(proxy: str) -> None:
    with pytest.raises(InvalidParameterError, match="proxy"):
        Transport(guard=AddressGuard(), proxy=proxy)


def test_connection_refused(transport: Transport) -> None:
    # bound, and nobody listens: so no other program can take the port meanwhile
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(ProviderUnavailableError, match="connection refused") as caught:
            transport.send(get(f"http://127.0.0.1:{port}/"))
    assert not caught.value.request_sent


def test_dns_failure(transport: Transport) -> None:
    with pytest.raises(
        ProviderUnavailableError, match=r"nowhere\.invalid has no address"
    ) as caught:
        transport.send(get("https://nowhere.invalid/token"))
    assert not caught.value.request_sent


def test_sec_26_dns_is_under_the_deadline(
    impatient: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        release.wait(HOLD_SECONDS)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    with pytest.raises(ProviderUnavailableError, match="DNS") as caught:
        impatient.send(get("https://slow.example/"))
    assert time.monotonic() - started < 1.5
    assert not caught.value.request_sent
    release.set()


@pytest.mark.parametrize(
    "first_bytes",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", b"SSH-2.0-OpenSSH\r\n\r\n"],
    ids=["hang-up", "cut short", "not HTTP"],
)
def test_broken_answers_leave_the_outcome_open(
    serve: Serve, transport: Transport, first_bytes: bytes
) -> None:
    server = serve(lambda connection, _: connection.sendall(first_bytes))
    with pytest.raises(ProviderUnavailableError) as caught:
        transport.send(refreshing(server.url()))
    assert caught.value.request_sent


def test_nothing_is_sent_after_close(serve: Serve, transport: Transport) -> None:
    server = serve(says("200 OK"))
    transport.close()
    with pytest.raises(ProviderUnavailableError, match="shutting down") as caught:
        transport.send(get(server.url()))
    assert not caught.value.request_sent
    assert server.connections == 0


def test_sec_51_no_canary_in_logs_errors_and_tracebacks(
    serve: Serve, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    """Successes and failures of calls that carry secrets, everything logged at DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "httpcore2.http11", "authlib"):
        caplog.set_level(logging.DEBUG, logger=name)
    shown: list[str] = []
    leaky = f"Set-Cookie: s={CANARY}"
    for behaviour in (
        says("200 OK", f'{{"access_token":"{CANARY}","token_type":"mac"}}'.encode(), leaky),
        says("400 Bad", f'{{"error":"x","error_description":"got {CANARY}"}}'.encode(), leaky),
        says("302 Found", b"", f"Location: https://evil.example/?{CANARY}"),
        says("200 OK", f"{CANARY} {'x' * 70000}".encode()),
        lambda connection, _: connection.sendall(CANARY.encode()),
        lambda connection, _: None,
    ):
        server = serve(behaviour)
        request = refreshing(server.url(f"/token?key={CANARY}"))
        shown.append(repr(request))
        with pytest.raises(OAuthConnError) as caught:
            validate_token_answer(noted(transport.send(request), shown))
        error = caught.value
        shown += [str(error), repr(error), error.hint, repr(vars(error))]
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        # this frame's own variables are the test's, not the library's
        found.stack.pop(0)
        shown += list(found.format())
        assert error.__context__ is None
    assert CANARY not in "\n".join(shown)
    assert CANARY not in caplog.text


def noted(answer: HttpAnswer, shown: list[str]) -> HttpAnswer:
    shown.append(repr(answer))
    return answer


def test_other_users_of_the_http_library_keep_their_log(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    import httpx2

    caplog.set_level(logging.INFO, logger="httpx2")
    server = serve(says("200 OK"))
    with httpx2.Client(trust_env=False) as client:
        client.get(server.url("/theirs"))
    assert "/theirs" in caplog.text


def test_importing_the_layer_loads_no_library() -> None:
    code = (
        "import sys, jupyter_oauthconn.protocol; print([name for name in "
        "('httpx2', 'httpcore2', 'authlib', 'joserfc', 'cryptography') if name in sys.modules])"
    )
    import subprocess
    import sys

    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert ran.stdout.strip() == "[]"
