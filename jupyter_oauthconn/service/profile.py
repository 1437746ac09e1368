"""What is in force for one connection: endpoints, credentials and scope, from three sources.

Typed in by hand wins over the catalog entry, the entry over the issuer's metadata.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict

from jupyter_oauthconn.catalog import (
    Catalog,
    ProviderEntry,
    resolve_endpoints,
    resolve_issuer,
    resolve_scopes,
)
from jupyter_oauthconn.errors import (
    InvalidConnectionError,
    InvalidParameterError,
    NotAllowedError,
)
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientRegistration,
    Connection,
    Endpoints,
    scope_set,
)
from jupyter_oauthconn.protocol import (
    ClientCredentials,
    ServerMetadata,
    Transport,
    discover,
    same_origin,
)
from jupyter_oauthconn.storage import Store

#: Metadata is asked for again after this time (RFC 8414 leaves it to the client).
_METADATA_SECONDS = 3600.0


class AnswerOptions(TypedDict):
    """How the provider's token answers depart from RFC 6749 §5.1; for `validate_token_answer`."""

    keep: tuple[str, ...]
    accept_form: bool
    error_with_status_200: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A connection together with everything that a call to its provider needs.

    Attributes:
        scope: what a sign-in asks for, space-separated.
        metadata: the issuer's, or None where the entry needs none.
        typed: addresses that an administrator wrote by hand; their hosts may be private.
    """

    connection: Connection
    client: ClientRegistration
    entry: ProviderEntry
    endpoints: Endpoints
    issuer: str | None
    scope: str
    metadata: ServerMetadata | None
    typed: tuple[str, ...]

    def is_typed(self, address: str) -> bool:
        """Whether an administrator wrote this host and port: another port is another service."""
        return any(same_origin(address, one) for one in self.typed)

    @property
    def called(self) -> str:
        """The provider's name for people."""
        return self.client.title if self.entry.stands_for_any else self.entry.title

    @property
    def answer_options(self) -> AnswerOptions:
        rules = self.entry.token_answer
        return AnswerOptions(
            keep=rules.keep,
            accept_form=rules.accept_form,
            error_with_status_200=rules.error_with_status_200,
        )

    @property
    def token_endpoint(self) -> str:
        return self._endpoint(self.endpoints.token, "token")

    @property
    def authorization_endpoint(self) -> str:
        return self._endpoint(self.endpoints.authorization, "authorization")

    @property
    def refresh_endpoint(self) -> str:
        return self.endpoints.refresh or self.token_endpoint

    def _endpoint(self, address: str | None, kind: str) -> str:
        if address is None:
            raise InvalidConnectionError(
                f"The OAuth client {self.client.name!r} has no {kind} endpoint.",
                hint=f"Add it: `%oauthclient edit {self.client.name} --{kind}-url URL`, or give "
                "an --issuer whose metadata names it.",
            )
        return address


class Profiles:
    """Looks profiles up; keeps the issuers' metadata for an hour. Thread-safe."""

    def __init__(self, store: Store, catalog: Catalog, transport: Transport) -> None:
        self._store = store
        self._catalog = catalog
        self._transport = transport
        self._metadata: dict[str, tuple[float, ServerMetadata]] = {}
        self._lock = threading.Lock()

    def client_of(self, connection: Connection) -> ClientRegistration:
        """The connection's OAuth client. Raises `InvalidConnectionError` when it is gone."""
        client = self._store.registry.client(connection.client)
        if client is None:
            raise client_is_gone(connection)
        return client

    def enabled_client_of(self, connection: Connection) -> ClientRegistration:
        """Raises `NotAllowedError` (client_disabled) when an administrator switched it off."""
        client = self.client_of(connection)
        if not client.enabled:
            raise client_is_disabled(client.name)
        return client

    def of(self, connection: Connection) -> Profile:
        """The profile of a connection; may ask the issuer for its metadata."""
        return self.resolve(self.enabled_client_of(connection), connection)

    def resolve(self, client: ClientRegistration, connection: Connection) -> Profile:
        """The profile of `connection` under `client`, which need not be stored yet."""
        entry = self._catalog.entry(client.provider)
        parameters = {**client.parameters, **connection.parameters}
        endpoints = _first(client.endpoints, resolve_endpoints(entry, parameters))
        issuer = client.issuer or resolve_issuer(entry, parameters)
        metadata = None
        typed = _typed(client, entry)
        if entry.discovery and issuer is not None and _incomplete(endpoints):
            metadata = self.metadata(issuer, typed)
            endpoints = _first(endpoints, _endpoints_of(metadata))
        return Profile(
            connection=connection,
            client=client,
            entry=entry,
            endpoints=endpoints,
            issuer=issuer,
            scope=requested_scope(client, connection, entry, metadata),
            metadata=metadata,
            typed=typed,
        )

    def credentials(self, client: ClientRegistration) -> ClientCredentials:
        """The client's id and newest secret. Raises `InvalidConnectionError` without one."""
        if client.auth_method is AuthMethod.NONE:
            return ClientCredentials(
                client_id=client.client_id, method=AuthMethod.NONE, secret=None
            )
        secrets = self._store.registry.client_secrets(client.id)
        if not secrets:
            ended = "no live" if client.secrets else "no"
            raise InvalidConnectionError(
                f"The OAuth client {client.name!r} has {ended} client secret.",
                hint=f"Set it: `jupyter oauthconn clients add-secret {client.name} "
                "--secret-stdin`.",
            )
        return ClientCredentials(
            client_id=client.client_id, method=client.auth_method, secret=secrets[0]
        )

    def metadata(
        self, issuer: str, typed: tuple[str, ...], *, fresh: bool = False
    ) -> ServerMetadata:
        """The issuer's metadata (RFC 8414, OpenID Connect Discovery), at most an hour old."""
        with self._lock:
            known = self._metadata.get(issuer)
        if known is not None and not fresh and time.monotonic() - known[0] < _METADATA_SECONDS:
            return known[1]
        typed_host = any(same_origin(issuer, one) for one in typed)
        metadata = discover(self._transport, issuer, typed_host=typed_host)
        with self._lock:
            self._metadata[issuer] = (time.monotonic(), metadata)
        return metadata


def merged(before: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Parameters after an edit; None takes one away."""
    both = {**before, **changes}
    return {name: value for name, value in both.items() if value is not None}


def allowed_scope(client: ClientRegistration, entry: ProviderEntry) -> frozenset[str]:
    """Every scope that a connection of this client may ask for."""
    scopes = resolve_scopes(entry, client.parameters)
    own = scope_set(client.scope) or frozenset(scopes.default)
    return own | frozenset(scopes.offline) | frozenset(scopes.identity)


def check_scope(scope: str, client: ClientRegistration, entry: ProviderEntry) -> None:
    """Raises `InvalidParameterError` when a connection asks for more than its client allows."""
    excess = scope_set(scope) - allowed_scope(client, entry)
    if excess and (client.scope or entry.scopes.default):
        raise InvalidParameterError(
            f"The OAuth client {client.name!r} does not allow the scope "
            f"{' '.join(sorted(excess))!r}.",
            hint=f"It allows {' '.join(sorted(allowed_scope(client, entry)))!r}. An administrator "
            f'can widen it: `%oauthclient edit {client.name} --scope "…"`.',
            parameter="scope",
        )


def requested_scope(
    client: ClientRegistration,
    connection: Connection,
    entry: ProviderEntry,
    metadata: ServerMetadata | None,
) -> str:
    """What a sign-in asks for: the connection's scope, else the client's, else the entry's.

    The scopes that bring a refresh token and the account's name are added, unless the provider's
    metadata says that it does not know them.
    """
    scopes = resolve_scopes(entry, {**client.parameters, **connection.parameters})
    asked = connection.scope.split() or client.scope.split() or list(scopes.default)
    supported = frozenset(metadata.scopes_supported) if metadata is not None else frozenset()
    added = [
        one for one in (*scopes.identity, *scopes.offline) if not supported or one in supported
    ]
    return " ".join(dict.fromkeys([*asked, *added]))


def client_is_gone(connection: Connection) -> InvalidConnectionError:
    return InvalidConnectionError(
        f"The OAuth client {connection.client!r} of connection {connection.name!r} no longer "
        "exists.",
        hint=f"Register it again, or remove the connection: `%connect rm {connection.name}`.",
    )


def client_is_disabled(client: str) -> NotAllowedError:
    return NotAllowedError(
        f"The OAuth client {client!r} was switched off by an administrator.",
        hint="Nothing is lost: it goes on when the client is enabled again "
        f"(`%oauthclient enable {client}`).",
        code="client_disabled",
    )


def _first(preferred: Endpoints, other: Endpoints) -> Endpoints:
    missing = {
        name: getattr(other, name)
        for name in Endpoints.__slots__
        if getattr(preferred, name) is None
    }
    return replace(preferred, **missing)


def _typed(client: ClientRegistration, entry: ProviderEntry) -> tuple[str, ...]:
    """The issuer and endpoints that the client's own fields or parameters name.

    What a user typed is judged like what a provider says: it may be in no private network.
    """
    if client.owner_id is not None:
        return ()
    addresses = [client.issuer, *(getattr(client.endpoints, one) for one in Endpoints.__slots__)]
    if client.parameters:
        addresses.append(resolve_issuer(entry, client.parameters))
    return tuple(one for one in addresses if one)


def _incomplete(endpoints: Endpoints) -> bool:
    return endpoints.authorization is None or endpoints.token is None


def _endpoints_of(metadata: ServerMetadata) -> Endpoints:
    return Endpoints(
        authorization=metadata.authorization_endpoint,
        token=metadata.token_endpoint,
        revocation=metadata.revocation_endpoint,
        introspection=metadata.introspection_endpoint,
        device_authorization=metadata.device_authorization_endpoint,
    )
