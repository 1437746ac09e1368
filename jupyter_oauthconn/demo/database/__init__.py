"""A real PostgreSQL beside the practice provider: its passwords are the provider's access tokens.

So managed databases take them, and no driver sees a difference. `cluster` starts the server,
`radius` is before which it lays each password, `sales_database` fills it (2026-11: RADIUS instead
of a validator in C, so that nothing has to be compiled).
"""

from .cluster import Postgres, start_postgres, wheel
from .radius import RadiusServer
from .sales_database import SalesDatabase

__all__ = ["Postgres", "RadiusServer", "SalesDatabase", "start_postgres", "wheel"]
