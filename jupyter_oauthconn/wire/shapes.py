"""The JSON bodies as `TypedDict`s. What a shape does not name never leaves."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Endpoints(TypedDict):
    authorization: str | None
    token: str | None
    refresh: str | None
    revocation: str | None
    introspection: str | None
    device_authorization: str | None


class ClientSecretInfo(TypedDict):
    id: str
    set_at: str
    ends_at: str | None
    reference: str | None


class Client(TypedDict):
    name: str
    version: int
    title: str
    provider: str
    parameters: dict[str, str]
    issuer: str | None
    endpoints: Endpoints
    client_id: str
    secrets: list[ClientSecretInfo]
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
    managed_by: str
    used_by: int
    updated_at: str | None
    updated_by: str


class LastError(TypedDict):
    code: str
    message: str
    at: str


class Status(TypedDict):
    state: str
    identity: str | None
    scope: str | None
    missing_scope: str | None
    expires_at: str | None
    refresh_expires_at: str | None
    connected_at: str | None
    refreshed_at: str | None
    reason: str | None
    next_step: str
    last_error: LastError | None


class SharedWith(TypedDict):
    users: list[str]
    groups: list[str]


class Connection(TypedDict):
    name: str
    version: int
    client: str
    provider: str
    parameters: dict[str, str]
    scope: str
    connector: str | None
    shared_with: SharedWith
    mine: bool
    updated_at: str | None
    status: Status | None


class Authorization(TypedDict):
    """`confirm`: another account than before signed in and waits to be confirmed; `redirect_uri`:
    where the provider was asked to come back to, null before the button was pressed."""

    id: str
    connection: str
    flow: str
    state: str
    path: str
    public_url: str | None
    user_code: str | None
    verification_uri: str | None
    expires_at: str
    redirect_uri: str | None
    identity: str | None
    confirm: bool
    error: LastError | None


class Token(TypedDict):
    """`expires_in` and `refresh_in` are whole seconds from the answer, rounded down."""

    access_token: str
    token_type: str
    expires_in: int | None
    refresh_in: int | None
    issued_at: str | None
    expires_at: str | None
    scope: str
    resource: str | None
    generation: int
    extra: dict[str, str]


class Origin(TypedDict):
    host: str | None
    kernel: str | None
    notebook: str | None


class Event(TypedDict):
    id: int
    at: str | None
    owner: str
    actor: str
    kind: str
    outcome: str
    client: str | None
    connection: str | None
    origin: Origin
    request_id: str | None


class Check(TypedDict):
    check: str
    outcome: str
    detail: str
    next_step: str


class Revocation(TypedDict):
    at_provider: str
    detail: str
    siblings: list[str]


class Endurance(TypedDict):
    lasts: bool | None
    detail: str
    expires_at: str | None
    refresh_expires_at: str | None


class Error(TypedDict):
    """`details` holds the other attributes of the exception, e.g. `reason`, `similar`."""

    code: str
    message: str
    hint: str
    request_id: str | None
    authorization: NotRequired[Authorization]
    retry_after_seconds: NotRequired[float]
    details: NotRequired[dict[str, str | int | bool | list[str] | None]]
