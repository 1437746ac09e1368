"""Databricks: a factory of header factories, for its SQL connector and for its SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_oauthconn.connectors.reach import (
    Reach,
    TokenSource,
    authorization_header,
)

from .guard import require


class HeaderFactories:
    """`credentials_provider=` of the SQL connector, `credentials_strategy=` of the SDK."""

    def __init__(self, source: TokenSource, reach: Reach) -> None:
        self._source = source
        self._reach = reach

    def auth_type(self) -> str:
        """The SDK shows it in its messages."""
        return "oauthconn"

    def __call__(self, config: Any = None) -> Callable[[], dict[str, str]]:
        """The function that makes the headers of one request.

        Args:
            config: the SDK's; its host must be one of the connection's.
        """
        host = str(getattr(config, "host", None) or "")
        if host:
            require(self._source.name, self._reach, host if "://" in host else f"https://{host}")
        return self._headers

    def _headers(self) -> dict[str, str]:
        return {"Authorization": authorization_header(self._source.token())}

    def __repr__(self) -> str:
        return f"<Databricks credentials of {self._source.name!r}>"
