"""A botocore session whose credentials come from the second hop."""

from __future__ import annotations

from typing import Any

from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

from jupyter_oauthconn.connectors.exchange import CloudKey, SecondHop
from jupyter_oauthconn.connectors.reach import MaskedText

METHOD = "assume-role-with-web-identity"

#: botocore renews 15 minutes before the end.
AHEAD_SECONDS = 900.0


class _Provider(CredentialProvider):
    METHOD = METHOD
    CANONICAL_NAME = "custom-oauthconn"

    def __init__(self, keys: SecondHop[CloudKey]) -> None:
        super().__init__()
        self._keys = keys

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(
            lambda: as_botocore(self._keys.current(AHEAD_SECONDS)), method=METHOD
        )


def session(keys: SecondHop[CloudKey], *, region: str | None = None) -> Session:
    """A session with this one way to credentials: neither files nor environment are read for any.

    Args:
        region: AWS region; None: as botocore is configured.
    """
    made = Session()
    made.register_component("credential_provider", CredentialResolver([_Provider(keys)]))
    if region is not None:
        made.set_config_variable("region", region)
    return made


def as_botocore(key: CloudKey) -> dict[str, Any]:
    """What botocore's refreshing credentials want; their named tuple is shown masked."""
    return {
        "access_key": MaskedText(key.access_key),
        "secret_key": MaskedText(key.secret_key.reveal()),
        "token": MaskedText(key.session_token.reveal()),
        "expiry_time": key.expires_at.isoformat(),
    }
