"""Which table of the provider's entry a handle is made of, and with which values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from jupyter_oauthconn.catalog import (
    Handle,
    ProviderEntry,
    resolve_api_hosts,
    resolve_handle,
    resolve_issuer,
)
from jupyter_oauthconn.connectors import (
    Access,
    ForResource,
    Reach,
    TokenSource,
    connector,
    kinds,
)
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import ClientRegistration, Connection

from ..current import Place

#: Accepted in place of a kind.
OTHER_SPELLINGS = {"http": "httpx", "requests": "session", "sqlalchemy": "engine"}

#: There for every connection, in this order after what the entry lists.
EVERYWHERE = ("httpx", "session", "credential")


class Definition(NamedTuple):
    """A connection with what stands behind it."""

    connection: Connection
    client: ClientRegistration
    entry: ProviderEntry

    @property
    def parameters(self) -> dict[str, str]:
        return {**self.client.parameters, **self.connection.parameters}


def definition_of(place: Place, name: str) -> Definition:
    broker = place.broker
    connection = broker.connection(name)
    return Definition(
        connection, broker.client(connection.client), broker.provider(connection.provider)
    )


def kinds_of(connection: Connection, entry: ProviderEntry) -> tuple[str, ...]:
    """The kinds that fit a connection, its usual one first."""
    usual = connection.connector
    listed = [spelled(one.kind) for one in entry.handles]
    first = [spelled(usual)] if usual else []
    return tuple(dict.fromkeys([*first, *listed, *EVERYWHERE]))


def default_kind(place: Place, name: str) -> str:
    """The kind that the connection names, else the first of the provider's entry."""
    connection = place.broker.connection(name)
    return kinds_of(connection, place.broker.provider(connection.provider))[0]


def spelled(kind: str) -> str:
    return OTHER_SPELLINGS.get(kind, kind)


def access_of(
    place: Place, source: TokenSource, kind: str, *, url: str = "", probe: str = ""
) -> Access:
    """What the connector of `kind` is given.

    Args:
        url: where the caller says that the store is; the entry's address is left out then.
        probe: what a test asks for, in place of the entry's.
    """
    found = definition_of(place, source.name)
    entry, parameters = found.entry, found.parameters
    handle = _table(found, kind, url)
    if probe:
        handle = replace(handle, probe=probe)
    if url:
        handle = replace(handle, url="")
    status = found.connection.status
    identity = status.identity if status else None
    # one sign-in serves several resources, each with tokens of its own
    resource = handle.options.get("resource")
    return Access(
        source=ForResource(source, resource) if resource else source,
        reach=Reach(resolve_api_hosts(entry, parameters) if entry.api_hosts else None),
        handle=resolve_handle(entry, handle, parameters, identity=identity),
        parameters=parameters,
        identity=identity,
        client_id=found.client.client_id,
        issuer=found.client.issuer or resolve_issuer(entry, parameters),
    )


def open_handle(place: Place, source: TokenSource, kind: str, options: dict[str, Any]) -> Any:
    """Raises `InvalidParameterError`: no such kind, or a value that it needs is missing."""
    kind = spelled(kind)
    if kind not in kinds():
        raise InvalidParameterError(
            f"There is no handle {kind!r}.",
            hint=f"There are {', '.join(kinds())}; without --handle you get the connection, "
            "with .token(), .headers(), .session() and .httpx().",
            parameter="handle",
        )
    url = options.get("url") or options.get("address") or ""
    return connector(kind).open(access_of(place, source, kind, url=str(url)), **options)


def _table(found: Definition, kind: str, url: str) -> Handle:
    """The entry's table for a kind. Among several, the one that is for the store at the caller's
    address, else the first whose address has its values."""
    fitting = [one for one in found.entry.handles if spelled(one.kind) == kind]
    if not fitting and kind == "dbapi":
        # the driver below the engine
        fitting = [one for one in found.entry.handles if spelled(one.kind) == "engine"]
    if url:
        store = _store(url)
        fitting = [one for one in fitting if _store(one.url) in {"", store}]
        fitting.sort(key=lambda one: _store(one.url) != store)
    else:
        fitting.sort(key=lambda one: not _complete(found, one))
    return replace(fitting[0], kind=kind) if fitting else Handle(kind=kind)


def _complete(found: Definition, handle: Handle) -> bool:
    try:
        resolve_handle(found.entry, handle, found.parameters)
    except InvalidParameterError:
        return False
    return True


def _store(address: str) -> str:
    """`postgresql` of `postgresql+psycopg://…`."""
    return address.partition("://")[0].partition("+")[0].lower()
