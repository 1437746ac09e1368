"""The way from an empty database to today's tables, and past them."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from jupyter_oauthconn.errors import StorageError
from jupyter_oauthconn.storage import migrations, tables

VERSION = version("jupyter-oauthconn")


def test_the_migrations_give_the_tables_of_the_code(world):
    with world.store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_the_code_names_the_last_revision():
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [tables.HEAD]


def write(world, *, revision: str, readable_from: str) -> None:
    with world.store.database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
        connection.execute(
            sa.update(tables.store_meta)
            .where(tables.store_meta.c.key == "readable_from")
            .values(value=readable_from)
        )


def test_a_newer_database_that_only_has_more_is_used(world):
    world.sign_in()
    write(world, revision="9999", readable_from=VERSION)
    store = world.open()
    assert store.grants.read(world.owner, world.connection.id) == world.grant()


def test_a_newer_database_that_means_something_else_is_refused(world):
    write(world, revision="9999", readable_from="99.1.0")
    with pytest.raises(StorageError, match=rf"99\.1\.0 or newer; this is {VERSION}") as caught:
        world.open()
    assert "pip install --upgrade" in caught.value.hint


def test_opening_again_changes_nothing(world):
    with world.store.database.reading() as connection:
        before = connection.execute(sa.select(tables.key_sentinels)).all()
    world.open()
    with world.store.database.reading() as connection:
        assert connection.execute(sa.select(tables.key_sentinels)).all() == before
