"""Owners: whose grants and connections they are."""

from __future__ import annotations

from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..database import Database
from ..tables import owners


class Owners:
    """Whose grants they are: an OS user, or a Hub user with the date of the account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, kind: str, external_id: str, name: str) -> UUID:
        """The owner's id; made when first seen. The name follows a renaming."""
        mine = sa.and_(owners.c.kind == kind, owners.c.external_id == external_id)
        query = sa.select(owners.c.id, owners.c.name).where(mine)
        with self._database.reading() as connection:
            found = connection.execute(query).first()
        if found is not None and found.name == name:
            known: UUID = found.id
            return known
        with self._database.writing() as connection:
            try:
                with connection.begin_nested():
                    connection.execute(
                        sa.insert(owners).values(
                            id=uuid4(), kind=kind, external_id=external_id, name=name
                        )
                    )
            except IntegrityError:
                # known, under another name, or just made by another process
                connection.execute(sa.update(owners).where(mine).values(name=name))
            made: UUID = connection.execute(query).one().id
            return made

    def of_kind(self, kind: str) -> dict[UUID, str]:
        """The external ids of all of a kind."""
        query = sa.select(owners).where(owners.c.kind == kind)
        with self._database.reading() as connection:
            return {row.id: row.external_id for row in connection.execute(query)}

    def names(self) -> dict[UUID, str]:
        """Everybody's name."""
        with self._database.reading() as connection:
            return {row.id: row.name for row in connection.execute(sa.select(owners))}
