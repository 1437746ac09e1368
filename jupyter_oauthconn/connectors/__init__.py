"""What is built on a token: handles that carry a fresh one wherever it is needed.

May import `catalog`, `model`, `errors` and vendors' libraries; knows neither kernel nor service:
a `TokenSource` is all that it asks for. A connector is an object with `open` and `check`, named by
an entry point of the group `jupyter_oauthconn.connectors`; the entry point's name is the kind of
handle, and the object is the module's `CONNECTOR`. Vendors' libraries are imported when they are
asked for, never at import (2026-11).
"""

from .connector import GROUP, Access, Connector, connector, kinds, library
from .reach import ForResource, Reach, Remembered, TokenSource

__all__ = [
    "GROUP", "Access", "Connector", "ForResource", "Reach", "Remembered", "TokenSource",
    "connector", "kinds", "library",
]  # fmt: skip
