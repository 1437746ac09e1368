"""Google's own packages against a recorder: BigQuery, Cloud Storage and Sheets."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from counted import MARKER, MINUTE, Connected, CountedTokens, bearer
from later import Later
from leaks import shown, told
from recorder import Recorder, Reply, Seen, recorder
from requests.adapters import HTTPAdapter

from jupyter_oauthconn.connectors.connector import connector
from jupyter_oauthconn.errors import NotAllowedError, ReauthorizationRequiredError

REFERENCE = {"projectId": "p", "jobId": "j", "location": "US"}
SCHEMA = {"fields": [{"name": "a", "type": "INTEGER"}]}
RESULT = {
    "jobComplete": True,
    "jobReference": REFERENCE,
    "totalRows": "1",
    "schema": SCHEMA,
    "rows": [{"f": [{"v": "7"}]}],
}
TABLE = {"projectId": "p", "datasetId": "d", "tableId": "t"}
JOB = {
    "kind": "bigquery#job",
    "id": "p:US.j",
    "jobReference": REFERENCE,
    "configuration": {"query": {"query": "x", "destinationTable": TABLE}, "jobType": "QUERY"},
    "status": {"state": "DONE"},
    "statistics": {"query": {"statementType": "SELECT"}},
}


def as_bigquery(seen: Seen) -> Reply:
    if "/queries" in seen.path:
        return Reply({"kind": "bigquery#queryResponse", **RESULT})
    if "/tables/" in seen.path or seen.path.endswith("/data"):
        return Reply({"schema": SCHEMA, "totalRows": "1", "rows": RESULT["rows"]})
    return Reply(JOB)


@pytest.fixture
def vendor() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


# --- BigQuery


def bigquery(vendor: Recorder, source: CountedTokens) -> Any:
    package = pytest.importorskip(
        "google.cloud.bigquery", reason="`pip install google-cloud-bigquery`"
    )
    vendor.answer = as_bigquery
    credentials = connector("credential").open(
        Connected(source).access("credential"), library="google"
    )
    return package.Client(
        project="p", credentials=credentials, client_options={"api_endpoint": vendor.url}
    )


def test_bigquery_client(vendor: Recorder, later: Later) -> None:
    with bigquery(vendor, CountedTokens(life=MINUTE)) as client:
        assert [tuple(row) for row in client.query_and_wait("select 7 a")] == [(7,)]
        assert set(vendor.tokens) == {bearer(1)}
        later(MINUTE)
        vendor.seen.clear()
        client.query_and_wait("select 7 a")
        assert set(vendor.tokens) == {bearer(2)}
        assert MARKER not in shown(client, client._credentials, client._http)


def test_bigquery_client_after_a_401(vendor: Recorder) -> None:
    source = CountedTokens()
    with bigquery(vendor, source) as client:
        vendor.refused = {bearer(1)}
        assert [tuple(row) for row in client.query_and_wait("select 7 a")] == [(7,)]
    assert source.forced == 1
    assert vendor.tokens[:2] == [bearer(1), bearer(2)]


def test_bigquery_that_goes_on_refusing_gets_one_forced_refresh(vendor: Recorder) -> None:
    source = CountedTokens()
    with bigquery(vendor, source) as client:
        vendor.refused = {bearer(1), bearer(2), bearer(3)}
        with pytest.raises(Exception, match="401") as caught:
            client.get_table("d.t", retry=None)
    assert source.forced == 1
    assert source.generation == 2
    assert MARKER not in told(caught.value)


def test_bigquery_never_across_a_redirect(vendor: Recorder, other: Recorder) -> None:
    with bigquery(vendor, CountedTokens()) as client:
        vendor.answer = lambda seen: Reply("", 307, {"Location": f"{other.url}/steal"})
        other.answer = as_bigquery
        client.query_and_wait("select 7 a")
    assert set(vendor.tokens) == {bearer(1)}
    assert other.seen
    assert set(other.tokens) == {None}


def test_bigquery_never_to_a_host_that_is_none_of_the_connection(vendor: Recorder) -> None:
    package = pytest.importorskip(
        "google.cloud.bigquery", reason="`pip install google-cloud-bigquery`"
    )
    access = Connected(hosts=("*.googleapis.com",)).access("credential")
    credentials = connector("credential").open(access, library="google")
    options = {"api_endpoint": vendor.url}
    with (
        package.Client(project="p", credentials=credentials, client_options=options) as client,
        pytest.raises(NotAllowedError, match=r"http://127\.0\.0\.1") as caught,
    ):
        client.query_and_wait("select 7 a")
    assert vendor.seen == []
    assert MARKER not in told(caught.value)


def test_bigquery_shows_what_the_service_says(vendor: Recorder, later: Later) -> None:
    source = CountedTokens(life=MINUTE)
    with bigquery(vendor, source) as client:
        client.query_and_wait("select 7 a")
        source.failure = ReauthorizationRequiredError("The sign-in behind 'data' is over.")
        later(MINUTE)
        with pytest.raises(ReauthorizationRequiredError) as caught:
            client.query_and_wait("select 7 a")
    assert MARKER not in told(caught.value)


def by_sqlalchemy(
    vendor: Recorder, source: CountedTokens, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Any]:
    pytest.importorskip("sqlalchemy_bigquery", reason="`pip install sqlalchemy-bigquery`")
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", vendor.url)
    vendor.answer = as_bigquery
    access = Connected(source).access(
        "engine",
        url="bigquery://p?user_supplied_client=True",
        options={"client": "bigquery"},
        probe="select 7 a",
    )
    return connector("engine").open(access), access


# the wish for another package of Google's, which is not needed
@pytest.mark.filterwarnings("ignore:Cannot create BigQuery Storage client:UserWarning")
def test_bigquery_by_sqlalchemy(
    vendor: Recorder, monkeypatch: pytest.MonkeyPatch, later: Later
) -> None:
    engine, access = by_sqlalchemy(vendor, CountedTokens(life=MINUTE), monkeypatch)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select 7 a").fetchall() == [(7,)]
        assert set(vendor.tokens) == {bearer(1)}
        later(MINUTE)
        vendor.seen.clear()
        assert connection.exec_driver_sql("select 7 a").fetchall() == [(7,)]
        assert set(vendor.tokens) == {bearer(2)}
    assert connector("engine").check(engine, access) == "`select 7 a` answered 7."
    engine.dispose()


@pytest.mark.filterwarnings("ignore:Cannot create BigQuery Storage client:UserWarning")
def test_bigquery_by_sqlalchemy_after_a_401(
    vendor: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, access = by_sqlalchemy(vendor, CountedTokens(), monkeypatch)
    vendor.refused = {bearer(1)}
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select 7 a").fetchall() == [(7,)]
    assert access.source.forced == 1
    engine.dispose()


# --- Cloud Storage


def as_storage(seen: Seen) -> Reply:
    if seen.path.endswith("/x.csv"):
        return Reply(b"a,b\n1,2\n")
    item = {"name": "x.csv", "bucket": "sales", "size": "8", "id": "1", "generation": "1"}
    return Reply({"kind": "storage#objects", "items": [item]})


def storage(
    vendor: Recorder, source: CountedTokens, hosts: tuple[str, ...] | None = ("127.0.0.1",)
) -> Any:
    pytest.importorskip("gcsfs", reason="`pip install gcsfs`")
    vendor.answer = as_storage
    options = {"library": "gcsfs", "project": "p"}
    access = Connected(source, hosts).access("filesystem", options=options)
    return connector("filesystem").open(access, endpoint_url=vendor.url, use_listings_cache=False)


def test_gcsfs(vendor: Recorder, later: Later) -> None:
    files = storage(vendor, CountedTokens(life=MINUTE))
    assert files.ls("sales", detail=False) == ["sales/x.csv"]
    assert files.cat_file("sales/x.csv") == b"a,b\n1,2\n"
    assert set(vendor.tokens) == {bearer(1)}
    later(MINUTE)
    vendor.seen.clear()
    assert files.cat_file("sales/x.csv") == b"a,b\n1,2\n"
    assert set(vendor.tokens) == {bearer(2)}
    assert MARKER not in shown(files, files.credentials, files.credentials.credentials)


def test_gcsfs_after_a_401(vendor: Recorder) -> None:
    source = CountedTokens()
    files = storage(vendor, source)
    vendor.refused = {bearer(1)}
    for _ in range(2):
        assert files.cat_file("sales/x.csv") == b"a,b\n1,2\n"
    assert vendor.tokens == [bearer(1), bearer(2), bearer(2)]
    assert source.forced == 1


def test_gcsfs_that_goes_on_refusing_gets_one_forced_refresh(
    vendor: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = CountedTokens()
    files = storage(vendor, source)
    vendor.fail("refuses")
    # as Google says it; gcsfs takes that for an invitation to try some more
    said = {"error": {"code": 401, "message": "Invalid Credentials"}}
    vendor.refusal = replace(vendor.refusal, body=said)
    monkeypatch.setattr("gcsfs.retry.asyncio", SimpleNamespace(sleep=lambda _: asyncio.sleep(0)))
    with pytest.raises(Exception, match="401"):
        files.cat_file("sales/x.csv")
    assert vendor.tokens == [bearer(1), *[bearer(2)] * (len(vendor.tokens) - 1)]
    assert source.forced == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("hosts", [("127.0.0.1", "localhost"), ("127.0.0.1",), None])
def test_gcsfs_writes_where_the_server_says_without_a_token_for_others(
    vendor: Recorder, other: Recorder, hosts: tuple[str, ...] | None, host: str
) -> None:
    """A large file goes to an address that the server names when it has agreed."""
    files = storage(vendor, CountedTokens(), hosts)
    elsewhere = other.url.replace("127.0.0.1", host)
    vendor.answer = lambda seen: Reply({}, headers={"Location": f"{elsewhere}/upload?id=1"})
    # how gcsfs takes this answer is its own affair
    with suppress(Exception), files.open("sales/y.csv", "wb", block_size=2**18) as file:
        file.write(b"a" * 2**19)
    assert set(vendor.tokens) == {bearer(1)}
    assert other.seen
    assert set(other.tokens) == {None}


def test_gcsfs_pickled_holds_no_token(vendor: Recorder) -> None:
    files = storage(vendor, CountedTokens())
    files.ls("sales")
    pickled = pickle.dumps(files)
    assert MARKER.encode() not in pickled
    assert pickle.loads(pickled).cat_file("sales/x.csv") == b"a,b\n1,2\n"


def test_gcsfs_never_across_a_redirect(vendor: Recorder, other: Recorder) -> None:
    files = storage(vendor, CountedTokens())
    vendor.answer = lambda seen: Reply("", 307, {"Location": f"{other.url}/steal/x.csv"})
    other.answer = as_storage
    files.cat_file("sales/x.csv")
    assert set(vendor.tokens) == {bearer(1)}
    assert other.seen
    assert set(other.tokens) == {None}


def test_gcsfs_does_not_let_the_environment_say_where_the_token_goes(
    vendor: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gcsfs", reason="`pip install gcsfs`")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", vendor.url)
    access = Connected(hosts=("*.googleapis.com",)).access("filesystem")
    files = connector("filesystem").open(access, "gs://sales")
    assert files._location == "https://storage.googleapis.com"
    with pytest.raises(NotAllowedError):
        connector("filesystem").open(access, "gs://sales", endpoint_url=vendor.url)


# --- Sheets


class _Detour(HTTPAdapter):
    """Sends what is meant for Google to the recorder, which gspread cannot be told."""

    def __init__(self, url: str, adapter: Any) -> None:
        super().__init__()
        self._at = urlsplit(url)
        self._adapter = adapter
        self.meant_for: list[str] = []

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        parts = urlsplit(request.url)
        self.meant_for.append(parts.netloc)
        request.url = parts._replace(scheme=self._at.scheme, netloc=self._at.netloc).geturl()
        answer: requests.Response = self._adapter.send(request, *args, **options)
        return answer


def sheets(vendor: Recorder, source: CountedTokens) -> tuple[Any, Any, _Detour]:
    pytest.importorskip("gspread", reason="`pip install gspread`")
    sheet = {"properties": {"title": "Budget", "locale": "en", "timeZone": "UTC"}, "sheets": []}
    vendor.answer = lambda seen: Reply({"spreadsheetId": "k", **sheet})
    access = Connected(source, hosts=("*.googleapis.com",)).access(
        "client", options={"library": "gspread"}, probe="k"
    )
    client = connector("client").open(access)
    session = client.http_client.session
    detour = _Detour(vendor.url, session.get_adapter("https://"))
    session.mount("https://", detour)
    return client, access, detour


def test_gspread(vendor: Recorder, later: Later) -> None:
    client, access, detour = sheets(vendor, CountedTokens(life=MINUTE))
    assert client.open_by_key("k").title == "Budget"
    assert set(vendor.tokens) == {bearer(1)}
    assert set(detour.meant_for) == {"sheets.googleapis.com"}
    later(MINUTE)
    vendor.seen.clear()
    assert connector("client").check(client, access) == "Google Sheets opened 'Budget'."
    assert set(vendor.tokens) == {bearer(2)}
    assert MARKER not in shown(client, client.http_client, client.http_client.auth)
    assert MARKER not in json.dumps([one.headers for one in vendor.seen]).replace(bearer(2), "")


def test_gspread_after_a_401(vendor: Recorder) -> None:
    source = CountedTokens()
    client, _, _ = sheets(vendor, source)
    vendor.refused = {bearer(1)}
    assert client.open_by_key("k").title == "Budget"
    assert vendor.tokens == [bearer(1), bearer(2)]
    assert source.forced == 1
