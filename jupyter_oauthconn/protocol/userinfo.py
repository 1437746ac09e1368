"""The account's name where the ID token has only its number (OpenID Connect Core §5.3)."""

from __future__ import annotations

from jupyter_oauthconn.errors import ProviderProtocolError
from jupyter_oauthconn.model import Secret

from .answers import Fields, read_object
from .id_token import Identity, label_of
from .transport import HttpAnswer, HttpRequest


def userinfo_request(*, endpoint: str, access_token: Secret) -> HttpRequest:
    """The token goes into the header, never into the address (RFC 6750 §2.1)."""
    return HttpRequest(
        method="GET",
        url=endpoint,
        headers={
            "Accept": "application/json",
            "Authorization": f"Bearer {access_token.reveal()}",
        },
        secrets=(access_token,),
    )


def validate_userinfo(answer: HttpAnswer, identity: Identity) -> str:
    """The account's label: e-mail, user name, name or subject.

    Raises:
        ProviderProtocolError: it is about another account than the ID token (§5.3.2).
        ProviderError: there is no usable answer.
    """
    fields: Fields = read_object(answer, endpoint="The userinfo endpoint")
    if fields.text("sub") != identity.subject:
        raise ProviderProtocolError(
            "The userinfo endpoint answered about another account.",
            hint="Sign in again; if it repeats, tell an administrator.",
        )
    return label_of(fields, identity.subject)
