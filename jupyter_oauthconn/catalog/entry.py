"""One provider: what is known of an authorization server and of the data behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from jupyter_oauthconn.model import AuthMethod, Endpoints


class Rotation(StrEnum):
    """What a refresh does to the refresh token that was used."""

    NONE = "none"
    OLD_STAYS_VALID = "old_stays_valid"
    GRACE = "grace"
    STRICT = "strict"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A value that a person gives, checked before it becomes part of an address or a scope.

    Attributes:
        at: "client" (part of the endpoints) or "connection" (role, warehouse …).
        pattern: the whole value must match.
        host_suffixes: a value used as a host must end so; empty: not checked.
    """

    name: str
    title: str
    pattern: str
    at: str
    required: bool
    default: str | None = None
    example: str = ""
    host_suffixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """`default` is asked for unless the client or connection says otherwise; templates allowed."""

    default: tuple[str, ...] = ()
    offline: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswerRules:
    """How to read the token endpoint's answer where the provider departs from RFC 6749 §5.1.

    Attributes:
        account: the kept field that names the account, where there is no ID token.
    """

    default_lifetime: timedelta | None = None
    keep: tuple[str, ...] = ()
    accept_form: bool = False
    error_with_status_200: bool = False
    account: str | None = None


class ResourceParameter(StrEnum):
    """How a refresh asks for a token for another resource than the sign-in's."""

    NONE = "none"
    RESOURCE = "resource"  # RFC 8707 §2.2
    SCOPE = "scope"  # the resource is a scope, e.g. Entra's https://storage.azure.com/.default


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRules:
    """`lifetime` of a refresh token, absolute; `idle` since its last use; None: not known."""

    rotation: Rotation = Rotation.UNKNOWN
    grace: timedelta | None = None
    kills_access_token: bool = False
    lifetime: timedelta | None = None
    idle: timedelta | None = None
    resource_parameter: ResourceParameter = ResourceParameter.NONE


class Placement(StrEnum):
    """Where a driver wants the access token of a new connection."""

    CONNECT_ARG = "connect_arg"
    PASSWORD = "password"
    ODBC_TOKEN = "odbc_token"
    URL_QUERY = "url_query"
    PREFIXED = "prefixed"
    HEADER_FACTORY = "header_factory"
    REQUESTS_AUTH = "requests_auth"
    CALLABLE_ARG = "callable_arg"
    ADBC_HEADER = "adbc_header"
    LIBPQ_HOOK = "libpq_hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlacement:
    """`name` is the driver's argument, `prefix` stands before the token (`prefixed` only)."""

    placement: Placement
    name: str = ""
    prefix: str = ""


class ExchangeKind(StrEnum):
    """How a second hop trades the access token for the credential that a store takes."""

    STS_WEB_IDENTITY = "sts_web_identity"
    TOKEN_EXCHANGE = "token_exchange"
    TABLEAU = "tableau"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The second hop. Values may hold `{variable}`.

    Attributes:
        endpoint: https address of the exchanging server (http on loopback).
        parameters: further fields of the request, e.g. `role_arn`, `subject_token_type`.
        lifetime: asked for, and believed where the answer says nothing.
    """

    kind: ExchangeKind
    endpoint: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """One way to reach the data; the first of an entry is the usual one. Texts may hold
    `{variable}`.

    Attributes:
        kind: the connector's name, e.g. `engine`, `filesystem`.
        requires: what pip installs for it; the first names the module's distribution.
        url: SQLAlchemy's, or the address of the store; it never holds a token.
        connect_args: for the driver's `connect`.
        token: where the driver wants the token; None: the connector knows.
        session_bound: the server ends or refuses a session whose token has expired.
        auth_errors: codes or texts by which the driver says that the token was refused.
        probe: a cheap statement or path for `conn.test()`.
        options: further values of the connector, e.g. `library = "gcsfs"`.
    """

    kind: str
    title: str = ""
    requires: tuple[str, ...] = ()
    url: str = ""
    connect_args: Mapping[str, object] = field(default_factory=dict)
    token: TokenPlacement | None = None
    session_bound: bool = False
    auth_errors: tuple[str, ...] = ()
    probe: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """A catalog entry as data. Addresses and scopes may hold `{variable}`.

    Attributes:
        checked: ISO date of the last comparison with `source`.
        confidence: high, medium or low.
        discovery: True: endpoints that are None here come from the issuer's metadata.
        account_prompt: the `prompt` that makes it ask for the account (OpenID Connect Core
            §3.1.2.1); None: it knows none.
        loopback_hosts: the loopback names its redirect URIs may have, best first.
        callback_keep: parameters of the authorization response to keep.
        revocation_note: what to do where the provider has no revocation endpoint.
        steps: what an administrator does at the provider; may hold `{redirect_uri}`.
        traps: known traps in words, for the doctor.
    """

    key: str
    title: str
    checked: str
    source: str
    confidence: str
    issuer: str | None
    discovery: bool
    endpoints: Endpoints
    variables: tuple[Variable, ...] = ()
    scopes: Scopes = field(default_factory=Scopes)
    auth_methods: tuple[AuthMethod, ...] = (AuthMethod.CLIENT_SECRET_BASIC,)
    authorization_parameters: Mapping[str, str] = field(default_factory=dict)
    account_prompt: str | None = None
    token_answer: TokenAnswerRules = field(default_factory=TokenAnswerRules)
    refresh: RefreshRules = field(default_factory=RefreshRules)
    loopback_hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    callback_keep: tuple[str, ...] = ()
    revocation_note: str = ""
    api_hosts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    handles: tuple[Handle, ...] = ()

    @property
    def stands_for_any(self) -> bool:
        """Whether it is of no provider in particular: the issuer alone says which."""
        return not (self.issuer or self.endpoints.authorization or self.variables or self.api_hosts)
