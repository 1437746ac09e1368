"""Kind `credential`: which adapter, and where what it is made of comes from."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from jupyter_oauthconn.connectors.connector import Access, library
from jupyter_oauthconn.connectors.exchange import cloud_key, token_source
from jupyter_oauthconn.connectors.headers import MaskedText
from jupyter_oauthconn.connectors.reach import TokenSource
from jupyter_oauthconn.errors import InvalidParameterError

_KEYS = "STS gave temporary credentials."


class FreshToken:
    """A callable for the libraries that take one: `token()` is the string of a fresh token.

    Pickled, it is the way to a token.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self) -> str:
        return MaskedText(self._source.token().reveal())

    def __repr__(self) -> str:
        return f"<Fresh token of {self._source.name!r}>"


class CredentialConnector:
    """Options: `library`, else the handle's option of that name, else `callable`; the others are
    the adapter's own, e.g. `scopes` (Google), `region` (AWS)."""

    def open(self, access: Access, *, library: str | None = None, **options: Any) -> Any:
        """Raises `InvalidParameterError`: there is no adapter for that library."""
        wanted = library or access.handle.options.get("library") or "callable"
        make = _ADAPTERS.get(wanted)
        if make is None:
            raise InvalidParameterError(
                f"There is no credential for {wanted!r}.",
                hint=f"There are {', '.join(sorted(_ADAPTERS))}; `callable` fits any library that "
                "takes a function.",
                parameter="library",
            )
        return make(access, **options)

    def check(self, handle: Any, access: Access) -> str | Awaitable[str]:
        """Asks the credential itself, in the way in which its SDK does; the probe is a scope.

        Awaitable for the asynchronous ones.
        """
        if hasattr(handle, "get_credentials"):
            return _checked_keys(handle)
        exchanged = access.handle.exchange is not None
        said = "The token was exchanged for another one" if exchanged else (
            "The token service gave a token")  # fmt: skip
        if hasattr(handle, "get_token"):
            scopes = (access.handle.probe,) if access.handle.probe else ()
            return _checked_azure(handle.get_token(*scopes), said)
        expires_at = None if exchanged else access.source.token().expires_at
        if hasattr(handle, "before_request"):
            if not handle.valid:
                handle.refresh(None)
            expires_at = handle.expiry and handle.expiry.replace(tzinfo=UTC)
        elif isinstance(handle, FreshToken):
            handle()
        else:
            handle()()  # a factory of functions that make headers
        return f"{said}{_until(expires_at)}."


def _checked_keys(session: Any) -> str | Awaitable[str]:
    found = session.get_credentials()
    if not inspect.isawaitable(found):
        found.get_frozen_credentials()
        return _KEYS

    async def in_loop() -> str:
        await (await found).get_frozen_credentials()
        return _KEYS

    return in_loop()


def _checked_azure(found: Any, said: str) -> str | Awaitable[str]:
    if not inspect.isawaitable(found):
        return f"{said}{_until(datetime.fromtimestamp(found.expires_on, UTC))}."

    async def in_loop() -> str:
        return f"{said}{_until(datetime.fromtimestamp((await found).expires_on, UTC))}."

    return in_loop()


def _until(moment: datetime | None) -> str:
    return "" if moment is None else f", valid until {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _google(access: Access, **options: Any) -> Any:
    library("google.oauth2.credentials", access, requires="google-auth")
    from .for_google import OAuthConnCredentials

    return OAuthConnCredentials(token_source(access), access.reach, **options)


def _azure(access: Access) -> Any:
    library("azure.core.credentials", access, requires="azure-core")
    from .for_azure import TokenCredential

    return TokenCredential(token_source(access), bound=is_bound(access))


def _azure_async(access: Access) -> Any:
    library("azure.core.credentials", access, requires="azure-core")
    from .for_azure import AsyncTokenCredential

    return AsyncTokenCredential(token_source(access), bound=is_bound(access))


def is_bound(access: Access) -> bool:
    """Whether the provider binds each token to one resource."""
    return access.handle.options.get("resource_bound") == "yes"


def _aws(access: Access, **options: Any) -> Any:
    library("botocore.session", access, requires="botocore")
    from .for_aws import session

    return session(cloud_key(access), **options)


def _boto3(access: Access, **options: Any) -> Any:
    boto3 = library("boto3", access, requires="boto3")
    return boto3.Session(botocore_session=_aws(access, **options))


def _aws_async(access: Access, **options: Any) -> Any:
    library("aiobotocore.session", access, requires="aiobotocore")
    from .for_aws_async import session

    return session(cloud_key(access), **options)


def _databricks(access: Access) -> Any:
    from .for_databricks import HeaderFactories

    return HeaderFactories(token_source(access), access.reach)


def _callable(access: Access) -> FreshToken:
    return FreshToken(token_source(access))


_ADAPTERS: dict[str, Callable[..., Any]] = {
    "aws": _aws,
    "aws-async": _aws_async,
    "azure": _azure,
    "azure-async": _azure_async,
    "boto3": _boto3,
    "callable": _callable,
    "databricks": _databricks,
    "google": _google,
}

CONNECTOR = CredentialConnector()
