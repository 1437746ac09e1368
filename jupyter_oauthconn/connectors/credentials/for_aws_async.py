"""An aiobotocore session for s3fs, with the credentials of the second hop."""

from __future__ import annotations

from typing import Any

from aiobotocore.credentials import AioCredentialResolver, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.credentials import CredentialProvider

from jupyter_oauthconn.connectors.exchange import CloudKey, SecondHop

from .for_aws import AHEAD_SECONDS, METHOD, as_botocore, masked, prepared


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


class _MaskedFailures:
    """As in `for_aws`."""

    async def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
        try:
            return await super()._make_api_call(operation_name, api_params)  # type: ignore[misc] # aiobotocore's
        except BaseException as error:  # noqa: BLE001 - an interrupt has botocore's frames, too
            failure = error
        raise masked(failure)


def session(keys: SecondHop[CloudKey], *, region: str | None = None) -> AioSession:
    """As `for_aws.session`, for asynchronous clients."""
    return prepared(AioSession(), AioCredentialResolver([_Provider(keys)]), _MaskedFailures, region)
