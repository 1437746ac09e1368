"""gcsfs. It does nothing about a refused token, so its session does."""

from __future__ import annotations

from typing import Any

import gcsfs
import gcsfs.core

from jupyter_oauthconn.connectors.credentials.for_google import OAuthConnCredentials
from jupyter_oauthconn.connectors.reach import Reach, TokenSource

from .over_http import BearerSession

GOOGLE = "https://storage.googleapis.com"


def filesystem(source: TokenSource, reach: Reach, endpoint: str, **options: Any) -> Any:
    """A `GCSFileSystem` at that address."""
    make = _AtGoogle if endpoint == GOOGLE else _AtAnEndpoint
    return make(
        source=source,
        reach=reach,
        # also Google's own, so that STORAGE_EMULATOR_HOST does not decide where the token goes
        endpoint_url=endpoint,
        skip_instance_cache=True,
        **options,
    )


class _Fresh:
    """Its requests by HTTP carry a fresh token; those by gRPC, to zonal buckets, take the
    credential."""

    def __init__(self, *args: Any, source: TokenSource, reach: Reach, **options: Any) -> None:
        self._source, self._reach = source, reach
        # gcsfs's, which stands behind this one
        super().__init__(*args, token=OAuthConnCredentials(source, reach), **options)  # type: ignore[call-arg]

    async def _set_session(self) -> Any:
        session = await super()._set_session()  # type: ignore[misc] # gcsfs's
        if not isinstance(session, BearerSession):
            self._session = BearerSession(self._source, self._reach, session, replaces=True)
        return self._session


class _AtGoogle(_Fresh, gcsfs.GCSFileSystem):
    pass


class _AtAnEndpoint(_Fresh, gcsfs.core.GCSFileSystem):
    """The package's own class asks by gRPC for each bucket's kind; another server than Google's
    does not know that, and a minute passes."""
