"""Three people at one token service: an administrator, and two who are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_oauthconn.broker.flows import Flows
from jupyter_oauthconn.broker.owned import OwnedBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import Authorization, ClientDraft, Owner, Settings
from jupyter_oauthconn.service.token_service import TokenService


@dataclass
class People:
    """`analyst` is in the group analysts, `guest` in none."""

    service: TokenService
    admin: OwnedBroker
    analyst: OwnedBroker
    guest: OwnedBroker
    server: PracticeServer

    def client(self, name: str = "team", **more: Any) -> ClientDraft:
        """A draft of the practice provider's public client app."""
        return ClientDraft(
            name=name,
            provider="practice",
            client_id="notebook",
            issuer=self.server.issuer,
            loopback_port="any",
            **more,
        )

    def sign_in(self, person: OwnedBroker, name: str, *, account: str | None = None) -> None:
        consent(self.begin(person, name), account=account)

    def begin(self, person: OwnedBroker, name: str) -> str:
        """The address of the start page."""
        authorization: Authorization = person.authorize(name)
        assert authorization.public_url is not None
        return authorization.public_url


@contextmanager
def people(home: Path, server: PracticeServer, **settings: Any) -> Iterator[People]:
    """Runs the service; `settings` are its own."""
    service = TokenService.open(Settings(**settings), home)

    def person(name: str, *, administrator: bool = False, groups: tuple[str, ...] = ()) -> Any:
        owner = Owner(
            id=service.owner("test", name, name),
            name=name,
            groups=frozenset(groups),
            administrator=administrator,
        )
        return OwnedBroker(service, owner, Flows(service, owner), administrator=administrator)

    found = People(
        service=service,
        admin=person("admin", administrator=True),
        analyst=person("analyst", groups=("analysts",)),
        guest=person("guest"),
        server=server,
    )
    try:
        yield found
    finally:
        for one in (found.admin, found.analyst, found.guest):
            one.close()
        service.close()
