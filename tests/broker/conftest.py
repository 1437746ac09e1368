"""A broker of this machine and the practice provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer() as server:
        yield server


@pytest.fixture
def broker(server: PracticeServer, make_broker: Callable[[str], LocalBroker]) -> LocalBroker:
    return make_broker(server.issuer)
