"""Sealed values and the keys that open them. Home of `cryptography`; knows no database."""

from .key_ring import KeyRing, KeyWrapper, missing_key, wrong_key
from .tokens import pack, unpack
from .values import KEY_BYTES, Place, Sealer, key_id_of

__all__ = [
    "KEY_BYTES", "KeyRing", "KeyWrapper", "Place", "Sealer", "key_id_of", "missing_key",
    "pack", "unpack",
    "wrong_key",
]  # fmt: skip
