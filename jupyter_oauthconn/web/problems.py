"""From an error to an answer: the one place that knows HTTP statuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from tornado.web import HTTPError

from jupyter_oauthconn import wire
from jupyter_oauthconn.errors import (
    ConfigurationError,
    NotAllowedError,
    NotSignedInError,
    OAuthConnError,
)

_CODES = {
    HTTPStatus.BAD_REQUEST: ("invalid_request", "invalid_name", "invalid_parameter"),
    HTTPStatus.UNAUTHORIZED: ("not_signed_in",),
    HTTPStatus.FORBIDDEN: (
        "not_allowed", "client_management_disabled", "kernel_credential_required",
        "client_disabled", "guest",
    ),
    HTTPStatus.NOT_FOUND: (
        "unknown_connection", "unknown_client", "unknown_provider", "unknown_authorization",
    ),
    HTTPStatus.CONFLICT: (
        "interaction_required", "consent_required", "reauthorization_required", "access_denied",
        "authorization_expired", "authorization_failed", "callback_mismatch", "conflict", "in_use",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: ("too_many_requests",),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("internal", "unseal_failed"),
    HTTPStatus.BAD_GATEWAY: (
        "provider_rejected", "provider_protocol", "invalid_id_token", "invalid_client",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "provider_unavailable", "storage_unavailable", "missing_key", "draining",
    ),
}  # fmt: skip
STATUS: Mapping[str, HTTPStatus] = {
    code: status for status, codes in _CODES.items() for code in codes
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error, ready to be sent."""

    status: int
    headers: Mapping[str, str]
    body: wire.Error


def problem_of(error: BaseException, request_id: str) -> Problem:
    """The answer to an error; says nothing of one that nobody foresaw."""
    if isinstance(error, OAuthConnError):
        status = int(STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR))
        known = error
    elif isinstance(error, HTTPError):
        status, known = error.status_code, _of_status(error.status_code)
    else:
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        known = _of_status(status)
    retry_after = getattr(known, "retry_after_seconds", None)
    headers = {} if retry_after is None else {"Retry-After": str(math.ceil(max(0, retry_after)))}
    return Problem(
        status=status, headers=headers, body=wire.error_json(known, request_id=request_id)
    )


def _of_status(status: int) -> OAuthConnError:
    """What Tornado or a host refused before a verb was reached; their words stay in the log."""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return NotSignedInError("This request shows nobody who is known here.")
        case HTTPStatus.FORBIDDEN:
            return NotAllowedError(
                "The request was refused before it was looked at.",
                hint="A browser sends its XSRF token in the header X-XSRFToken, and comes by the "
                "server's own host name.",
            )
        case HTTPStatus.NOT_FOUND:
            return ConfigurationError(
                "There is nothing at this address.",
                hint="api/v1/openapi.json lists what there is.",
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return ConfigurationError(
                "This address does not know that method.",
                hint="api/v1/openapi.json lists what there is.",
            )
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ConfigurationError("The request cannot be read.")
    return OAuthConnError(
        "Something went wrong in the token service.",
        hint="The server's log has the request id and where it happened.",
    )
