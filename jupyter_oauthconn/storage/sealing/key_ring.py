"""The key ring: the file `keys.json` with the keys that values are sealed with."""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from jupyter_oauthconn.errors import MissingKeyError

from ..files import write_private
from .values import KEY_BYTES

_HINT = (
    "Put the file back from where it was saved. If it is lost on a laptop: "
    "`jupyter oauthconn keys add --forget-sign-ins` keeps clients and connections, and everybody "
    "signs in again."
)


class KeyWrapper(Protocol):
    """Protects the ring's keys in the file; a remote key service stands here later."""

    def wrap(self, key: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes) -> bytes: ...


class FileModeWrapper:
    """Leaves keys as they are: what protects them is the mode of the file."""

    def wrap(self, key: bytes) -> bytes:
        return key

    def unwrap(self, wrapped: bytes) -> bytes:
        return wrapped


@dataclass(frozen=True, slots=True)
class _Key:
    material: bytes
    created_at: datetime
    retired_at: datetime | None = None

    def __repr__(self) -> str:
        return f"_Key('********', created_at={self.created_at:%Y-%m-%d})"


class KeyRing:
    """All keys of one store, by id. Thread-safe."""

    def __init__(self, path: Path, active: str, keys: dict[str, _Key], wrapper: KeyWrapper) -> None:
        self.path = path
        self._active = active
        self._keys = keys
        self._wrapper = wrapper
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path, *, wrapper: KeyWrapper | None = None) -> KeyRing:
        """Raises `MissingKeyError`: the file is missing, unreadable, or a key in it is short."""
        wrapper = wrapper or FileModeWrapper()
        active, keys = _read(path, wrapper)
        return cls(path, active, keys, wrapper)

    @classmethod
    def create(cls, path: Path, *, wrapper: KeyWrapper | None = None) -> KeyRing:
        """A ring with one new key, written to `path`."""
        ring = cls(path, "", {}, wrapper or FileModeWrapper())
        ring.add()
        return ring

    @property
    def active(self) -> str:
        """The id of the key that new values are sealed with."""
        return self._active

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, the oldest key first."""
        return tuple(sorted(self._keys, key=lambda one: self._keys[one].created_at))

    def key(self, key_id: str) -> bytes:
        """The key itself; reads the file again for an id that another process has added.

        Raises `MissingKeyError`.
        """
        with self._lock:
            if key_id not in self._keys:
                self._active, self._keys = _read(self.path, self._wrapper)
            found = self._keys.get(key_id)
        if found is None:
            raise missing_key(self.path, key_id)
        return found.material

    def add(self) -> str:
        """Makes a new active key and returns its id; the older keys still open older values."""
        with self._lock:
            now = datetime.now(UTC)
            key_id = secrets.token_hex(4)
            retired = {
                one: key if key.retired_at else _Key(key.material, key.created_at, now)
                for one, key in self._keys.items()
            }
            keys = {**retired, key_id: _Key(os.urandom(KEY_BYTES), now)}
            write_private(self.path, _as_json(key_id, keys, self._wrapper))
            self._active, self._keys = key_id, keys
        return key_id

    def __repr__(self) -> str:
        return f"KeyRing({str(self.path)!r}, active={self._active!r}, keys={len(self._keys)})"


def missing_key(path: Path, key_id: str) -> MissingKeyError:
    """The error for a database whose key is not in the ring."""
    return MissingKeyError(
        f"The database was sealed with the key {key_id!r}, which {path} does not hold.",
        hint=_HINT,
        key_id=key_id,
    )


def wrong_key(path: Path, key_id: str) -> MissingKeyError:
    """The error for a ring whose key of that id is not the one the database was sealed with."""
    return MissingKeyError(
        f"The key {key_id!r} in {path} is not the one that the database was sealed with.",
        hint=_HINT,
        key_id=key_id,
    )


def _read(path: Path, wrapper: KeyWrapper) -> tuple[str, dict[str, _Key]]:
    try:
        content = json.loads(path.read_bytes())
        active = str(content["active"])
        keys = {
            str(one): _key(path, str(one), raw, wrapper) for one, raw in content["keys"].items()
        }
    except OSError as error:
        raise MissingKeyError(
            f"The key file {path} cannot be read: {error.strerror}.", hint=_HINT
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MissingKeyError(f"The key file {path} is damaged.", hint=_HINT) from None
    if active not in keys:
        raise missing_key(path, active)
    return active, keys


def _key(path: Path, key_id: str, raw: dict[str, str | None], wrapper: KeyWrapper) -> _Key:
    try:
        material = wrapper.unwrap(base64.b64decode(str(raw["key"]), validate=True))
    except binascii.Error:
        material = b""
    if len(material) != KEY_BYTES:
        raise MissingKeyError(
            f"The key {key_id!r} in {path} is {len(material)} bytes long instead of {KEY_BYTES}.",
            hint=_HINT,
            key_id=key_id,
        )
    retired = raw.get("retired_at")
    return _Key(
        material,
        datetime.fromisoformat(str(raw["created_at"])),
        datetime.fromisoformat(retired) if retired else None,
    )


def _as_json(active: str, keys: dict[str, _Key], wrapper: KeyWrapper) -> bytes:
    content = {
        "active": active,
        "keys": {
            one: {
                "key": base64.b64encode(wrapper.wrap(key.material)).decode(),
                "created_at": key.created_at.isoformat(),
                "retired_at": key.retired_at.isoformat() if key.retired_at else None,
            }
            for one, key in keys.items()
        },
    }
    return json.dumps(content, indent=2).encode() + b"\n"
