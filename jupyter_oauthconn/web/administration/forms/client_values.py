"""From the form of an OAuth client to a draft, or to the changes of a stored one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from jupyter_oauthconn.catalog import ProviderEntry, check_parameters
from jupyter_oauthconn.errors import InvalidNameError, InvalidParameterError
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    Endpoints,
    Secret,
    check_name,
)

from .client_form import BY_REFERENCE, PUBLIC, WITH_SECRET, endpoint, needs_address
from .reading import Reading, placed


def check_where(entry: ProviderEntry, typed: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with step 1, by field."""
    reading = Reading(typed)
    shown = {"name", "issuer", *typed}
    try:
        check_name(reading.text("name"), "OAuth client")
    except InvalidNameError as error:
        reading.errors |= placed(error, shown)
    try:
        check_parameters(entry, _given(reading), at="client")
    except InvalidParameterError as error:
        reading.errors |= placed(error, shown)
    both = reading.text(endpoint("authorization")) and reading.text(endpoint("token"))
    if needs_address(entry) and not reading.text("issuer") and not both:
        reading.errors["issuer"] = "Give the issuer, or both addresses below."
    return reading.errors


def read_new(
    entry: ProviderEntry, typed: Mapping[str, str], secret: Secret | None, now: datetime
) -> tuple[ClientDraft, dict[str, str]]:
    """The draft, and what is wrong by field."""
    reading = Reading(typed)
    how = reading.text("credential")
    reference = reading.optional("secret_reference") if how == BY_REFERENCE else None
    if how not in {WITH_SECRET, BY_REFERENCE, PUBLIC}:
        reading.errors["credential"] = "Choose one of these."
    if how == WITH_SECRET and secret is None:
        reading.errors["client_secret"] = "Type the client secret; this page never keeps it."
    if how != WITH_SECRET and secret is not None:
        reading.errors["client_secret"] = "A secret was typed, but another answer is chosen above."
    if how == BY_REFERENCE and reference is None:
        reading.errors["secret_reference"] = "Say where the secret is kept: env:NAME or file:PATH."
    draft = ClientDraft(
        name=reading.text("name"),
        provider=entry.key,
        title=reading.optional("title"),
        parameters=_given(reading),
        client_secret=secret if how == WITH_SECRET else None,
        secret_reference=reference,
        secret_ends_at=reading.last_day("secret_ends", now) if how != PUBLIC else None,
        auth_method=AuthMethod.NONE if how == PUBLIC else _method(reading),
        **_both(reading),
    )
    return draft, reading.errors


def read_changes(
    client: ClientRegistration, typed: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What differs from the stored client, and what is wrong by field."""
    reading = Reading(typed)
    wanted = {
        **_both(reading),
        "title": reading.text("title") or client.title,
        "auth_method": _method(reading) or client.auth_method,
    }
    if not wanted["redirect_uris"]:
        reading.errors["redirect_uris"] = "Keep at least one: without it nobody can sign in."
    changes = {name: one for name, one in wanted.items() if one != getattr(client, name)}
    parameters = reading.parameters()
    if {name: one for name, one in parameters.items() if one} != client.parameters:
        # None takes a value away
        changes["parameters"] = {name: one or None for name, one in parameters.items()}
    return changes, reading.errors


def _both(reading: Reading) -> dict[str, Any]:
    """The fields that are read alike for a new and a stored client."""
    return {
        "client_id": reading.text("client_id"),
        "description": reading.text("description"),
        "issuer": reading.optional("issuer"),
        "endpoints": Endpoints(
            **{one.name: reading.optional(endpoint(one.name)) for one in fields(Endpoints)}
        ),
        "scope": " ".join(reading.text("scope").split()),
        "authorization_parameters": reading.pairs("authorization_parameters"),
        "access_token_lifetime": reading.duration("access_token_lifetime"),
        "refresh_token_lifetime": reading.duration("refresh_token_lifetime"),
        "inactivity": reading.duration("inactivity", zero=True),
        "redirect_uris": reading.lines("redirect_uris"),
        "loopback_port": "any" if reading.checked("loopback_any") else None,
    }


def _method(reading: Reading) -> AuthMethod | None:
    text = reading.text("auth_method")
    if text and text not in set(AuthMethod):
        reading.errors["auth_method"] = "Choose one of these."
        return None
    return AuthMethod(text) if text else None


def _given(reading: Reading) -> dict[str, str]:
    return {name: one for name, one in reading.parameters().items() if one}
