"""adlfs and Azure's SDK, the real packages, against a recorder with TLS."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
from counted import MARKER, Connected, CountedTokens, bearer
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
        # aiohttp makes its own when it is imported, and adlfs lets nobody give it another
        trusting = ssl.create_default_context(cafile=made.ca)
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
        made.answer = as_storage
        yield made


def files_of(vendor: Recorder, source: CountedTokens, **options: str) -> Any:
    pytest.importorskip("adlfs", reason="`pip install adlfs`")
    access = Connected(source).access(
        "filesystem", options={"library": "adlfs", "account_name": "acc", **options}
    )
    return connector("filesystem").open(access, account_host=f"127.0.0.1:{vendor.port}/acc")


def test_adlfs(vendor: Recorder) -> None:
    source = CountedTokens(life=0.6)
    files = files_of(vendor, source)
    assert files.ls("sales", detail=False) == ["sales/x.csv"]
    assert set(vendor.tokens) == {bearer(1)}
    time.sleep(0.6)
    vendor.seen.clear()
    files.invalidate_cache()
    assert files.ls("sales", detail=False) == ["sales/x.csv"]
    assert set(vendor.tokens) == {bearer(2)}
    assert {one.resource for one in source.asked} == {None}
    assert MARKER not in shown(files, files.credential)


def test_adlfs_asks_for_no_other_token_after_a_401(vendor: Recorder) -> None:
    """It has no place for it: the error is the answer."""
    source = CountedTokens()
    files = files_of(vendor, source)
    vendor.refused = {bearer(1)}
    with pytest.raises(Exception, match="refused") as caught:
        files.ls("sales")
    assert source.forced == 0
    # Azure's error brings its request along, headers included: only its words are safe
    assert MARKER not in f"{caught.value} {caught.value!r}"


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


def test_the_synchronous_sdk(vendor: Recorder) -> None:
    blob = pytest.importorskip("azure.storage.blob", reason="`pip install azure-storage-blob`")
    access = Connected(CountedTokens(life=0.6)).access("credential", options={"library": "azure"})
    credential = connector("credential").open(access)
    with blob.BlobServiceClient(
        f"{vendor.url}/acc", credential=credential, connection_verify=vendor.ca
    ) as client:
        assert [one.name for one in client.list_containers()] == ["sales"]
        assert set(vendor.tokens) == {bearer(1)}
        time.sleep(0.6)
        vendor.seen.clear()
        assert [one.name for one in client.list_containers()] == ["sales"]
        assert set(vendor.tokens) == {bearer(2)}
