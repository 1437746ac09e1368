"""The practice provider on Tornado: pages, endpoints, data API, dials.

May import `demo.provider` and Tornado. Everything is below the issuer's path, so that it can be
mounted in another application; only the metadata of RFC 8414 §3.1 begins at the root (2026-11).
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from tornado.web import RequestHandler

from ..provider import OAuthServer, PracticeProvider
from .consent import AuthorizeHandler, Desk, DeviceHandler
from .control import ControlHandler
from .data import RegionsHandler, SalesHandler, WhoAmIHandler
from .oauth import (
    ClientEndpointHandler,
    KeysHandler,
    MetadataHandler,
    TokenHandler,
    UserinfoHandler,
)

__all__ = ["handlers"]


def handlers(
    provider: PracticeProvider,
) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Tornado routes of one provider, below the path of its issuer."""
    path = re.escape(urlsplit(provider.issuer).path)
    mine: dict[str, Any] = {"provider": provider, "oauth": OAuthServer(provider)}
    pages = mine | {"desk": Desk()}
    return [
        (
            f"/.well-known/(?:oauth-authorization-server|openid-configuration){path}",
            MetadataHandler,
            mine,
        ),
        (
            f"{path}/.well-known/(?:oauth-authorization-server|openid-configuration)",
            MetadataHandler,
            mine,
        ),
        (f"{path}/jwks", KeysHandler, mine),
        (f"{path}/authorize", AuthorizeHandler, pages),
        (f"{path}/device", DeviceHandler, pages),
        (f"{path}/token", TokenHandler, mine),
        (f"{path}/(revocation|introspection|device_authorization)", ClientEndpointHandler, mine),
        (f"{path}/userinfo", UserinfoHandler, mine),
        (f"{path}/data/sales", SalesHandler, mine),
        (f"{path}/data/regions", RegionsHandler, mine),
        (f"{path}/data/whoami", WhoAmIHandler, mine),
        (f"{path}/practice/([a-z]+)", ControlHandler, mine),
    ]
