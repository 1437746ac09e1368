"""The way from an empty database to today's tables, and past them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from jupyter_oauthconn.errors import StorageError
from jupyter_oauthconn.model import Event, NewTokens, Owner, Secret
from jupyter_oauthconn.storage import Store, migrations, tables

VERSION = version("jupyter-oauthconn")


# BigQuery's dialect, which other tests load, puts an `unnest` of its own in SQLAlchemy's place
@pytest.mark.filterwarnings("ignore:Class unnest will not make use:sqlalchemy.exc.SAWarning")
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


# --- from the first tables to those with users' own clients and the account that is meant


#: Columns that came with revision 0002.
NEW_IN_0002 = {"clients": {"description", "owner_id"}, "connections": {"login_hint"}}
WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def old_store(opener: Callable[[], Store], monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose tables are those of the first release."""
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", partial(_upgrade_to_0001, command.upgrade))
        return opener()


def _upgrade_to_0001(upgrade: Callable[[Config, str], None], config: Config, _: str) -> None:
    upgrade(config, "0001")


def write_like_the_first_release(store: Store, name: str) -> tuple[UUID, UUID]:
    """Writes rows without what 0002 brought, as the first release does; ids of client and
    connection."""
    owner, client, connection = store.owners.ensure("os", "1000", "ana"), uuid4(), uuid4()
    old_client = {
        "id": client, "version": 3, "name": name, "title": "Warehouse", "provider": "generic",
        "client_id": "abc", "auth_method": "client_secret_basic", "parameters": {"host": "w"},
        "issuer": "https://as.example.com", "endpoints": {"token": "https://as.example.com/t"},
        "scope": "read", "authorization_parameters": {}, "redirect_uris": ("http://localhost/",),
        "allowed_users": ("eve",), "allowed_groups": (), "enabled": True,
        "managed_by": "database", "updated_at": WHEN, "updated_by": "ana",
    }  # fmt: skip
    old_connection = {
        "id": connection, "version": 2, "owner_id": owner, "client_id": client, "name": name,
        "parameters": {"role": "R"}, "scope": "read", "connector": "http",
        "shared_users": (), "shared_groups": (), "updated_at": WHEN,
    }  # fmt: skip
    with store.database.writing() as transaction:
        transaction.execute(sa.insert(tables.clients).values(old_client))
        transaction.execute(sa.insert(tables.connections).values(old_connection))
    return client, connection


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Everything in columns that the first release has."""
    found = {}
    with store.database.reading() as connection:
        for table in tables.metadata.sorted_tables:
            old = [one for one in table.c if one.name not in NEW_IN_0002.get(table.name, ())]
            found[table.name] = [tuple(row) for row in connection.execute(sa.select(*old))]
    return found


def columns(store: Store, table: str) -> set[str]:
    with store.database.reading() as connection:
        return {one["name"] for one in sa.inspect(connection).get_columns(table)}


def fill(store: Store) -> tuple[UUID, UUID]:
    """Rows of the first release with sealed values; ids of owner and connection."""
    client, connection = write_like_the_first_release(store, "sales")
    store.registry.add_client_secret(client, Secret("client-secret-canary"))
    owner = store.owners.ensure("os", "1000", "ana")
    tokens = NewTokens(
        access_token=Secret("access-canary"), refresh_token=Secret("refresh-canary"),
        token_type="Bearer", issued_at=WHEN, expires_at=None, refresh_at=None,
        refresh_expires_at=None, scope="read",
    )  # fmt: skip
    store.grants.put(
        owner, connection, tokens, requested_scope="read", identity="ana@example.com", subject="42"
    )
    store.journal.add(Event(kind="connected", owner=str(owner), connection="sales"))
    store.settings.write({"refresh_margin": "60"})
    return owner, connection


def test_rows_of_the_first_release_come_along_unchanged(old_store, opener):
    assert old_store.revision() == "0001"
    for table, new in NEW_IN_0002.items():
        assert not new & columns(old_store, table)
    owner, connection = fill(old_store)
    before = rows(old_store)
    assert all(before[name] for name in ("clients", "connections", "grants", "client_secrets"))
    store = opener()
    assert store.revision() == tables.HEAD
    assert rows(store) == before
    client = store.registry.client("sales")
    assert (client.version, client.allowed_users, client.used_by) == (3, ("eve",), 1)
    assert (client.description, client.owner_id, client.owner) == ("", None, None)
    assert store.registry.client_secrets(client.id) == [Secret("client-secret-canary")]
    known = store.registry.connection(Owner(id=owner, name="ana"), "sales")
    assert (known.id, known.login_hint, known.parameters) == (connection, "", {"role": "R"})
    assert store.grants.read(owner, connection).token.value == Secret("access-canary")


def test_the_first_release_goes_on_writing_after_the_migration(old_store, opener):
    fill(old_store)
    store = opener()
    # of a process that was started before and still runs
    write_like_the_first_release(old_store, "stock")
    client = store.registry.client("stock")
    assert (client.description, client.owner_id) == ("", None)
    owner = Owner(id=store.owners.ensure("os", "1000", "ana"), name="ana")
    known = store.registry.connection(owner, "stock")
    assert (known.client, known.login_hint) == ("stock", "")
    with store.database.reading() as connection:
        meta = connection.execute(sa.select(tables.store_meta.c.value)).scalars().all()
    assert meta == [tables.READABLE_FROM] == ["0.1.0"]
