"""A broker of this machine and the practice provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import ClientDraft, ConnectionDraft, Settings


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer() as server:
        yield server


@pytest.fixture
def broker(tmp_path: Path, server: PracticeServer) -> Iterator[LocalBroker]:
    """With the client `practice` on any port, and the connection `sales`."""
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
    yield broker
    broker.close()
