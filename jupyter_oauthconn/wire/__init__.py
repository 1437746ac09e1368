"""The JSON shapes of the HTTP interface and the command line, to and from the model.

Each shape is a `TypedDict` `X` with `x_json(value) -> X` and `read_x(body) -> value`. Times are
RFC 3339 in UTC with `Z`, durations end in `_seconds` (but RFC 6749's `expires_in` and its sibling
`refresh_in`), unknown is `null`. A shape lists what leaves: a new attribute of the model travels
only once it is named there; of secrets, only `token_json` reveals an access token and
`client_draft_json` a new client secret. Readers of answers ignore members that they do not know,
those of requests (`drafts`) refuse them; all raise `KeyError`, `TypeError` or `ValueError` for a
body of another shape. Values that live above this layer bring their own pair, e.g. an entry of
`catalog` for the shape `Provider`. May import `model` and `errors`. Names identify clients and
connections; row ids stay in the service, so readers fill in the nil UUID (2026-11: one walk over
the shapes instead of each mapping written out twice).
"""

from .bodies import (
    NO_ID,
    authorization_json,
    check_json,
    client_json,
    client_use_json,
    connection_json,
    endurance_json,
    event_json,
    grant_json,
    read_authorization,
    read_check,
    read_client,
    read_client_use,
    read_connection,
    read_endurance,
    read_event,
    read_grant,
    read_revocation,
    read_setting,
    read_status,
    read_token,
    revocation_json,
    setting_json,
    status_json,
    token_json,
)
from .drafts import (
    client_changes_json,
    client_draft_json,
    client_secret_json,
    connection_changes_json,
    connection_draft_json,
    read_client_changes,
    read_client_draft,
    read_client_secret,
    read_connection_changes,
    read_connection_draft,
)
from .problems import error_json, read_error
from .requests import (
    AuthorizationRequest,
    ClientChanges,
    ClientDraft,
    ClientSecret,
    ConnectionChanges,
    ConnectionDraft,
    EnsureRequest,
    SettingsChanges,
    TokenRequest,
)
from .shapes import (
    Authorization,
    Check,
    Client,
    ClientRequest,
    ClientUse,
    Connection,
    Endurance,
    Error,
    Event,
    Grant,
    Health,
    Key,
    LastError,
    Me,
    Provider,
    Revocation,
    Setting,
    Status,
    Token,
)
from .walk import rfc3339

#: Grows when an older reader would misread what it gets.
WIRE_VERSION = 1

__all__ = [
    "NO_ID", "WIRE_VERSION", "Authorization", "AuthorizationRequest", "Check", "Client",
    "ClientChanges", "ClientDraft", "ClientRequest", "ClientSecret", "ClientUse", "Connection",
    "ConnectionChanges", "ConnectionDraft", "Endurance", "EnsureRequest", "Error", "Event",
    "Grant", "Health", "Key", "LastError", "Me", "Provider", "Revocation", "Setting",
    "SettingsChanges", "Status", "Token", "TokenRequest", "authorization_json", "check_json",
    "client_changes_json", "client_draft_json", "client_json", "client_secret_json",
    "client_use_json", "connection_changes_json", "connection_draft_json", "connection_json",
    "endurance_json", "error_json", "event_json", "grant_json", "read_authorization",
    "read_check", "read_client", "read_client_changes", "read_client_draft",
    "read_client_secret", "read_client_use", "read_connection", "read_connection_changes",
    "read_connection_draft", "read_endurance", "read_error", "read_event", "read_grant",
    "read_revocation", "read_setting", "read_status", "read_token", "revocation_json",
    "rfc3339", "setting_json", "status_json", "token_json",
]  # fmt: skip
