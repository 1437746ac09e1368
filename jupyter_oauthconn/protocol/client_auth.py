"""Client authentication at the provider's endpoints (RFC 6749 §2.3, names of RFC 7591 §2)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import AuthMethod, Secret

from .transport import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """An OAuth client's id and secret, and how they are sent.

    Raises:
        InvalidParameterError: the method needs a secret and there is none.
    """

    client_id: str
    method: AuthMethod
    secret: Secret | None = None

    def __post_init__(self) -> None:
        if self.method is not AuthMethod.NONE and not self.secret:
            raise InvalidParameterError(
                f"The method {self.method.value} needs a client secret.",
                hint="Set the secret, or use the method none for a public client.",
                parameter="client_secret",
            )


def form_request(
    *, endpoint: str, credentials: ClientCredentials, body: str, secrets: tuple[Secret, ...]
) -> HttpRequest:
    """A POST of the form `body` as this client; `secrets` are those in the body."""
    from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]

    method = credentials.method
    sent = credentials.secret if method is not AuthMethod.NONE else None
    headers: Mapping[str, str]
    _, headers, form = ClientAuth(
        credentials.client_id,
        sent.reveal() if sent else None,
        _basic if method is AuthMethod.CLIENT_SECRET_BASIC else method.value,
    ).prepare(
        "POST",
        endpoint,
        {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        body,
    )
    return HttpRequest(
        method="POST",
        url=endpoint,
        headers=headers,
        body=form.encode("ascii"),
        secrets=(*secrets, sent) if sent else secrets,
    )


def _basic(
    client: object, method: str, uri: str, headers: dict[str, str], body: str
) -> tuple[str, dict[str, str], str]:
    # RFC 6749 §2.3.1: both are form-encoded first; Authlib's own encoder leaves that out
    client_id, secret = getattr(client, "client_id"), getattr(client, "client_secret")  # noqa: B009
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    headers["Authorization"] = "Basic " + b64encode(pair.encode("ascii")).decode("ascii")
    return uri, headers, body
