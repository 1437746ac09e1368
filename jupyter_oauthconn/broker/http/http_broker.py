"""`Broker` and `Registry` by the routes of a server's token service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from jupyter_oauthconn import wire
from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.catalog.bodies import read_provider
from jupyter_oauthconn.errors import (
    NotSignedInError,
    OAuthConnError,
    ServiceUnreachableError,
    UnknownAuthorizationError,
    UnknownClientError,
    UnknownConnectionError,
    UnknownProviderError,
)
from jupyter_oauthconn.model import (
    ALL_EVENTS,
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    Authorization,
    AuthorizationState,
    Check,
    ClientDraft,
    ClientRegistration,
    ClientUse,
    Connection,
    ConnectionDraft,
    Endurance,
    Event,
    EventFilter,
    Flow,
    OwnedGrant,
    Revocation,
    Secret,
    SettingInForce,
    is_name,
)

from ..running import ServiceFile
from .bodies import (
    JSON,
    ForeignAnswerError,
    items_of,
    nothing,
    page_of,
    path_of,
    sealed,
    text_of,
    value_of,
)
from .http_connection import Answer, HttpConnections, Request

_API = "api/v1/"
#: A service gives each of its calls to a provider 15 seconds, and a verb may need several.
_LONG_SECONDS = 120.0
#: A long poll lasts so long; a proxy would cut a longer one off.
_POLL = timedelta(seconds=20)
_Value = TypeVar("_Value")


class _Way(NamedTuple):
    """A service as its file describes it, and the connections to it."""

    file: ServiceFile
    connections: HttpConnections


class HttpBroker:
    """`Broker` and `Registry` of the owner whose credential the service file holds. Thread-safe.

    Args:
        find: reads the service file; asked at the first use, and again when the service knows the
            credential no more, because a server that was restarted has written a new one.
    """

    def __init__(self, find: Callable[[], ServiceFile]) -> None:
        self._find = find
        self._way: _Way | None = None

    def close(self) -> None:
        """Closes the connections of this process; the service goes on."""
        if self._way is not None:
            self._way.connections.close()

    @property
    def server(self) -> ServiceFile:
        """What the server has left for its kernels. Raises `ServiceUnreachableError`."""
        return (self._way or self._renew()).file

    # --- Broker

    def connections(self) -> Sequence[Connection]:
        return self._items("connections", wire.read_connection)

    def connection(self, name: str) -> Connection:
        return self._get(self._connection(name), wire.read_connection)

    def access_token(
        self,
        name: str,
        *,
        min_validity: timedelta = DEFAULT_MIN_VALIDITY,
        exact: bool = False,
        rejected_generation: int | None = None,
        resource: str | None = None,
        interactive: bool = False,
    ) -> AccessToken:
        asked: wire.TokenRequest = {
            "min_validity_seconds": min_validity.total_seconds(),
            "exact": exact,
            "rejected_generation": rejected_generation,
            "resource": resource,
            "interactive": interactive,
        }
        # the clock of this process, before the way there: the token never lives longer than said
        read = partial(wire.read_token, now=datetime.now(UTC))
        path = self._connection(name, "token")
        return self._ask("POST", path, read, asked, repeatable=True)

    def authorize(self, name: str, *, flow: Flow | None = None) -> Authorization:
        asked: wire.AuthorizationRequest = {"flow": flow and flow.value, "again": True}
        path = self._connection(name, "authorizations")
        return self._ask("POST", path, wire.read_authorization, asked)

    def authorization(self, id: UUID, *, wait: timedelta = timedelta(0)) -> Authorization:
        deadline = time.monotonic() + wait.total_seconds()
        while True:
            left = timedelta(seconds=max(0.0, deadline - time.monotonic()))
            share = min(_POLL, left).total_seconds()
            path = path_of("authorizations", str(id), wait_seconds=round(share, 3))
            found = self._get(path, wire.read_authorization, waits=share)
            over = found.state is not AuthorizationState.PENDING or found.confirm
            if over or left <= _POLL:
                return found

    def finish_by_paste(self, id: UUID, address: Secret) -> Authorization:
        """Raises `UnknownAuthorizationError`: a server starts no sign-in of that flow."""
        raise UnknownAuthorizationError(str(id))

    def confirm(self, id: UUID) -> Authorization:
        path = path_of("authorizations", str(id), "confirm")
        return self._ask("POST", path, wire.read_authorization)

    def cancel(self, id: UUID) -> None:
        self._ask("DELETE", path_of("authorizations", str(id)), nothing)

    def test(self, name: str) -> Sequence[Check]:
        return self._ask("POST", self._connection(name, "test"), items_of(wire.read_check))

    def ensure(self, name: str, lasts: timedelta) -> Endurance:
        asked: wire.EnsureRequest = {"for_seconds": lasts.total_seconds()}
        return self._ask("POST", self._connection(name, "ensure"), wire.read_endurance, asked)

    def revoke(self, name: str) -> Revocation:
        return self._ask("DELETE", self._connection(name, "grant"), wire.read_revocation)

    def doctor(
        self, *, client: str | None = None, connection: str | None = None
    ) -> Sequence[Check]:
        return self._items("doctor", wire.read_check, client=client, connection=connection)

    # --- Registry

    def providers(self) -> Sequence[ProviderEntry]:
        return self._items("providers", read_provider)

    def provider(self, key: str) -> ProviderEntry:
        if not is_name(key):
            raise UnknownProviderError(str(key), known=[one.key for one in self.providers()])
        return self._get(path_of("providers", key), read_provider)

    def client_request(self, provider: str) -> str:
        if not is_name(provider):
            raise UnknownProviderError(str(provider))
        return self._get(path_of("providers", provider, "request"), text_of)

    def clients(self) -> Sequence[ClientRegistration]:
        return self._items("clients", wire.read_client)

    def client(self, name: str) -> ClientRegistration:
        return self._get(self._client(name), wire.read_client)

    def add_client(self, draft: ClientDraft) -> ClientRegistration:
        body = sealed(wire.client_draft_json(draft))
        return self._ask("POST", "clients", wire.read_client, body)

    def edit_client(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> ClientRegistration:
        body = wire.client_changes_json(changes, version)
        return self._ask("PATCH", self._client(name), wire.read_client, body)

    def client_use(self, name: str) -> ClientUse:
        return self._get(self._client(name, "use"), wire.read_client_use)

    def preview_client(self, name: str, changes: Mapping[str, Any]) -> ClientUse:
        body = wire.client_changes_json(changes, None)
        return self._ask("POST", self._client(name, "preview"), wire.read_client_use, body)

    def add_client_secret(
        self,
        name: str,
        secret: Secret | None,
        *,
        ends_at: datetime | None = None,
        reference: str | None = None,
    ) -> ClientRegistration:
        body = sealed(wire.client_secret_json(secret, reference, ends_at))
        return self._ask("POST", self._client(name, "secrets"), wire.read_client, body)

    def remove_client_secret(self, name: str, id: UUID) -> ClientRegistration:
        return self._ask("DELETE", self._client(name, "secrets", str(id)), wire.read_client)

    def remove_client(self, name: str, *, force: bool = False, version: int | None = None) -> None:
        query = {"force": "true" if force else None, "version": version}
        self._ask("DELETE", self._client(name, **query), nothing)

    def test_client(self, name: str) -> Sequence[Check]:
        return self._ask("POST", self._client(name, "test"), items_of(wire.read_check))

    def add_connection(self, draft: ConnectionDraft) -> Connection:
        body = wire.connection_draft_json(draft)
        return self._ask("POST", "connections", wire.read_connection, body)

    def edit_connection(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Connection:
        body = wire.connection_changes_json(changes, version)
        return self._ask("PATCH", self._connection(name), wire.read_connection, body)

    def remove_connection(self, name: str) -> None:
        self._ask("DELETE", self._connection(name), nothing)

    def grants(
        self, *, owner: str | None = None, client: str | None = None
    ) -> Sequence[OwnedGrant]:
        if owner is None and client is None:
            owner = ""  # of everybody
        return self._items("grants", wire.read_grant, owner=owner, client=client)

    def revoke_grant(self, id: UUID) -> Revocation:
        return self._ask("DELETE", path_of("grants", str(id)), wire.read_revocation)

    def settings(self) -> Sequence[SettingInForce]:
        return self._items("settings", wire.read_setting)

    def change_settings(self, changes: Mapping[str, str | None]) -> Sequence[SettingInForce]:
        body = {"settings": dict(changes)}
        return self._ask("PATCH", "settings", items_of(wire.read_setting), body)

    def events(self, *, limit: int = 50, wanted: EventFilter = ALL_EVENTS) -> Sequence[Event]:
        filters = asdict(wanted)
        filters["cursor"] = filters.pop("before")
        return self._get(path_of("events", limit=limit, **filters), items_of(wire.read_event))

    # --- how

    def _connection(self, name: str, *more: str) -> str:
        """The path of a connection. Raises `UnknownConnectionError`."""
        if not is_name(name):
            # nothing can have it, and it might be no path either
            raise UnknownConnectionError(str(name), known=[one.name for one in self.connections()])
        return path_of("connections", name, *more)

    def _client(self, name: str, *more: str, **query: object) -> str:
        """The path of an OAuth client. Raises `UnknownClientError`."""
        if not is_name(name):
            raise UnknownClientError(str(name), known=[one.name for one in self.clients()])
        return path_of("clients", name, *more, **query)

    def _items(self, path: str, read: Callable[[Any], _Value], **query: object) -> list[_Value]:
        """All pages of a list."""
        found: list[_Value] = []
        while True:
            items, cursor = self._get(path_of(path, **query), partial(page_of, read))
            found += items
            if cursor is None:
                return found
            query["cursor"] = cursor

    def _get(self, path: str, read: Callable[[Any], _Value], *, waits: float = 0.0) -> _Value:
        seconds = _LONG_SECONDS + waits
        request = Request(method="GET", path=_API + path, seconds=seconds, repeatable=True)
        return self._read(self._send(request), read)

    def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[Any], _Value],
        body: Mapping[str, Any] | Secret | None = None,
        *,
        repeatable: bool = False,
    ) -> _Value:
        request = Request(
            method=method,
            path=_API + path,
            body=body if body is None or isinstance(body, Secret) else sealed(body),
            seconds=_LONG_SECONDS,
            repeatable=repeatable,
        )
        return self._read(self._send(request), read)

    def _send(self, request: Request) -> Answer:
        way = self._way or self._renew()
        answer = way.connections.ask(request, way.file.credential)
        if answer.status not in _REFUSED:
            return answer
        before, way = way, self._renew()
        if way.file.credential != before.file.credential:
            # refused before anything was done, so even a write may be sent again
            return way.connections.ask(request, way.file.credential)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise NotSignedInError(
                f"The token service at {way.file.url} does not know this kernel.",
                hint="Restart the kernel, so that it reads the server's new credential.",
            )
        return answer

    def _renew(self) -> _Way:
        """Reads the service file (again)."""
        file, before = self._find(), self._way
        if before is not None and _same_place(before.file, file):
            self._way = _Way(file, before.connections)
        else:
            # a credential never goes to another origin than the one it came with
            self._way = _Way(file, HttpConnections(file.url, file.certificate))
            if before is not None:
                before.connections.close()
        return self._way

    def _read(self, answer: Answer, read: Callable[[Any], _Value]) -> _Value:
        try:
            if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return value_of(answer, read)
            error = value_of(answer, wire.read_error)
        except ForeignAnswerError:
            error = self._foreign(answer)
        raise error

    def _foreign(self, answer: Answer) -> OAuthConnError:
        """Quotes nothing of the answer: it may hold anything."""
        url = self._way.file.url if self._way is not None else ""
        if answer.content_type == JSON and answer.status < HTTPStatus.MULTIPLE_CHOICES:
            there = self._way.file.version if self._way is not None else "?"
            return ServiceUnreachableError(
                f"The token service at {url} (jupyter-oauthconn {there}) answers in a way that "
                f"this kernel (jupyter-oauthconn {_version()}) does not understand.",
                hint="Install the same version in both environments, restart server and kernel.",
                url=url,
            )
        return ServiceUnreachableError(
            f"What answers at {url} is not the token service (status {int(answer.status)}).",
            hint="Another program may have taken the port, or a proxy stands before it; restart "
            "the Jupyter server. `jupyter server extension list` shows whether "
            "jupyter_oauthconn is enabled there.",
            url=url,
        )


#: How routes refuse a credential that they do not know (any more); 403: the one of tokens.
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def _same_place(one: ServiceFile, other: ServiceFile) -> bool:
    return (one.url, one.certificate) == (other.url, other.certificate)


def _version() -> str:
    from importlib.metadata import version

    return version("jupyter-oauthconn")
