"""A call that fails shows no token: not in its error, in no frame that it leaves behind, and in no
pickle of it, with every library that a token is given to."""

from __future__ import annotations

import asyncio
import errno
import pickle
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import test_vendor_azure as azure
import test_vendor_clients as clients
import test_vendor_databricks as databricks
import test_vendor_google as google
import test_vendor_trino as trino
from counted import MARKER, Connected, CountedTokens
from leaks import shown, told
from recorder import CONNECTION_FAILURES, FAILURES, Recorder, Reply, recorder
from test_exchange import ROLE, SECOND, assumed

from jupyter_oauthconn.catalog import Exchange, ExchangeKind, Placement, TokenPlacement
from jupyter_oauthconn.connectors.connector import connector

#: What opened it, and what a call of it does.
Opened = tuple[Any, Callable[[], object]]
Way = Callable[[Recorder], Opened]


def opened(
    kind: str, vendor: Recorder, *, options: dict[str, str] | None = None, **more: Any
) -> Any:
    vendor.answer = lambda seen: Reply("a,b\n1,2\n")
    access = Connected().access(kind, url=vendor.url, options=options or {})
    return connector(kind).open(access, **more)


def credential(library: str) -> Any:
    access = Connected().access("credential", options={"library": library})
    return connector("credential").open(access)


# --- HTTP


def httpx(vendor: Recorder) -> Opened:
    client = opened("httpx", vendor, trust_env=False)

    def read() -> None:
        with client:
            client.get("x").raise_for_status()

    return client, read


def async_httpx(vendor: Recorder) -> Opened:
    client = opened("httpx", vendor, trust_env=False, asynchronous=True)

    async def read() -> None:
        async with client:
            (await client.get("x")).raise_for_status()

    return client, lambda: asyncio.run(read())


def session(vendor: Recorder) -> Opened:
    made = opened("session", vendor)
    return made, lambda: made.get(vendor.url).raise_for_status()


def http_files(vendor: Recorder) -> Opened:
    files = opened("filesystem", vendor)
    return files, lambda: files.cat_file(f"{vendor.url}/x.csv")


def webdav(vendor: Recorder) -> Opened:
    files = opened("filesystem", vendor, options={"library": "webdav4"})
    return files, lambda: files.cat_file("x.csv")


def duckdb(vendor: Recorder) -> Opened:
    connection = opened("duckdb", vendor)
    return connection, lambda: connection.execute(f"from read_csv('{vendor.url}/x.csv')")


# --- clouds


def adlfs(vendor: Recorder) -> Opened:
    vendor.answer = azure.as_storage
    files = azure.files_of(vendor, CountedTokens())
    files.service_client._config.retry_policy.total_retries = 0
    return files, lambda: files.ls("sales")


def azure_sdk(vendor: Recorder) -> Opened:
    blob = pytest.importorskip("azure.storage.blob", reason="`pip install azure-storage-blob`")
    vendor.answer = azure.as_storage
    client = blob.BlobServiceClient(
        f"{vendor.url}/acc",
        credential=credential("azure"),
        connection_verify=vendor.ca,
        retry_total=0,
    )
    return client, lambda: list(client.list_containers())


def async_azure_sdk(vendor: Recorder) -> Opened:
    blob = pytest.importorskip("azure.storage.blob.aio", reason="`pip install azure-storage-blob`")
    vendor.answer = azure.as_storage
    given = credential("azure-async")

    async def read() -> None:
        async with blob.BlobServiceClient(
            f"{vendor.url}/acc", credential=given, retry_total=0
        ) as client:
            async for _ in client.list_containers():
                pass

    return given, lambda: asyncio.run(read())


def gcsfs(vendor: Recorder) -> Opened:
    files = google.storage(vendor, CountedTokens())

    def read() -> None:
        # it waits for half a minute between its attempts
        at_once = SimpleNamespace(sleep=lambda _: asyncio.sleep(0))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("gcsfs.retry.asyncio", at_once)
            files.cat_file("sales/x.csv")

    return files, read


def bigquery(vendor: Recorder) -> Opened:
    client = google.bigquery(vendor, CountedTokens())
    return client, lambda: client.get_table("d.t", retry=None)


def gspread(vendor: Recorder) -> Opened:
    client, _, _ = google.sheets(vendor, CountedTokens())
    return client, client.list_spreadsheet_files


def _assuming(sts: Recorder, kind: str, library: str) -> Any:
    sts.answer = assumed()
    exchange = Exchange(
        kind=ExchangeKind.STS_WEB_IDENTITY, endpoint=sts.url, parameters={"role_arn": ROLE}
    )
    options = {"library": library, "region": "eu-central-1"}
    return Connected().access(kind, options=options, exchange=exchange)


def s3fs(vendor: Recorder, sts: Recorder) -> Opened:
    pytest.importorskip("s3fs", reason="`pip install s3fs`")
    access = _assuming(sts, "filesystem", "s3fs")
    files = connector("filesystem").open(
        access,
        endpoint_url=vendor.url,
        config_kwargs={"retries": {"total_max_attempts": 1}},
    )
    files.retries = 1
    return files, lambda: files.cat_file("sales/x")


def boto3(vendor: Recorder, sts: Recorder) -> Opened:
    pytest.importorskip("boto3", reason="`pip install boto3`")
    from botocore.config import Config

    made = connector("credential").open(
        _assuming(sts, "credential", "boto3"), region="eu-central-1"
    )
    once = Config(retries={"total_max_attempts": 1})
    client = made.client("s3", endpoint_url=vendor.url, config=once)

    def read() -> None:
        client.get_object(Bucket="sales", Key="x")["Body"].read()

    return made, read


# --- vendors' clients


def salesforce(vendor: Recorder) -> Opened:
    pytest.importorskip("simple_salesforce", reason="`pip install simple-salesforce`")
    vendor.answer = lambda seen: Reply({"DailyApiRequests": {"Max": 1}})
    client = clients.CLIENT.open(clients.on_salesforce(vendor, 3600), verify=vendor.ca)
    return client, client.limits


def github(vendor: Recorder) -> Opened:
    client, _ = clients.on_github(vendor, CountedTokens(), verify=vendor.ca)
    return client, lambda: client.get_user().login


def slack(vendor: Recorder) -> Opened:
    client, _ = clients.on_slack(vendor, CountedTokens())
    return client, client.auth_test


# --- SQL where each statement brings the token


def by_trino(vendor: Recorder) -> Opened:
    pytest.importorskip("trino.sqlalchemy", reason='`pip install "trino[sqlalchemy]"`')
    vendor.answer = trino.as_trino(vendor)
    engine = trino.opened(vendor, CountedTokens())
    return engine, lambda: engine.connect().exec_driver_sql("select 1").fetchall()


def trino_dbapi(vendor: Recorder) -> Opened:
    pytest.importorskip("trino.sqlalchemy", reason='`pip install "trino[sqlalchemy]"`')
    vendor.answer = trino.as_trino(vendor)
    connection = trino.opened(vendor, CountedTokens(), kind="dbapi")

    def read() -> None:
        cursor = connection.cursor()
        cursor.execute("select 1")
        cursor.fetchall()

    return connection, read


def _of_databricks(kind: str, vendor: Recorder) -> Any:
    pytest.importorskip("databricks.sql", reason="`pip install databricks-sql-connector`")
    vendor.answer = databricks.as_warehouse
    access = Connected().access(
        kind,
        url=f"databricks://127.0.0.1:{vendor.port}?http_path={databricks.WAREHOUSE}",
        connect_args={"_port": vendor.port, **databricks.arguments(vendor)},
        token=TokenPlacement(placement=Placement.HEADER_FACTORY, name="credentials_provider"),
    )
    return connector(kind).open(access)


def databricks_dbapi(vendor: Recorder) -> Opened:
    connection = _of_databricks("dbapi", vendor)
    return connection, lambda: connection.cursor().execute("select 1")


def databricks_engine(vendor: Recorder) -> Opened:
    engine = _of_databricks("engine", vendor)
    # the pool now has a connection: it is the statement that fails, not the connect
    engine.raw_connection().close()
    return engine, lambda: engine.connect().exec_driver_sql("select 1")


OVER_HTTP = (httpx, async_httpx, session, http_files, webdav, duckdb, slack, gcsfs, github)
OVER_TLS = (
    *(adlfs, async_azure_sdk, bigquery, gspread, salesforce, github),
    *(by_trino, trino_dbapi, databricks_dbapi, databricks_engine),
)
every_failure = pytest.mark.parametrize("failure", FAILURES)


@pytest.fixture
def over_tls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    with recorder(tls=True) as made:
        made.trusted_alone(monkeypatch)
        # Google's clients cannot be told in another way
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", made.ca)
        yield made


@pytest.fixture
def over_http() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


def failing(call: Callable[[], object]) -> str:
    """What the error of the call tells."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever the library raises is looked at
        return told(error)
    pytest.fail("The call went well.")


@every_failure
@pytest.mark.parametrize("way", OVER_HTTP)
def test_over_http(over_http: Recorder, way: Way, failure: str) -> None:
    looked_at(over_http, way, failure)


@every_failure
@pytest.mark.parametrize("way", OVER_TLS)
def test_over_tls(over_tls: Recorder, way: Way, failure: str) -> None:
    looked_at(over_tls, way, failure)


@pytest.mark.parametrize("failure", CONNECTION_FAILURES)
def test_azure_s_synchronous_sdk(over_tls: Recorder, failure: str) -> None:
    """The error of an answer brings its request along, and pickles it, too: it is the SDK that
    puts the header together."""
    looked_at(over_tls, azure_sdk, failure)


def looked_at(vendor: Recorder, way: Way, failure: str) -> None:
    handle, call = way(vendor)
    vendor.seen.clear()
    vendor.fail(failure)
    assert MARKER not in failing(call)
    assert MARKER not in shown(handle)
    if failure != "away":
        assert all(MARKER in (one or "") for one in vendor.tokens)
        assert vendor.tokens


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets each connection of this thread break while it is written to, from now on."""
    thread = threading.current_thread()

    def start() -> None:
        for kind in (socket.socket, ssl.SSLSocket):
            for name in ("send", "sendall"):
                monkeypatch.setattr(kind, name, broken_for(thread, getattr(kind, name)))

    return start


def broken_for(thread: threading.Thread, send: Callable[..., Any]) -> Callable[..., Any]:
    def broken(self: socket.socket, *data: Any) -> Any:
        if threading.current_thread() is thread:
            raise OSError(errno.EHOSTUNREACH, "No route to host")
        return send(self, *data)

    return broken


@pytest.mark.parametrize("way", [session, slack, github])
def test_while_it_is_written_to(
    over_http: Recorder, way: Way, breaking: Callable[[], None]
) -> None:
    """The frames of the libraries hold the bytes. httpx goes on to read, and aiohttp does not write
    in a frame."""
    _, call = way(over_http)
    breaking()
    assert MARKER not in failing(call)


WRITING_OVER_TLS = (
    gspread,
    salesforce,
    github,
    by_trino,
    trino_dbapi,
    databricks_dbapi,
    databricks_engine,
)


@pytest.mark.parametrize("way", WRITING_OVER_TLS)
def test_while_it_is_written_to_over_tls(
    over_tls: Recorder, way: Way, breaking: Callable[[], None]
) -> None:
    _, call = way(over_tls)
    breaking()
    assert MARKER not in failing(call)


@every_failure
@pytest.mark.parametrize("way", [s3fs, boto3])
def test_keys_of_a_cloud(
    over_http: Recorder, way: Callable[[Recorder, Recorder], Opened], failure: str
) -> None:
    with recorder() as sts:
        handle, call = way(over_http, sts)
        over_http.fail(failure)
        text = failing(call) + shown(handle)
    assert sts.seen
    assert over_http.seen or failure == "away"
    assert MARKER not in text
    assert SECOND not in text


def test_what_the_caller_was_handling_is_the_caller_s(over_tls: Recorder) -> None:
    """Its locals stay, for `%debug`."""
    _, call = databricks_dbapi(over_tls)
    over_tls.fail("silent")

    def calculate() -> None:
        important = 7
        raise ValueError(important)

    def handle() -> None:
        try:
            calculate()
        except ValueError:
            call()

    text = failing(handle)
    assert "important = 7" in text
    assert MARKER not in text


def test_an_error_of_ours_shows_what_the_caller_was_handling(over_http: Recorder) -> None:
    _, call = session(over_http)
    over_http.fail("away")

    def handle() -> None:
        try:
            raise ValueError
        except ValueError:
            call()

    with pytest.raises(requests.ConnectionError) as caught:
        handle()
    assert isinstance(caught.value.__context__, ValueError)
    assert not caught.value.__suppress_context__


@pytest.mark.parametrize("failure", ["away", "refuses", "broken"])
def test_an_error_of_requests_reaches_another_process(over_http: Recorder, failure: str) -> None:
    """It brings the request along, with its hook."""
    _, call = session(over_http)
    over_http.fail(failure)
    with pytest.raises(requests.RequestException) as caught:
        call()
    pickled = pickle.dumps(caught.value)
    assert MARKER.encode() not in pickled
    arrived = pickle.loads(pickled)
    assert type(arrived) is type(caught.value)
    assert arrived.request.headers["Authorization"] == "********"
