"""The setting `config_files`: applied at each start; what is declared there only they change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import ConfigurationError, ConflictError
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
from ..secret_references import text_of, variable_of
from .documents import Document, read_document
from .plan import changes_for

if TYPE_CHECKING:
    from ..token_service import TokenService

_KIND = "file"
_MOST_SECRETS = 2
_LONGEST_DOCUMENT = 1024 * 1024


def apply_files(
    service: TokenService, paths: Sequence[str], environ: Mapping[str, str] | None
) -> None:
    """Makes OAuth clients and connections as the files say; does nothing where they are so.

    A client that its file declares no more is switched off and may be changed by hand again; a
    connection is shared with nobody any more. Sign-ins of both are kept. What belongs to files that
    are not named here stays as it is: another process, a terminal say, may know of others.

    Args:
        environ: where `env:` references look; None: the environment of this process.

    Raises:
        OAuthConnError: a file cannot be read or applied; its sentence names it.
    """
    if not paths:
        return
    documents = {str(path): _read(str(path)) for path in dict.fromkeys(map(_place_of, paths))}
    _check_once(documents)
    # processes that start at one time do the same work: one does it, the others find it done
    with service.store.database.alone():
        for path, document in documents.items():
            try:
                _apply(service, path, document, environ)
            except ConfigurationError as error:
                error.message = f"{path}: {error.message}"
                error.args = (error.message,)
                raise
        for path, document in documents.items():
            _let_go(service, path, document, documents)


def variables_of(paths: Sequence[str]) -> set[str]:
    """Environment variables that hold the files' secrets. A file that cannot be read has none."""
    found: set[str] = set()
    for path in paths:
        try:
            document = _read(str(_place_of(path)))
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
    service: TokenService, path: str, document: Document, environ: Mapping[str, str] | None
) -> None:
    actor = _owner_of(service, path)
    _adopt(service, actor, path, document)
    target = _FileTarget(service, actor, path)
    for change in changes_for(document, target, environ=environ, knows_secret=target.knows_secret):
        change.apply()


def _adopt(service: TokenService, actor: Actor, path: str, document: Document) -> None:
    """What exists already, by hand or of a file that was moved, is this file's from now on.

    Raises:
        ConflictError: it is a user's own.
    """
    registry = service.store.registry
    declared = {one.draft.name for one in document.clients}
    for client in registry.clients():
        if client.name not in declared or client.managed_by == path:
            continue
        if client.owner_id is not None:
            # neither may the file's secret get into her hands, nor her addresses get the secret
            raise ConflictError(
                f"The name {client.name!r} is taken by an OAuth client of {client.owner}'s own.",
                hint="Choose another name in the file, or remove that client.",
            )
        registry.update_client(
            client.name, {"managed_by": path}, version=client.version, actor=actor.name
        )
    files = service.store.owners.of_kind(_KIND)
    for draft in document.connections:
        for connection in registry.shared_connections(draft.name):
            if connection.owner_id in files and connection.owner_id != actor.owner.id:
                before = registry.connection(actor.owner, draft.name)
                if before is not None and before.mine:
                    # declared here once, then in another file: what people use is that one
                    service.connections.remove_for_all(before, actor)
                registry.hand_over_connection(connection.id, actor.owner.id)


def _let_go(
    service: TokenService, path: str, document: Document, documents: Mapping[str, Document]
) -> None:
    """What this file once declared and no file of this run does any more."""
    actor, registry = _owner_of(service, path), service.store.registry
    declared = {one.draft.name for of in documents.values() for one in of.clients}
    for client in registry.clients():
        if client.managed_by == path and client.name not in declared:
            registry.update_client(
                client.name,
                {"managed_by": IN_DATABASE, "enabled": False},
                version=client.version,
                actor=actor.name,
            )
            record(service.store, "client_let_go", actor.owner.id, client=client.name,
                   actor=actor.name)  # fmt: skip
    names = {one.name for one in document.connections}
    for connection in registry.connections(actor.owner):
        shared = connection.shared_users or connection.shared_groups
        if connection.mine and shared and connection.name not in names:
            service.connections.edit(
                connection.name, {"shared_users": (), "shared_groups": ()}, actor
            )


def _owner_of(service: TokenService, path: str) -> Actor:
    """Who owns the connections of a file."""
    name = "the configuration"
    owner = Owner(id=service.owner(_KIND, path, name), name=name, administrator=True)
    return Actor(owner=owner, administrator=True)


def _place_of(path: str) -> Path:
    """The same file is the same however it is spelled.

    Raises:
        ConfigurationError: there can be no such path.
    """
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        raise ConfigurationError(
            f"The configuration file {path!r} cannot be found.", hint="Correct config_files."
        ) from None


def _read(path: str) -> Document:
    """Raises `ConfigurationError`."""
    try:
        text = text_of(path, _LONGEST_DOCUMENT)
    except ValueError as error:
        raise ConfigurationError(
            f"The configuration file {path} cannot be read: {error}.",
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
