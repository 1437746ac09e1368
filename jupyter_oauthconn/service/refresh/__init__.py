"""Refresh, once, however many ask; and nothing that a provider gave is lost.

The steps keep a rotating refresh token alive: claim (committed: proves that the store can be
written) → mark sent → one request → take the new tokens out of the answer before judging it →
compare-and-swap, retried until it holds. No database connection is open while the provider is
asked, and nobody but the holder of the lease asks. `flight`: one for each grant in this process;
`exchange`: what the holder of the lease does; `kept_answers`: saving; `failures`: three kinds;
`lifetimes`: when things end; `resources`: tokens for other resources by the same refresh token.
Given up (2026-11): row and advisory locks across the provider's call, which lost the answer
together with the connection that held them.
"""

from .exchange import Exchange
from .failures import client_refused, last_error, reauthorization_required
from .flight import Refresher, Wanted
from .kept_answers import KeptAnswers
from .lifetimes import new_tokens
from .resources import check_form, check_room_for_resource

__all__ = [
    "Exchange", "KeptAnswers", "Refresher", "Wanted", "check_form", "check_room_for_resource",
    "client_refused", "last_error", "new_tokens", "reauthorization_required",
]  # fmt: skip
