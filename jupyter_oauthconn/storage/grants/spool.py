"""The spool: answers of a provider that could not be saved before the process ended.

One file of mode 0600 for each, sealed like a value in the database, and needing no database to be
written. Opening the store saves them, under the same conditions as the refresh would have.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from jupyter_oauthconn.errors import MissingKeyError, StorageError
from jupyter_oauthconn.model import NewTokens, Secret

from ..files import make_private_folder, write_private
from ..sealing import Place, Sealer, pack, unpack
from .records import Renewal


@dataclass(frozen=True, slots=True)
class Spooled:
    """One file of the spool."""

    path: Path
    renewal: Renewal
    tokens: NewTokens


class Spool:
    """The folder `spool` of one store."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._folder = folder
        self._sealer = sealer

    def write(self, renewal: Renewal, tokens: NewTokens) -> None:
        """On the disk when this returns. Raises `StorageError`."""
        make_private_folder(self._folder)
        packed = {"grant_id": str(renewal.grant_id), "tokens": pack(tokens).reveal()}
        sealed = self._sealer.seal(
            Secret(json.dumps(packed)),
            _place(renewal.lease_id, renewal.owner_id, renewal.generation),
        )
        content = {
            "owner_id": str(renewal.owner_id),
            "generation": renewal.generation,
            "sealed": base64.b64encode(sealed).decode(),
        }
        write_private(self._folder / str(renewal.lease_id), json.dumps(content).encode())

    def read(self) -> tuple[list[Spooled], list[str]]:
        """What lies there, and a note for each file that cannot be read; those stay."""
        if not self._folder.is_dir():
            return [], []
        spooled, notes = [], []
        for path in sorted(self._folder.iterdir()):
            if path.name.startswith("."):
                continue
            try:
                spooled.append(self._read(path))
            except FileNotFoundError:
                continue  # another process, opening at the same time, has saved it
            except (OSError, ValueError, KeyError, StorageError, MissingKeyError):
                notes.append(f"The spooled answer {path} cannot be read and was left there.")
        return spooled, notes

    def _read(self, path: Path) -> Spooled:
        content = json.loads(path.read_bytes())
        lease_id, owner_id = UUID(path.name), UUID(content["owner_id"])
        generation = int(content["generation"])
        sealed = base64.b64decode(content["sealed"])
        opened = json.loads(
            self._sealer.unseal(sealed, _place(lease_id, owner_id, generation)).reveal()
        )
        return Spooled(
            path=path,
            renewal=Renewal(UUID(opened["grant_id"]), owner_id, generation, lease_id),
            tokens=unpack(Secret(opened["tokens"])),
        )


def clear_spool(folder: Path) -> None:
    """Removes every file of a spool that nobody can open any more."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink(missing_ok=True)


def _place(lease_id: UUID, owner_id: UUID, generation: int) -> Place:
    return Place("spool", "sealed", lease_id, owner_id, generation)
