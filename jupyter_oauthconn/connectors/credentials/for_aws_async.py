"""An aiobotocore session for s3fs, with the credentials of the second hop."""

from __future__ import annotations

from typing import Any

from aiobotocore.credentials import AioCredentialResolver, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.credentials import CredentialProvider

from jupyter_oauthconn.connectors.exchange import CloudKey, SecondHop

from .for_aws import AHEAD_SECONDS, METHOD, as_botocore, keep_quiet


class _Provider(CredentialProvider):
    METHOD = METHOD
    CANONICAL_NAME = "custom-oauthconn"

    def __init__(self, keys: SecondHop[CloudKey]) -> None:
        super().__init__()
        self._keys = keys

    async def load(self) -> AioDeferredRefreshableCredentials:
        return AioDeferredRefreshableCredentials(self._refresh, method=METHOD)

    async def _refresh(self) -> dict[str, Any]:
        return as_botocore(await self._keys.acurrent(AHEAD_SECONDS))


def session(keys: SecondHop[CloudKey], *, region: str | None = None) -> AioSession:
    """As `for_aws.session`, for asynchronous clients."""
    made = AioSession()
    made.register_component("credential_provider", AioCredentialResolver([_Provider(keys)]))
    keep_quiet(made)
    if region is not None:
        made.set_config_variable("region", region)
    return made
