"""A broker of this machine, one of a real Jupyter server, and a person with a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_oauthconn.broker import TokenServiceBroker
from jupyter_oauthconn.broker.http import HttpBroker
from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.broker.running import ServiceFile
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import ConnectionDraft, Settings

from ..jupyter import JupyterServer, jupyter_server
from .desk import Desk, Person, practice_client


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer() as server:
        yield server


@pytest.fixture
def broker(server: PracticeServer, make_broker: Callable[[str], LocalBroker]) -> LocalBroker:
    return make_broker(server.issuer)


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A Jupyter server with the extension, for all tests of a module."""
    config = {"OAuthConn": {"device_flow_enabled": True}}
    folder = tmp_path_factory.mktemp("jupyter")
    with jupyter_server(folder, config=config) as server:
        yield server


@pytest.fixture(params=["local", "http"])
def desk(request: pytest.FixtureRequest, server: PracticeServer, tmp_path: Path) -> Iterator[Desk]:
    """The public client `practice` and the connection `sales`, in this process or at a server."""
    made: list[TokenServiceBroker] = []

    def local() -> TokenServiceBroker:
        made.append(LocalBroker(Settings(), tmp_path / "home"))
        return made[-1]

    def remote() -> TokenServiceBroker:
        made.append(HttpBroker(lambda: ServiceFile.read(jupyter.service_file)))
        return made[-1]

    jupyter = request.getfixturevalue("jupyter") if request.param == "http" else None
    make = local if jupyter is None else remote
    broker = make()
    for one in broker.clients():
        broker.remove_client(one.name, force=True)
    broker.add_client(practice_client(server))
    broker.add_connection(ConnectionDraft(name="sales", client="practice"))
    person = Person(jupyter)
    yield Desk(broker=broker, server=server, person=person, other=make)
    person.close()
    for one_more in made:
        one_more.close()


@pytest.fixture
def both(
    server: PracticeServer, jupyter: JupyterServer
) -> Iterator[tuple[TokenServiceBroker, TokenServiceBroker]]:
    """One token service, spoken to in this process and over HTTP: `practice` and `sales`."""
    here = LocalBroker(Settings(), jupyter.home)
    there = HttpBroker(lambda: ServiceFile.read(jupyter.service_file))
    for one in here.clients():
        here.remove_client(one.name, force=True)
    here.add_client(practice_client(server))
    here.add_connection(ConnectionDraft(name="sales", client="practice"))
    yield here, there
    here.close()
    there.close()
