"""Which fsspec implementation, and how it gets its credential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from jupyter_oauthconn.connectors.connector import Access, base_address, library
from jupyter_oauthconn.connectors.credentials import CONNECTOR as CREDENTIAL
from jupyter_oauthconn.connectors.credentials import is_bound
from jupyter_oauthconn.connectors.exchange import token_source
from jupyter_oauthconn.connectors.reach import ForResource, Reach, require
from jupyter_oauthconn.errors import InvalidParameterError

_BY_SCHEME = {
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "gcs": "gcsfs",
    "gs": "gcsfs",
    "http": "http",
    "https": "http",
    "s3": "s3fs",
    "webdav": "webdav4",
    "webdavs": "webdav4",
}
#: Arguments by which a library would take another credential, or send ours elsewhere.
_OURS = frozenset(
    {"account_key", "anon", "auth", "client", "connection_string", "credential", "get_client"}
    | {"key", "sas_token", "secret", "session", "token"}
)


class FilesystemConnector:
    """Options are the library's own; `address` says where the files are, if the provider's entry
    does not, and by its scheme (`gs`, `abfs`, `s3`, `webdavs`, `https`) the library."""

    def open(self, access: Access, address: str | None = None, **options: Any) -> Any:
        """A filesystem of fsspec, made anew: fsspec would share one between connections.

        Raises:
            InvalidParameterError: nobody says which library, or an option brings a credential.
            NotAllowedError: the address is none of the connection's.
        """
        where = address or base_address(access)
        name = access.handle.options.get("library") or _BY_SCHEME.get(urlsplit(where).scheme, "")
        make = _LIBRARIES.get(name)
        if make is None:
            raise InvalidParameterError(
                f"Nobody knows where the files of {access.source.name!r} are.",
                hint='Give the address: `conn.filesystem("https://…")`; gs://, abfs://, s3:// and '
                "webdavs:// are known too.",
                parameter="address",
            )
        if foreign := sorted(_OURS.intersection(options)):
            raise InvalidParameterError(
                f"The filesystem of {access.source.name!r} brings its own credential.",
                hint=f"Leave {', '.join(foreign)} out.",
                parameter=foreign[0],
            )
        return make(access, where, {**_options_of(access), **options})

    def check(self, handle: Any, access: Access) -> str:
        """Lists the root, or the handle's probe."""
        # else a listing that it kept would be the answer
        handle.invalidate_cache()
        # the paths of an HTTP filesystem are whole addresses
        root = base_address(access) if "https" in handle.protocol else ""
        where = access.handle.probe or root
        found = len(handle.ls(where, detail=False))
        return f"{where or '/'} has {found} {'entry' if found == 1 else 'entries'}."


def _options_of(access: Access) -> dict[str, Any]:
    """The entry's values that are the library's own."""
    ours = {"library", "region", "resource_bound", "url_from"}
    return {name: one for name, one in access.handle.options.items() if name not in ours and one}


def _gcsfs(access: Access, address: str, options: dict[str, Any]) -> Any:
    library("gcsfs", access, requires="gcsfs")
    from .over_gcs import GOOGLE, filesystem

    endpoint = options.pop("endpoint_url", None) or GOOGLE
    require(access.source.name, access.reach, endpoint)
    reach = _narrowed(access.reach, endpoint)
    return filesystem(token_source(access), reach, endpoint, **options)


def _adlfs(access: Access, address: str, options: dict[str, Any]) -> Any:
    library("adlfs", access, requires="adlfs")
    from .over_azure import SCOPE, filesystem

    parts = urlsplit(address)
    # abfs://container@account.dfs.core.windows.net/path
    named = (parts.hostname or "").partition(".")[0] if "@" in parts.netloc else ""
    account = options.get("account_name") or named or access.parameters.get("account", "")
    host = options.get("account_host") or (account and f"{account}.blob.core.windows.net")
    if not host:
        raise InvalidParameterError(
            f"Nobody knows the storage account of {access.source.name!r}.",
            hint='`conn.filesystem("abfs://…", account_name="…")`',
            parameter="account_name",
        )
    require(access.source.name, access.reach, f"https://{host}")
    options = {**options, "account_name": account or host.partition(".")[0]}
    options.pop("account_host", None)
    source = token_source(access)
    if is_bound(access):
        source = ForResource(source, SCOPE)
    return filesystem(source, _narrowed(access.reach, f"https://{host}"), host, **options)


def _s3fs(access: Access, address: str, options: dict[str, Any]) -> Any:
    s3fs = library("s3fs", access, requires='"s3fs>=2025"')
    region = options.pop("region", None) or access.handle.options.get("region") or None
    session = CREDENTIAL.open(access, library="aws-async", region=region)
    return s3fs.S3FileSystem(session=session, skip_instance_cache=True, **options)


def _webdav(access: Access, address: str, options: dict[str, Any]) -> Any:
    library("webdav4.fsspec", access, requires="webdav4")
    from .over_webdav import filesystem

    url = address.replace("webdav", "http", 1) if address.startswith("webdav") else address
    require(access.source.name, access.reach, url)
    return filesystem(token_source(access), _narrowed(access.reach, url), url, **options)


def _http(access: Access, address: str, options: dict[str, Any]) -> Any:
    library("aiohttp", access, requires='"fsspec[http]"')
    library("fsspec.implementations.http", access, requires='"fsspec[http]"')
    from .over_http import filesystem

    reach = access.reach
    if address:
        require(access.source.name, reach, address)
        reach = _narrowed(reach, address)
    return filesystem(token_source(access), reach, **options)


def _narrowed(reach: Reach, address: str) -> Reach:
    """Where any host would do, the one that was named is enough."""
    return (
        replace(reach, hosts=(urlsplit(address).hostname or "",)) if reach.hosts is None else reach
    )


_LIBRARIES: dict[str, Callable[[Access, str, dict[str, Any]], Any]] = {
    "adlfs": _adlfs,
    "gcsfs": _gcsfs,
    "http": _http,
    "s3fs": _s3fs,
    "webdav4": _webdav,
}

CONNECTOR = FilesystemConnector()
