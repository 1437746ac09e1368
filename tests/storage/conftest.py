"""Stores for the contract: SQLite, and a PostgreSQL server that all tests of a run share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from jupyter_oauthconn.demo.database import start_postgres
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    Connection,
    ConnectionDraft,
    Grant,
    NewTokens,
    Owner,
    Secret,
)
from jupyter_oauthconn.storage import Store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, time: timedelta) -> None:
        self.now += time


@dataclass
class World:
    """A store with one owner, one OAuth client and one connection."""

    store: Store
    clock: Clock
    owner: UUID
    connection: Connection
    open: Callable[[], Store]

    @property
    def person(self) -> Owner:
        return Owner(id=self.owner, name="ana")

    def tokens(self, name: str, *, refresh: bool = True) -> NewTokens:
        now = self.store.now()
        return NewTokens(
            access_token=Secret(f"access-{name}-canary"),
            refresh_token=Secret(f"refresh-{name}-canary") if refresh else None,
            token_type="Bearer",
            issued_at=now,
            expires_at=now + timedelta(hours=1),
            refresh_at=now + timedelta(minutes=50),
            refresh_expires_at=None,
            scope="read write",
            extra={"instance_url": f"https://{name}.example.com"},
        )

    def sign_in(self, name: str = "first", *, refresh: bool = True) -> Grant:
        return self.store.grants.put(
            self.owner,
            self.connection.id,
            self.tokens(name, refresh=refresh),
            requested_scope="read write",
            identity="analyst@example.com",
            subject="42",
        )

    def grant(self) -> Grant:
        found = self.store.grants.read(self.owner, self.connection.id)
        assert found is not None
        return found


def build_world(open_store: Callable[[], Store], clock: Clock) -> World:
    store = open_store()
    owner = store.owners.ensure("os", "1000", "ana")
    client = store.registry.add_client(
        ClientDraft(
            name="warehouse",
            title="Warehouse",
            provider="generic",
            client_id="abc",
            auth_method=AuthMethod.CLIENT_SECRET_BASIC,
        ),
        actor="ana",
    )
    store.registry.add_client_secret(client.id, Secret("client-secret-canary"))
    connection = store.registry.add_connection(
        owner, ConnectionDraft(name="sales", client="warehouse"), provider="generic"
    )
    return World(store, clock, owner, connection, open_store)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    server = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop(immediate=True)


_numbers = itertools.count()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(params=["sqlite", "postgresql"])
def opener(
    request: pytest.FixtureRequest, home: Path, clock: Clock
) -> Iterator[Callable[[], Store]]:
    """Opens one store as often as a test wants, on each kind of database."""
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        url = server.create_database(f"store{next(_numbers)}")
    opened: list[Store] = []

    def open_store() -> Store:
        opened.append(Store.open(home=home, database_url=url, clock=clock))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def world(opener: Callable[[], Store], clock: Clock) -> World:
    """On each kind of database. PostgreSQL's time passes by itself."""
    return build_world(opener, clock)


@pytest.fixture
def sqlite_world(home: Path, clock: Clock) -> Iterator[World]:
    """On SQLite, where the clock is the test's."""
    opened: list[Store] = []

    def open_store() -> Store:
        opened.append(Store.open(home=home, clock=clock))
        return opened[-1]

    yield build_world(open_store, clock)
    for store in opened:
        store.close()
