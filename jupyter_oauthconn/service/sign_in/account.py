"""Whose account a token answer belongs to: a label for people, never a login."""

from __future__ import annotations

import logging
from datetime import datetime

from jupyter_oauthconn.errors import ProviderError, ProviderUnavailableError
from jupyter_oauthconn.model import Secret, TokenAnswer
from jupyter_oauthconn.protocol import (
    Identity,
    ServerMetadata,
    Transport,
    identify,
    userinfo_request,
    validate_userinfo,
)

from ..profile import Profile, Profiles

_log = logging.getLogger(__name__)


def account_of(
    answer: TokenAnswer,
    profile: Profile,
    profiles: Profiles,
    transport: Transport,
    *,
    nonce: Secret | None,
    now: datetime,
) -> tuple[str | None, str | None]:
    """Subject and label (e-mail, user name …) of the account, each None where nobody tells.

    Raises:
        InvalidIDTokenError: the ID token does not hold; the sign-in must be refused, because
            its nonce or audience may show an injected code.
    """
    if answer.id_token is not None and profile.issuer is not None:
        try:
            metadata = profile.metadata or profiles.metadata(profile.issuer, profile.typed)
            credentials = profiles.credentials(profile.client)
            identity = identify(
                transport,
                answer.id_token,
                metadata=metadata,
                client_id=profile.client.client_id,
                nonce=nonce,
                secret=credentials.secret,
                now=now,
                typed_host=profile.is_typed(metadata.jwks_uri or ""),
            )
        except ProviderUnavailableError as error:
            # the label is not worth a failed sign-in; code and PKCE were already accepted
            _log.warning("The account's name could not be checked: %s", error.message)
        else:
            return identity.subject, _label(answer, identity, metadata, profile, transport)
    field = profile.entry.token_answer.account
    label = answer.extra.get(field) if field else None
    return None, label


def _label(
    answer: TokenAnswer,
    identity: Identity,
    metadata: ServerMetadata,
    profile: Profile,
    transport: Transport,
) -> str:
    """A name that people know; an ID token often has the account's number only."""
    endpoint = metadata.userinfo_endpoint
    if identity.label != identity.subject or endpoint is None:
        return identity.label
    request = userinfo_request(endpoint=endpoint, access_token=answer.access_token)
    try:
        got = transport.send(request, typed_host=profile.is_typed(endpoint))
        return validate_userinfo(got, identity)
    except ProviderError as error:
        _log.warning("The account's name could not be asked for: %s", error.message)
        return identity.label
