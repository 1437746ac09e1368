"""Three kinds of failure, never mixed, and how long to wait after the one that passes."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from enum import StrEnum

from jupyter_oauthconn.errors import (
    InvalidClientError,
    OAuthConnError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import LastError

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
