"""OAuth clients as a TOML file: written without secrets, read with references to them.

    [clients.sales-app]
    provider = "oidc"
    client_id = "0oa1b2c3"
    secret_reference = "env:SALES_APP_SECRET"   # or "file:/run/secrets/sales-app"
    access_token_lifetime_seconds = 600

Names are those of the HTTP interface.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import ClientDraft, ClientRegistration

from .drafts import client_fields, secret_at

_WRITTEN = (
    "title", "provider", "client_id", "auth_method", "issuer", "scope", "redirect_uris",
    "loopback_port", "allowed_users", "allowed_groups", "access_token_lifetime",
    "refresh_token_lifetime", "inactivity", "endpoints", "parameters", "authorization_parameters",
)  # fmt: skip
_SECONDS = "_seconds"


def write_clients(clients: Iterable[ClientRegistration]) -> str:
    """The clients as TOML. A secret's reference is written where there is one, its value never."""
    return "\n".join(_table(client) for client in clients)


def read_clients(text: str) -> list[ClientDraft]:
    """Drafts of the clients in a TOML file; secrets are read from where they are referenced.

    Raises:
        InvalidParameterError: not TOML, an unknown field, a secret in the file itself.
    """
    try:
        tables = tomllib.loads(text).get("clients", {})
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameterError(
            f"The file is not TOML: {error}.", hint="See `%oauthclient export` for the form."
        ) from None
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise InvalidParameterError(
            "`clients` does not hold tables.", hint="Begin each client with [clients.NAME]."
        )
    return [_draft(name, table) for name, table in tables.items()]


def _draft(name: str, table: dict[str, Any]) -> ClientDraft:
    given = {key.removesuffix(_SECONDS): value for key, value in table.items()}
    reference = given.pop("secret_reference", None)
    if "client_secret" in given:
        raise InvalidParameterError(
            f"The file holds the secret of {name!r} itself.",
            hint='Put it elsewhere and name the place: secret_reference = "env:NAME" or '
            '"file:PATH".',
            parameter="client_secret",
        )
    for field in ("provider", "client_id"):
        if not given.get(field):
            raise InvalidParameterError(
                f"The client {name!r} has no {field}.",
                hint=f'Add {field} = "…" below [clients.{name}].',
                parameter=field,
            )
    secret = secret_at(str(reference)) if reference else None
    return ClientDraft(name=name, client_secret=secret, **client_fields(given))


def _table(client: ClientRegistration) -> str:
    lines = [f"[clients.{client.name}]"]
    for name in _WRITTEN:
        value = asdict(client)[name] if name == "endpoints" else getattr(client, name)
        if isinstance(value, timedelta):
            name, value = name + _SECONDS, int(value.total_seconds())  # noqa: PLW2901
        if isinstance(value, Mapping):
            value = {key: one for key, one in value.items() if one is not None}
        if value not in (None, "", (), {}):
            lines.append(f"{name} = {_toml(value)}")
    reference = next((one.reference for one in client.secrets if one.reference), None)
    if reference:
        lines.append(f"secret_reference = {_toml(reference)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    match value:
        case int() | float():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(_toml(one) for one in value)}]"
        case Mapping():
            pairs = (f"{_toml(str(key))} = {_toml(one)}" for key, one in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case _:
            # a JSON string is a TOML basic string, but for DEL, which TOML wants escaped
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
