"""Managing OAuth clients, connections and other people's grants; who may do what."""

from .access import Access
from .clients import Clients
from .connections import Connections
from .grants import GrantsOfAll

__all__ = ["Access", "Clients", "Connections", "GrantsOfAll"]
