"""What a person gives for an OAuth client: options, read into the fields of a draft."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import Any

from jupyter_oauthconn.model import AuthMethod, Endpoints

from ..call import Call, add_pairs, duration

_ENDPOINTS = tuple(one.name for one in fields(Endpoints))
_BESIDES = "besides administrators (on your own machine you are the administrator)"


def add_fields(command: argparse.ArgumentParser, *, id_required: bool) -> None:
    command.add_argument("--client-id", required=id_required, metavar="ID")
    command.add_argument("--title", metavar="TEXT", help="what people read; default: provider's")
    command.add_argument("--description", metavar="TEXT", help="what it is for")
    add_pairs(
        command, "--set", "a value of the provider's variables, e.g. host=…; host= takes it away"
    )
    command.add_argument("--issuer", metavar="URL", help="OpenID Connect issuer, for discovery")
    for name in _ENDPOINTS:
        command.add_argument(f"--{name.replace('_', '-')}-url", metavar="URL")
    command.add_argument("--auth-method", choices=[one.value for one in AuthMethod])
    command.add_argument("--scope", metavar="SCOPE", help="what connections may ask for")
    add_pairs(command, "--authorization-parameter", "sent along to the authorization endpoint")
    for name, what in (
        ("access-token-lifetime", "where the provider does not tell it"),
        ("refresh-token-lifetime", "where the provider does not tell it"),
        ("inactivity", "unused so long the refresh token ends; 0: never"),
    ):
        command.add_argument(f"--{name}", metavar="SECONDS", type=duration, help=what)
    for name, metavar, what in (
        ("redirect-uri", "URI", "exactly as registered at the provider"),
        ("allow-user", "USER", f"who may use it {_BESIDES}; * is everyone"),
        ("allow-group", "GROUP", f"which groups may use it {_BESIDES}"),
    ):
        command.add_argument(f"--{name}", metavar=metavar, action="append", help=what)
    command.add_argument("--loopback-port", choices=["any"], help="native app: any port (RFC 8252)")


def given_fields(call: Call, endpoints: Endpoints) -> dict[str, Any]:
    """The fields of a draft that options name; `endpoints` fills in those that none names."""
    from jupyter_oauthconn.kernel.drafts import settings

    given = call.arguments
    found = {
        "client_id": given.client_id,
        "title": given.title,
        "description": given.description,
        "parameters": settings(given.set) if given.set else None,
        "issuer": given.issuer,
        "auth_method": None if given.auth_method is None else AuthMethod(given.auth_method),
        "scope": given.scope,
        "authorization_parameters": dict(given.authorization_parameter or ()) or None,
        "access_token_lifetime": given.access_token_lifetime,
        "refresh_token_lifetime": given.refresh_token_lifetime,
        "inactivity": given.inactivity,
        "redirect_uris": _several(given.redirect_uri),
        "allowed_users": _several(given.allow_user),
        "allowed_groups": _several(given.allow_group),
        "loopback_port": given.loopback_port,
    }
    typed = {name: getattr(given, f"{name}_url") for name in _ENDPOINTS}
    typed = {name: url for name, url in typed.items() if url is not None}
    if typed:
        found["endpoints"] = replace(endpoints, **typed)
    return {name: value for name, value in found.items() if value is not None}


def _several(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
