"""How often a kernel asks its server, and what it does when that is started anew."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_oauthconn as oc
from jupyter_oauthconn.broker.http import HttpBroker
from jupyter_oauthconn.broker.running import ServiceFile
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import ConnectionDraft

from ..jupyter import JupyterServer, jupyter_server
from .desk import Person, practice_client

_LINE = re.compile(r"\] (\d{3} \w+ /oauthconn/\S*) ")


class Counted:
    """The requests that a server has answered since it was last asked for them."""

    def __init__(self, jupyter: JupyterServer) -> None:
        self._jupyter = jupyter
        self._seen = 0
        self._barrier = 0
        self()  # what was asked before is none of it, although its lines may come late

    def __call__(self) -> list[str]:
        # the server writes its lines in order: once it has written this one, it has all before
        self._barrier += 1
        path = f"barrier-{self._barrier}"
        self._jupyter.request("GET", path)
        self._jupyter.wait_for(lambda: f"/oauthconn/{path} " in self._new(), "no such line")
        found = [line for line in _LINE.findall(self._new()) if "/barrier-" not in line]
        self._seen = len(self._jupyter.log)
        return [line.replace("/oauthconn/api/v1/", "") for line in found]

    def _new(self) -> str:
        return self._jupyter.log[self._seen :]


@pytest.fixture
def remote(
    tmp_path: Path, server: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[JupyterServer]:
    """A server that has the connection `sales`, in the environment of this process."""
    with jupyter_server(tmp_path / "jupyter") as jupyter:
        monkeypatch.setenv("JUPYTER_OAUTHCONN_URL", jupyter.mount)
        monkeypatch.setenv("JUPYTER_OAUTHCONN_CREDENTIAL_FILE", str(jupyter.service_file))
        monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "wait")
        broker = HttpBroker(lambda: ServiceFile.read(jupyter.service_file))
        broker.add_client(practice_client(server))
        broker.add_connection(ConnectionDraft(name="sales", client="practice"))
        broker.close()
        yield jupyter


def test_a_kernel_asks_as_seldom_as_it_can(remote: JupyterServer, server: PracticeServer) -> None:
    from jupyter_oauthconn.broker.choice import choose

    broker = choose()
    counted = Counted(remote)

    def person() -> None:
        asked = "409 POST /oauthconn/api/v1/connections/sales/token"
        remote.wait_for(lambda: asked in remote.log, "the kernel asks for no token", 60)
        other = HttpBroker(lambda: ServiceFile.read(remote.service_file))
        visitor = Person(remote)
        visitor(other.authorize("sales"))
        visitor.close()
        other.close()

    thread = threading.Thread(target=person)
    thread.start()
    with oc.use(broker):
        conn = oc.connect("sales")
        thread.join()
        kernel = [one for one in counted() if not one.endswith("authorizations")]
        pages = [one for one in kernel if "/oauthconn/" in one]
        first = [one for one in kernel if one not in pages]
        assert [re.sub(r"[0-9a-f-]{36}\S*", "ID", one) for one in first] == [
            "409 POST connections/sales/token",
            "200 GET authorizations/ID",
            "200 POST connections/sales/token",
        ]
        token = conn.token()
        assert conn.headers()
        assert counted() == []
        # warm: the service has it
        oc.connect("sales")
        assert counted() == ["200 POST connections/sales/token"]
        # refreshing
        renewed = conn.token(rejected=token)
        assert renewed.generation == token.generation + 1
        assert counted() == ["200 POST connections/sales/token"]
    broker.close()


def test_a_server_that_is_started_anew(remote: JupyterServer, server: PracticeServer) -> None:
    from jupyter_oauthconn.broker.choice import choose

    broker = choose()
    pending = broker.authorize("sales")
    remote.stop()
    with pytest.raises(ServiceUnreachableError) as caught:
        broker.connections()
    assert "restart" in caught.value.hint
    # the sign-in is still open, the file another one, the environment of this kernel the same
    remote.start()
    assert broker.authorize("sales").id == pending.id
    visitor = Person(remote)
    visitor(pending)
    visitor.close()
    token = broker.access_token("sales")
    remote.kill()
    remote.start()
    assert broker.access_token("sales").reveal() == token.reveal()
    broker.close()
