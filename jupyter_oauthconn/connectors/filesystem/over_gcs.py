"""gcsfs. It asks for no newer token when one is refused, so its session does."""

from __future__ import annotations

from typing import Any

import gcsfs
import gcsfs.core

from jupyter_oauthconn.connectors.credentials.for_google import OAuthConnCredentials
from jupyter_oauthconn.connectors.reach import Reach, TokenSource

from .bearer_session import BearerSession

GOOGLE = "https://storage.googleapis.com"


def filesystem(
    source: TokenSource, reach: Reach, endpoint: str, **options: Any
) -> gcsfs.core.GCSFileSystem:
    """The buckets at an address.

    Args:
        endpoint: Google's or another server's; `reach` covers it.
        options: those of gcsfs.
    """
    make = _AtGoogle if endpoint == GOOGLE else _AtAnEndpoint
    return make(
        source=source,
        reach=reach,
        # also Google's own, so that STORAGE_EMULATOR_HOST does not decide where the token goes
        endpoint_url=endpoint,
        skip_instance_cache=True,
        **options,
    )


class _WithBearerSession:
    """Before a class of gcsfs: its session swaps the token in the header that the credential has
    set. Calls by gRPC, to zonal buckets, have the credential alone."""

    def __init__(
        self, *args: Any, source: TokenSource, reach: Reach, endpoint_url: str, **options: Any
    ) -> None:
        self._source, self._reach, self._origin = source, reach, endpoint_url
        options |= {"token": OAuthConnCredentials(source, reach), "endpoint_url": endpoint_url}
        super().__init__(*args, **options)

    async def _set_session(self) -> Any:
        session = await super()._set_session()  # type: ignore[misc] # gcsfs's
        # gcsfs sets it before each request
        if not isinstance(session, BearerSession):
            self._session = BearerSession(
                self._source, self._reach, session, swaps=True, origin=self._origin
            )
        return self._session


class _AtGoogle(_WithBearerSession, gcsfs.GCSFileSystem):
    pass


class _AtAnEndpoint(_WithBearerSession, gcsfs.core.GCSFileSystem):
    """The package's own class asks by gRPC for each bucket's kind. Another server than Google's
    does not know that, and each call would wait for a minute until it gives up."""
