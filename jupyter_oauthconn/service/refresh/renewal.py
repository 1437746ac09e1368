"""One renewal under way, and what its last answer, lost or refused, means for the grant."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from jupyter_oauthconn.catalog import Rotation
from jupyter_oauthconn.model import Attempt, Claim, Connection
from jupyter_oauthconn.protocol import ClientCredentials

from ..profile import Profile

#: HTTP statuses that say the request was not worked on (RFC 6585 §4, RFC 9110 §15.6.4).
_NOT_WORKED_ON = frozenset({429, 503})
_SERVER_ERROR = 500
HARMLESS_TWICE = frozenset({Rotation.NONE, Rotation.OLD_STAYS_VALID})


@dataclass(frozen=True, slots=True)
class Renewal:
    """One renewal under way.

    Attributes:
        resource: the token is for that one (RFC 8707); empty: what the sign-in is for.
        margin: the setting `refresh_margin`, read before anything is sent.
        started: monotonic, the moment of the claim.
    """

    connection: Connection
    claim: Claim
    profile: Profile
    credentials: ClientCredentials
    margin: timedelta
    started: float
    resource: str = ""

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def now(self) -> datetime:
        """The store's time, without asking it again."""
        return self.claim.claimed_at + timedelta(seconds=self.seconds())


def grace_left(renewal: Renewal) -> timedelta | None:
    """The provider's grace period while it runs: a lost answer is to be asked for again in it."""
    claim, grace = renewal.claim, renewal.profile.entry.refresh.grace
    sent_at = claim.previous_sent_at or claim.claimed_at
    return grace if grace and claim.claimed_at - sent_at < grace else None


def may_end_the_grant(renewal: Renewal) -> bool:
    """Whether the token was perhaps spent by a refresh whose answer was lost, and the provider
    takes a second use for a theft."""
    claim, rules = renewal.claim, renewal.profile.entry.refresh
    if claim.previous is not Attempt.SENT or rules.rotation in HARMLESS_TWICE:
        return False
    return grace_left(renewal) is None


def is_odd(status: int) -> bool:
    """Whether a refusal of that HTTP status may have spent the refresh token."""
    return status >= _SERVER_ERROR and status not in _NOT_WORKED_ON
