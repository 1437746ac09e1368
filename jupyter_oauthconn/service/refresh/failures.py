"""Three kinds of failure, never mixed: how long to wait after the one that passes, what to say."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from enum import StrEnum

from jupyter_oauthconn.errors import (
    ConsentRequiredError,
    InvalidClientError,
    OAuthConnError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
    ReauthorizationRequiredError,
)
from jupyter_oauthconn.model import Attempt, Claim, Connection, Grant, LastError, Reason

_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(minutes=15)


class Kind(StrEnum):
    """`permanent`: a person must sign in. `transient`: it may pass. `configuration`: an
    administrator must act; the tokens are kept."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    CONFIGURATION = "configuration"


#: RFC 6749 §5.2 and OpenID Connect Core §3.1.2.6 codes that only a new sign-in mends.
_PERMANENT = frozenset(
    {"invalid_grant", "invalid_scope", "access_denied", "interaction_required",
     "consent_required", "login_required", "account_selection_required"}
)  # fmt: skip
_TRANSIENT = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


def kind_of(error: OAuthConnError) -> Kind:
    """Which of the three an error of a token request is."""
    match error:
        case InvalidClientError():
            return Kind.CONFIGURATION
        case ProviderRejectedError() if error.error in _PERMANENT:
            return Kind.PERMANENT
        case ProviderRejectedError() if error.error in _TRANSIENT:
            return Kind.TRANSIENT
        case ProviderRejectedError():
            return Kind.CONFIGURATION
        case ProviderUnavailableError() | ProviderProtocolError():
            return Kind.TRANSIENT
    return Kind.CONFIGURATION


def back_off(failures: int, error: OAuthConnError) -> timedelta:
    """How long not to ask again after the `failures`-th failure in a row (1 is the first).

    Half of it is drawn by lot, so that many kernels do not come back in one moment; what the
    provider asks for in `Retry-After` (RFC 9110 §10.2.3) is never undercut.
    """
    doublings: int = 2 ** min(failures - 1, 10)
    wait = min(_FIRST_WAIT * doublings, _LONGEST_WAIT)
    wait = wait * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, protects nothing
    asked = getattr(error, "retry_after_seconds", None)
    return max(wait, timedelta(seconds=asked)) if asked else wait


def last_error(error: OAuthConnError, at: datetime) -> LastError:
    """The error as it is stored beside the grant."""
    code = error.error if isinstance(error, ProviderRejectedError) else error.code
    return LastError(code=code, message=error.message, at=at)


def reauthorization_required(connection: Connection, grant: Grant) -> ReauthorizationRequiredError:
    """The error for a grant that only a new sign-in brings back, with its stored reason."""
    return new_sign_in_needed(connection, Reason(grant.reason or Reason.REVOKED))


def client_refused(connection: Connection, grant: Grant) -> InvalidClientError:
    """The error for a suspended grant: the provider refused the client, not the person."""
    said = grant.last_error.message if grant.last_error else "The provider refused it."
    return InvalidClientError(
        f"{connection.name}: the OAuth client {connection.client!r} does not work. {said}",
        hint="An administrator must mend the OAuth client (its id or secret); `%oauthclient test "
        f"{connection.client}` tells more. Your sign-in is kept.",
        error="invalid_client",
        status=401,
    )


def new_sign_in_needed(connection: Connection, reason: Reason) -> ReauthorizationRequiredError:
    """The error for a grant that ended for that reason."""
    return ReauthorizationRequiredError(
        f"{connection.name}: a new sign-in is needed, because {reason.words}.",
        hint=f"Sign in again: `%connect auth {connection.name} --again`. The connection and its "
        "settings stay.",
        reason=reason.value,
    )


def gone(connection: Connection) -> ConsentRequiredError:
    """The error for a grant that is no longer there."""
    return ConsentRequiredError(
        f"{connection.name}: the sign-in was revoked.",
        hint=f"Sign in again: `%connect auth {connection.name}`.",
    )


def reason_of(claim: Claim, error: ProviderRejectedError) -> Reason:
    """Why a permanent refusal ended the grant."""
    ended = claim.grant.refresh_expires_at
    if error.error == "invalid_scope":
        return Reason.SCOPE_CHANGED
    if claim.previous is Attempt.SENT:
        return Reason.REFRESH_OUTCOME_UNKNOWN
    if ended is not None and ended <= claim.claimed_at:
        return Reason.ABSOLUTE_EXPIRED
    return Reason.REVOKED


def came_between(connection: Connection) -> ProviderUnavailableError:
    return ProviderUnavailableError(
        f"{connection.name}: another sign-in or refresh came between.", hint="Run this again."
    )
