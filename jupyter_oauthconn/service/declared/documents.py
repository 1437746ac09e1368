"""OAuth clients and connections as a TOML document: written without secrets, read with references.

    [clients.sales-app]
    provider = "oidc"
    issuer = "https://login.example.com"
    client_id = "0oa1b2c3"
    secret_reference = "env:SALES_APP_SECRET"   # file:/run/secrets/x, keyring:SERVICE/NAME
    allowed_users = ["*"]

    [connections.sales]
    client = "sales-app"
    scope = "sales.read"
    shared_with = { groups = ["analysts"] }

Names are those of the HTTP interface.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, TypeVar

from jupyter_oauthconn import wire
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import (
    ClientDraft,
    ClientRegistration,
    Connection,
    ConnectionDraft,
    Endpoints,
)

_SECONDS = "_seconds"
_Draft = TypeVar("_Draft")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredClient:
    """A client as a document has it. `draft` holds no secret, at most where one is."""

    draft: ClientDraft
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a document declares."""

    clients: tuple[DeclaredClient, ...] = ()
    connections: tuple[ConnectionDraft, ...] = ()


def write_document(
    clients: Iterable[ClientRegistration], connections: Iterable[Connection] = ()
) -> str:
    """As TOML. A secret's reference is written where there is one, its value never."""
    tables = [
        *(_client_table(one) for one in clients),
        *(_connection_table(one) for one in connections),
    ]
    return "\n".join(tables)


def read_document(text: str, where: str = "The file") -> Document:
    """What a TOML document declares; no secret is looked up.

    Args:
        where: names the document in errors.

    Raises:
        InvalidParameterError: not TOML, an unknown field, a secret in the document itself.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidParameterError(
            f"{where} is not TOML: {error}.", hint="See `%oauthclient export` for the form."
        ) from None
    unknown = sorted(content.keys() - {"clients", "connections"})
    if unknown:
        raise InvalidParameterError(
            f"{where} has a table {unknown[0]!r}, which means nothing here.",
            hint="There are [clients.NAME] and [connections.NAME].",
            parameter=unknown[0],
        )
    return Document(
        clients=tuple(
            _declared_client(name, table, where)
            for name, table in _tables(content, "clients", where)
        ),
        connections=tuple(
            _read(name, table, where, "connections", wire.read_connection_draft)
            for name, table in _tables(content, "connections", where)
        ),
    )


def _tables(content: Mapping[str, Any], kind: str, where: str) -> list[tuple[str, dict[str, Any]]]:
    tables = content.get(kind, {})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise InvalidParameterError(
            f"{where}: `{kind}` does not hold tables.",
            hint=f"Begin each with [{kind}.NAME].",
            parameter=kind,
        )
    return list(tables.items())


def _declared_client(name: str, table: dict[str, Any], where: str) -> DeclaredClient:
    given = dict(table)
    enabled = given.pop("enabled", True)
    if "client_secret" in given:
        raise InvalidParameterError(
            f"{where} holds the secret of {name!r} itself.",
            hint='Put it elsewhere and name the place: secret_reference = "env:NAME", "file:PATH" '
            'or "keyring:SERVICE/NAME".',
            parameter="client_secret",
        )
    if not isinstance(enabled, bool):
        raise _unreadable(where, "clients", name)
    return DeclaredClient(
        draft=_read(name, given, where, "clients", wire.read_client_draft), enabled=enabled
    )


def _read(
    name: str,
    table: dict[str, Any],
    where: str,
    kind: str,
    reader: Callable[[Any], _Draft],
) -> _Draft:
    shape = wire.ClientDraft if kind == "clients" else wire.ConnectionDraft
    for key in table:
        if key not in shape.__annotations__ or key == "name":
            known = ", ".join(sorted(shape.__annotations__.keys() - {"name", "client_secret"}))
            raise InvalidParameterError(
                f"{where}: [{kind}.{name}] has no key {key!r}.",
                hint=f"There are {known}.",
                parameter=key,
            )
    try:
        return reader({**table, "name": name})
    except KeyError as error:
        raise InvalidParameterError(
            f"{where}: [{kind}.{name}] has no {error.args[0]}.",
            hint=f'Add {error.args[0]} = "…".',
            parameter=str(error.args[0]),
        ) from None
    except (TypeError, ValueError):
        # never quoted: it may be a secret in the wrong place
        raise _unreadable(where, kind, name) from None


def _unreadable(where: str, kind: str, name: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"{where}: a value of [{kind}.{name}] is none that its key can have.",
        hint="Texts stand in quotation marks, lists in [ ], durations are numbers of seconds, "
        "enabled is true or false.",
        parameter=name,
    )


_CLIENT_KEYS = (
    "title", "description", "provider", "client_id", "auth_method", "issuer", "scope",
    "redirect_uris", "loopback_port", "allowed_users", "allowed_groups", "access_token_lifetime",
    "refresh_token_lifetime", "inactivity", "endpoints", "parameters", "authorization_parameters",
)  # fmt: skip


def _client_table(client: ClientRegistration) -> str:
    pairs: dict[str, Any] = {name: getattr(client, name) for name in _CLIENT_KEYS}
    pairs["secret_reference"] = next((one.reference for one in client.secrets), None)
    lines = _lines(f"clients.{client.name}", pairs)
    if client.secrets and pairs["secret_reference"] is None:
        lines.append('# secret_reference = "env:…": name where its client secret is')
    if not client.enabled:
        lines.append("enabled = false")
    return "\n".join(lines) + "\n"


def _connection_table(connection: Connection) -> str:
    shared = {"users": connection.shared_users, "groups": connection.shared_groups}
    names = ("client", "scope", "connector", "login_hint", "parameters")
    pairs: dict[str, Any] = {name: getattr(connection, name) for name in names}
    pairs["shared_with"] = {kind: names for kind, names in shared.items() if names}
    return "\n".join(_lines(f"connections.{connection.name}", pairs)) + "\n"


def _lines(table: str, pairs: Mapping[str, Any]) -> list[str]:
    lines = [f"[{table}]"]
    for key, value in pairs.items():
        if isinstance(value, Endpoints):
            value = asdict(value)  # noqa: PLW2901
        if isinstance(value, Mapping):
            value = {name: one for name, one in value.items() if one is not None}  # noqa: PLW2901
        if value in (None, "", (), {}):
            continue
        if isinstance(value, timedelta):
            lines.append(f"{key}{_SECONDS} = {int(value.total_seconds())}")
        else:
            lines.append(f"{key} = {_toml(value)}")
    return lines


def _toml(value: object) -> str:
    match value:
        case int() | float():
            return str(value)
        case Sequence() if not isinstance(value, str):
            return f"[{', '.join(_toml(one) for one in value)}]"
        case Mapping():
            pairs = (f"{_toml(str(key))} = {_toml(one)}" for key, one in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case _:
            # a JSON string is a TOML basic string, but for DEL, which TOML wants escaped
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
