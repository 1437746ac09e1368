"""Ending a grant at the provider (RFC 7009), after it is gone here."""

from __future__ import annotations

import logging

from jupyter_oauthconn.errors import ProviderError
from jupyter_oauthconn.model import NewTokens, Outcome, Revocation, Secret
from jupyter_oauthconn.protocol import (
    ClientCredentials,
    Transport,
    revocation_request,
    validate_revocation,
)

from .profile import Profile

_log = logging.getLogger(__name__)


def revoke_at_provider(
    transport: Transport,
    profile: Profile,
    credentials: ClientCredentials,
    tokens: NewTokens,
) -> Revocation:
    """Revokes the refresh token, or the access token where there is none; never raises for the
    provider's sake, because the local tokens are gone either way."""
    title = profile.called
    endpoint = profile.endpoints.revocation
    if endpoint is None:
        note = profile.entry.revocation_note or "End it in your account there."
        return Revocation(
            at_provider=Outcome.UNKNOWN, detail=f"{title} has no revocation endpoint. {note}"
        )
    token, hint = _strongest(tokens)
    request = revocation_request(endpoint=endpoint, credentials=credentials, token=token, hint=hint)
    try:
        validate_revocation(transport.send(request, typed_host=profile.is_typed(endpoint)))
    except ProviderError as error:
        _log.warning("Revocation was not confirmed: %s", error.message)
        return Revocation(
            at_provider=Outcome.FAILED,
            detail=f"{title} did not confirm the revocation: {error.message} "
            "End it in your account there.",
        )
    return Revocation(at_provider=Outcome.OK, detail=f"{title} has ended the grant.")


def _strongest(tokens: NewTokens) -> tuple[Secret, str]:
    # revoking the refresh token ends its access tokens too (RFC 7009 §2.1), not the reverse
    if tokens.refresh_token is not None:
        return tokens.refresh_token, "refresh_token"
    return tokens.access_token, "access_token"
