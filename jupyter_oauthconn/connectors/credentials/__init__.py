"""Adapters for the SDKs that take a credential object: the way to every library not listed.

One module for each vendor, imported when it is asked for (2026-11).
"""

from .credential import CONNECTOR, FreshToken, is_bound

__all__ = ["CONNECTOR", "FreshToken", "is_bound"]
