"""The device authorization grant (RFC 8628), for places that no browser can come back to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlencode

from jupyter_oauthconn.errors import (
    AccessDeniedError,
    AuthorizationExpiredError,
    InvalidParameterError,
    ProviderProtocolError,
    ProviderRejectedError,
)
from jupyter_oauthconn.model import Secret, TokenAnswer

from .addresses import AddressGuard
from .answers import read_object
from .client_auth import ClientCredentials, form_request
from .token_endpoint import lifetime, token_request, validate_token_answer
from .transport import HttpAnswer, HttpRequest

_ENDPOINT = "The device authorization endpoint"
_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
#: RFC 8628 §3.2: without an interval it is five seconds.
_INTERVAL_SECONDS = 5.0
#: RFC 8628 §3.5: what `slow_down` adds to the interval of this and all later polls.
SLOW_DOWN_SECONDS = 5.0
_LONGEST_USER_CODE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What the person is shown, and what the polls carry (RFC 8628 §3.2).

    Attributes:
        expires_in: seconds that the codes live.
        interval: seconds to wait between two polls.
    """

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: float
    interval: float


class DevicePoll(Enum):
    """A poll that is not the last one."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"


def device_request(*, endpoint: str, credentials: ClientCredentials, scope: str) -> HttpRequest:
    """Asks for a device code and a user code (§3.1)."""
    # the client id is a parameter of its own here, also beside Basic (§3.1)
    body = {"scope": scope} if scope else {}
    if credentials.method.value == "client_secret_basic":
        body["client_id"] = credentials.client_id
    return form_request(
        endpoint=endpoint, credentials=credentials, body=urlencode(body), secrets=()
    )


def validate_device_answer(answer: HttpAnswer) -> DeviceCode:
    """Reads both codes (§3.2).

    Raises:
        ProviderError: as for the token endpoint, or a field is missing or malformed.
    """
    fields = read_object(answer, endpoint=_ENDPOINT)
    device_code, user_code = fields.secret("device_code"), fields.text("user_code")
    # Google writes verification_url, as drafts of the RFC had it
    address = fields.text("verification_uri") or fields.text("verification_url")
    expires_in = lifetime(fields.get("expires_in"))
    if device_code is None or expires_in is None or not _showable(user_code, address):
        raise ProviderProtocolError(
            f"{_ENDPOINT} answered without usable codes.",
            hint="Check that the client may use the device flow at this provider.",
        )
    complete = fields.text("verification_uri_complete")
    return DeviceCode(
        device_code=device_code,
        user_code=user_code or "",
        verification_uri=address or "",
        verification_uri_complete=complete if _showable(user_code, complete) else None,
        expires_in=expires_in,
        interval=lifetime(fields.get("interval")) or _INTERVAL_SECONDS,
    )


def device_token_request(
    *, endpoint: str, credentials: ClientCredentials, device_code: Secret
) -> HttpRequest:
    """One poll of the token endpoint (§3.4)."""
    parameters: dict[str, str | Secret] = {"device_code": device_code}
    return token_request(
        _GRANT_TYPE, endpoint=endpoint, credentials=credentials, parameters=parameters
    )


def validate_device_poll(
    answer: HttpAnswer,
    *,
    keep: tuple[str, ...] = (),
    accept_form: bool = False,
    error_with_status_200: bool = False,
) -> TokenAnswer | DevicePoll:
    """The tokens, or that the person is not done yet (§3.5).

    Raises:
        AccessDeniedError: the person refused.
        AuthorizationExpiredError: the codes ended before.
        ProviderError: as for the token endpoint. After `ProviderUnavailableError` poll on, with
            a longer interval (§3.5).
    """
    try:
        return validate_token_answer(
            answer,
            keep=keep,
            accept_form=accept_form,
            error_with_status_200=error_with_status_200,
        )
    except ProviderRejectedError as error:
        refusal = error
    if refusal.error in (DevicePoll.PENDING.value, DevicePoll.SLOW_DOWN.value):
        return DevicePoll(refusal.error)
    if refusal.error == "access_denied":
        raise AccessDeniedError("The sign-in was refused.", hint="Sign in again and agree.")
    if refusal.error == "expired_token":
        raise AuthorizationExpiredError(
            "The code was not entered in time.", hint="Start the sign-in again."
        )
    raise refusal


def _showable(user_code: str | None, address: str | None) -> bool:
    """Both are shown to a person, who is asked to open the address."""
    if not user_code or not address or len(user_code) > _LONGEST_USER_CODE:
        return False
    try:
        AddressGuard().check_url(address, typed=True)
    except InvalidParameterError:
        return False
    return user_code.isascii() and user_code.isprintable()
