"""The OAuth client: our record of a client app that an administrator made at a provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from .secret import Secret

#: `managed_by` of what people change by hand.
IN_DATABASE = "database"


class AuthMethod(StrEnum):
    """How the client authenticates at the token endpoint (names of RFC 7591 §2)."""

    CLIENT_SECRET_BASIC = "client_secret_basic"
    CLIENT_SECRET_POST = "client_secret_post"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses at the authorization server; None where it has none or discovery tells."""

    authorization: str | None = None
    token: str | None = None
    refresh: str | None = None
    revocation: str | None = None
    introspection: str | None = None
    device_authorization: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecretInfo:
    """What may be read back of a client secret: when, until when, from where; never its value."""

    id: UUID
    set_at: datetime
    ends_at: datetime | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRegistration:
    """An OAuth client. Two live secrets are possible; `inactivity` zero or None means never.

    Attributes:
        parameters: values of the catalog entry's variables that belong to the client (host …).
        endpoints: typed in by hand; they win over the catalog entry and discovery.
        scope: what its connections may ask for, space-separated; empty: the entry's default.
        redirect_uris: exact strings, as registered at the provider.
        loopback_port: "any" for native apps (RFC 8252 §7.3), else None.
        allowed_users, allowed_groups: who may use it beside administrators; `*` is everybody.
        managed_by: "database", or the configuration file that it may only be changed in.
        owner_id, owner: of a client that a user registered for herself alone; None: it is the
            administrators'.
    """

    id: UUID
    version: int
    name: str
    title: str
    provider: str
    client_id: str
    auth_method: AuthMethod
    description: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    issuer: str | None = None
    endpoints: Endpoints = field(default_factory=Endpoints)
    scope: str = ""
    authorization_parameters: Mapping[str, str] = field(default_factory=dict)
    access_token_lifetime: timedelta | None = None
    refresh_token_lifetime: timedelta | None = None
    inactivity: timedelta | None = None
    redirect_uris: tuple[str, ...] = ()
    loopback_port: str | None = None
    allowed_users: tuple[str, ...] = ()
    allowed_groups: tuple[str, ...] = ()
    enabled: bool = True
    managed_by: str = IN_DATABASE
    owner_id: UUID | None = None
    owner: str | None = None
    secrets: tuple[ClientSecretInfo, ...] = ()
    used_by: int = 0
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDraft:
    """What a person gives to register an OAuth client; None means "the catalog entry decides".

    Attributes:
        secret_reference: where the token service finds the client secret, in place of the secret
            itself: `env:NAME`, `file:PATH` or `keyring:SERVICE/NAME`.
        secret_ends_at: when the provider ends it.
    """

    name: str
    provider: str
    client_id: str
    title: str | None = None
    description: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    issuer: str | None = None
    endpoints: Endpoints = field(default_factory=Endpoints)
    client_secret: Secret | None = None
    secret_reference: str | None = None
    secret_ends_at: datetime | None = None
    auth_method: AuthMethod | None = None
    scope: str = ""
    authorization_parameters: Mapping[str, str] = field(default_factory=dict)
    access_token_lifetime: timedelta | None = None
    refresh_token_lifetime: timedelta | None = None
    inactivity: timedelta | None = None
    redirect_uris: tuple[str, ...] = ()
    loopback_port: str | None = None
    allowed_users: tuple[str, ...] = ()
    allowed_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionUse:
    """A connection that uses an OAuth client; `sign_ins` of all the people who signed in there."""

    owner: str
    connection: str
    sign_ins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientUse:
    """What an OAuth client carries, or the part of it that a change would end."""

    connections: tuple[ConnectionUse, ...] = ()

    @property
    def sign_ins(self) -> int:
        """How many sign-ins there are."""
        return sum(one.sign_ins for one in self.connections)

    def __str__(self) -> str:
        """`2 connections (sales of ada, budget of grace) with 3 sign-ins`."""
        names = ", ".join(f"{one.connection} of {one.owner}" for one in self.connections)
        listed = f" ({names})" if names else ""
        connections = _count(len(self.connections), "connection")
        return f"{connections}{listed} with {_count(self.sign_ins, 'sign-in')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
