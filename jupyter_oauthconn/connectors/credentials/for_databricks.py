"""Databricks: a factory of header factories, for its SQL connector and for its SDK."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jupyter_oauthconn.connectors.headers import authorization_header
from jupyter_oauthconn.connectors.reach import Reach, TokenSource, require


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
            config: the SDK's, whose host must be one of the connection's; the SQL connector
                gives none.
        """
        if config is None:
            # The SQL connector keeps what comes as `Authorization` until the end that it reads in
            # the token, or for an hour, and may exchange it on its own. Names of headers know no
            # case (RFC 9110 §5.1), its search does: so each request gets a fresh one.
            return partial(self._headers, "authorization")
        host = str(getattr(config, "host", None) or "")
        if host:
            require(self._source.name, self._reach, host if "://" in host else f"https://{host}")
        return partial(self._headers, "Authorization")

    def _headers(self, name: str) -> dict[str, str]:
        return {name: authorization_header(self._source.token())}

    def __repr__(self) -> str:
        return f"<Databricks credentials of {self._source.name!r}>"
