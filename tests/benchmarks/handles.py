"""What a live handle costs over the bare library: `python tests/benchmarks/handles.py`.

Connect: PostgreSQL on this machine, once letting everybody in (nothing but the connect) and once
asking about each password; the bare driver, an engine of SQLAlchemy alone, and the live engine,
all without a pool. Request: one kept connection to a server of another process that answers with
two bytes; the bare client with a header that was made once, and the live one. (A bare session of
`requests` looks for a `.netrc` each time; a live one has its auth and does not.) The token is warm,
as it is but for one time in an hour.

Cases take turns in many short rounds, since others use the machine too. The smallest mean of a
round counts, and only as a ratio to the bare library in the same run. Goal: 1.3 at most.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import psycopg
import requests
import sqlalchemy as sa
from rounds import microseconds
from sqlalchemy.pool import NullPool

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

from fake_broker import FakeBroker

import jupyter_oauthconn as oc
from jupyter_oauthconn.demo.database import RadiusServer, start_postgres

GOAL = 1.3
CONNECT_ROUNDS, CONNECTS = 100, 4
REQUEST_ROUNDS, REQUESTS = 100, 40
USER = "ada"

Cases = dict[str, Callable[[], object]]


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """Addresses of two databases: one lets everybody in, one takes the token as the password."""
    broker_token = oc.connect("sales").token()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(RadiusServer(lambda password, _: password == broker_token.reveal())) as radius,
    ):
        server = start_postgres(Path(folder) / "cluster")
        try:
            with psycopg.connect(driver_address(server.url), autocommit=True) as connection:
                connection.execute(f"create role {USER} login")
            for name in ("trust", "password"):
                server.create_database(name)
            server.let_in(
                "host trust all 127.0.0.1/32 trust",
                f"host password all 127.0.0.1/32 radius radiusservers=127.0.0.1 "
                f"radiussecrets={radius.secret} radiusports={radius.port}",
            )
            yield {
                name: server.url_of(name).replace("postgres@", f"{USER}@")
                for name in ("trust", "password")
            }
        finally:
            server.kill()


def driver_address(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def connects(url: str) -> Cases:
    """Opening a connection and closing it."""
    conn = oc.connect("sales")
    address, password = driver_address(url), conn.token().reveal()
    plain = sa.create_engine(url, poolclass=NullPool, connect_args={"password": password})
    live = conn.engine(url, token="password", poolclass=NullPool)
    return {
        "psycopg": lambda: psycopg.connect(address, password=password).close(),
        "plain engine": lambda: plain.raw_connection().close(),
        "live engine": lambda: live.raw_connection().close(),
    }


class Answers(asyncio.Protocol):
    """Two bytes for each request that has no body: as little as a server can do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._pending = b""

    def data_received(self, data: bytes) -> None:
        *whole, self._pending = (self._pending + data).split(b"\r\n\r\n")
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * len(whole))


def serve(pipe: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Answers, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, pipe.recv)
        server.close()

    asyncio.run(run())


@contextmanager
def http_server() -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/"
    finally:
        ours.send(None)
        process.join()


def clients(url: str) -> dict[str, Cases]:
    """The bare client and the live one, for each library."""
    conn = oc.connect("sales")
    # a plain text: what a program without us would send
    headers = {name: str(value) for name, value in conn.headers().items()}
    bare, live = httpx2.Client(headers=headers), conn.httpx()
    bare_session, live_session = requests.Session(), conn.session()
    bare_session.headers.update(headers)
    return {
        "httpx2": {"httpx2": lambda: bare.get(url).text, "live client": lambda: live.get(url).text},
        "requests": {
            "requests": lambda: bare_session.get(url).text,
            "live session": lambda: live_session.get(url).text,
        },
    }


def show(title: str, found: dict[str, float]) -> float:
    """Prints a line for each case, the first of which is the floor; returns the last one's
    ratio to it."""
    floor = next(iter(found.values()))
    print(title)
    for name, took in found.items():
        print(f"  {name:<16}{took:>8.0f} µs{took / floor:>7.2f} x")
    return found[name] / floor


def main() -> int:
    broker = FakeBroker("sales")
    broker.sign_in("sales")
    oc.use(broker)
    print(
        f"Python {platform.python_version()}, SQLAlchemy {sa.__version__}, "
        f"psycopg {psycopg.__version__}, httpx2 {httpx2.__version__}, "
        f"requests {requests.__version__}"
    )
    ratios = []
    with postgres() as databases:
        for name, url in databases.items():
            found = microseconds(connects(url), rounds=CONNECT_ROUNDS, calls=CONNECTS)
            ratios.append(show(f"connect, {name}", found))
    with http_server() as url:
        for name, cases in clients(url).items():
            found = microseconds(cases, rounds=REQUEST_ROUNDS, calls=REQUESTS)
            ratios.append(show(f"request, {name}", found))
    return 0 if max(ratios) <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
