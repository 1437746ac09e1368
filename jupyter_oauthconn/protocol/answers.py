"""What all endpoints' answers have in common: JSON objects, OAuth errors, and neither.

The fields of an answer stay inside `Fields`, which shows none of them, because a traceback may
print the locals of the frame that refused the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import parse_qsl

from jupyter_oauthconn.errors import (
    InvalidClientError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import Secret

from .transport import HttpAnswer

_FORM = "application/x-www-form-urlencoded"
#: RFC 6749 appendix A.11, A.12 and A.17: tokens are printable ASCII.
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
#: Words that could be a token or a key are not repeated to people.
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9._~+/=-]{24,}")
_LONGEST_TEXT = 200
#: Taking shorter ones out of a sentence would leave no sentence.
_SHORTEST_SECRET = 4
_LONGEST_RETRY_AFTER = 3600.0

#: Errors of RFC 6749 §5.2 as some providers spell them (HubSpot, GitHub, Slack).
_SPELLINGS = {
    "BAD_REFRESH_TOKEN": "invalid_grant",
    "BAD_AUTH_CODE": "invalid_grant",
    "BAD_CLIENT_ID": "invalid_client",
    "BAD_CLIENT_SECRET": "invalid_client",
    "bad_refresh_token": "invalid_grant",
    "bad_verification_code": "invalid_grant",
    "incorrect_client_credentials": "invalid_client",
    "invalid_refresh_token": "invalid_grant",
    "invalid_code": "invalid_grant",
    "bad_client_secret": "invalid_client",
    "invalid_client_id": "invalid_client",
}
_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
_REDIRECTION, _CLIENT_ERROR = 3, 4
_NOT_NOW = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


class Fields:
    """The members of a JSON object or a form."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members

    def __repr__(self) -> str:
        return "Fields(********)"

    def get(self, name: str) -> object:
        return self._members.get(name)

    def text(self, name: str) -> str | None:
        """The member if it is a string with something in it that can be written down.

        JSON can spell half a character (`"\\ud800"`), which no database or page takes.
        """
        value = self._members.get(name)
        return value if isinstance(value, str) and value and _is_text(value) else None

    def secret(self, name: str) -> Secret | None:
        """The member if it can be a token: a string of printable ASCII."""
        value = self.text(name)
        return Secret(value) if value is not None and _PRINTABLE.fullmatch(value) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """The strings of a member that is a list."""
        value = self._members.get(name)
        if not isinstance(value, list):
            return ()
        return tuple(one for one in value if isinstance(one, str) and _is_text(one))


def _is_text(value: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in value)


def media_type(answer: HttpAnswer) -> str:
    """The answer's content type without parameters, in lower case."""
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse(answer: HttpAnswer) -> Fields | None:
    """The body as a JSON object or a form, whatever its content type says; None for neither."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return _parse_form(answer)
    return Fields(document) if isinstance(document, dict) else None


def read_object(answer: HttpAnswer, *, endpoint: str, accept_form: bool = False) -> Fields:
    """The fields of an answer with status 200.

    Args:
        endpoint: for messages, e.g. "The token endpoint".
        accept_form: take `application/x-www-form-urlencoded` too.

    Raises:
        ProviderRejectedError, ProviderUnavailableError, ProviderProtocolError: see `refuse`.
    """
    if answer.status != HTTPStatus.OK:
        refuse(answer, endpoint=endpoint)
    kind = media_type(answer)
    if kind == "text/html":
        refuse(answer, endpoint=endpoint)
    is_json = kind == "application/json" or kind.endswith("+json")
    fields = parse(answer) if is_json or (accept_form and kind == _FORM) else None
    if fields is None:
        raise ProviderProtocolError(
            f"{endpoint} answered with {_shown(kind)} where a JSON object was expected.",
            hint="Check that the address is this provider's endpoint.",
        )
    return fields


def refuse(answer: HttpAnswer, *, endpoint: str) -> NoReturn:
    """Raises what an answer other than success means.

    Raises:
        ProviderUnavailableError: 408, 425, 429, 5xx, and web pages: it may pass.
        InvalidClientError: `invalid_client`, `unauthorized_client`, a 401 without a code.
        ProviderRejectedError: another error code (RFC 6749 §5.2).
        ProviderProtocolError: a redirect, or an error in no known form.
    """
    status = answer.status
    if status // 100 == _REDIRECTION:
        raise ProviderProtocolError(
            f"{endpoint} answered with a redirect ({status}); redirects are not followed, because "
            "they would carry secrets to another place.",
            hint="Register the address that it redirects to, if the provider documents that one.",
        )
    page = media_type(answer) == "text/html"
    if page or may_pass(answer):
        raise ProviderUnavailableError(
            f"{endpoint} answered with {status}{' and a web page' if page else ''}.",
            hint="Try again later; the provider's status page may know more.",
            retry_after_seconds=retry_after_seconds(answer),
        )
    fields = (parse(answer) if status // 100 == _CLIENT_ERROR else None) or Fields({})
    error = error_code(fields, answer)
    if error is None and status == HTTPStatus.UNAUTHORIZED:
        error = "invalid_client"
    if error is None:
        raise ProviderProtocolError(
            f"{endpoint} answered with {status} and no OAuth error.",
            hint="Check that the address is this provider's endpoint.",
        )
    reject(error, fields, answer, endpoint=endpoint)


def may_pass(answer: HttpAnswer) -> bool:
    """Whether the status speaks of the moment, not of the request."""
    return answer.status in _NOT_NOW or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def reject(error: str, fields: Fields, answer: HttpAnswer, *, endpoint: str) -> NoReturn:
    """Raises for an error code that the provider gave.

    Raises:
        InvalidClientError: the provider refuses the client.
        ProviderRejectedError: anything else.
    """
    # nested, because a local would stand in the traceback with all that the provider wrote
    words = described(
        fields.text("error_description") or fields.text("message") or "", answer.secrets
    )
    message = f"{endpoint} answered {error}{': ' + words if words else ''}."
    if error in _CLIENT_ERRORS:
        raise InvalidClientError(
            message,
            hint="An administrator must check the client id, the client secret (it may have "
            "ended) and what the client may do at the provider.",
            error=error,
            status=answer.status,
        )
    raise ProviderRejectedError(
        message, hint=_HINTS.get(error, _ANY_HINT), error=error, status=answer.status
    )


_ANY_HINT = "The provider's documentation says what this error means."
_HINTS = {
    "invalid_grant": "Sign in again.",
    "invalid_scope": "Ask for a scope that the client is allowed at the provider.",
    "access_denied": "Sign in again, and agree to what is asked.",
    "temporarily_unavailable": "Try again later.",
    "server_error": "Try again later.",
}


def error_code(fields: Fields, answer: HttpAnswer) -> str | None:
    """The OAuth error code of an error answer; HubSpot writes it as `status`."""
    said = fields.get("error")
    if isinstance(said, dict):  # {"error": {"type": …}}, as Facebook has it
        said = Fields(said).text("type") or Fields(said).text("code")
    if not isinstance(said, str) or not said:
        said = fields.text("status")
        said = said if said in _SPELLINGS else None
    if said is None:
        return None
    said = showable_code(said, answer.secrets)
    return _SPELLINGS.get(said, said)


def showable_code(said: str, secrets: tuple[Secret, ...]) -> str:
    """An error code as it may be stored and shown."""
    echoed = any(secret.reveal() == said for secret in secrets)
    return said if _ERROR_CODE.fullmatch(said) and not echoed else "unknown_error"


def described(text: str, secrets: tuple[Secret, ...] = ()) -> str:
    """A provider's sentence, without secrets, as `one_line`."""
    for secret in secrets:
        if len(secret.reveal()) >= _SHORTEST_SECRET:
            text = text.replace(secret.reveal(), "…")
    return one_line(_TOKEN_LIKE.sub("…", text)).rstrip(".")


def one_line(text: str) -> str:
    """A provider's text, short, in one line and without control characters."""
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def retry_after_seconds(answer: HttpAnswer) -> float | None:
    """`Retry-After` (RFC 9110 §10.2.3) in seconds, at most an hour; None when there is none.

    A date is compared with the provider's own `Date`, so that clocks need not agree.
    """
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_RETRY_AFTER)
    if not text or answer.date is None:
        return None
    try:
        seconds = (parsedate_to_datetime(text) - answer.date).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _parse_form(answer: HttpAnswer) -> Fields | None:
    if media_type(answer) != _FORM:
        return None
    try:
        pairs = parse_qsl(answer.body.decode("ascii"), strict_parsing=True, max_num_fields=100)
    except ValueError:
        return None
    return Fields(dict(pairs))


def _shown(kind: str) -> str:
    return kind if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}", kind) else "something else"
