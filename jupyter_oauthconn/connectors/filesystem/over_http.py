"""fsspec's HTTP filesystem with a fresh header on each request."""

from __future__ import annotations

from typing import Any

import aiohttp
from fsspec.implementations.http import HTTPFileSystem

from jupyter_oauthconn.connectors.reach import Reach, TokenSource

from .bearer_session import BearerSession


def filesystem(source: TokenSource, reach: Reach, **options: Any) -> HTTPFileSystem:
    """Its paths are whole addresses; those that `reach` does not cover get no token."""

    async def get_client(**made_with: Any) -> BearerSession:
        return BearerSession(source, reach, aiohttp.ClientSession(**made_with),
                             made_with.get("middlewares", ()))  # fmt: skip

    return HTTPFileSystem(get_client=get_client, skip_instance_cache=True, **options)
