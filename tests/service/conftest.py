"""A token service, the practice provider, and somebody who has signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import Actor, Connection, Grant, Owner
from jupyter_oauthconn.service.token_service import TokenService


@dataclass
class World:
    """One laptop: a broker, its service, and the provider it talks to."""

    broker: LocalBroker
    server: PracticeServer

    @property
    def service(self) -> TokenService:
        return self.broker._service

    @property
    def owner(self) -> UUID:
        return self.broker._owner

    @property
    def person(self) -> Owner:
        return self.broker._person

    @property
    def actor(self) -> Actor:
        return self.broker._actor

    @property
    def connection(self) -> Connection:
        return self.service.connections.get(self.person, "sales")

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
def world(server: PracticeServer, make_broker: Callable[[str], LocalBroker]) -> World:
    """A registered client and a connection `sales`; nobody has signed in."""
    return World(make_broker(server.issuer), server)


@pytest.fixture
def signed_in(world: World) -> World:
    world.sign_in()
    return world
