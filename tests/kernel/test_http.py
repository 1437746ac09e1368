"""Sessions and clients that carry the token: on each request, to the right hosts, once more on 401.

Against a real HTTP server on loopback; another origin is the same server on another port.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest
from fake_broker import MARKER, FakeBroker

import jupyter_oauthconn as oc
from jupyter_oauthconn.connectors import Reach


@dataclass
class Api:
    """A resource server: notes the header of each request, rejects tokens on demand."""

    seen: list[tuple[str, str | None]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    redirect: str = ""
    url: str = ""


def serve() -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            header = self.headers.get("Authorization")
            api.seen.append((self.path, header))
            api.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            if self.path == "/away":
                self.send_response(307)
                self.send_header("Location", api.redirect)
            else:
                self.send_response(401 if header is None or header in api.rejected else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield api
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def api() -> Iterator[Api]:
    yield from serve()


@pytest.fixture
def foreign() -> Iterator[Api]:
    yield from serve()


Send = Callable[..., int]


def with_requests(method: str, url: str, **options: Any) -> int:
    with oc.connect("sales").session() as session:
        return session.request(method, url, timeout=10, **options).status_code


def with_httpx(method: str, url: str, *, data: Any = None) -> int:
    with oc.connect("sales").httpx(follow_redirects=True) as client:
        return client.request(method, url, content=data).status_code


def with_async_httpx(method: str, url: str, *, data: Any = None) -> int:
    async def run() -> int:
        async with oc.connect("sales").httpx(asynchronous=True, follow_redirects=True) as client:
            return (await client.request(method, url, content=data)).status_code

    return asyncio.run(run())


@pytest.fixture(params=[with_requests, with_httpx, with_async_httpx])
def send(request: pytest.FixtureRequest) -> Send:
    return request.param


def bearer(generation: int) -> str:
    return f"Bearer {MARKER}-sales-{generation}"


def test_header_on_each_request(broker: FakeBroker, api: Api, send: Send) -> None:
    assert send("GET", f"{api.url}/a") == 200
    assert api.seen == [("/a", bearer(1))]


def test_one_retry_with_a_newer_token(broker: FakeBroker, api: Api, send: Send) -> None:
    api.rejected = {bearer(1)}
    assert send("POST", f"{api.url}/a", data=b"body") == 200
    assert api.seen == [("/a", bearer(1)), ("/a", bearer(2))]
    assert api.bodies == [b"body", b"body"]


def test_a_second_401_is_given_back(broker: FakeBroker, api: Api, send: Send) -> None:
    api.rejected = {bearer(1), bearer(2)}
    assert send("GET", f"{api.url}/a") == 401
    assert len(api.seen) == 2


def test_no_retry_when_there_is_no_newer_token(
    broker: FakeBroker, api: Api, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = broker.access_token

    def never_newer(name: str, **options: Any) -> Any:
        return real(name, **{**options, "rejected_generation": None})

    monkeypatch.setattr(broker, "access_token", never_newer)
    api.rejected = {bearer(1)}
    assert send("GET", f"{api.url}/a") == 401
    assert len(api.seen) == 1


def test_never_to_another_origin_by_redirect(
    broker: FakeBroker, api: Api, foreign: Api, send: Send
) -> None:
    """Neither with the redirect nor with the retry that its 401 could set off."""
    api.redirect = f"{foreign.url}/steal"
    assert send("GET", f"{api.url}/away") == 401
    assert api.seen == [("/away", bearer(1))]
    assert foreign.seen == [("/steal", None)]


def test_a_redirect_on_the_same_origin_keeps_it(broker: FakeBroker, api: Api, send: Send) -> None:
    api.redirect = f"{api.url}/there"
    assert send("GET", f"{api.url}/away") == 200
    assert api.seen == [("/away", bearer(1)), ("/there", bearer(1))]


def test_only_to_the_hosts_of_the_provider(broker: FakeBroker, api: Api, send: Send) -> None:
    broker.entries["acme"] = replace(broker.entries["acme"], api_hosts=("api.sales.example",))
    assert send("GET", f"{api.url}/a") == 401
    assert api.seen == [("/a", None)]


def test_hosts_that_hold_a_variable(broker: FakeBroker, api: Api, send: Send) -> None:
    broker.entries["acme"] = replace(broker.entries["acme"], api_hosts=("{host}",))
    assert send("GET", f"{api.url}/a") == 401  # not filled: fits nothing
    oc.edit_client("app", parameters={"host": "127.0.0.1"})
    assert send("GET", f"{api.url}/b") == 200


def test_a_streamed_body_is_not_sent_twice(broker: FakeBroker, api: Api) -> None:
    api.rejected = {bearer(1)}

    def body() -> Iterator[bytes]:
        yield b""

    with oc.connect("sales").session() as session:
        assert session.post(f"{api.url}/a", data=body(), timeout=10).status_code == 401
    with oc.connect("sales").httpx() as client:
        assert client.post(f"{api.url}/a", content=body()).status_code in {200, 401}


@pytest.mark.parametrize(
    ("address", "hosts", "expected"),
    [
        ("https://api.example/x", None, True),
        ("https://api.example/x", (), False),
        ("http://api.example/x", None, False),
        ("http://localhost:8080/x", None, True),
        ("http://[::1]:8080/x", None, True),
        ("http://127.0.0.1.evil.example/x", None, False),
        ("https://api.example/x", ("api.example",), True),
        ("https://API.example.:443/x", ("api.example",), True),
        ("https://api.example.evil.example/x", ("api.example",), False),
        ("https://api.example@evil.example/x", ("api.example",), False),
        ("https://a.b.example/x", ("*.b.example",), True),
        ("https://b.example/x", ("*.b.example",), False),
        ("https://evilb.example/x", ("*.b.example",), False),
        ("ftp://localhost/x", None, False),
        ("https:///x", None, False),
    ],
)
def test_reach(address: str, hosts: tuple[str, ...] | None, expected: bool) -> None:
    assert Reach(hosts).covers(address) is expected


def test_httpx_brings_its_own_auth(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.InvalidParameterError, match="its own auth"):
        oc.connect("sales").httpx(auth=httpx2.BasicAuth("a", "b"))
