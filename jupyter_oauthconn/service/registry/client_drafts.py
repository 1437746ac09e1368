"""What may stand in an OAuth client, and what its catalog entry fills in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jupyter_oauthconn.catalog import (
    Catalog,
    ProviderEntry,
    check_parameters,
    resolve_issuer,
)
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    Endpoints,
    Secret,
    Settings,
    check_name,
    check_text,
)
from jupyter_oauthconn.protocol import AddressGuard

from ..secret_references import check_reference, secret_at
from ..sign_in.redirect_uris import check_redirect_uri, usual_redirect_uris

_FIXED_FIELDS = frozenset(
    {"name", "provider", "client_secret", "secret_reference", "secret_ends_at"}
)

_MOST_REDIRECT_URIS = 20


class ClientRules:
    """Completes and checks drafts."""

    def __init__(
        self, catalog: Catalog, guard: AddressGuard, settings: Settings, mount_path: str
    ) -> None:
        self._catalog = catalog
        self._guard = guard
        self._public_url = settings.public_url
        self._mount_path = mount_path

    def complete(self, draft: ClientDraft, *, of_user: bool) -> tuple[ClientDraft, Secret | None]:
        """The draft with what the entry decides, and its client secret, from wherever it is.

        Args:
            of_user: it is a user's own: its addresses are judged like a stranger's, and it reads
                no secrets of the service's machine.

        Raises:
            InvalidNameError, InvalidParameterError, UnknownProviderError
        """
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
        if of_user:
            _check_own(draft)
            # where it came from is hers to know: an export must not name places of the service
            draft = replace(draft, secret_reference=None)
        if draft.secret_reference is not None:
            check_reference(draft.secret_reference)
        secret = draft.client_secret
        if secret is None and draft.secret_reference is not None:
            secret = secret_at(draft.secret_reference)
        complete = replace(
            draft,
            title=draft.title or _usual_title(draft, entry),
            parameters=check_parameters(entry, draft.parameters, at="client"),
            auth_method=_auth_method(draft, secret, entry),
            redirect_uris=draft.redirect_uris or self.usual_redirect_uris(draft.name, entry),
        )
        issuer = _issuer(complete, entry)
        self._check_addresses(complete.redirect_uris, complete.endpoints, issuer, typed=not of_user)
        return complete, secret

    def usual_redirect_uris(self, name: str, entry: ProviderEntry) -> tuple[str, ...]:
        """What is registered when nobody names a redirect URI."""
        return usual_redirect_uris(name, entry, self._public_url, self._mount_path)

    def check_changed(self, client: ClientRegistration) -> None:
        """Raises `InvalidParameterError` for addresses that an edit must not bring in."""
        of_user = client.owner_id is not None
        if of_user:
            _check_own(client)
        entry = self._catalog.entry(client.provider)
        issuer = client.issuer or resolve_issuer(entry, client.parameters)
        self._check_addresses(client.redirect_uris, client.endpoints, issuer, typed=not of_user)

    def checked_secret(
        self,
        client: ClientRegistration,
        secret: Secret | None,
        reference: str | None,
        ends_at: datetime | None,
        now: datetime,
    ) -> Secret:
        """Another secret of the client, read from its reference where only that is given.

        Raises:
            InvalidParameterError: a public client, no secret, or one that has ended.
        """
        if client.auth_method is AuthMethod.NONE:
            raise InvalidParameterError(
                f"The OAuth client {client.name!r} is a public client and has no secret.",
                hint=f"Change it first: `%oauthclient edit {client.name} --auth-method "
                "client_secret_basic`.",
                parameter="client_secret",
            )
        if ends_at is not None and ends_at <= now:
            raise InvalidParameterError(
                f"The end of the new secret of {client.name!r} has passed.",
                hint="Give the day on which the provider ends it.",
                parameter="ends_at",
            )
        if reference is not None:
            check_reference(reference)
        if secret is None and reference is not None:
            if client.owner_id is not None:
                raise _no_reference()
            secret = secret_at(reference)
        if not secret:
            raise InvalidParameterError(
                "There is no client secret.",
                hint="Copy it from the provider's page of the client app.",
                parameter="client_secret",
            )
        return secret

    def _check_addresses(
        self,
        redirect_uris: Sequence[str],
        endpoints: Endpoints,
        issuer: str | None,
        *,
        typed: bool,
    ) -> None:
        if len(redirect_uris) > _MOST_REDIRECT_URIS:
            raise InvalidParameterError(
                f"There are {len(redirect_uris)} redirect URIs.",
                hint=f"Give at most {_MOST_REDIRECT_URIS}.",
                parameter="redirect_uris",
            )
        for uri in redirect_uris:
            check_redirect_uri(uri)
        for one in fields(endpoints):
            address = getattr(endpoints, one.name)
            if address is not None:
                self._guard.check_url(address, typed=typed)
        if issuer is not None:
            self._guard.check_url(issuer, typed=typed)


def check_fields(changes: Mapping[str, Any]) -> None:
    """Raises `InvalidParameterError` for what an edit cannot change."""
    known = {one.name for one in fields(ClientDraft)} | {"enabled"}
    for name in changes:
        if name not in known or name in _FIXED_FIELDS:
            raise InvalidParameterError(
                f"{name!r} of an OAuth client cannot be edited.",
                hint="A secret is added with `clients add-secret`; name and provider never "
                "change: register another client.",
                parameter=name,
            )


def _check_own(client: ClientDraft | ClientRegistration) -> None:
    if client.allowed_users or client.allowed_groups:
        raise InvalidParameterError(
            "An OAuth client that you register for yourself is used by nobody else.",
            hint="Leave the access list out; an administrator registers clients for several.",
            parameter="allowed_users",
        )
    if isinstance(client, ClientDraft) and client.secret_reference and not client.client_secret:
        raise _no_reference()


def _no_reference() -> InvalidParameterError:
    return InvalidParameterError(
        "A reference to a secret is read on the machine of the token service, which is the "
        "administrators'.",
        hint="Give the secret itself, or from a file or variable of your own.",
        parameter="secret_reference",
    )


def _usual_title(draft: ClientDraft, entry: ProviderEntry) -> str:
    """The entry's; the host where the entry stands for any provider."""
    address = draft.issuer or draft.endpoints.authorization
    host = urlsplit(address).netloc if address and entry.stands_for_any else None
    return host or entry.title


def _issuer(draft: ClientDraft, entry: ProviderEntry) -> str | None:
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


def _auth_method(draft: ClientDraft, secret: Secret | None, entry: ProviderEntry) -> AuthMethod:
    """What the draft says, else the entry's first method that fits to what was given."""
    if draft.auth_method is not None:
        method = draft.auth_method
    elif secret is None and AuthMethod.NONE in entry.auth_methods:
        method = AuthMethod.NONE
    else:
        method = next(one for one in _with_secret(entry) if one is not AuthMethod.NONE)
    if (method is AuthMethod.NONE) != (secret is None):
        raise InvalidParameterError(
            f"The OAuth client {draft.name!r} authenticates with {method.value}, so it "
            + ("takes no client secret." if secret else "needs a client secret."),
            hint="Give --secret-env VAR or --secret-file PATH, or --auth-method none for a public "
            "client app.",
            parameter="client_secret",
        )
    return method


def _with_secret(entry: ProviderEntry) -> tuple[AuthMethod, ...]:
    return (*entry.auth_methods, AuthMethod.CLIENT_SECRET_BASIC)
