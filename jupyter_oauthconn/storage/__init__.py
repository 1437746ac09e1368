"""Keeps everything: owners, clients, connections, grants, sign-ins, history, settings.

May import `model` and `errors`. Home of SQLAlchemy, Alembic and cryptography; no type of theirs
leaves it, and it is imported lazily, because a kernel needs none of it. SQLAlchemy Core without
ORM, synchronous (2026-11: a warm SQLite read inline in the event loop is four times cheaper than
a thread hop). What is secret is sealed before a statement sees it (`sealing`), bound to its row.

Rules: reads run in autocommit, writes take the write lock first; time is the database's; no
transaction is open while a provider is asked; every failure is a `StorageError` with a sentence.

    store ─┬─ registry        owners, clients and their secrets, connections
           ├─ grants          tokens; the lease to refresh them; candidates; spool
           ├─ authorizations  pending sign-ins
           ├─ journal         events, settings
           ├─ sealing         sealed values, key ring
           └─ database, tables, migrations, files, trouble; beside it: backup
"""

from .authorizations import AuthorizationRow, HeldTokens
from .backup import Findings, backup, check, restore
from .grants import Candidate, TakenGrant
from .sealing import KeyRing, KeyWrapper
from .store import Store, forget_sign_ins
from .trouble import is_damaged

__all__ = [
    "AuthorizationRow", "Candidate", "Findings", "HeldTokens", "KeyRing", "KeyWrapper", "Store",
    "TakenGrant", "backup", "check", "forget_sign_ins", "is_damaged", "restore",
]  # fmt: skip
