"""A whole set of tokens as one secret text, for places that hold it until it is put in a grant."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime

from jupyter_oauthconn.model import NewTokens, Secret

_SECRETS = ("access_token", "refresh_token")
_TIMES = ("issued_at", "expires_at", "refresh_at", "refresh_expires_at")


def pack(tokens: NewTokens) -> Secret:
    values = {one.name: getattr(tokens, one.name) for one in fields(tokens)}
    for name in _SECRETS:
        values[name] = values[name].reveal() if values[name] is not None else None
    for name in _TIMES:
        values[name] = values[name].isoformat() if values[name] is not None else None
    return Secret(json.dumps({**values, "extra": dict(tokens.extra)}))


def unpack(packed: Secret) -> NewTokens:
    values = json.loads(packed.reveal())
    for name in _SECRETS:
        values[name] = Secret(values[name]) if values[name] is not None else None
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name]) if values[name] is not None else None
    return NewTokens(**values)
