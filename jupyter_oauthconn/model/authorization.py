"""An authorization: one pending sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from .connection import LastError
from .secret import Secret


class Flow(StrEnum):
    """How the person gets to the provider and back."""

    CALLBACK = "callback"
    LOOPBACK = "loopback"
    DEVICE = "device"
    PASTE = "paste"


class AuthorizationState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A sign-in as its owner sees it. Nothing here can finish or fix somebody's session.

    Attributes:
        path: start page, relative to the mount (`connect/<name>`).
        public_url: the start page's absolute address, or None where only the page's own origin
            is known.
        redirect_uri: where the provider was asked to come back to; None before the button.
        identity: the account that signed in, once known.
        confirm: True when another account than before came back and waits to be confirmed.
    """

    id: UUID
    connection: str
    flow: Flow
    state: AuthorizationState
    path: str
    expires_at: datetime
    public_url: str | None = None
    user_code: str | None = None
    verification_uri: str | None = None
    redirect_uri: str | None = None
    identity: str | None = None
    confirm: bool = False
    error: LastError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAuthorization:
    """The server's side of a sign-in once the person pressed the button (one browser, one use).

    `token_endpoint` is stored with the flow: the code goes there and nowhere else, whatever
    happens to the configuration meanwhile.
    """

    id: UUID
    owner_id: UUID
    connection_id: UUID
    client_id: UUID
    redirect_uri: str
    issuer: str | None
    token_endpoint: str
    requested_scope: str
    code_verifier: Secret
    nonce: Secret
    iss_required: bool = False
