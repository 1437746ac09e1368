"""What is built on a token: HTTP clients that carry it.

May import `model`, `errors` and the library that a module is named after; knows neither kernel
nor service: a `TokenSource` is all that it asks for. Vendors' libraries are imported when they
are asked for, never at import (2026-11).
"""

from .reach import Reach, TokenSource

__all__ = ["Reach", "TokenSource"]
