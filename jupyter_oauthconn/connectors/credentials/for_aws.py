"""A botocore session whose credentials come from the second hop."""

from __future__ import annotations

from typing import Any, TypeVar

from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

from jupyter_oauthconn.connectors.exchange import CloudKey, SecondHop
from jupyter_oauthconn.connectors.frames import Failure, without_frames
from jupyter_oauthconn.connectors.headers import MASK, MaskedText

METHOD = "assume-role-with-web-identity"

#: botocore renews 15 minutes before the end.
AHEAD_SECONDS = 900.0

T = TypeVar("T")

_SIGNING_HEADERS = ("Authorization", "X-Amz-Security-Token")


class _Provider(CredentialProvider):
    METHOD = METHOD
    CANONICAL_NAME = "custom-oauthconn"

    def __init__(self, keys: SecondHop[CloudKey]) -> None:
        super().__init__()
        self._keys = keys

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(
            lambda: as_botocore(self._keys.current(AHEAD_SECONDS)), method=METHOD
        )


def session(keys: SecondHop[CloudKey], *, region: str | None = None) -> Session:
    """A session with this one way to credentials: neither files nor environment are read for any.

    Args:
        region: AWS region; None: as botocore is configured.
    """
    return prepared(Session(), CredentialResolver([_Provider(keys)]), _MaskedFailures, region)


def prepared(session: T, resolver: Any, before: type, region: str | None) -> T:
    """The session with that way to credentials, and a class before those of its clients."""
    made: Any = session
    made.register_component("credential_provider", resolver)
    made.register("creating-client-class", lambda base_classes, **_: base_classes.insert(0, before))
    if region is not None:
        made.set_config_variable("region", region)
    return session


class _MaskedFailures:
    """Before botocore's class of a client: a call that fails shows no key."""

    def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
        try:
            return super()._make_api_call(operation_name, api_params)  # type: ignore[misc] # botocore's
        except BaseException as error:  # noqa: BLE001 - an interrupt has botocore's frames, too
            failure = error
        raise masked(failure)


def masked(failure: Failure) -> Failure:
    """botocore's error brings along its request or the error of an HTTP library that does, and is
    pickled with it."""
    headers = getattr(getattr(failure, "request", None), "headers", {})
    for name in _SIGNING_HEADERS:
        if name in headers:
            headers[name] = MASK
    known = getattr(failure, "kwargs", {})
    if isinstance(known.get("error"), BaseException):
        known["error"] = str(known["error"])
    return without_frames(failure)


def as_botocore(key: CloudKey) -> dict[str, Any]:
    """What botocore's refreshing credentials want; their named tuple is shown masked."""
    return {
        "access_key": MaskedText(key.access_key),
        "secret_key": MaskedText(key.secret_key.reveal()),
        "token": MaskedText(key.session_token.reveal()),
        "expiry_time": key.expires_at.isoformat(),
    }
