"""Every exception of the project. Each has a stable `code` and a `hint` that says what to do next.

    OAuthConnError
    ├── InteractionRequiredError         a person must act; `.authorization` when one was started
    │   ├── ConsentRequiredError         nobody has signed in yet
    │   └── ReauthorizationRequiredError the old sign-in is over; `.reason`
    ├── AuthorizationFailedError         a sign-in ended without a grant
    │   ├── AccessDeniedError
    │   ├── CallbackMismatchError        `.expected`, `.received`
    │   └── AuthorizationExpiredError
    ├── ProviderError
    │   ├── ProviderRejectedError        an RFC 6749 §5.2 error; `.error`, `.status`
    │   │   └── InvalidClientError       the provider refused the client, not the person
    │   ├── ProviderUnavailableError     `.retry_after_seconds`, `.request_sent`
    │   └── ProviderProtocolError        an answer outside the specifications
    │       └── InvalidIDTokenError
    ├── ConfigurationError
    │   ├── InvalidNameError, InvalidParameterError, InvalidConnectionError
    │   ├── UnknownConnectionError, UnknownClientError, UnknownProviderError,
    │   │   UnknownAuthorizationError    `.name`, `.similar`
    │   ├── ConflictError, InUseError
    │   ├── NotAllowedError              also client_management_disabled, client_disabled, guest
    │   │   └── NotSignedInError
    │   └── MissingKeyError
    ├── StorageError
    │   └── UnsealError
    └── ServiceUnreachableError          `.url`

No exception holds a response, a request, a token or a query string: whatever is stored here may
be printed in a notebook, logged, or pickled into another process.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from jupyter_oauthconn.model import Authorization


class OAuthConnError(Exception):
    """Base of every error. `str(error)` is a sentence that names the thing and the reason.

    Args:
        message: one sentence, free of secrets.
        hint: the next step, as a sentence.
        code: overrides the class's stable code where one class serves several.
    """

    code: str = "internal"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments would be lost by the default, and errors cross process borders
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))


def _rebuild(cls: type[OAuthConnError], message: str, state: dict[str, object]) -> OAuthConnError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class InteractionRequiredError(OAuthConnError):
    """A person must act before a token can be had."""

    code = "interaction_required"

    def __init__(
        self, message: str, *, hint: str = "", authorization: Authorization | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.authorization = authorization


class ConsentRequiredError(InteractionRequiredError):
    """Nobody has signed in for this connection yet."""

    code = "consent_required"


class ReauthorizationRequiredError(InteractionRequiredError):
    """The sign-in behind this connection is over. `reason` is a code of `model.Reason`."""

    code = "reauthorization_required"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        reason: str = "revoked",
        authorization: Authorization | None = None,
    ) -> None:
        super().__init__(message, hint=hint, authorization=authorization)
        self.reason = reason


class AuthorizationFailedError(OAuthConnError):
    """A sign-in ended without a grant. Nothing that existed before was changed."""

    code = "authorization_failed"


class AccessDeniedError(AuthorizationFailedError):
    """The person or the provider refused (RFC 6749 §4.1.2.1)."""

    code = "access_denied"


class CallbackMismatchError(AuthorizationFailedError):
    """The browser came back to, or came from, another place than the client was registered for."""

    code = "callback_mismatch"

    def __init__(
        self, message: str, *, hint: str = "", expected: str = "", received: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.expected = expected
        self.received = received


class AuthorizationExpiredError(AuthorizationFailedError):
    """The sign-in was not finished in time, or its answer arrived a second time."""

    code = "authorization_expired"


class ProviderError(OAuthConnError):
    """The authorization server did not do what was asked."""

    code = "provider_rejected"


class ProviderRejectedError(ProviderError):
    """The authorization server answered with an OAuth error (RFC 6749 §5.2).

    `error` is the RFC's code, e.g. `invalid_grant`; `status` the HTTP status.
    """

    code = "provider_rejected"

    def __init__(self, message: str, *, hint: str = "", error: str, status: int = 400) -> None:
        super().__init__(message, hint=hint)
        self.error = error
        self.status = status


class InvalidClientError(ProviderRejectedError):
    """The authorization server refused the OAuth client: an administrator must act."""

    code = "invalid_client"


class ProviderUnavailableError(ProviderError):
    """No usable answer for now: time-out, connection refused, 408, 429 or 5xx.

    `request_sent` is False only when certainly no byte of the request has left this machine.
    """

    code = "provider_unavailable"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retry_after_seconds: float | None = None,
        request_sent: bool = True,
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds
        self.request_sent = request_sent


class ProviderProtocolError(ProviderError):
    """The authorization server's answer is outside the specifications."""

    code = "provider_protocol"


class InvalidIDTokenError(ProviderProtocolError):
    """The ID token fails a check of OpenID Connect Core §3.1.3.7."""

    code = "invalid_id_token"


class ConfigurationError(OAuthConnError):
    """What was asked cannot be done as it is set up."""

    code = "invalid_request"


class InvalidNameError(ConfigurationError):
    """The name is reserved or does not match `[a-z0-9][a-z0-9_-]{0,39}`."""

    code = "invalid_name"


class InvalidParameterError(ConfigurationError):
    """A parameter is missing, unknown or malformed. `parameter` names it."""

    code = "invalid_parameter"

    def __init__(self, message: str, *, hint: str = "", parameter: str = "") -> None:
        super().__init__(message, hint=hint)
        self.parameter = parameter


class InvalidConnectionError(ConfigurationError):
    """A connection's definition does not work any more, e.g. its catalog entry is gone."""

    code = "invalid_parameter"


class _UnknownError(ConfigurationError):
    kind: ClassVar[str]
    listing: ClassVar[str]

    def __init__(self, name: str, *, known: Iterable[str] = (), hint: str = "") -> None:
        self.name = name
        self.similar = tuple(get_close_matches(name, list(known), n=3, cutoff=0.6))
        if not hint and self.similar:
            hint = f"Did you mean {' or '.join(self.similar)}?"
        super().__init__(f"There is no {self.kind} named {name!r}.", hint=hint or self.listing)


class UnknownConnectionError(_UnknownError):
    """No connection of that name for this owner."""

    code = "unknown_connection"
    kind = "connection"
    listing = "`%connect` lists yours; `%connect add` makes one."


class UnknownClientError(_UnknownError):
    """No OAuth client of that name."""

    code = "unknown_client"
    kind = "OAuth client"
    listing = "`%oauthclient` lists them; `%oauthclient register` makes one."


class UnknownProviderError(_UnknownError):
    """No catalog entry of that key."""

    code = "unknown_provider"
    kind = "provider"
    listing = "`jupyter oauthconn providers` lists them."


class UnknownAuthorizationError(_UnknownError):
    """No pending sign-in of that id for this owner."""

    code = "unknown_authorization"
    kind = "authorization"
    listing = "Start again with `%connect auth NAME`."


class ConflictError(ConfigurationError):
    """The thing was changed by somebody else meanwhile, or its name is taken."""

    code = "conflict"


class InUseError(ConfigurationError):
    """Something else depends on it. `used_by` names what."""

    code = "in_use"

    def __init__(self, message: str, *, hint: str = "", used_by: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.used_by = used_by


class NotAllowedError(ConfigurationError):
    """This person may not do that here."""

    code = "not_allowed"


class NotSignedInError(NotAllowedError):
    """The request shows no credential that is accepted here."""

    code = "not_signed_in"


class MissingKeyError(ConfigurationError):
    """The database's key is missing, short or another one. `key_id` names the wanted key."""

    code = "missing_key"

    def __init__(self, message: str, *, hint: str = "", key_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.key_id = key_id


class StorageError(OAuthConnError):
    """The database is locked, full, read-only, away or of a version this one cannot read."""

    code = "storage_unavailable"


class UnsealError(StorageError):
    """A stored value does not belong to its row, or was sealed with another key."""

    code = "unseal_failed"


class ServiceUnreachableError(OAuthConnError):
    """The token service does not answer. `url` is its address, without any query."""

    code = "service_unreachable"

    def __init__(self, message: str, *, hint: str = "", url: str = "") -> None:
        super().__init__(message, hint=hint)
        self.url = url
