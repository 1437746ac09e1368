"""Nothing that a caller adds to an address leads the token to another host, or around TLS."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gate
import pytest
import sqlalchemy as sa
from issuer import USER, IssuedTokens

from jupyter_oauthconn.catalog import Handle, Placement, TokenPlacement
from jupyter_oauthconn.connectors import Access, Reach, connector
from jupyter_oauthconn.connectors.sql.destination import odbc_hosts
from jupyter_oauthconn.errors import NotAllowedError

if TYPE_CHECKING:
    from postgres18 import Postgres18

GOOD, EVIL = "good.example", "evil.example"
TOKEN = TokenPlacement(placement=Placement.CONNECT_ARG, name="token")


def access_to(tokens: Any, kind: str = "engine", **handle: Any) -> Access:
    reach = Reach((GOOD, "*.good.example"))
    return Access(source=tokens, reach=reach, handle=Handle(kind=kind, **handle))


# --- ODBC: a string of its own language


@pytest.fixture
def pyodbc(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connection strings that a driver was given."""
    seen: list[str] = []

    def connect(text: str, **_: Any) -> None:
        seen.append(text)
        raise module.Error("08001")

    module = ModuleType("pyodbc")
    vars(module).update(
        version="5.2.0", paramstyle="qmark", pooling=False, connect=connect,
        Cursor=object, Error=type("Error", (Exception,), {}),
        ProgrammingError=type("ProgrammingError", (Exception,), {}),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pyodbc", module)
    return seen


def odbc_url(host: str, database: str = "db", **query: str) -> str:
    given = "&".join(f"{name}={quote(one, safe='')}" for name, one in query.items())
    return f"mssql+pyodbc://{host}/{database}?driver=x&{given}"


@pytest.mark.parametrize(
    "url",
    [
        odbc_url(GOOD, odbc_connect=f"Driver=x;Server={EVIL}"),
        odbc_url(GOOD, odbc_connect=f"Driver=x;SERVER = {{{EVIL}}}"),
        odbc_url(GOOD, odbc_connect=f"Driver=x;Server=tcp:{EVIL},1433"),
        odbc_url(GOOD, odbc_connect=f"Server={GOOD};A={{b}}}};Server={EVIL};C={{d}}"),
        odbc_url(GOOD, odbc_connect="Driver=x;FileDSN=/tmp/evil.dsn"),
        odbc_url(GOOD, Server=EVIL),
        odbc_url(GOOD, Addr=EVIL),
        odbc_url(GOOD, Failover_Partner=EVIL),
        # what follows the comma is a port to the driver
        odbc_url(f"{EVIL},1433.{GOOD}"),
        odbc_url(f"{EVIL};x.{GOOD}"),
        # without a database, a host is the name of a DSN
        f"mssql+pyodbc://{GOOD}",
        odbc_url(GOOD, Encrypt="no"),
        odbc_url(GOOD, odbc_connect=f"Driver=x;Server={GOOD};Encrypt={{no}}"),
        odbc_url(GOOD, odbc_connect=f"Driver=x;Server={GOOD};Encrypt=Optional"),
    ],
)
def test_odbc(tokens: IssuedTokens, pyodbc: list[str], url: str) -> None:
    with pytest.raises(NotAllowedError, match="is not sent"):
        connector("engine").open(access_to(tokens), url=url, token="odbc_token")
    assert pyodbc == []


@pytest.mark.parametrize(
    "url",
    [
        odbc_url(GOOD),
        odbc_url(GOOD, Encrypt="yes"),
        odbc_url(f"sales.{GOOD}:1433"),
        odbc_url("", odbc_connect=f"Driver={{x}};Server=tcp:{GOOD},1433;Database={{a b}}"),
    ],
)
def test_odbc_to_the_connection_s_own_host(
    tokens: IssuedTokens, pyodbc: list[str], url: str
) -> None:
    engine = connector("engine").open(access_to(tokens), url=url, token="odbc_token")
    with pytest.raises(Exception, match="08001"):
        engine.connect()
    assert len(pyodbc) == 1


def test_servers_of_odbc() -> None:
    text = "Server=tcp:a.example,1433;Address=b.example\\SQL;Failover_Partner={c.example};UID=d"
    assert odbc_hosts("data", [text, 1]) == ("a.example", "b.example", "c.example")


# --- arguments of a driver


@pytest.mark.parametrize(
    "given",
    [
        {"host": EVIL},
        {"host": GOOD, "hostname": EVIL},
        {"server_hostname": EVIL},
        {"hostaddr": "6.6.6.6"},
        {"conninfo": "hostaddr=6.6.6.6"},
        {"dsn": f"tcps://{EVIL}/x"},
        {"service": "evil"},
        {"read_default_file": "/tmp/evil.cnf"},
        {"host": GOOD, "protocol": "http"},
    ],
)
@pytest.mark.parametrize("url", [f"gate://ada@{GOOD}/x", None])
def test_arguments_beside_the_address(
    tokens: IssuedTokens, given: dict[str, str], url: str | None
) -> None:
    database = gate.opened()
    access = access_to(tokens, url=f"gate://ada@{GOOD}/x", token=TOKEN)
    with pytest.raises(NotAllowedError, match="is not sent"):
        connector("engine").open(access, url=url, connect_args=given)
    connector("engine").open(access, url=url, connect_args={"role": "r", "host": f"db.{GOOD}"})
    assert database.calls == []


@pytest.mark.parametrize(
    "given",
    [{}, {"host": EVIL}, {"hostaddr": "6.6.6.6"}, {"conninfo": "host=evil"}, {"service": "evil"}],
)
def test_a_driver_s_own_arguments(
    tokens: IssuedTokens, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    seen: list[object] = []
    module = ModuleType("some_driver")
    vars(module)["connect"] = lambda **_: seen.append(_)
    monkeypatch.setitem(sys.modules, "some_driver", module)
    with pytest.raises(NotAllowedError, match="is not sent"):
        connector("dbapi").open(
            access_to(tokens, "dbapi"), module="some_driver", token="password", encrypted=True,
            **given,
        )  # fmt: skip
    assert seen == []


@pytest.mark.parametrize("driver", ["psycopg", "psycopg_async"])
def test_no_variable_leads_elsewhere(
    tokens: IssuedTokens, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq takes `hostaddr` from the environment or a file of services before any `host`."""
    from psycopg.conninfo import conninfo_attempts, make_conninfo

    monkeypatch.setenv("PGHOSTADDR", "6.6.6.6")
    for host in ("localhost", GOOD):
        made: Any = connector("engine").open(
            Access(source=tokens, reach=Reach(None), handle=Handle(kind="engine")),
            url=f"postgresql+{driver}://ada@{host}/x", token="password",
        )  # fmt: skip
        engine = getattr(made, "sync_engine", made)
        fresh = next(one for one in engine.dialect.dispatch.do_connect if hasattr(one, "look_at"))
        named = fresh._prepared(engine.dialect, [], {"host": host})
        assert named["hostaddr"] == ""
        assert "hostaddr=''" in make_conninfo(**named)
    (attempt,) = conninfo_attempts({"host": "127.0.0.1", "hostaddr": ""})
    assert attempt["hostaddr"] in ("", "127.0.0.1")


def test_libpq_itself_takes_no_other_address(
    make_tokens: Any, postgres18: Postgres18, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nobody answers there
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.9")
    tokens = make_tokens(opaque=True)
    url = f"postgresql+psycopg://{USER}@127.0.0.1:{postgres18.port}/password"
    access = Access(source=tokens, reach=Reach(None), handle=Handle(kind="engine"))
    engine = connector("engine").open(access, url=url, token="password")
    with engine.connect() as connection:
        assert connection.execute(sa.text("select 1")).scalar() == 1
    engine.dispose()
