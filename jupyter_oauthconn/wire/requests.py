"""What routes are asked with, as `TypedDict`s."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class EndpointsDraft(TypedDict, total=False):
    authorization: str | None
    token: str | None
    refresh: str | None
    revocation: str | None
    introspection: str | None
    device_authorization: str | None


class ClientDraft(TypedDict):
    """`client_secret` is never read back; `secret_reference` says where the service finds it, or
    where it came from if both are there. What is absent the catalog entry decides."""

    name: str
    provider: str
    client_id: str
    title: NotRequired[str | None]
    description: NotRequired[str]
    parameters: NotRequired[dict[str, str]]
    issuer: NotRequired[str | None]
    endpoints: NotRequired[EndpointsDraft]
    client_secret: NotRequired[str | None]
    secret_reference: NotRequired[str | None]
    secret_ends_at: NotRequired[str | None]
    auth_method: NotRequired[str | None]
    scope: NotRequired[str]
    authorization_parameters: NotRequired[dict[str, str]]
    access_token_lifetime_seconds: NotRequired[float | None]
    refresh_token_lifetime_seconds: NotRequired[float | None]
    inactivity_seconds: NotRequired[float | None]
    redirect_uris: NotRequired[list[str]]
    loopback_port: NotRequired[str | None]
    allowed_users: NotRequired[list[str]]
    allowed_groups: NotRequired[list[str]]


class ClientChanges(TypedDict, total=False):
    """What is absent stays; a parameter that is null is taken away. `version` absent: of whatever
    is stored."""

    version: int | None
    title: str
    description: str
    client_id: str
    parameters: dict[str, str | None]
    issuer: str | None
    endpoints: EndpointsDraft
    auth_method: str
    scope: str
    authorization_parameters: dict[str, str]
    access_token_lifetime_seconds: float | None
    refresh_token_lifetime_seconds: float | None
    inactivity_seconds: float | None
    redirect_uris: list[str]
    loopback_port: str | None
    allowed_users: list[str]
    allowed_groups: list[str]
    enabled: bool


class ClientSecret(TypedDict):
    """Never read back. `secret_reference` as in `ClientDraft`; `ends_at`: when the provider ends
    it."""

    client_secret: NotRequired[str | None]
    secret_reference: NotRequired[str | None]
    ends_at: NotRequired[str | None]


class SharedWithDraft(TypedDict, total=False):
    users: list[str]
    groups: list[str]


class ConnectionDraft(TypedDict):
    name: str
    client: str
    parameters: NotRequired[dict[str, str]]
    scope: NotRequired[str]
    connector: NotRequired[str | None]
    login_hint: NotRequired[str]
    shared_with: NotRequired[SharedWithDraft]


class ConnectionChanges(TypedDict, total=False):
    """As `ClientChanges`."""

    version: int | None
    client: str
    parameters: dict[str, str | None]
    scope: str
    connector: str | None
    login_hint: str
    shared_with: SharedWithDraft


class TokenRequest(TypedDict, total=False):
    """`interactive` absent means true: a person who must act finds the sign-in started."""

    min_validity_seconds: float
    exact: bool
    rejected_generation: int | None
    resource: str | None
    interactive: bool


class AuthorizationRequest(TypedDict, total=False):
    """`again` absent: nothing is started where there is a sign-in that serves."""

    flow: str | None
    again: bool


class EnsureRequest(TypedDict):
    for_seconds: float


class SettingsChanges(TypedDict):
    """By name, as texts; null takes a change back."""

    settings: dict[str, str | None]
