"""Grants: their rows, the lease to refresh one, and the tokens that found no place in a row.

`records`: row and tokens, sealed and opened; `lease`: claim, send, save; `candidates`: refresh
tokens of refreshes that lost the race; `spool`: answers that a process could not save before its
end; `grants`: the face of all four (2026-11).
"""

from .candidates import Candidate
from .grants import Grants, TakenGrant
from .spool import clear_spool

__all__ = ["Candidate", "Grants", "TakenGrant", "clear_spool"]
