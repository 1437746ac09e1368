"""From a connection to what reads its data: opened, tried, and shown as a card.

May import `connectors` and `catalog`. The kernel knows kinds by name alone, from entry points; a
kind that the provider's entry does not list gets an empty table, and its connector says what it
misses (2026-11).
"""

from .card import card_of
from .opening import OTHER_SPELLINGS, access_of, default_kind, kinds_of, open_handle
from .trying import try_handle

__all__ = [
    "OTHER_SPELLINGS", "access_of", "card_of", "default_kind", "kinds_of", "open_handle",
    "try_handle",
]  # fmt: skip
