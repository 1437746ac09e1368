"""Sealing: one encrypted value, bound to its table, column, row, owner and generation.

    version 1 | length of the key id 1 | key id | salt 32 | nonce 12 | ciphertext | tag 16

AES-256-GCM with a key of its own for each value, derived by HKDF-SHA256 from a key of the ring and
the salt, so that the number of values under one key has no limit in practice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jupyter_oauthconn.errors import UnsealError
from jupyter_oauthconn.model import Secret

KEY_BYTES = 32
_VERSION = 1
_SALT_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_INFO = b"jupyter-oauthconn/value/1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value belongs. Ids, never names: names can change and be given again."""

    table: str
    column: str
    row: UUID
    owner: UUID
    generation: int = 0

    def associated_data(self, version: int) -> bytes:
        """Length-prefixed, so that no two places give the same bytes."""
        row, owner = self.row.int.to_bytes(16, "big"), self.owner.int.to_bytes(16, "big")
        generation = self.generation.to_bytes(8, "big")
        beginning = _beginning(version, self.table, self.column)
        return b"%b\0\x10%b\0\x10%b\0\x08%b" % (beginning, row, owner, generation)


class Keys(Protocol):
    """Where the keys come from."""

    @property
    def active(self) -> str:
        """The id of the key that new values are sealed with."""
        ...

    def key(self, key_id: str) -> bytes:
        """Raises `MissingKeyError`."""
        ...


class Sealer:
    """Seals and unseals with the keys of one ring. Thread-safe."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def seal(self, secret: Secret, place: Place, *, key_id: str | None = None) -> bytes:
        """`key_id`: another than the active key."""
        key_id = key_id or self._keys.active
        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        cipher = AESGCM(_derived(self._keys.key(key_id), salt))
        sealed = cipher.encrypt(nonce, secret.reveal().encode(), place.associated_data(_VERSION))
        name = key_id.encode()
        return bytes([_VERSION, len(name)]) + name + salt + nonce + sealed

    def unseal(self, value: bytes, place: Place) -> Secret:
        """Raises `UnsealError`, also for a value of another place; `MissingKeyError`."""
        key_id, rest = _split(value, place)
        salt, nonce = rest[:_SALT_BYTES], rest[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
        sealed = rest[_SALT_BYTES + _NONCE_BYTES :]
        cipher = AESGCM(_derived(self._keys.key(key_id), salt))
        try:
            plain = cipher.decrypt(nonce, sealed, place.associated_data(value[0]))
        except InvalidTag:
            raise _refused(place) from None
        return Secret(plain.decode())


@lru_cache
def _beginning(version: int, table: str, column: str) -> bytes:
    parts = (bytes([version]), table.encode(), column.encode())
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def key_id_of(value: bytes) -> str:
    """The id of the key that a sealed value needs; empty when it is no sealed value."""
    if len(value) < 2 or value[0] != _VERSION:  # noqa: PLR2004  the two bytes read here
        return ""
    return value[2 : 2 + value[1]].decode("ascii", "replace")


def _split(value: bytes, place: Place) -> tuple[str, bytes]:
    key_id = key_id_of(value)
    rest = value[2 + len(key_id) :]
    if not key_id or len(rest) < _SALT_BYTES + _NONCE_BYTES + _TAG_BYTES:
        raise _refused(place)
    return key_id, rest


def _derived(key: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_INFO).derive(key)


def _refused(place: Place) -> UnsealError:
    return UnsealError(
        f"The stored value {place.table}.{place.column} of row {place.row} does not belong there, "
        "or was changed.",
        hint="Somebody or something wrote to the database. Sign in again; "
        "`jupyter oauthconn db check` looks at the rest.",
    )
