"""A botocore session whose credentials come from the second hop."""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import Any

from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

from jupyter_oauthconn.connectors.exchange import CloudKey, SecondHop
from jupyter_oauthconn.connectors.frames import clear_frames
from jupyter_oauthconn.connectors.reach import MASK, MaskedText

METHOD = "assume-role-with-web-identity"

_SIGNED_BY = ("Authorization", "X-Amz-Security-Token")
#: botocore renews 15 minutes before the end.
AHEAD_SECONDS = 900.0


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
    made = Session()
    made.register_component("credential_provider", CredentialResolver([_Provider(keys)]))
    keep_quiet(made)
    if region is not None:
        made.set_config_variable("region", region)
    return made


def keep_quiet(session: Any) -> None:
    """Errors of a failing connection bring the request along, and are pickled with it; so do the
    frames of botocore's calls."""
    # the request is not given to whoever hears of its failure; each thread and each task sends one
    # at a time
    sent: ContextVar[weakref.ref[Any] | None] = ContextVar("sent", default=None)

    def note(request: Any, **_: Any) -> None:
        sent.set(weakref.ref(request))

    def forget(exception: BaseException | None, **_: Any) -> None:
        known = sent.get()
        if exception is None or known is None:
            return
        headers = getattr(known(), "headers", {})
        for name in _SIGNED_BY:
            if name in headers:
                headers[name] = MASK  # another attempt makes its own request
        clear_frames(exception)

    session.register("before-send", note)
    session.register("response-received", forget)


def as_botocore(key: CloudKey) -> dict[str, Any]:
    """What botocore's refreshing credentials want; their named tuple is shown masked."""
    return {
        "access_key": MaskedText(key.access_key),
        "secret_key": MaskedText(key.secret_key.reveal()),
        "token": MaskedText(key.session_token.reveal()),
        "expiry_time": key.expires_at.isoformat(),
    }
