"""Revocation (RFC 7009): ending a token at the provider."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from jupyter_oauthconn.errors import ProviderRejectedError
from jupyter_oauthconn.model import Secret

from .answers import refuse
from .client_auth import ClientCredentials, form_request
from .transport import HttpAnswer, HttpRequest


def revocation_request(
    *, endpoint: str, credentials: ClientCredentials, token: Secret, hint: str
) -> HttpRequest:
    """Asks to revoke `token`; `hint` is `refresh_token` or `access_token` (§2.1)."""
    return form_request(
        endpoint=endpoint,
        credentials=credentials,
        body=urlencode({"token": token.reveal(), "token_type_hint": hint}),
        secrets=(token,),
    )


def validate_revocation(answer: HttpAnswer) -> None:
    """Returns when the token is revoked, or was unknown (§2.2).

    Raises:
        ProviderUnavailableError: 503 and its like: the token must be taken for alive (§2.2.1).
        ProviderRejectedError: `unsupported_token_type`, `invalid_client` …
        ProviderProtocolError: a redirect, or an answer in no known form.
    """
    if answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
        return
    try:
        refuse(answer, endpoint="The revocation endpoint")
    except ProviderRejectedError as error:
        # against §2.2, but the token is dead, which is what was asked for (Google)
        if error.error != "invalid_token":
            raise
