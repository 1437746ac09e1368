"""The skill of speaking OAuth: each endpoint a pair, one builds the request, one judges the answer.

May import `model` and `errors`. The only home of Authlib (builder of requests, `authlib.oauth2`
alone), joserfc (ID tokens) and, in `transport` and `network`, of httpx2 and the httpcore2 under
it; all three are imported at the first call that needs them.

Decisions (2026-11):
- Own judge of answers: Authlib takes any JSON object without `error` for a token.
- `network` holds the deadline and the judged addresses, `transport` one connection for each call;
  given up: kept-alive connections, which make the outcome of a refresh uncertain.
- Secrets stay in `Secret`, answers in `Fields`: tracebacks may print locals.
- Keys for ID tokens are fetched at each sign-in; no cache that could be stale.
"""

from .addresses import AddressGuard, same_origin
from .authorization import (
    AuthorizationRequest,
    CallbackAnswer,
    authorization_request,
    redirect_probe,
    validate_callback,
)
from .client_auth import ClientCredentials
from .device import (
    SLOW_DOWN_SECONDS,
    DeviceCode,
    DevicePoll,
    device_request,
    device_token_request,
    validate_device_answer,
    validate_device_poll,
)
from .id_token import Identity, fetch_keys, identify, validate_id_token
from .metadata import ServerMetadata, discover
from .revocation import revocation_request, validate_revocation
from .token_endpoint import code_request, keep_first, refresh_request, validate_token_answer
from .transport import HttpAnswer, HttpRequest, Transport
from .userinfo import userinfo_request, validate_userinfo

__all__ = [
    "SLOW_DOWN_SECONDS", "AddressGuard", "AuthorizationRequest", "CallbackAnswer",
    "ClientCredentials", "DeviceCode", "DevicePoll", "HttpAnswer", "HttpRequest", "Identity",
    "ServerMetadata", "Transport", "authorization_request", "code_request", "device_request",
    "device_token_request", "discover", "fetch_keys", "identify", "keep_first",
    "redirect_probe", "refresh_request", "revocation_request", "same_origin", "userinfo_request",
    "validate_callback", "validate_device_answer", "validate_device_poll", "validate_id_token",
    "validate_revocation", "validate_token_answer", "validate_userinfo",
]  # fmt: skip
