"""A token service, the practice provider, and somebody who has signed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import (
    ClientDraft,
    Connection,
    ConnectionDraft,
    Grant,
    Settings,
)
from jupyter_oauthconn.service.token_service import TokenService


@dataclass
class World:
    """One laptop: a broker, its service, and the provider it talks to."""

    broker: LocalBroker
    server: PracticeServer
    home: Path

    @property
    def service(self) -> TokenService:
        return self.broker._service

    @property
    def owner(self) -> UUID:
        return self.broker._owner

    @property
    def connection(self) -> Connection:
        return self.service.connections.get(self.owner, "sales")

    @property
    def grant(self) -> Grant:
        grant = self.service.store.grants.read(self.owner, self.connection.id)
        assert grant is not None
        return grant

    def sign_in(self, account: str = "analyst@example.com", *, allow: bool = True) -> None:
        authorization = self.broker.authorize("sales")
        assert authorization.public_url is not None
        consent(authorization.public_url, account=account, allow=allow)

    def refreshes(self) -> int:
        """How many refresh requests have reached the provider."""
        return len(self.server.provider.requests("token", grant_type="refresh_token"))


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer() as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, server: PracticeServer) -> Iterator[World]:
    """A registered client and a connection `sales`; nobody has signed in."""
    broker = LocalBroker(Settings(), tmp_path / "home")
    broker.add_client(
        ClientDraft(
            name="practice",
            provider="practice",
            client_id="notebook",
            issuer=server.issuer,
            loopback_port="any",
        )
    )
    broker.add_connection(ConnectionDraft(name="sales", client="practice"))
    yield World(broker, server, tmp_path / "home")
    broker.close()


@pytest.fixture
def signed_in(world: World) -> World:
    world.sign_in()
    return world
