"""The JSON bodies as `TypedDict`s. What a shape does not name never leaves.

The names are those of the model; what a route is asked with is in `requests`.
"""

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
    description: str
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
    owner: str | None
    used_by: int
    updated_at: str | None
    updated_by: str


class ConnectionUse(TypedDict):
    owner: str
    connection: str
    sign_ins: int


class ClientUse(TypedDict):
    """What an OAuth client carries, or the part of it that a change would end."""

    connections: list[ConnectionUse]


class ClientRequest(TypedDict):
    """A message to an administrator."""

    text: str


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
    login_hint: str
    shared_with: SharedWith
    mine: bool
    owner: str
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


class Variable(TypedDict):
    name: str
    title: str
    at: str
    required: bool
    default: str | None
    example: str
    pattern: str
    host_suffixes: list[str]


class Scopes(TypedDict):
    default: list[str]
    offline: list[str]
    identity: list[str]


class TokenAnswerRules(TypedDict):
    default_lifetime_seconds: float | None
    keep: list[str]
    accept_form: bool
    error_with_status_200: bool
    account: str | None


class RefreshRules(TypedDict):
    rotation: str
    grace_seconds: float | None
    kills_access_token: bool
    lifetime_seconds: float | None
    idle_seconds: float | None
    resource_parameter: str


class TokenPlacement(TypedDict):
    placement: str
    name: str
    prefix: str


class Exchange(TypedDict):
    kind: str
    endpoint: str
    parameters: dict[str, str]
    lifetime_seconds: float | None


class Handle(TypedDict):
    kind: str
    title: str
    requires: list[str]
    url: str
    connect_args: dict[str, object]
    token: TokenPlacement | None
    session_bound: bool
    auth_errors: list[str]
    probe: str
    options: dict[str, str]
    exchange: Exchange | None


class Provider(TypedDict):
    key: str
    title: str
    checked: str
    source: str
    confidence: str
    handles: list[Handle]
    issuer: str | None
    discovery: bool
    endpoints: Endpoints
    variables: list[Variable]
    scopes: Scopes
    auth_methods: list[str]
    authorization_parameters: dict[str, str]
    account_prompt: str | None
    token_answer: TokenAnswerRules
    refresh: RefreshRules
    loopback_hosts: list[str]
    callback_keep: list[str]
    revocation_note: str
    api_hosts: list[str]
    steps: list[str]
    traps: list[str]


class Health(TypedDict):
    status: str
    wire_version: int


class Me(TypedDict):
    """`where`: "server" or "hub"; `version`: of this package in the service."""

    owner: str
    admin: bool
    where: str
    wire_version: int
    version: str


class Grant(TypedDict):
    """What a person allowed, never a token."""

    id: str
    owner: str
    connection: str
    client: str
    status: Status


class Setting(TypedDict):
    """`value` as text, durations in seconds; `origin` says where it comes from."""

    name: str
    value: str
    origin: str
    changeable: bool


class Key(TypedDict):
    """`values`: how many stored values need it."""

    id: str
    active: bool
    values: int
