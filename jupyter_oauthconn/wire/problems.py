"""Errors as JSON and back, with the same class on both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jupyter_oauthconn import errors

from .bodies import authorization_json, read_authorization
from .shapes import Error
from .walk import typed


def error_json(error: errors.OAuthConnError, *, request_id: str | None = None) -> Error:
    body: Error = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "request_id": request_id,
    }
    # errors promise to hold nothing secret, so their attributes may travel
    state = dict(error.__dict__)
    authorization = state.pop("authorization", None)
    retry_after = state.pop("retry_after_seconds", None)
    if authorization is not None:
        body["authorization"] = authorization_json(authorization)
    if retry_after is not None:
        body["retry_after_seconds"] = retry_after
    details = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in state.items()
        if key not in body
    }
    if details:
        body["details"] = details
    return body


def read_error(body: Error) -> errors.OAuthConnError:
    """The exception behind an error body; the base class for a code of a later version."""
    if not isinstance(body, dict):
        raise TypeError("an error's body is a JSON object")
    code, message, hint = (typed(str, body[name]) for name in ("code", "message", "hint"))
    details = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in typed(Mapping[str, object], body.get("details", {})).items()
    }
    classes = _CLASSES if details else _CLASSES_WITHOUT_DETAILS
    kind = classes.get(code, errors.OAuthConnError)
    error: errors.OAuthConnError = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(details, message=message, hint=hint)
    if isinstance(error, errors.InteractionRequiredError):
        pending = body.get("authorization")
        error.authorization = read_authorization(pending) if pending else None
    if isinstance(error, errors.ProviderUnavailableError):
        error.retry_after_seconds = typed(float | None, body.get("retry_after_seconds"))
    if error.code != code:
        error.code = code
    return error


def _below(kind: type[errors.OAuthConnError]) -> Iterator[type[errors.OAuthConnError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


_CLASSES: dict[str, type[errors.OAuthConnError]] = {
    **{one.code: one for one in _below(errors.OAuthConnError)},
    # of the classes that share a code, the one with attributes
    "invalid_request": errors.ConfigurationError,
    "invalid_parameter": errors.InvalidParameterError,
    **dict.fromkeys(
        ("client_management_disabled", "client_disabled", "kernel_credential_required", "guest"),
        errors.NotAllowedError,
    ),
}
_CLASSES_WITHOUT_DETAILS: dict[str, type[errors.OAuthConnError]] = {
    **_CLASSES,
    "invalid_parameter": errors.InvalidConnectionError,
    "provider_rejected": errors.ProviderError,
}
