"""ADBC (Arrow): the driver's own connection, whose header is renewed while it lives, and which
takes the token to no place that a server names elsewhere."""

from .connector import CONNECTOR

__all__ = ["CONNECTOR"]
