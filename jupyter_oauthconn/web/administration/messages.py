"""Short sentences after something was done, by fixed codes: an address never carries a text."""

from __future__ import annotations

MESSAGES = {
    "registered": "The OAuth client is registered. Test it now, then say who may use it.",
    "saved": "The changes are saved.",
    "unchanged": "Nothing was changed.",
    "enabled": "The OAuth client is switched on.",
    "disabled": "The OAuth client is switched off. Everything is kept; people are told.",
    "access": "Who may use the OAuth client is saved. The next step is a connection for them.",
    "secret-added": "The client secret is added. The newest that has not ended is used.",
    "secret-removed": "The client secret is removed.",
    "client-deleted": "The OAuth client is deleted.",
    "needs-parameters": "A connection of this OAuth client needs more values. Fill them in, then "
    "sign in.",
    "connection-added": "The connection is created. Below is how people reach it, and who does.",
    "allowed": "They may use the OAuth client now.",
    "shared": "Who sees the connection is saved. Everybody signs in for themselves.",
    "connection-removed": "The connection is removed, and its sign-ins with it.",
    "revoked": "The sign-in is ended, here and at the provider.",
    "revoked-here": "The sign-in is ended here. The provider did not confirm it.",
    "settings": "The settings are saved and in force.",
    "default": "The setting is back to its default.",
}


def message(code: str) -> str:
    """Empty for a code that means nothing."""
    return MESSAGES.get(code, "")
