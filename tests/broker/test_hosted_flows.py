"""Sign-ins whose pages a server shows, and how a process without one joins them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from jupyter_oauthconn.broker.hosted_flows import HostedFlows
from jupyter_oauthconn.broker.http import HttpBroker
from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.broker.owned import OwnedBroker
from jupyter_oauthconn.broker.running import ServiceFile, store_fingerprint
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
    UnknownAuthorizationError,
)
from jupyter_oauthconn.model import (
    AuthorizationState,
    ConnectionDraft,
    Flow,
    Interaction,
    Owner,
    Secret,
    Settings,
)
from jupyter_oauthconn.service.token_service import TokenService

from ..jupyter import jupyter_server
from .desk import Person, practice_client

MOUNT = "http://localhost:8888/oauthconn/"


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Jupyter's runtime folder, where no server has left a file yet."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir()
    return tmp_path / "runtime"


@pytest.fixture
def home(broker: LocalBroker, tmp_path: Path) -> Path:
    """The data of `broker`, which has the connection `sales`."""
    return tmp_path / "home"


@pytest.fixture
def host(home: Path) -> Iterator[Callable[..., OwnedBroker]]:
    """Makes what a server makes: the same store, pages at an address."""
    opened: list[TokenService] = []
    made: list[OwnedBroker] = []

    def make(mount: str = MOUNT, **settings: Any) -> OwnedBroker:
        from jupyter_oauthconn.broker.local import system_owner

        service = TokenService.open(Settings(**settings), home)
        opened.append(service)
        owner: Owner = system_owner(service)
        made.append(OwnedBroker(service, owner, HostedFlows(service, owner, mount)))
        return made[-1]

    yield make
    for broker in made:
        broker.close()
    for service in opened:
        service.close()


Host = Callable[..., OwnedBroker]


def announce(runtime: Path, home: Path, url: str = MOUNT, **other: Any) -> None:
    """As a running server does."""
    known: dict[str, Any] = {
        "url": url,
        "credential": Secret("x"),
        "store": store_fingerprint(home, None),
        "pid": os.getpid(),
        "version": "0.1.0",
    }
    ServiceFile(**(known | other)).write(runtime / "oauthconn-1.json")


# --- in a server


def test_the_servers_own_page_is_the_usual_way(host: Host) -> None:
    pending = host().authorize("sales")
    assert pending.flow is Flow.CALLBACK
    assert pending.path == "connect/sales"
    assert pending.public_url == "http://localhost:8888/oauthconn/connect/sales"


def test_every_server_shows_what_is_pending_at_its_own_address(host: Host) -> None:
    """The one that began it may have ended, and come back on another port."""
    first = host().authorize("sales")
    second = host("http://localhost:9999/base/oauthconn/").authorize("sales")
    assert second.id == first.id
    assert second.public_url == "http://localhost:9999/base/oauthconn/connect/sales"


def test_a_sign_in_outlives_its_server(host: Host) -> None:
    server = host()
    pending = server.authorize("sales")
    server.close()
    assert host().authorization(pending.id).state is AuthorizationState.PENDING


@pytest.mark.parametrize("flow", [Flow.LOOPBACK, Flow.PASTE])
def test_ways_of_a_local_service_are_refused(host: Host, flow: Flow) -> None:
    server = host()
    pending = server.authorize("sales")
    with pytest.raises(InvalidParameterError, match=flow.value) as caught:
        server.authorize("sales", flow=flow)
    assert "Leave the flow out" in caught.value.hint
    assert server.authorization(pending.id).state is AuthorizationState.PENDING
    with pytest.raises(UnknownAuthorizationError):
        server.finish_by_paste(pending.id, Secret(f"{MOUNT}callback/practice?code=x"))


def test_a_code_for_another_device_when_asked_for(host: Host) -> None:
    server = host()
    page = server.authorize("sales")
    device = server.authorize("sales", flow=Flow.DEVICE)
    assert device.user_code
    assert server.authorization(page.id).state is AuthorizationState.REFUSED
    assert server.authorize("sales") == device
    # only the process that asked for the code knows it
    assert host().authorize("sales").flow is Flow.CALLBACK


def test_a_code_for_another_device_can_be_switched_off(host: Host) -> None:
    with pytest.raises(NotAllowedError) as caught:
        host(device_flow_enabled=False).authorize("sales", flow=Flow.DEVICE)
    assert "Leave the flow out" in caught.value.hint


def test_a_code_ends_with_the_server_that_asked_for_it(host: Host) -> None:
    server = host()
    device = server.authorize("sales", flow=Flow.DEVICE)
    server.close()
    assert host().authorization(device.id).state is AuthorizationState.REFUSED


def test_a_sign_in_of_another_process_is_replaced(host: Host, broker: LocalBroker) -> None:
    """Its page is on a port of that process, which a browser elsewhere does not reach."""
    loopback = broker.authorize("sales", flow=Flow.LOOPBACK)
    pending = host().authorize("sales")
    assert (pending.flow, pending.id == loopback.id) == (Flow.CALLBACK, False)
    assert broker.authorization(loopback.id).state is AuthorizationState.REFUSED


# --- in a process beside a server


def test_a_running_server_of_the_same_store_shows_the_page(
    broker: LocalBroker, home: Path, runtime: Path, host: Host
) -> None:
    announce(runtime, home)
    pending = broker.authorize("sales")
    assert (pending.flow, pending.public_url) == (Flow.CALLBACK, f"{MOUNT}connect/sales")
    assert host().authorize("sales").id == pending.id
    assert broker.authorize("sales").id == pending.id


def test_what_a_server_began_is_joined_while_it_runs(
    broker: LocalBroker, home: Path, runtime: Path, host: Host
) -> None:
    begun = host().authorize("sales")
    announce(runtime, home)
    assert broker.authorize("sales").id == begun.id
    (runtime / "oauthconn-1.json").unlink()
    alone = broker.authorize("sales")
    assert (alone.flow, alone.id == begun.id) == (Flow.LOOPBACK, False)


def test_a_way_that_was_asked_for_is_taken(broker: LocalBroker, home: Path, runtime: Path) -> None:
    announce(runtime, home)
    page = broker.authorize("sales")
    loopback = broker.authorize("sales", flow=Flow.LOOPBACK)
    assert loopback.flow is Flow.LOOPBACK
    assert loopback.public_url is not None
    assert not loopback.public_url.startswith(MOUNT)
    assert broker.authorization(page.id).state is AuthorizationState.REFUSED


@pytest.mark.parametrize(
    "other",
    [
        {"store": store_fingerprint(Path("/elsewhere"), None)},
        {"url": "https://localhost:8888/oauthconn/"},
        {"url": "http://localhost:8888/base/oauthconn/"},
        {"url": "http://jupyter.example.com:8888/oauthconn/"},
        {"pid": 2**22 + 1},
    ],
    ids=["store", "scheme", "path", "host", "dead"],
)
def test_a_server_that_does_not_fit_is_left_out(
    broker: LocalBroker, home: Path, runtime: Path, other: dict[str, Any]
) -> None:
    announce(runtime, home, **other)
    assert broker.authorize("sales").flow is Flow.LOOPBACK
    with pytest.raises(ConfigurationError, match="needs a Jupyter server") as caught:
        broker.authorize("sales", flow=Flow.CALLBACK)
    assert "--flow loopback" in caught.value.hint


def test_a_fixed_port_is_the_servers(broker: LocalBroker, home: Path, runtime: Path) -> None:
    callback = f"{MOUNT}callback/practice"
    broker.edit_client("practice", {"redirect_uris": (callback,), "loopback_port": None})
    announce(runtime, home, url="http://localhost:8889/oauthconn/")
    assert broker.authorize("sales").flow is Flow.LOOPBACK
    announce(runtime, home)
    assert broker.authorize("sales", flow=Flow.CALLBACK).flow is Flow.CALLBACK


def test_the_practice_robot_stays_away_from_servers(
    home: Path, runtime: Path, broker: LocalBroker
) -> None:
    announce(runtime, home)
    robot = LocalBroker(Settings(interaction=Interaction.PRACTICE), home)
    assert robot.authorize("sales").flow is Flow.LOOPBACK
    robot.close()


# --- with a real one


def test_the_command_line_signs_in_at_the_server(tmp_path: Path, server: PracticeServer) -> None:
    """`auth NAME` prints the server's link, waits for the person, and has the token at the end."""
    with jupyter_server(tmp_path / "jupyter") as jupyter:
        # as a service of its own: as a terminal that the server did not start
        environ = {**os.environ, **jupyter.environ, "JUPYTER_OAUTHCONN_INTERACTION": "wait"}
        remote = HttpBroker(lambda: ServiceFile.read(jupyter.service_file))
        remote.add_client(practice_client(server))
        remote.add_connection(ConnectionDraft(name="sales", client="practice"))
        command = [sys.executable, "-m", "jupyter_oauthconn", "auth", "sales", "--no-browser"]
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        jupyter.wait_for(
            lambda: remote.connection("sales").status.state == "pending", "nothing is pending", 60
        )
        pending = remote.authorize("sales")
        assert pending.flow is Flow.CALLBACK
        assert urlsplit(pending.public_url or "").netloc == urlsplit(jupyter.url).netloc
        person = Person(jupyter)
        person(pending)
        person.close()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert pending.public_url in out + err
        ended = remote.authorization(pending.id, wait=timedelta(seconds=5))
        assert replace(ended, error=None).identity == "analyst@example.com"
        remote.close()
