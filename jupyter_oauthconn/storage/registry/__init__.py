"""Owners, OAuth clients with their secrets, and connections: who may use what, never a token."""

from .clients import ClientRows
from .connections import ConnectionRows
from .owners import Owners


class Registry(ClientRows, ConnectionRows):
    """OAuth clients and connections. Thread-safe."""


__all__ = ["Owners", "Registry"]
