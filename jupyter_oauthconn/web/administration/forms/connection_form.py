"""The form of a connection: a definition, never credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_oauthconn.catalog import ProviderEntry, resolve_scopes
from jupyter_oauthconn.model import ClientRegistration, ConnectionDraft

from ..views import Field, Group, Option
from .access_form import people_fields
from .reading import PARAMETER, Reading


def connection_groups(
    client: ClientRegistration,
    entry: ProviderEntry,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
) -> list[Group]:
    """The fields of a new connection of that client."""

    def field(name: str, label: str, **more: Any) -> Field:
        value, error = typed.get(name, ""), errors.get(name, "")
        return Field(name=name, label=label, value=value, error=error, **more)

    variables = tuple(
        field(
            PARAMETER + one.name,
            one.title,
            required=one.required and one.default is None,
            example=one.example,
            help=f"Empty: {one.default}." if one.default else "",
        )
        for one in entry.variables
        if one.at == "connection"
    )
    allowed = client.scope or " ".join(resolve_scopes(entry, client.parameters).default)
    # an entry may have a kind twice, for two stores; the parameters say which is meant
    titles = {one.kind: one.title or one.kind for one in reversed(entry.handles)}
    handles = tuple(
        Option(value=kind, text=titles[kind])
        for kind in dict.fromkeys(one.kind for one in entry.handles)
    )
    first = (
        field("name", "Name", required=True, example="sales",
              help="What people write: `%connect sales`. a-z, 0-9, _ and -; it never changes."),
        *variables,
        field("scope", "Scope", help="Separated by blanks. Empty: what the OAuth client asks for"
              + (f" ({allowed})." if allowed else ".")),
        field("login_hint", "Account to sign in with",
              help="Where a person has several accounts at the provider, for example an address."),
        *((field("connector", "How its data is reached", kind="select", options=handles),)
          if len(handles) > 1 else ()),
    )  # fmt: skip
    return [
        Group(title="Connection", fields=first),
        people_fields(
            typed, errors, title="Who sees it", nobody="Nobody else: it is my own connection"
        ),
    ]


def read_connection(client: str, reading: Reading) -> ConnectionDraft:
    """The draft; its faults are in `reading.errors`."""
    users, groups = reading.people()
    return ConnectionDraft(
        name=reading.text("name"),
        client=client,
        parameters={name: one for name, one in reading.parameters().items() if one},
        scope=reading.text("scope"),
        connector=reading.optional("connector"),
        login_hint=reading.text("login_hint"),
        shared_users=users,
        shared_groups=groups,
    )
