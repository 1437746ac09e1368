"""Whose grants they are."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A person as the token service knows her: the id never changes, the name may."""

    id: UUID
    name: str
