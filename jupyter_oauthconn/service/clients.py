"""Managing OAuth clients: what may be registered, what an edit does to the grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from jupyter_oauthconn.catalog import Catalog, ProviderEntry, check_parameters, resolve_issuer
from jupyter_oauthconn.errors import (
    InUseError,
    InvalidParameterError,
    NotAllowedError,
    UnknownClientError,
)
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    Endpoints,
    Reason,
    Secret,
    Settings,
    check_name,
    check_text,
    is_name,
    scope_set,
)
from jupyter_oauthconn.protocol import AddressGuard
from jupyter_oauthconn.storage import Store

from .history import record
from .profile import merged
from .sign_in.redirect_uris import check_redirect_uri, usual_redirect_uris

#: An edit of one of these sends people to another authorization server or as another client.
_AUTHORIZATION_FIELDS = frozenset({"client_id", "issuer", "endpoints", "parameters"})
_FIXED_FIELDS = frozenset({"name", "provider", "client_secret"})


class Clients:
    """The registry of OAuth clients. `actor` is the person's name, for the history."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        guard: AddressGuard,
        settings: Settings,
        mount_path: str,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._guard = guard
        self._settings = settings
        self._mount_path = mount_path

    def all(self) -> Sequence[ClientRegistration]:
        return self._store.registry.clients()

    def get(self, name: str) -> ClientRegistration:
        """Raises `UnknownClientError`."""
        client = self._store.registry.client(name) if is_name(name) else None
        if client is None:
            raise UnknownClientError(str(name), known=[one.name for one in self.all()])
        return client

    def add(self, draft: ClientDraft, *, actor: str) -> ClientRegistration:
        """Registers a client; what the draft leaves open the catalog entry decides.

        Raises:
            NotAllowedError: client management is switched off.
            InvalidNameError, InvalidParameterError, UnknownProviderError, ConflictError
        """
        self._check_allowed()
        check_name(draft.name, "OAuth client")
        for one in fields(draft):
            check_text(one.name, getattr(draft, one.name))
        entry = self._catalog.entry(draft.provider)
        if not draft.client_id.strip():
            raise InvalidParameterError(
                f"The OAuth client {draft.name!r} needs the client ID that {entry.title} shows "
                "for the client app.",
                hint="Give it with --client-id.",
                parameter="client_id",
            )
        complete = replace(
            draft,
            title=draft.title or entry.title,
            parameters=check_parameters(entry, draft.parameters, at="client"),
            auth_method=_auth_method(draft, entry),
            redirect_uris=draft.redirect_uris
            or usual_redirect_uris(draft.name, entry, self._settings.public_url, self._mount_path),
        )
        self._check_addresses(
            complete.redirect_uris, complete.endpoints, self._issuer(complete, entry)
        )
        client = self._store.registry.add_client(complete, actor=actor)
        if draft.client_secret is not None:
            self._store.registry.add_client_secret(client.id, draft.client_secret)
        record(self._store, "client_registered", actor, client=client.name, actor=actor)
        return self.get(client.name)

    def edit(
        self, name: str, changes: Mapping[str, Any], *, version: int | None, actor: str
    ) -> ClientRegistration:
        """Changes fields of `ClientDraft`, or `enabled`; marks the grants that it invalidates."""
        self._check_allowed()
        before = self.get(name)
        entry = self._catalog.entry(before.provider)
        _check_fields(changes)
        for field, value in changes.items():
            check_text(field, value)
        if "parameters" in changes:
            given = merged(before.parameters, changes["parameters"])
            changes = {**changes, "parameters": check_parameters(entry, given, at="client")}
        after = replace(before, **changes)
        self._check_addresses(after.redirect_uris, after.endpoints, after.issuer)
        client = self._store.registry.update_client(name, changes, version=version, actor=actor)
        if client.auth_method is AuthMethod.NONE:
            for one in before.secrets:
                self._store.registry.remove_client_secret(one.id)
        if any(getattr(before, one) != getattr(after, one) for one in _AUTHORIZATION_FIELDS):
            self._store.grants.invalidate_client(name, Reason.CLIENT_CHANGED)
        elif after.scope != before.scope:
            self._invalidate_other_scopes(before, after)
        # whatever the provider refused may be mended by this edit
        self._store.grants.resume_client(name)
        record(self._store, "client_edited", actor, client=name, actor=actor)
        return self.get(name)

    def add_secret(self, name: str, secret: Secret, *, actor: str) -> ClientRegistration:
        """Adds a second live secret; the newest is used."""
        self._check_allowed()
        client = self.get(name)
        if client.auth_method is AuthMethod.NONE:
            raise InvalidParameterError(
                f"The OAuth client {name!r} is a public client and has no secret.",
                hint=f"Change it first: `%oauthclient edit {name} --auth-method "
                "client_secret_basic`.",
                parameter="client_secret",
            )
        self._store.registry.add_client_secret(client.id, secret)
        self._store.grants.resume_client(name)
        record(self._store, "client_secret_added", actor, client=name, actor=actor)
        return self.get(name)

    def remove(self, name: str, *, actor: str) -> None:
        """Raises `InUseError` while connections use it."""
        self._check_allowed()
        self.get(name)
        users = tuple(one.name for one in self._store.registry.connections_of_client(name))
        if users:
            raise InUseError(
                f"The OAuth client {name!r} is used by {_count(users)}: {', '.join(users)}.",
                hint="Remove them first, or give --force to remove them too; `disable` keeps "
                "everything.",
                used_by=users,
            )
        self._store.registry.remove_client(name)
        record(self._store, "client_removed", actor, client=name, actor=actor)

    def _invalidate_other_scopes(
        self, before: ClientRegistration, after: ClientRegistration
    ) -> None:
        """Connections that now ask for more than was granted, or for what is allowed no more."""
        wider = scope_set(after.scope) - scope_set(before.scope)
        narrower = scope_set(before.scope) - scope_set(after.scope)
        for connection in self._store.registry.connections_of_client(after.name):
            changed = scope_set(connection.scope) & narrower if connection.scope else wider
            if changed:
                self._store.grants.invalidate_connection(connection.id, Reason.SCOPE_CHANGED)

    def _check_allowed(self) -> None:
        if not self._settings.client_management_enabled:
            raise NotAllowedError(
                "Registering and changing OAuth clients is switched off here.",
                hint="An administrator switches it on with client_management_enabled; existing "
                "connections go on.",
                code="client_management_disabled",
            )

    def _issuer(self, draft: ClientDraft, entry: ProviderEntry) -> str | None:
        issuer = draft.issuer or resolve_issuer(entry, draft.parameters)
        typed = draft.endpoints.authorization and draft.endpoints.token
        built_in = entry.endpoints.authorization and entry.endpoints.token
        if issuer is None and not typed and not built_in:
            raise InvalidParameterError(
                f"The OAuth client {draft.name!r} needs the address of its authorization server.",
                hint="Give --issuer URL, or --authorization-url URL and --token-url URL.",
                parameter="issuer",
            )
        return issuer

    def _check_addresses(
        self, redirect_uris: Sequence[str], endpoints: Endpoints, issuer: str | None
    ) -> None:
        for uri in redirect_uris:
            check_redirect_uri(uri)
        for one in fields(endpoints):
            address = getattr(endpoints, one.name)
            if address is not None:
                self._guard.check_url(address, typed=True)
        if issuer is not None:
            self._guard.check_url(issuer, typed=True)


def _auth_method(draft: ClientDraft, entry: ProviderEntry) -> AuthMethod:
    """What the draft says, else the entry's first method that fits to what was given."""
    if draft.auth_method is not None:
        method = draft.auth_method
    elif draft.client_secret is None and AuthMethod.NONE in entry.auth_methods:
        method = AuthMethod.NONE
    else:
        method = next(one for one in _with_secret(entry) if one is not AuthMethod.NONE)
    if (method is AuthMethod.NONE) != (draft.client_secret is None):
        raise InvalidParameterError(
            f"The OAuth client {draft.name!r} authenticates with {method.value}, so it "
            + ("takes no client secret." if draft.client_secret else "needs a client secret."),
            hint="Give --secret-env VAR or --secret-file PATH, or --auth-method none for a public "
            "client app.",
            parameter="client_secret",
        )
    return method


def _with_secret(entry: ProviderEntry) -> tuple[AuthMethod, ...]:
    return (*entry.auth_methods, AuthMethod.CLIENT_SECRET_BASIC)


def _check_fields(changes: Mapping[str, Any]) -> None:
    known = {one.name for one in fields(ClientDraft)} | {"enabled"}
    for name in changes:
        if name not in known or name in _FIXED_FIELDS:
            raise InvalidParameterError(
                f"{name!r} of an OAuth client cannot be edited.",
                hint="A secret is added with `clients add-secret`; name and provider never "
                "change: register another client.",
                parameter=name,
            )


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} connection{'s' if len(names) != 1 else ''}"
