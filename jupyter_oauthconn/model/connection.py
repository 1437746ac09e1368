"""A connection: a named use of one OAuth client. It holds no credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class State(StrEnum):
    """Where a connection stands for its owner; `words` is what people read."""

    NOT_CONNECTED = "not_connected"
    PENDING = "pending"
    CONNECTED = "connected"
    EXPIRING = "expiring"
    DEGRADED = "degraded"
    REAUTH_REQUIRED = "reauth_required"
    MISCONFIGURED = "misconfigured"
    CLIENT_DISABLED = "client_disabled"

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    State.NOT_CONNECTED: "Not authenticated",
    State.PENDING: "Waiting for you",
    State.CONNECTED: "Authenticated",
    State.EXPIRING: "Re-authenticate soon",
    State.DEGRADED: "Provider not answering",
    State.REAUTH_REQUIRED: "Re-authenticate",
    State.MISCONFIGURED: "Administrator must act",
    State.CLIENT_DISABLED: "Switched off by an administrator",
}


class Reason(StrEnum):
    """Why a new sign-in is needed."""

    REFRESH_OUTCOME_UNKNOWN = "refresh_outcome_unknown"
    SCOPE_CHANGED = "scope_changed"
    CLIENT_CHANGED = "client_changed"
    REVOKED = "revoked"
    IDLE_EXPIRED = "idle_expired"
    ABSOLUTE_EXPIRED = "absolute_expired"
    ACCOUNT_CHANGED = "account_changed"
    REDIRECT_URI_CHANGED = "redirect_uri_changed"

    @property
    def words(self) -> str:
        return _REASONS[self]


_REASONS = {
    Reason.REFRESH_OUTCOME_UNKNOWN: "the provider's answer to the last refresh was lost",
    Reason.SCOPE_CHANGED: "the connection asks for another scope than was granted",
    Reason.CLIENT_CHANGED: "the OAuth client was changed",
    Reason.REVOKED: "the provider no longer accepts the sign-in",
    Reason.IDLE_EXPIRED: "the sign-in ended because it was not used for too long",
    Reason.ABSOLUTE_EXPIRED: "the sign-in reached the end of its life",
    Reason.ACCOUNT_CHANGED: "another account signed in and was not confirmed",
    Reason.REDIRECT_URI_CHANGED: "the OAuth client's redirect URI was changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LastError:
    """The latest failure, without anything secret."""

    code: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a connection is for its owner, and the next step as a sentence."""

    state: State
    next_step: str
    identity: str | None = None
    scope: str | None = None
    missing_scope: str | None = None
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    connected_at: datetime | None = None
    refreshed_at: datetime | None = None
    reason: str | None = None
    last_error: LastError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection's definition. `status` is filled in where a caller asked for one owner's view.

    Attributes:
        client: the OAuth client's name.
        parameters: values of the catalog entry's variables that belong to connections (role …).
        scope: what it asks for, space-separated; empty: what the client allows.
        connector: how its data is reached; None: the entry's first handle.
        login_hint: the account that is meant, where a person has several (OpenID Connect Core
            §3.1.2.1); empty: any.
        mine: False for one that an administrator shared; `owner` is then her name, or the
            configuration file that defines it.
    """

    id: UUID
    version: int
    owner_id: UUID
    name: str
    client: str
    provider: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    scope: str = ""
    connector: str | None = None
    login_hint: str = ""
    shared_users: tuple[str, ...] = ()
    shared_groups: tuple[str, ...] = ()
    mine: bool = True
    owner: str = ""
    updated_at: datetime | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionDraft:
    """What a person gives to create a connection."""

    name: str
    client: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    scope: str = ""
    connector: str | None = None
    login_hint: str = ""
    shared_users: tuple[str, ...] = ()
    shared_groups: tuple[str, ...] = ()
