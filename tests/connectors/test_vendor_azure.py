"""adlfs and Azure's SDK, the real packages, against a recorder with TLS."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from counted import MARKER, MINUTE, Connected, CountedTokens, bearer
from later import Later
from leaks import shown
from recorder import Recorder, Reply, Seen, recorder

from jupyter_oauthconn.connectors.connector import connector
from jupyter_oauthconn.errors import InvalidParameterError, NotAllowedError

BLOBS = """<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="sales">
<Delimiter>/</Delimiter><Blobs><Blob><Name>x.csv</Name><Properties>
<Content-Length>8</Content-Length><BlobType>BlockBlob</BlobType>
<Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified><Etag>0x1</Etag>
</Properties></Blob></Blobs><NextMarker/></EnumerationResults>"""
CONTAINERS = """<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Containers>
<Container><Name>sales</Name><Properties><Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT
</Last-Modified><Etag>0x1</Etag></Properties></Container></Containers><NextMarker/>
</EnumerationResults>"""
SCOPE = "https://storage.azure.com/.default"


def as_storage(seen: Seen) -> Reply:
    listing = CONTAINERS if seen.path.endswith("/acc/") or seen.path == "/acc" else BLOBS
    return Reply(listing, content_type="application/xml")


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    with recorder(tls=True) as made:
        made.trusted_alone(monkeypatch)
        made.answer = as_storage
        yield made


def files_of(vendor: Recorder, source: CountedTokens, **options: str) -> Any:
    pytest.importorskip("adlfs", reason="`pip install adlfs`")
    access = Connected(source).access(
        "filesystem", options={"library": "adlfs", "account_name": "acc", **options}
    )
    return connector("filesystem").open(access, account_host=f"127.0.0.1:{vendor.port}/acc")


def test_adlfs(vendor: Recorder, later: Later) -> None:
    source = CountedTokens(life=MINUTE)
    files = files_of(vendor, source)
    assert files.ls("sales", detail=False) == ["sales/x.csv"]
    assert set(vendor.tokens) == {bearer(1)}
    later(MINUTE)
    vendor.seen.clear()
    files.invalidate_cache()
    assert files.ls("sales", detail=False) == ["sales/x.csv"]
    assert set(vendor.tokens) == {bearer(2)}
    assert {one.resource for one in source.asked} == {None}
    assert MARKER not in shown(files, files.credential)


def test_adlfs_after_a_401(vendor: Recorder) -> None:
    source = CountedTokens()
    files = files_of(vendor, source)
    vendor.refused = {bearer(1)}
    for _ in range(2):
        files.invalidate_cache()
        assert files.ls("sales", detail=False) == ["sales/x.csv"]
    # the SDK has kept the first one: what it says does not count
    assert vendor.tokens == [bearer(1), bearer(2), bearer(2)]
    assert source.forced == 1


def test_adlfs_that_goes_on_refusing_gets_one_forced_refresh(vendor: Recorder) -> None:
    source = CountedTokens()
    files = files_of(vendor, source)
    vendor.fail("refuses")
    # as Azure says it; the SDK takes that for an invitation to try once more
    challenge = "Bearer authorization_uri=https://login.example/t resource_id=https://s.example"
    vendor.refusal = replace(vendor.refusal, headers={"WWW-Authenticate": challenge})
    for _ in range(2):
        with pytest.raises(Exception, match="refused"):
            files.ls("sales")
    assert vendor.tokens == [bearer(1), bearer(2), bearer(2), bearer(2), bearer(2)]
    assert source.forced == 1
    # accepted for once, it may be renewed again
    vendor.fail("")
    files.ls("sales")
    vendor.refused = {bearer(2)}
    files.invalidate_cache()
    assert files.ls("sales", detail=False) == ["sales/x.csv"]
    assert source.forced == 2


def whole(files: Any) -> None:
    files.pipe_file("sales/y.csv", b"a,b")


def by_an_open_file(files: Any) -> None:
    with files.open("sales/y.csv", "wb") as file:
        file.write(b"a,b")


@pytest.mark.parametrize("write", [whole, by_an_open_file])
def test_adlfs_writes_with_a_renewed_token(vendor: Recorder, write: Callable[[Any], None]) -> None:
    source = CountedTokens()
    files = files_of(vendor, source)
    vendor.answer = lambda seen: Reply("", 201)
    vendor.refused = {bearer(1)}
    write(files)
    assert b"a,b" in [one.body for one in vendor.seen if one.authorization == bearer(2)]
    assert source.forced == 1


def test_adlfs_takes_no_other_credential_from_the_environment(
    vendor: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        "DefaultEndpointsProtocol=https;AccountName=other;AccountKey=b3RoZXI=",
    )
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "b3RoZXI=")
    assert files_of(vendor, CountedTokens()).ls("sales", detail=False) == ["sales/x.csv"]
    assert set(vendor.tokens) == {bearer(1)}


def test_adlfs_pickled_holds_no_token(vendor: Recorder) -> None:
    files = files_of(vendor, CountedTokens())
    files.ls("sales")
    pickled = pickle.dumps(files)
    assert MARKER.encode() not in pickled
    assert pickle.loads(pickled).ls("sales", detail=False) == ["sales/x.csv"]


def test_adlfs_where_tokens_are_bound_to_a_resource(vendor: Recorder) -> None:
    source = CountedTokens()
    files_of(vendor, source, resource_bound="yes").ls("sales")
    assert {one.resource for one in source.asked} == {SCOPE}


def test_adlfs_only_to_the_connection_s_host(vendor: Recorder) -> None:
    pytest.importorskip("adlfs", reason="`pip install adlfs`")
    access = Connected(hosts=("*.blob.core.windows.net",)).access("filesystem")
    with pytest.raises(NotAllowedError):
        connector("filesystem").open(access, "abfs://sales", account_host="127.0.0.1")
    files = connector("filesystem").open(access, "abfs://sales", account_name="acc")
    assert files.account_url == "https://acc.blob.core.windows.net"
    files = connector("filesystem").open(access, "abfs://sales@acc.dfs.core.windows.net/x")
    assert files.account_url == "https://acc.blob.core.windows.net"
    with pytest.raises(InvalidParameterError, match="storage account of 'data'"):
        connector("filesystem").open(access, "abfs://sales")


def test_adlfs_never_across_a_redirect(vendor: Recorder) -> None:
    with recorder(tls=True) as other:
        other.answer = as_storage
        files = files_of(vendor, CountedTokens())
        vendor.answer = lambda seen: Reply("", 307, {"Location": f"{other.url}/steal"})
        files.ls("sales")
        assert set(vendor.tokens) == {bearer(1)}
        assert other.seen
        assert set(other.tokens) == {None}


def test_the_synchronous_sdk(vendor: Recorder, later: Later) -> None:
    blob = pytest.importorskip("azure.storage.blob", reason="`pip install azure-storage-blob`")
    access = Connected(CountedTokens(life=MINUTE)).access(
        "credential", options={"library": "azure"}
    )
    credential = connector("credential").open(access)
    with blob.BlobServiceClient(
        f"{vendor.url}/acc", credential=credential, connection_verify=vendor.ca
    ) as client:
        assert [one.name for one in client.list_containers()] == ["sales"]
        assert set(vendor.tokens) == {bearer(1)}
        later(MINUTE)
        vendor.seen.clear()
        assert [one.name for one in client.list_containers()] == ["sales"]
        assert set(vendor.tokens) == {bearer(2)}


def test_the_synchronous_sdk_after_a_401(vendor: Recorder) -> None:
    """It does not say which token was refused."""
    blob = pytest.importorskip("azure.storage.blob", reason="`pip install azure-storage-blob`")
    source = CountedTokens()
    access = Connected(source).access("credential", options={"library": "azure"})
    credential = connector("credential").open(access)
    vendor.refused = {bearer(1)}
    with (
        blob.BlobServiceClient(
            f"{vendor.url}/acc", credential=credential, connection_verify=vendor.ca
        ) as client,
        pytest.raises(Exception, match="refused") as caught,
    ):
        list(client.list_containers())
    assert source.forced == 0
    # it brings its request along, headers included: only its words are safe
    assert MARKER not in f"{caught.value} {caught.value!r}"
