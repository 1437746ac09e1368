"""Tokens for other resources than the sign-in's, by its refresh token (RFC 8707 §2.2)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypedDict

from jupyter_oauthconn.catalog import ResourceParameter
from jupyter_oauthconn.errors import (
    InvalidClientError,
    InvalidParameterError,
    OAuthConnError,
    ProviderError,
    ProviderRejectedError,
    ReauthorizationRequiredError,
)
from jupyter_oauthconn.model import Claim, Connection, NewTokens, Reason

from ..profile import Profile
from .failures import Kind, kind_of
from .renewal import Renewal

#: An absolute URI without a fragment (RFC 8707 §2) that is also one scope token (RFC 6749 §3.3).
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x24-\x5b\x5d-\x7e]{1,500}", re.ASCII)
#: The person has not agreed to that resource yet (OpenID Connect Core §3.1.2.6).
_NOT_AGREED = frozenset({"consent_required", "interaction_required", "login_required"})


#: Of one sign-in: each has a row in the database, and a notebook may ask for what it likes.
MOST_RESOURCES = 50


class ResourceParameters(TypedDict, total=False):
    """Of `refresh_request`."""

    resource: str
    scope: str


def check_form(resource: str | None) -> None:
    """Before anything is looked up by it. Raises `InvalidParameterError`."""
    if resource is not None and not _RESOURCE.fullmatch(resource):
        raise InvalidParameterError(
            "A resource is an absolute URI without a fragment (RFC 8707).",
            hint="For example https://storage.azure.com/.default.",
            parameter="resource",
        )


def check_resource(profile: Profile, resource: str) -> None:
    """Raises `InvalidParameterError`: malformed, or the provider knows one resource only."""
    check_form(resource)
    if profile.entry.refresh.resource_parameter is ResourceParameter.NONE:
        raise InvalidParameterError(
            f"{profile.called} gives no tokens for another resource than that of the sign-in.",
            hint="Make a connection with the scope of that resource, and use its tokens.",
            parameter="resource",
        )


def check_room_for_resource(connection: Connection, kept: int) -> None:
    """Raises `InvalidParameterError`: the sign-in has tokens for as many resources as it may."""
    if kept >= MOST_RESOURCES:
        raise InvalidParameterError(
            f"{connection.name} has tokens for {kept} resources, and gets none for another.",
            hint=f"A new sign-in forgets them: `%connect auth {connection.name} --again`.",
            parameter="resource",
        )


def resource_parameters(profile: Profile, resource: str) -> ResourceParameters:
    """What a refresh request says about the resource; nothing for that of the sign-in."""
    if not resource:
        return {}
    if profile.entry.refresh.resource_parameter is ResourceParameter.SCOPE:
        # without the scope that brings a refresh token there would be no new one
        return {"scope": " ".join((resource, *profile.entry.scopes.offline))}
    return {"resource": resource}


def with_own_token(claim: Claim, tokens: NewTokens, resource: str) -> NewTokens:
    """The answer as the sign-in's own grant keeps it: the new refresh token, its old access
    token."""
    own = claim.grant.token
    return replace(
        tokens,
        access_token=own.value,
        token_type=own.token_type,
        issued_at=own.issued_at or tokens.issued_at,
        expires_at=own.expires_at,
        refresh_at=own.refresh_at,
        scope=own.scope,
        extra=own.extra,
        other=(resource, tokens),
    )


def is_about_resource(renewal: Renewal, error: ProviderError) -> bool:
    """Whether a rejection may concern the wanted resource alone, and so not the grant."""
    rejected = isinstance(error, ProviderRejectedError) and not isinstance(
        error, InvalidClientError
    )
    return bool(renewal.resource) and rejected and kind_of(error) is Kind.CONFIGURATION


def resource_refused(
    profile: Profile, resource: str, error: ProviderRejectedError
) -> OAuthConnError:
    """Why there is no token for that resource."""
    name = profile.connection.name
    if kind_of(error) is Kind.PERMANENT or error.error in _NOT_AGREED:
        return ReauthorizationRequiredError(
            f"{name}: {profile.called} gives no token for {resource} with this sign-in "
            f"({error.error}).",
            hint=f"Sign in again: `%connect auth {name} --again`. If that does not help, the "
            "client app has no permission for it yet.",
            reason=Reason.SCOPE_CHANGED.value,
        )
    return InvalidParameterError(
        f"{name}: {profile.called} gives no token for {resource} ({error.error}).",
        hint="Compare it with what the client app may ask for at the provider.",
        parameter="resource",
    )
