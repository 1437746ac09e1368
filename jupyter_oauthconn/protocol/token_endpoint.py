"""The token endpoint: exchanging a code, refreshing, and reading what comes back (RFC 6749 §5)."""

from __future__ import annotations

import json
import math

from jupyter_oauthconn.errors import ProviderProtocolError
from jupyter_oauthconn.model import Secret, TokenAnswer

from .answers import Fields, error_code, parse, read_object, reject
from .client_auth import ClientCredentials, form_request
from .transport import HttpAnswer, HttpRequest

_ENDPOINT = "The token endpoint"
#: Ten years. Longer ones are points in time or "never", written into the wrong field.
_LONGEST_LIFETIME = 10 * 365 * 86400.0
#: GitHub and Databricks; Keycloak; QuickBooks.
_REFRESH_LIFETIMES = (
    "refresh_token_expires_in",
    "refresh_expires_in",
    "x_refresh_token_expires_in",
)


def code_request(
    *,
    endpoint: str,
    credentials: ClientCredentials,
    code: Secret,
    redirect_uri: str,
    code_verifier: Secret,
) -> HttpRequest:
    """Exchanges an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5).

    With a code that is wrong on purpose this is also the probe of a client's id and secret: a
    good client is answered `invalid_grant`, a bad one `invalid_client`.
    """
    return token_request(
        "authorization_code",
        endpoint=endpoint,
        credentials=credentials,
        parameters={
            "redirect_uri": redirect_uri,
            "code": code,
            "code_verifier": code_verifier,
        },
    )


def refresh_request(
    *,
    endpoint: str,
    credentials: ClientCredentials,
    refresh_token: Secret,
    scope: str | None = None,
    resource: str | None = None,
) -> HttpRequest:
    """Asks for a new access token (RFC 6749 §6).

    Args:
        scope: narrower than granted; None: the same.
        resource: RFC 8707.
    """
    return token_request(
        "refresh_token",
        endpoint=endpoint,
        credentials=credentials,
        parameters={
            "refresh_token": refresh_token,
            **({"scope": scope} if scope else {}),
            **({"resource": resource} if resource else {}),
        },
    )


def token_request(
    grant_type: str,
    *,
    endpoint: str,
    credentials: ClientCredentials,
    parameters: dict[str, str | Secret],
) -> HttpRequest:
    """A request of any grant type."""
    from authlib.oauth2.rfc6749.parameters import (  # type: ignore[import-untyped]
        prepare_token_request,
    )

    body = prepare_token_request(
        grant_type,
        **{
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in parameters.items()
        },
    )
    return form_request(
        endpoint=endpoint,
        credentials=credentials,
        body=body,
        secrets=tuple(one for one in parameters.values() if isinstance(one, Secret)),
    )


def validate_token_answer(
    answer: HttpAnswer,
    *,
    keep: tuple[str, ...] = (),
    accept_form: bool = False,
    error_with_status_200: bool = False,
) -> TokenAnswer:
    """Judges an answer of the token endpoint: only a whole success counts as one (§5.1).

    Args:
        keep: further fields to return as text.
        accept_form: take a form-encoded answer too.
        error_with_status_200: the provider reports errors so; without it such an answer is a
            violation of the protocol.

    Raises:
        InvalidClientError: the provider refuses the client.
        ProviderRejectedError: another OAuth error; `.error`.
        ProviderUnavailableError: it may pass; `.retry_after_seconds`.
        ProviderProtocolError: everything else that is not a token.
    """
    fields = read_object(answer, endpoint=_ENDPOINT, accept_form=accept_form)
    error = error_code(fields, answer)
    if error is not None and error_with_status_200:
        reject(error, fields, answer, endpoint=_ENDPOINT)
    access_token = fields.secret("access_token")
    if error is not None or access_token is None:
        raise ProviderProtocolError(
            f"{_ENDPOINT} answered 200 "
            + (f"with the error {error}." if error is not None else "without an access token."),
            hint="Check that the address is this provider's token endpoint.",
        )
    if fields.get("refresh_token") not in (None, "") and fields.secret("refresh_token") is None:
        raise ProviderProtocolError(f"{_ENDPOINT} answered with a malformed refresh token.")
    return TokenAnswer(
        access_token=access_token,
        token_type=_bearer(fields),
        refresh_token=fields.secret("refresh_token"),
        expires_in=lifetime(fields.get("expires_in")),
        refresh_expires_in=_refresh_lifetime(fields),
        scope=_scope(fields),
        id_token=fields.secret("id_token"),
        extra={name: kept for name in keep if (kept := _kept(fields.get(name))) is not None},
    )


def keep_first(answer: HttpAnswer) -> tuple[Secret | None, Secret | None]:
    """Access and refresh token of whatever came, before it is judged.

    A rotated refresh token exists nowhere but in this answer; it must not be lost because the
    status, the content type or another field is odd.
    """
    fields = parse(answer)
    if fields is None:
        return None, None
    return fields.secret("access_token"), fields.secret("refresh_token")


def lifetime(value: object) -> float | None:
    """`expires_in` as seconds; None for what says nothing usable.

    Numbers and numeric strings count. Absent, zero, negative, more than ten years, dates, NaN and
    the rest are None: zero is written for "never" as well as for "now", and a token that counted
    as expired on arrival would be refreshed at every call.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and 0 < seconds <= _LONGEST_LIFETIME else None


def _refresh_lifetime(fields: Fields) -> float | None:
    found = (lifetime(fields.get(name)) for name in _REFRESH_LIFETIMES)
    return next((seconds for seconds in found if seconds is not None), None)


def _bearer(fields: Fields) -> str:
    kind = fields.text("token_type")
    # required by RFC 6749 §5.1 and still left out by some
    if kind is not None and kind.lower() != "bearer":
        raise ProviderProtocolError(
            f"{_ENDPOINT} gave a token of a type other than Bearer (RFC 6750).",
            hint="Switch sender-constrained tokens off for this client at the provider.",
        )
    return "Bearer"


def _scope(fields: Fields) -> str | None:
    listed = fields.texts("scope")
    if listed:
        return " ".join(listed)
    text = fields.text("scope") or ""
    # GitHub and Slack separate by commas; a scope with a comma of its own comes with spaces
    parts = text.split() if " " in text.strip() else text.split(",")
    return " ".join(part for part in (one.strip() for one in parts) if part) or None


def _kept(value: object) -> str | None:
    if isinstance(value, str) or value is None:
        return value
    return json.dumps(value, separators=(",", ":"))
