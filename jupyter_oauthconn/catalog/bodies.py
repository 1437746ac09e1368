"""Entries as JSON and back, for a kernel whose token service is in another process."""

from __future__ import annotations

from typing import cast

from jupyter_oauthconn.wire import shapes
from jupyter_oauthconn.wire.walk import SHAPES, body_of, value_of

from . import entry

SHAPES.update(
    {
        entry.Variable: shapes.Variable,
        entry.Scopes: shapes.Scopes,
        entry.TokenAnswerRules: shapes.TokenAnswerRules,
        entry.RefreshRules: shapes.RefreshRules,
        entry.TokenPlacement: shapes.TokenPlacement,
        entry.Exchange: shapes.Exchange,
        entry.Handle: shapes.Handle,
        entry.ProviderEntry: shapes.Provider,
    }
)


def provider_json(provider: entry.ProviderEntry) -> shapes.Provider:
    return cast(shapes.Provider, body_of(provider))


def read_provider(body: shapes.Provider) -> entry.ProviderEntry:
    """Raises `KeyError`, `TypeError`, `ValueError` for a body of another shape."""
    return value_of(entry.ProviderEntry, body)
