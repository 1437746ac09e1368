"""Filesystems of fsspec over HTTP, WebDAV and S3, with the real libraries against a recorder."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from counted import MARKER, MINUTE, Connected, CountedTokens, bearer, value
from later import Later
from leaks import shown, told
from recorder import Recorder, Reply, Seen, recorder
from test_exchange import ROLE, SECOND, assumed

from jupyter_oauthconn.catalog import Exchange, ExchangeKind
from jupyter_oauthconn.connectors.filesystem import CONNECTOR
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
    ReauthorizationRequiredError,
)

CSV = READ = b"a,b\n1,2\n"
LISTING = """<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">
<d:response><d:href>/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>
</d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
<d:response><d:href>/x.csv</d:href><d:propstat><d:prop><d:resourcetype/>
<d:getcontentlength>8</d:getcontentlength></d:prop><d:status>HTTP/1.1 200 OK</d:status>
</d:propstat></d:response></d:multistatus>"""


def answer(seen: Seen) -> Reply:
    if seen.method == "PROPFIND":
        return Reply(LISTING, 207, content_type="application/xml")
    return Reply(CSV)


@pytest.fixture
def vendor() -> Iterator[Recorder]:
    with recorder() as made:
        made.answer = answer
        yield made


@pytest.fixture
def other() -> Iterator[Recorder]:
    with recorder() as made:
        made.answer = answer
        yield made


def http(vendor: Recorder, source: CountedTokens) -> Any:
    return CONNECTOR.open(Connected(source).access("filesystem"), vendor.url)


def webdav(vendor: Recorder, source: CountedTokens) -> Any:
    access = Connected(source).access("filesystem", url=vendor.url, options={"library": "webdav4"})
    return CONNECTOR.open(access, follow_redirects=True)


def read(files: Any, vendor: Recorder) -> object:
    """Makes one request or more; `READ` is what comes."""
    if "webdav" in files.protocol:
        return READ if files.ls("/", detail=False) == ["x.csv"] else None
    return files.cat_file(f"{vendor.url}/")


Open = Callable[[Recorder, CountedTokens], Any]


@pytest.fixture(params=[http, webdav])
def opened(request: pytest.FixtureRequest) -> Open:
    made: Open = request.param
    return made


def test_header_on_each_request_and_after_expiry_the_new_one(
    vendor: Recorder, opened: Open, later: Later
) -> None:
    files = opened(vendor, CountedTokens(life=MINUTE))
    assert read(files, vendor) == READ
    assert set(vendor.tokens) == {bearer(1)}
    later(MINUTE)
    vendor.seen.clear()
    assert read(files, vendor) == READ
    assert set(vendor.tokens) == {bearer(2)}


def test_one_retry_with_a_newer_token(vendor: Recorder, opened: Open) -> None:
    source = CountedTokens()
    vendor.refused = {bearer(1)}
    assert read(opened(vendor, source), vendor) == READ
    assert vendor.tokens.count(bearer(1)) == 1
    assert source.forced == 1


def test_never_a_second_retry(vendor: Recorder, opened: Open) -> None:
    source = CountedTokens()
    vendor.refused = {bearer(1), bearer(2)}
    files = opened(vendor, source)
    with pytest.raises(Exception, match="401") as caught:
        read(files, vendor)
    assert vendor.tokens == [bearer(1), bearer(2)]
    assert MARKER not in told(caught.value)


def test_no_retry_when_there_is_no_newer_token(vendor: Recorder, opened: Open) -> None:
    source = CountedTokens()
    source.renewable = False
    vendor.refused = {bearer(1)}
    files = opened(vendor, source)
    with pytest.raises(Exception, match="401"):
        read(files, vendor)
    assert vendor.tokens == [bearer(1)]


def test_never_across_a_redirect(vendor: Recorder, other: Recorder, opened: Open) -> None:
    """Nor with the retry that the other host's 401 could set off."""
    source = CountedTokens()

    def away(seen: Seen) -> Reply:
        return Reply("", 307, {"Location": f"{other.url}/steal.csv"})

    vendor.answer = away
    other.answer = lambda seen: Reply("", 401)
    files = opened(vendor, source)
    with pytest.raises(Exception, match="401"):
        read(files, vendor)
    assert set(vendor.tokens) == {bearer(1)}
    assert other.seen
    assert set(other.tokens) == {None}
    assert source.forced == 0


def test_a_redirect_on_the_same_host_keeps_it(vendor: Recorder, opened: Open) -> None:
    def there(seen: Seen) -> Reply:
        return answer(seen) if seen.path == "/new" else Reply("", 307, {"Location": "/new"})

    vendor.answer = there
    assert read(opened(vendor, CountedTokens()), vendor) == READ
    assert set(vendor.tokens) == {bearer(1)}


def test_only_to_hosts_of_the_connection(vendor: Recorder) -> None:
    connected = Connected(hosts=("data.example",))
    for address in (vendor.url, "http://data.example/", f"webdav{vendor.url[4:]}"):
        with pytest.raises(NotAllowedError, match="is not sent to"):
            CONNECTOR.open(connected.access("filesystem"), address)
    files = CONNECTOR.open(connected.access("filesystem"), "https://data.example/")
    assert files.cat_file(f"{vendor.url}/x.csv") == CSV
    assert vendor.tokens == [None]


def test_where_any_host_would_do_the_named_one_is_enough(vendor: Recorder, other: Recorder) -> None:
    connected = Connected(hosts=None)
    here = vendor.url.replace("127.0.0.1", "localhost")
    files = CONNECTOR.open(connected.access("filesystem"), here)
    files.cat_file(f"{here}/x.csv")
    files.cat_file(f"{other.url}/x.csv")
    assert vendor.tokens == [bearer(1)]
    assert other.tokens == [None]


def test_a_header_of_the_caller_does_not_win(vendor: Recorder, other: Recorder) -> None:
    files = http(vendor, CountedTokens())
    own = {"headers": {"authorization": "Bearer mine", "X-A": "1"}}
    files.cat_file(f"{vendor.url}/x.csv", **own)
    assert vendor.tokens == [bearer(1)]
    assert vendor.seen[0].headers["X-A"] == "1"


def test_http_as_libraries_use_it(vendor: Recorder, tmp_path: Any) -> None:
    files = http(vendor, CountedTokens())
    url = f"{vendor.url}/x.csv"
    assert files.info(url)["size"] == len(CSV)
    assert files.exists(url)
    with files.open(url) as file:
        assert file.read(3) == CSV[:3]
    with files.open(url, block_size=0) as file:
        assert file.read() == CSV
    files.get(url, str(tmp_path / "x.csv"))
    files.put(str(tmp_path / "x.csv"), url)
    vendor.answer = lambda seen: Reply('<a href="y.csv">y</a>', content_type="text/html")
    assert files.ls(f"{vendor.url}/", detail=False) == [f"{vendor.url}/y.csv"]
    vendor.answer = lambda seen: Reply("", 404)
    with pytest.raises(FileNotFoundError):
        files.cat_file(url)
    assert set(vendor.tokens) == {bearer(1)}
    assert {one.method for one in vendor.seen} == {"GET", "HEAD", "POST"}


def test_webdav_as_libraries_use_it(vendor: Recorder) -> None:
    files = webdav(vendor, CountedTokens())
    assert files.ls("/", detail=False) == ["x.csv"]
    assert set(vendor.tokens) == {bearer(1)}


def test_pandas_reads_through_it(vendor: Recorder) -> None:
    pandas = pytest.importorskip("pandas", reason="`pip install pandas`")
    files = http(vendor, CountedTokens())
    with files.open(f"{vendor.url}/x.csv") as file:
        assert pandas.read_csv(file).to_dict("list") == {"a": [1], "b": [2]}


def test_nothing_shows_the_token(vendor: Recorder, opened: Open) -> None:
    files = opened(vendor, CountedTokens())
    read(files, vendor)
    assert MARKER not in shown(files, *vars(files).values())


def test_an_error_shows_no_token(vendor: Recorder, opened: Open) -> None:
    files = opened(vendor, CountedTokens())
    vendor.answer = lambda seen: Reply("", 500)
    with pytest.raises(Exception, match="500") as caught:
        read(files, vendor)
    assert MARKER not in told(caught.value)


def test_a_server_that_is_away_shows_no_token(opened: Open) -> None:
    with recorder() as gone:
        files = opened(gone, CountedTokens())
    with pytest.raises(Exception, match=r"[Cc]onnect|refused|failed") as caught:
        read(files, gone)
    assert MARKER not in told(caught.value)


def test_an_error_of_the_service_comes_through(vendor: Recorder, opened: Open) -> None:
    source = CountedTokens()
    files = opened(vendor, source)
    read(files, vendor)
    source.failure = ReauthorizationRequiredError("The sign-in behind 'data' is over.")
    with pytest.raises(ReauthorizationRequiredError) as caught:
        read(files, vendor)
    assert MARKER not in told(caught.value)


def test_two_connections_do_not_share_a_filesystem(vendor: Recorder) -> None:
    first, second = http(vendor, CountedTokens()), http(vendor, CountedTokens())
    assert first is not second


def test_nobody_knows_where() -> None:
    with pytest.raises(InvalidParameterError, match="where the files of 'data' are"):
        CONNECTOR.open(Connected().access("filesystem"))
    with pytest.raises(InvalidParameterError, match="where the files"):
        CONNECTOR.open(Connected().access("filesystem"), "ftp://127.0.0.1/")


def test_another_credential_is_refused(vendor: Recorder) -> None:
    with pytest.raises(InvalidParameterError, match="brings its own credential") as caught:
        CONNECTOR.open(Connected().access("filesystem"), vendor.url, token="x", auth="y")
    assert "auth, token" in caught.value.hint


def test_check(vendor: Recorder) -> None:
    access = Connected().access(
        "filesystem", url=vendor.url, options={"library": "webdav4"}, probe="/"
    )
    assert CONNECTOR.check(CONNECTOR.open(access), access) == "/ has 1 entry."
    vendor.answer = lambda seen: Reply('<a href="y.csv">y</a>', content_type="text/html")
    access = Connected().access("filesystem", url=f"{vendor.url}/")
    assert CONNECTOR.check(CONNECTOR.open(access), access) == f"{vendor.url}/ has 1 entry."


# --- S3


BUCKETS = """<?xml version="1.0"?><ListAllMyBucketsResult><Buckets><Bucket><Name>sales</Name>
<CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>"""


def on_s3(sts: Recorder, store: Recorder, **changes: Any) -> Any:
    exchange = Exchange(
        kind=ExchangeKind.STS_WEB_IDENTITY,
        endpoint=sts.url,
        parameters={"role_arn": ROLE},
        lifetime=timedelta(hours=1),
    )
    access = Connected().access(
        "filesystem",
        exchange=exchange,
        options={"library": "s3fs", "region": "eu-central-1", "endpoint_url": store.url},
        **changes,
    )
    return CONNECTOR.open(access), access


def test_s3_gets_keys_and_never_the_token(
    vendor: Recorder, other: Recorder, request: pytest.FixtureRequest
) -> None:
    other.answer = assumed()
    vendor.answer = lambda seen: Reply(BUCKETS, content_type="application/xml")
    files, access = on_s3(other, vendor)
    assert other.seen == []
    request.addfinalizer(lambda: files.close_session(files.loop, files.s3))
    assert files.ls("") == ["sales"]
    assert CONNECTOR.check(files, access) == "/ has 1 entry."
    assert len(other.seen) == 1
    assert value(1).encode() in other.seen[0].body
    for seen in vendor.seen:
        assert "/eu-central-1/s3/aws4_request" in (seen.authorization or "")
        assert seen.headers["X-Amz-Security-Token"] == f"{SECOND}=="
        assert MARKER not in str(seen)
    assert MARKER not in shown(files, files.session)
    assert SECOND not in shown(files, files.session)


def test_s3_says_what_sts_said(vendor: Recorder, other: Recorder) -> None:
    other.answer = lambda seen: Reply(
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not you.</Message></Error>"
        "</ErrorResponse>",
        403,
    )
    files, _ = on_s3(other, vendor)
    with pytest.raises(Exception, match=r"AccessDenied: Not you\.") as caught:
        files.ls("")
    assert MARKER not in told(caught.value)
    assert vendor.seen == []


def test_s3_needs_an_exchange() -> None:
    with pytest.raises(ConfigurationError, match="where its token is exchanged"):
        CONNECTOR.open(Connected().access("filesystem"), "s3://sales")


def test_pickles_hold_no_token(vendor: Recorder) -> None:
    files = http(vendor, CountedTokens())
    read(files, vendor)
    with pytest.raises((TypeError, AttributeError)):
        pickle.dumps(files)
