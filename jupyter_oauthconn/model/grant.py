"""Owners, and their grants: what one owner allowed for one connection. A connection can be shared,
a grant never is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from .connection import LastError, Status
from .secret import Secret
from .token import AccessToken

#: On an access list: every user.
EVERYBODY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A person as the token service knows her: the id never changes, the name may.

    Attributes:
        groups: those that her host says she is in, for access lists.
        administrator: she may use every OAuth client that administrators registered.
    """

    id: UUID
    name: str
    groups: frozenset[str] = frozenset()
    administrator: bool = False

    def is_among(self, users: Iterable[str], groups: Iterable[str]) -> bool:
        """Whether an access list names her: by name, by a group, or as everybody (`*`)."""
        return bool({self.name, EVERYBODY}.intersection(users) or self.groups.intersection(groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks for a change, and whether she does so as an administrator: one may use what
    administrators may from a notebook, and still have to go to the page to change it."""

    owner: Owner
    administrator: bool = False

    @property
    def name(self) -> str:
        """For the history."""
        return self.owner.name


class GrantState(StrEnum):
    """`suspended`: the provider refused the client; the tokens are kept until that is mended."""

    ACTIVE = "active"
    REAUTH_REQUIRED = "reauth_required"
    SUSPENDED = "suspended"


class Attempt(StrEnum):
    """How far the refresh that holds the lease has come; `sent` may have spent the token."""

    NONE = "none"
    CLAIMED = "claimed"
    SENT = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """A token endpoint's answer after validation (RFC 6749 §5.1).

    Attributes:
        expires_in: seconds, or None when absent or unreadable.
        refresh_expires_in: seconds, where the provider tells.
        scope: granted scope; None when the answer has none (then it is what was asked).
        id_token: raw, for `connected as` only.
        extra: fields that the catalog entry keeps.
    """

    access_token: Secret
    token_type: str = "Bearer"
    refresh_token: Secret | None = None
    expires_in: float | None = None
    refresh_expires_in: float | None = None
    scope: str | None = None
    id_token: Secret | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTokens:
    """What is written into a grant after a sign-in or a refresh. All times are the store's.

    Attributes:
        other: a token for another resource, and that resource, which came with the refresh token
            (RFC 8707); written with it.
    """

    access_token: Secret
    refresh_token: Secret | None
    token_type: str
    issued_at: datetime
    expires_at: datetime | None
    refresh_at: datetime | None
    refresh_expires_at: datetime | None
    scope: str
    extra: Mapping[str, str] = field(default_factory=dict)
    other: tuple[str, NewTokens] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A grant as it is read: with its access token, without its refresh token."""

    id: UUID
    owner_id: UUID
    connection_id: UUID
    resource: str
    generation: int
    token: AccessToken
    state: GrantState
    reason: str | None
    has_refresh_token: bool
    requested_scope: str
    identity: str | None
    subject: str | None
    connected_at: datetime
    refreshed_at: datetime | None
    refresh_expires_at: datetime | None
    attempt: Attempt
    lease_until: datetime | None
    failures: int
    not_before: datetime | None
    last_error: LastError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedGrant:
    """A grant as an administrator sees it: whose, for what, how it stands; never a token."""

    id: UUID
    owner: str
    connection: str
    client: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to refresh one grant once, held until `lease_until` by the store's clock.

    Attributes:
        previous: how far the refresh before had come when its lease ran out.
        claimed_at: the store's clock; the base of the new token's expiry.
    """

    grant: Grant
    lease_id: UUID
    refresh_token: Secret
    previous: Attempt
    previous_sent_at: datetime | None
    claimed_at: datetime
    lease_until: datetime
