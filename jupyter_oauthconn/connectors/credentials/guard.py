"""Says no where a library would send the token to a host that is none of the connection's."""

from __future__ import annotations

from urllib.parse import urlsplit

from jupyter_oauthconn.connectors.reach import Reach
from jupyter_oauthconn.errors import NotAllowedError


def require(name: str, reach: Reach, address: str) -> str:
    """`address`, if the token of the connection `name` may go there.

    Raises:
        NotAllowedError: it may not: another host, or neither https nor loopback.
    """
    if reach.covers(address):
        return address
    parts = urlsplit(address)
    hosts = "any host by https" if reach.hosts is None else ", ".join(reach.hosts) or "no host"
    raise NotAllowedError(
        f"The token of {name!r} is not sent to {parts.scheme or 'no scheme'}://{parts.hostname}: "
        f"the connection is for {hosts}.",
        hint="Use the address of the connection's own store, or a connection for that one.",
    )
