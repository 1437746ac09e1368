"""The verbs over HTTP, for a kernel or command whose token service is a server's.

Loads the standard library only: neither a database nor an HTTP library of others (2026-11:
`http.client` costs a kernel 2 ms at its start and is the fastest there is for one small request).
"""

from .http_broker import HttpBroker

__all__ = ["HttpBroker"]
