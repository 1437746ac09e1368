"""The OAuth client: our record of a client app that an administrator made at a provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from .secret import Secret


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
    """

    id: UUID
    version: int
    name: str
    title: str
    provider: str
    client_id: str
    auth_method: AuthMethod
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
    managed_by: str = "database"
    secrets: tuple[ClientSecretInfo, ...] = ()
    used_by: int = 0
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDraft:
    """What a person gives to register an OAuth client; None means "the catalog entry decides"."""

    name: str
    provider: str
    client_id: str
    title: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    issuer: str | None = None
    endpoints: Endpoints = field(default_factory=Endpoints)
    client_secret: Secret | None = None
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
