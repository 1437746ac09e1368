"""adlfs. Azure's SDK does nothing about a refused token, so its transport does."""

from __future__ import annotations

from typing import Any

from adlfs import AzureBlobFileSystem
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobServiceClient

from jupyter_oauthconn.connectors.credentials.for_azure import AsyncTokenCredential
from jupyter_oauthconn.connectors.reach import Reach, TokenSource

from .over_http import BearerSession

#: What the SDK asks a token for, where the provider binds each to one resource.
SCOPE = "https://storage.azure.com/.default"


def filesystem(source: TokenSource, reach: Reach, **options: Any) -> Any:
    """An `AzureBlobFileSystem`."""
    return _AzureFiles(source=source, reach=reach, skip_instance_cache=True, **options)


class _AzureFiles(AzureBlobFileSystem):
    def __init__(self, *args: Any, source: TokenSource, reach: Reach, **options: Any) -> None:
        self._source, self._reach = source, reach
        super().__init__(*args, credential=AsyncTokenCredential(source), **options)

    def do_connect(self) -> None:
        """In place of adlfs's, which leaves no room for a transport, and prefers a connection
        string of the environment to the credential."""
        host = getattr(self, "account_host", None) or f"{self.account_name}.blob.core.windows.net"
        self.account_url = f"https://{host}"
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
        if not isinstance(self.session, BearerSession):
            self.session = BearerSession(self._source, self._reach, self.session, replaces=True)
