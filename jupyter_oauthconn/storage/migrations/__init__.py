"""Brings a database to the tables of this version, once, however many processes start at a time.

A migration that only adds keeps older packages working and leaves `store_meta.readable_from`
alone; one that changes the meaning of what is there raises it, and older packages refuse.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa

from jupyter_oauthconn.errors import StorageError

from ..database import Database
from ..tables import HEAD, READABLE_FROM, store_meta

#: Any number, the same in every version: what processes on PostgreSQL queue for.
_LOCK = 7_160_221_904


def migrate(connection: sa.Connection, database: Database) -> None:
    """Call it in a write transaction: everything or nothing happens, and nobody else meanwhile.

    Raises:
        StorageError: the database belongs to a newer version that this one cannot read.
    """
    if not database.is_sqlite:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    revision = current_revision(connection)
    if revision == HEAD:
        return
    # imported here because it takes longer than opening a store that is up to date
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        _check_readable(connection, database)
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.execute(sa.delete(store_meta).where(store_meta.c.key == "readable_from"))
    connection.execute(sa.insert(store_meta).values(key="readable_from", value=READABLE_FROM))


def current_revision(connection: sa.Connection) -> str | None:
    """Alembic's revision of the database; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(
        sa.text("SELECT version_num FROM alembic_version")
    ).scalar()
    return found


def _check_readable(connection: sa.Connection, database: Database) -> None:
    query = sa.select(store_meta.c.value).where(store_meta.c.key == "readable_from")
    oldest = connection.execute(query).scalar_one()
    own = version("jupyter-oauthconn")
    if _numbers(oldest) > _numbers(own):
        raise StorageError(
            f"{database.place[0].upper()}{database.place[1:]} needs jupyter-oauthconn {oldest} "
            f"or newer; this is {own}.",
            hint="pip install --upgrade jupyter-oauthconn",
        )


def _numbers(text: str) -> tuple[int, ...]:
    # pre-releases count as their release
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
