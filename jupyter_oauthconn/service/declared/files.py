"""The setting `config_files`: applied at each start; what is declared there only they change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import ConfigurationError, ConflictError, InvalidParameterError
from jupyter_oauthconn.model import (
    EVERYBODY,
    IN_DATABASE,
    Actor,
    ClientDraft,
    ClientRegistration,
    Connection,
    ConnectionDraft,
    Owner,
    Secret,
)

from ..history import record
from ..secret_references import variable_of
from .documents import Document, read_document
from .plan import changes_for

if TYPE_CHECKING:
    from ..token_service import TokenService

_OWNER = ("file", "configuration")
_MOST_SECRETS = 2
#: Processes that start at one time do the same work; one of them is first.
_TRIES = 3


def apply_files(
    service: TokenService, paths: Sequence[str], environ: Mapping[str, str] | None
) -> None:
    """Makes OAuth clients and connections as the files say; does nothing where they are so.

    A client that no file declares any more is switched off and may be changed by hand again; a
    connection is shared with nobody any more. Sign-ins of both are kept.

    Args:
        environ: where `env:` references look; None: the environment of this process.

    Raises:
        OAuthConnError: a file cannot be read or applied; its sentence names it.
    """
    if not paths and service.store.owners.find(*_OWNER) is None:
        return  # there never was a file
    documents = {path: _read(path) for path in paths}
    _check_once(documents)
    actor = _configuration(service)
    for attempt in range(1, _TRIES + 1):
        try:
            for path, document in documents.items():
                _apply(service, actor, path, document, environ)
            _let_go(service, actor, documents)
        except ConflictError:
            if attempt == _TRIES:
                raise
        else:
            return


def variables_of(paths: Sequence[str]) -> set[str]:
    """Environment variables that hold the files' secrets. A file that cannot be read has none."""
    found: set[str] = set()
    for path in paths:
        try:
            document = _read(path)
        except ConfigurationError:
            continue  # said when it is applied
        references = (one.draft.secret_reference or "" for one in document.clients)
        found |= {name for one in references if (name := variable_of(one))}
    return found


class _FileTarget:
    """The verbs of a plan, for one file."""

    def __init__(self, service: TokenService, actor: Actor, file: str) -> None:
        self._service = service
        self._actor = actor
        self._file = file

    def provider(self, key: str) -> ProviderEntry:
        return self._service.catalog.entry(key)

    def clients(self) -> Sequence[ClientRegistration]:
        return self._service.store.registry.clients()

    def connections(self) -> Sequence[Connection]:
        return self._service.store.registry.connections(self._actor.owner)

    def add_client(self, draft: ClientDraft) -> ClientRegistration:
        return self._service.clients.add(draft, self._actor, file=self._file)

    def edit_client(self, name: str, changes: Mapping[str, Any]) -> ClientRegistration:
        return self._service.clients.edit(name, changes, self._actor, file=self._file)

    def add_client_secret(
        self, name: str, secret: Secret | None, *, reference: str | None = None
    ) -> ClientRegistration:
        registry = self._service.store.registry
        client = registry.client(name)
        if client is not None and len(client.secrets) >= _MOST_SECRETS:
            registry.remove_client_secret(client.secrets[-1].id)
        return self._service.clients.add_secret(
            name, secret, self._actor, reference=reference, file=self._file
        )

    def add_connection(self, draft: ConnectionDraft) -> Connection:
        return self._service.connections.add(draft, self._actor)

    def edit_connection(self, name: str, changes: Mapping[str, Any]) -> Connection:
        return self._service.connections.edit(name, changes, self._actor)

    def knows_secret(self, client: ClientRegistration, _reference: str, secret: Secret) -> bool:
        """By its value: a file of a secret may have another content than at the last start."""
        return secret in self._service.store.registry.client_secrets(client.id)[:1]


def _apply(
    service: TokenService,
    actor: Actor,
    path: str,
    document: Document,
    environ: Mapping[str, str] | None,
) -> None:
    target = _FileTarget(service, actor, path)
    try:
        _adopt(service, actor, path, document)
        changes = changes_for(document, target, environ=environ, knows_secret=target.knows_secret)
        for change in changes:
            change.apply()
    except InvalidParameterError as error:
        raise InvalidParameterError(
            f"{path}: {error.message}", hint=error.hint, parameter=error.parameter
        ) from None


def _adopt(service: TokenService, actor: Actor, path: str, document: Document) -> None:
    """Clients that exist already are the file's from now on."""
    declared = {one.draft.name for one in document.clients}
    for client in service.store.registry.clients():
        if client.name in declared and client.managed_by == IN_DATABASE:
            service.store.registry.update_client(
                client.name, {"managed_by": path}, version=client.version, actor=actor.name
            )


def _let_go(service: TokenService, actor: Actor, documents: Mapping[str, Document]) -> None:
    declared = {(path, one.draft.name) for path, of in documents.items() for one in of.clients}
    registry = service.store.registry
    for client in registry.clients():
        if client.managed_by != IN_DATABASE and (client.managed_by, client.name) not in declared:
            registry.update_client(
                client.name,
                {"managed_by": IN_DATABASE, "enabled": False},
                version=client.version,
                actor=actor.name,
            )
            record(service.store, "client_let_go", actor.owner.id, client=client.name,
                   actor=actor.name)  # fmt: skip
    names = {one.name for document in documents.values() for one in document.connections}
    for connection in registry.connections(actor.owner):
        shared = connection.shared_users or connection.shared_groups
        if connection.mine and shared and connection.name not in names:
            service.connections.edit(
                connection.name, {"shared_users": (), "shared_groups": ()}, actor
            )


def _configuration(service: TokenService) -> Actor:
    """Who owns the connections of the files."""
    name = "the configuration"
    owner = Owner(id=service.owner(*_OWNER, name), name=name, administrator=True)
    return Actor(owner=owner, administrator=True)


def _read(path: str) -> Document:
    """Raises `ConfigurationError`."""
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(
            f"The configuration file {path} cannot be read: {reason}.",
            hint="Correct config_files.",
        ) from None
    document = read_document(text, path)
    return replace(document, connections=tuple(_shared(document.connections)))


def _shared(connections: Sequence[ConnectionDraft]) -> Iterator[ConnectionDraft]:
    """With everybody, where the file does not say with whom: else nobody would see them."""
    for one in connections:
        to_all = not one.shared_users and not one.shared_groups
        yield replace(one, shared_users=(EVERYBODY,)) if to_all else one


def _check_once(documents: Mapping[str, Document]) -> None:
    places: dict[tuple[str, str], str] = {}
    for path, document in documents.items():
        names = [("OAuth client", one.draft.name) for one in document.clients]
        names += [("connection", one.name) for one in document.connections]
        for kind, name in names:
            if (kind, name) in places:
                raise ConfigurationError(
                    f"The {kind} {name!r} is declared twice: in {places[kind, name]} and {path}.",
                    hint="Take it out of one of the files.",
                )
            places[kind, name] = path
