"""Kind `client`: the vendor's own library, which gets a token for each request."""

from .client import CONNECTOR

__all__ = ["CONNECTOR"]
