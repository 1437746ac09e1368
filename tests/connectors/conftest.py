"""Real stores for the connectors, each started once for the run when a test first asks for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from issuer import IssuedTokens, Issuer
from later import Later

from jupyter_oauthconn.demo.database import RadiusServer

if TYPE_CHECKING:
    from apache import Apache
    from fakesnow_server import Fakesnow
    from flight_sql import FlightSql
    from postgres18 import Postgres18
    from seaweedfs import SeaweedFs


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Whose tokens all the stores take."""
    with closing(Issuer()) as made:
        yield made


@pytest.fixture
def make_tokens(issuer: Issuer) -> Callable[..., IssuedTokens]:
    """Makes a token source; arguments as for `IssuedTokens`."""

    def make(user: str = "ada", **options: Any) -> IssuedTokens:
        return IssuedTokens(issuer, user, **options)

    return make


@pytest.fixture
def tokens(make_tokens: Callable[..., IssuedTokens]) -> IssuedTokens:
    """Of `ada`, JWTs that live for five minutes."""
    return make_tokens()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """`later(60)`: a minute has passed, for the connectors and for the sources of the tests."""
    return Later(monkeypatch)


@pytest.fixture(scope="session")
def radius(issuer: Issuer) -> Iterator[RadiusServer]:
    """A RADIUS password ends at 128 bytes, so these tokens are opaque ones."""
    with closing(RadiusServer(issuer.accepts)) as made:
        yield made


@pytest.fixture(scope="session")
def postgres18(
    issuer: Issuer, radius: RadiusServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Postgres18]:
    """With the databases `bearer` (OAUTHBEARER) and `password` (the token is the password)."""
    from postgres18 import start

    folder = tmp_path_factory.mktemp("postgres18")
    with closing(start(folder, issuer, radius.port, radius.secret)) as made:
        yield made


@pytest.fixture(scope="session")
def apache(issuer: Issuer) -> Iterator[Apache]:
    from apache import Apache

    with closing(Apache(issuer)) as made:
        yield made


@pytest.fixture(scope="session")
def seaweedfs(issuer: Issuer) -> Iterator[SeaweedFs]:
    from seaweedfs import SeaweedFs

    with closing(SeaweedFs(issuer)) as made:
        yield made


@pytest.fixture(scope="session")
def flight_sql(issuer: Issuer) -> Iterator[FlightSql]:
    from flight_sql import FlightSql

    with closing(FlightSql(issuer)) as made:
        yield made


@pytest.fixture(scope="session")
def fakesnow(
    issuer: Issuer, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fakesnow]:
    from fakesnow_server import Fakesnow, environment

    folder = tmp_path_factory.mktemp("fakesnow")
    with closing(Fakesnow(environment(pytestconfig), folder, issuer)) as made:
        yield made
