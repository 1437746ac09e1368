"""From a token endpoint's answer to what is written into a grant: when things end."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from jupyter_oauthconn.model import AccessToken, Claim, NewTokens, TokenAnswer

from ..profile import Profile

_LARGEST_SHARE = 0.2


def new_tokens(
    answer: TokenAnswer,
    profile: Profile,
    *,
    issued_at: datetime,
    margin: timedelta,
    previous: Claim | None = None,
) -> NewTokens:
    """What to store for `answer`.

    Args:
        issued_at: the start of the token request by the store's clock; a token's life is counted
            from there, because the provider's clock started no earlier.
        margin: how long before its end a token is renewed, at most.
        previous: the refresh this answers; an absent refresh token or field keeps the old one
            (RFC 6749 §6).
    """
    expires_at = _expires_at(answer, profile, issued_at)
    refresh_token = answer.refresh_token
    scope = answer.scope
    extra = dict(answer.extra)
    if previous is not None:
        refresh_token = refresh_token or previous.refresh_token
        scope = previous.grant.token.scope if scope is None else scope
        extra = {**previous.grant.token.extra, **extra}
    return NewTokens(
        access_token=answer.access_token,
        refresh_token=refresh_token,
        token_type=answer.token_type,
        issued_at=issued_at,
        expires_at=expires_at,
        refresh_at=_refresh_at(profile, issued_at, expires_at, margin) if refresh_token else None,
        refresh_expires_at=_refresh_expires_at(answer, profile, issued_at, previous),
        scope=profile.scope if scope is None else scope,
        extra=extra,
    )


def saved_token(claim: Claim, tokens: NewTokens) -> AccessToken:
    """What `tokens` will be once they are saved under `claim`."""
    return AccessToken(
        value=tokens.access_token,
        generation=claim.grant.generation + 1,
        token_type=tokens.token_type,
        expires_at=tokens.expires_at,
        refresh_at=tokens.refresh_at,
        issued_at=tokens.issued_at,
        scope=tokens.scope,
        extra=tokens.extra,
    )


def _expires_at(answer: TokenAnswer, profile: Profile, issued_at: datetime) -> datetime | None:
    if answer.expires_in is not None:
        return issued_at + timedelta(seconds=answer.expires_in)
    known = profile.client.access_token_lifetime or profile.entry.token_answer.default_lifetime
    return issued_at + known if known else None


def _refresh_at(
    profile: Profile, issued_at: datetime, expires_at: datetime | None, margin: timedelta
) -> datetime | None:
    if expires_at is None:
        return None
    margin = min(margin, (expires_at - issued_at) * _LARGEST_SHARE)
    if profile.entry.refresh.kills_access_token:
        # renewing ends the token that is in use elsewhere: only at its very end
        return expires_at - margin * _LARGEST_SHARE
    return expires_at - margin * random.uniform(1.0, 1.5)  # noqa: S311 - spreads load


def _refresh_expires_at(
    answer: TokenAnswer, profile: Profile, issued_at: datetime, previous: Claim | None
) -> datetime | None:
    ends = []
    if answer.refresh_expires_in is not None:
        ends.append(issued_at + timedelta(seconds=answer.refresh_expires_in))
    else:
        lifetime = profile.client.refresh_token_lifetime or profile.entry.refresh.lifetime
        if lifetime:
            ends.append((previous.grant.connected_at if previous else issued_at) + lifetime)
    idle = profile.client.inactivity or profile.entry.refresh.idle
    if idle:
        ends.append(issued_at + idle)
    return min(ends, default=None)


def life_seconds(token: AccessToken) -> float | None:
    """How long it lives in all; None: nobody has said."""
    if token.expires_at is None or token.issued_at is None:
        return None
    return (token.expires_at - token.issued_at).total_seconds()
