"""Values: frozen dataclasses without I/O and without a clock.

May import `errors` and the standard library only. Durations are `timedelta`, times are aware UTC;
whatever is secret is a `Secret` (2026-11: an own twenty lines instead of a validation library,
because this layer is imported by every kernel).
"""

from .authorization import Authorization, AuthorizationState, Flow, PendingAuthorization
from .client import (
    IN_DATABASE,
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    ClientSecretInfo,
    ClientUse,
    ConnectionUse,
    Endpoints,
)
from .connection import Connection, ConnectionDraft, LastError, Reason, State, Status
from .event import ALL_EVENTS, Check, Endurance, Event, EventFilter, Outcome, Revocation
from .grant import (
    EVERYBODY,
    Actor,
    Attempt,
    Claim,
    Grant,
    GrantState,
    NewTokens,
    OwnedGrant,
    Owner,
    TokenAnswer,
)
from .names import check_name, check_text, is_name, scope_set
from .secret import Secret
from .settings import Interaction, SettingInForce, Settings
from .token import DEFAULT_MIN_VALIDITY, AccessToken

__all__ = [
    "ALL_EVENTS", "DEFAULT_MIN_VALIDITY", "EVERYBODY", "IN_DATABASE", "AccessToken", "Actor",
    "Attempt", "AuthMethod", "Authorization", "AuthorizationState", "Check", "Claim",
    "ClientDraft", "ClientRegistration", "ClientSecretInfo", "ClientUse", "Connection",
    "ConnectionDraft", "ConnectionUse", "Endpoints", "Endurance", "Event", "EventFilter",
    "Flow", "Grant", "GrantState", "Interaction", "LastError", "NewTokens", "Outcome",
    "OwnedGrant", "Owner", "PendingAuthorization", "Reason", "Revocation", "Secret",
    "SettingInForce", "Settings", "State", "Status", "TokenAnswer", "check_name", "check_text",
    "is_name", "scope_set",
]  # fmt: skip
