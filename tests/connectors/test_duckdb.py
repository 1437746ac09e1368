"""DuckDB with a bearer secret: real DuckDB and httpfs against a recorder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from counted import MARKER, MINUTE, Connected, CountedTokens, bearer
from later import Later
from leaks import shown, told
from recorder import Recorder, Reply, Seen, recorder

from jupyter_oauthconn.connectors.with_duckdb import CONNECTOR
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
    ReauthorizationRequiredError,
)

CSV = "a,b\n1,2\n"


@pytest.fixture
def vendor() -> Iterator[Recorder]:
    with recorder() as made:
        made.answer = lambda seen: Reply(CSV)
        yield made


@pytest.fixture
def other() -> Iterator[Recorder]:
    with recorder() as made:
        made.answer = lambda seen: Reply(CSV)
        yield made


def opened(vendor: Recorder, source: CountedTokens | None = None, **options: Any) -> Any:
    access = Connected(source or CountedTokens()).access("duckdb", url=f"{vendor.url}/data")
    return CONNECTOR.open(access, **options)


def secrets(connection: Any) -> list[Any]:
    return connection.execute("SELECT name, scope, secret_string FROM duckdb_secrets()").fetchall()


def test_the_token_goes_to_the_data_s_host(vendor: Recorder) -> None:
    with opened(vendor) as connection:
        assert connection.sql(f"FROM '{vendor.url}/x.csv'").fetchall() == [(1, 2)]
    assert set(vendor.tokens) == {bearer(1)}


def test_after_expiry_the_new_one(vendor: Recorder, later: Later) -> None:
    source = CountedTokens(life=MINUTE)
    with opened(vendor, source) as connection:
        for generation in (1, 2, 3):
            vendor.seen.clear()
            connection.execute(f"SELECT a FROM '{vendor.url}/x.csv'").fetchall()
            assert set(vendor.tokens) == {bearer(generation)}
            later(MINUTE)
    assert source.generation == 3


def test_a_fresh_token_is_put_in_once(vendor: Recorder) -> None:
    source = CountedTokens()
    with opened(vendor, source) as connection:
        before = secrets(connection)
        for _ in range(3):
            connection.sql("SELECT 1").fetchall()
        assert secrets(connection) == before
        assert len(before) == 1
    assert source.generation == 1


def test_a_query_sees_the_variables_of_its_cell(vendor: Recorder) -> None:
    with opened(vendor) as connection:
        numbers = connection.sql("SELECT 41 AS n")  # noqa: F841 - the query below names it
        assert connection.sql("SELECT n + 1 FROM numbers").fetchall() == [(42,)]


def test_a_cursor_and_a_running_result(vendor: Recorder) -> None:
    source = CountedTokens()
    with opened(vendor, source) as connection:
        result = connection.execute("SELECT * FROM range(5000)")
        assert result.fetchone() == (0,)
        source.renew()
        connection.renew()
        assert connection.fetchone() == (1,), "the renewal does not end it"
        cursor = connection.cursor()
        cursor.execute(f"FROM '{vendor.url}/x.csv'")
        assert set(vendor.tokens) == {bearer(2)}
        source.renew()
        vendor.seen.clear()
        cursor.execute(f"FROM '{vendor.url}/x.csv'")
        assert set(vendor.tokens) == {bearer(3)}


def test_renewed_by_hand_after_a_refusal(vendor: Recorder) -> None:
    vendor.refused = {bearer(1)}
    with opened(vendor) as connection:
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(f"FROM '{vendor.url}/x.csv'")
        assert MARKER not in told(caught.value)
        connection.renew(rejected=True)
        assert connection.execute(f"FROM '{vendor.url}/x.csv'").fetchall() == [(1, 2)]


def test_a_connection_of_one_s_own(vendor: Recorder) -> None:
    with duckdb.connect() as mine:
        handle = opened(vendor, connection=mine)
        assert mine.sql(f"FROM '{vendor.url}/x.csv'").fetchall() == [(1, 2)]
        assert set(vendor.tokens) == {bearer(1)}
        assert len(secrets(mine)) == 1
        assert handle.execute("SELECT 7").fetchall() == [(7,)]


def test_options_of_duckdb(vendor: Recorder, tmp_path: Any) -> None:
    with opened(vendor, database=str(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1")
    for path in tmp_path.iterdir():
        assert MARKER.encode() not in path.read_bytes()
    with duckdb.connect(str(tmp_path / "x.db")) as again:
        assert secrets(again) == []


def test_never_to_another_host(vendor: Recorder, other: Recorder) -> None:
    with opened(vendor) as connection:
        connection.sql(f"FROM '{other.url}/x.csv'").fetchall()
    assert set(other.tokens) == {None}


def test_never_to_a_host_that_only_begins_so(vendor: Recorder) -> None:
    with opened(vendor) as connection:
        found = connection.execute(
            "SELECT name FROM which_secret(?, 'http')", [f"{vendor.url}.evil.example/x"]
        ).fetchall()
        assert found == []
        assert len(secrets(connection)) == 1
        assert secrets(connection)[0][1] == [f"{vendor.url}/"]


def test_never_across_a_redirect(vendor: Recorder, other: Recorder) -> None:
    def away(seen: Seen) -> Reply:
        return Reply("", 302, {"Location": f"{other.url}/steal.csv"})

    vendor.answer = away
    with opened(vendor) as connection:
        connection.sql(f"FROM '{vendor.url}/x.csv'").fetchall()
    assert set(vendor.tokens) == {bearer(1)}
    assert other.seen
    assert set(other.tokens) == {None}


def test_hosts_of_the_provider_without_an_address() -> None:
    connected = Connected(hosts=("data.example", "*.data.example"))
    with CONNECTOR.open(connected.access("duckdb")) as connection:
        assert secrets(connection)[0][1] == ["https://data.example/"]
    with pytest.raises(InvalidParameterError, match="at which host"):
        CONNECTOR.open(Connected(hosts=("*.data.example",)).access("duckdb"))
    with pytest.raises(InvalidParameterError, match="at which host"):
        CONNECTOR.open(Connected(hosts=None).access("duckdb"))
    with pytest.raises(InvalidParameterError, match="at which host"):
        CONNECTOR.open(Connected(hosts=("127.0.0.1", "localhost")).access("duckdb"))
    with pytest.raises(NotAllowedError, match=r"not sent to https://evil\.example"):
        CONNECTOR.open(connected.access("duckdb"), "https://evil.example/")


def test_nothing_shows_the_token(vendor: Recorder) -> None:
    with opened(vendor) as connection:
        assert MARKER not in shown(connection, secrets(connection))
        assert "redacted" in secrets(connection)[0][2]


def test_a_closed_connection_says_so_without_the_token(vendor: Recorder) -> None:
    source = CountedTokens()
    connection = opened(vendor, source)
    connection.close()
    source.renew()
    with pytest.raises(ConfigurationError, match="ConnectionException") as caught:
        connection.execute("SELECT 1")
    assert MARKER not in told(caught.value)


def test_an_error_of_the_service_comes_through(vendor: Recorder) -> None:
    source = CountedTokens()
    with opened(vendor, source) as connection:
        source.failure = ReauthorizationRequiredError("The sign-in behind 'data' is over.")
        with pytest.raises(ReauthorizationRequiredError) as caught:
            connection.execute("SELECT 1")
        assert MARKER not in told(caught.value)
        source.failure = None


def test_who_must_sign_in_again_can_close_and_look_at_it(vendor: Recorder) -> None:
    source = CountedTokens()
    connection = opened(vendor, source)
    source.failure = ReauthorizationRequiredError("A new sign-in is needed.")
    # a cell asks for these
    for name in ("_repr_html_", "_ipython_display_", "_repr_mimebundle_"):
        assert not hasattr(connection, name)
    connection.begin()
    connection.rollback()
    connection.register("nothing", duckdb.values([1]).arrow())
    connection.cursor().close()
    connection.close()
    with pytest.raises(duckdb.ConnectionException):
        connection._connection.execute("SELECT 1")


def test_without_the_extension(vendor: Recorder) -> None:
    class Offline:
        """A DuckDB whose server of extensions is out of reach."""

        def load_extension(self, name: str) -> None:
            raise duckdb.IOException(f"{name} is not there")

        def install_extension(self, name: str) -> None:
            raise duckdb.HTTPException("no network")

    source = CountedTokens()
    with pytest.raises(ConfigurationError, match="needs the extension httpfs") as caught:
        opened(vendor, source, connection=Offline())
    assert "duckdb-extension-httpfs" in caught.value.hint
    assert source.asked == []


def test_check(vendor: Recorder) -> None:
    access = Connected().access("duckdb", url=vendor.url, probe="/x.csv")
    with CONNECTOR.open(access) as connection:
        assert CONNECTOR.check(connection, access) == "DuckDB read 8 bytes of /x.csv."
