"""Values: frozen dataclasses without I/O and without a clock.

May import `errors` and the standard library only. Durations are `timedelta`, times are aware UTC;
whatever is secret is a `Secret` (2026-11: an own twenty lines instead of a validation library,
because this layer is imported by every kernel).
"""

from .authorization import Authorization, AuthorizationState, Flow, PendingAuthorization
from .client import AuthMethod, ClientDraft, ClientRegistration, ClientSecretInfo, Endpoints
from .connection import Connection, ConnectionDraft, LastError, Reason, State, Status
from .event import Check, Endurance, Event, Outcome, Revocation
from .grant import Attempt, Claim, Grant, GrantState, NewTokens, Owner, TokenAnswer
from .names import check_name, check_text, is_name, scope_set
from .secret import Secret
from .settings import Interaction, Settings
from .token import DEFAULT_MIN_VALIDITY, AccessToken

__all__ = [
    "DEFAULT_MIN_VALIDITY", "AccessToken", "Attempt", "AuthMethod", "Authorization",
    "AuthorizationState", "Check", "Claim", "ClientDraft", "ClientRegistration",
    "ClientSecretInfo", "Connection", "ConnectionDraft", "Endpoints", "Endurance", "Event",
    "Flow", "Grant", "GrantState", "Interaction", "LastError", "NewTokens", "Outcome",
    "Owner", "PendingAuthorization", "Reason", "Revocation", "Secret", "Settings", "State",
    "Status", "TokenAnswer", "check_name", "check_text", "is_name", "scope_set",
]  # fmt: skip
