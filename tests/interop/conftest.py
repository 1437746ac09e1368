"""A laptop's token service, a person with a browser, and a provider that others wrote."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.model import (
    Authorization,
    ClientDraft,
    ConnectionDraft,
    Flow,
    Grant,
    Settings,
    Status,
)
from jupyter_oauthconn.storage.tables import authorizations

from .certified_provider import CertifiedProvider, install
from .visitor import Visitor

CALLBACK = "http://localhost:8888/oauthconn/callback/interop"


@dataclass
class Laptop:
    """One person's token service with the OAuth client `interop` and the connection `data`."""

    broker: LocalBroker
    provider: CertifiedProvider
    home: Path
    visitors: list[Visitor] = field(default_factory=list)

    def start(self, *, flow: Flow | None = None) -> Authorization:
        return self.broker.authorize("data", flow=flow)

    def link(self) -> str:
        """The start page's address."""
        url = self.start().public_url
        assert url is not None
        return url

    def visitor(self) -> Visitor:
        """Another browser."""
        self.visitors.append(Visitor())
        return self.visitors[-1]

    def sign_in(self, account: str = "ada") -> Visitor:
        visitor = self.visitor()
        answer = visitor.sign_in(self.link(), account)
        assert answer.status_code == 200, answer.text
        return visitor

    def renew(self) -> str:
        """A refresh, because a resource rejected the token."""
        current = self.broker.access_token("data").generation
        return self.broker.access_token("data", rejected_generation=current).reveal()

    def expire(self, authorization: Authorization) -> None:
        """Its time is over; a short one may be over before a busy machine has begun."""
        store = self.broker._service.store
        past = store.now() - timedelta(seconds=1)
        with store.database.writing() as connection:
            ours = authorizations.c.id == authorization.id
            connection.execute(sa.update(authorizations).where(ours).values(expires_at=past))

    def ended(self, authorization: Authorization, seconds: float = 60) -> Authorization:
        return self.broker.authorization(authorization.id, wait=timedelta(seconds=seconds))

    @property
    def status(self) -> Status:
        status = self.broker.connection("data").status
        assert status is not None
        return status

    @property
    def grant(self) -> Grant | None:
        """What is stored."""
        connection = self.broker.connection("data")
        return self.broker._service.store.grants.read(connection.owner_id, connection.id)


@pytest.fixture(scope="session")
def running_provider() -> Iterator[CertifiedProvider]:
    install()
    provider = CertifiedProvider()
    yield provider
    provider.close()


@pytest.fixture
def provider(running_provider: CertifiedProvider) -> CertifiedProvider:
    running_provider.reset()
    return running_provider


@pytest.fixture
def make_laptop(provider: CertifiedProvider, tmp_path: Path) -> Iterator[Callable[..., Laptop]]:
    """Makes a laptop; fields of its OAuth client and settings can be given."""
    made: list[Laptop] = []

    def make(settings: Settings | None = None, **client: Any) -> Laptop:
        home = tmp_path / f"home{len(made)}"
        broker = LocalBroker(settings or Settings(), home)
        draft = {
            "provider": "oidc",
            "client_id": "notebook",
            "issuer": provider.issuer,
            "redirect_uris": (CALLBACK,),
            "loopback_port": "any",
        }
        broker.add_client(ClientDraft(name="interop", **{**draft, **client}))
        broker.add_connection(ConnectionDraft(name="data", client="interop"))
        made.append(Laptop(broker, provider, home))
        return made[-1]

    yield make
    for laptop in made:
        laptop.broker.close()
        for visitor in laptop.visitors:
            visitor.close()


@pytest.fixture
def laptop(make_laptop: Callable[..., Laptop]) -> Laptop:
    """With the public client `notebook`; nobody has signed in."""
    return make_laptop()


@pytest.fixture
def copy_of(tmp_path: Path) -> Iterator[Callable[[Laptop], Laptop]]:
    """Copies a laptop's database and keys, as a backup or a thief does."""
    made: list[Laptop] = []

    def copy(laptop: Laptop) -> Laptop:
        home = tmp_path / f"copy{len(made)}"
        shutil.copytree(laptop.home, home)
        made.append(Laptop(LocalBroker(Settings(), home), laptop.provider, home))
        return made[-1]

    yield copy
    for one in made:
        one.broker.close()
