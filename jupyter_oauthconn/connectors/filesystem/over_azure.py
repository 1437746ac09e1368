"""adlfs. Azure's SDK asks for no newer token when one is refused, so its transport does."""

from __future__ import annotations

from typing import Any

from adlfs import AzureBlobFileSystem
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobServiceClient

from jupyter_oauthconn.connectors.credentials.for_azure import AsyncTokenCredential
from jupyter_oauthconn.connectors.reach import Reach, TokenSource

from .bearer_session import BearerSession

#: What the SDK asks a token for, where the provider binds each to one resource.
SCOPE = "https://storage.azure.com/.default"


def filesystem(source: TokenSource, reach: Reach, host: str, **options: Any) -> AzureBlobFileSystem:
    """The files of an account.

    Args:
        host: of the account's blobs; `reach` covers it.
        options: those of adlfs, `account_name` among them.
    """
    return _AzureFiles(
        source=source, reach=reach, account_host=host, skip_instance_cache=True, **options
    )


class _AzureFiles(AzureBlobFileSystem):
    def __init__(self, *args: Any, source: TokenSource, reach: Reach, **options: Any) -> None:
        self._source, self._reach = source, reach
        # it makes the SDK set a header, in which the transport swaps the token
        super().__init__(*args, credential=AsyncTokenCredential(source), **options)

    def do_connect(self) -> None:
        """In place of adlfs's, which leaves no room for a transport, and prefers a connection
        string of the environment to the credential."""
        self.account_url = f"https://{self.account_host}"
        self.service_client = BlobServiceClient(
            self.account_url,
            credential=self.credential,
            transport=_BearerTransport(self._source, self._reach),
            _location_mode=self.location_mode,
        )


class _BearerTransport(AioHttpTransport):
    session: Any

    def __init__(self, source: TokenSource, reach: Reach) -> None:
        super().__init__()
        self._source, self._reach = source, reach

    async def open(self) -> None:
        await super().open()
        # the SDK opens it before each request
        if not isinstance(self.session, BearerSession):
            self.session = BearerSession(self._source, self._reach, self.session, swaps=True)
