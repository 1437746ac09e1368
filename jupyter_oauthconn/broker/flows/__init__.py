"""How a person gets to the provider and back, and who hosts the pages on that way.

`Flows` serves a process that no server stands behind: pages on a loopback port, a typed code, a
pasted address. `broker.hosted_flows` is its sibling for a server. What they have in common, at
most one sign-in pending for a connection, is in `one_at_a_time` (2026-11).
"""

from .of_this_process import Flows

__all__ = ["Flows"]
