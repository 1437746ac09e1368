"""Backup, restore and check; and that no secret lies anywhere in plain text."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from jupyter_oauthconn.errors import StorageError
from jupyter_oauthconn.model import Flow, PendingAuthorization, Secret
from jupyter_oauthconn.storage import Store, backup, check, restore, tables

MINUTE = timedelta(minutes=1)


def fill(world) -> None:
    """Every kind of secret that a store can hold; each has `canary` in it."""
    world.sign_in()
    store, grant = world.store, world.grant()
    claim = store.grants.claim(grant.id, generation=1, lease=-MINUTE)
    store.grants.keep_candidate(claim, Secret("access-canary"), Secret("refresh-canary"))
    store.grants.spool(claim, world.tokens("spooled"))
    row, _ = store.authorizations.start(
        world.owner, world.connection.id,
        flow=Flow.CALLBACK, lifetime=MINUTE, public_url=None, holder="host:1",
    )  # fmt: skip
    id = row.authorization.id
    pending = PendingAuthorization(
        id=id,
        owner_id=world.owner,
        connection_id=world.connection.id,
        client_id=store.registry.client("warehouse").id,
        redirect_uri="http://localhost/",
        issuer=None,
        token_endpoint="https://as.example.com/token",
        requested_scope="read",
        code_verifier=Secret("verifier-canary"),
        nonce=Secret("nonce-canary"),
    )
    store.authorizations.press(id, pending, state_hash=b"s", browser_hash=b"b")
    store.authorizations.hold_tokens(
        id, world.tokens("guest"), identity=None, subject=None, requested_scope=""
    )


def canaries(folder) -> list[str]:
    return [
        path.name for path in folder.rglob("*") if path.is_file() and b"canary" in path.read_bytes()
    ]


def test_sec_47_no_plain_text_in_the_folder_the_log_a_backup_or_the_spool(
    sqlite_world, home, tmp_path
):
    fill(sqlite_world)
    names = {path.name for path in home.iterdir()}
    assert {"oauthconn.db-wal", "spool", "keys.json"} <= names
    assert (home / "oauthconn.db-wal").stat().st_size > 0
    assert canaries(home) == []
    backup(sqlite_world.store, home / "copy.db")
    sqlite_world.store.close()
    assert canaries(home) == []
    (tmp_path / "probe").write_text("a canary")
    assert canaries(tmp_path) == ["probe"]


def test_sec_47_no_plain_text_in_any_column(world):
    fill(world)
    seen = 0
    with world.store.database.reading() as connection:
        for table in tables.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                seen += 1
                assert "canary" not in repr(
                    [bytes(x) if isinstance(x, memoryview) else x for x in row]
                )
    assert seen >= 8


def test_a_backup_brings_everything_back_and_leaves_the_keys_out(sqlite_world, home, tmp_path):
    grant = sqlite_world.sign_in()
    target = tmp_path / "copy.db"
    sentence = backup(sqlite_world.store, target)
    assert str(home / "keys.json") in sentence
    assert target.stat().st_mode & 0o777 == 0o600
    sqlite_world.store.grants.take(sqlite_world.connection.id)
    restore(target, home=home)
    assert sqlite_world.grant() == grant
    sqlite_world.store.close()
    assert sqlite_world.open().grants.of_owner(sqlite_world.owner) == [grant]


def test_a_backup_never_overwrites(sqlite_world, tmp_path):
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(StorageError, match="exists already"):
        backup(sqlite_world.store, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_a_damaged_database_is_replaced_by_a_backup(sqlite_world, home, tmp_path):
    sqlite_world.sign_in()
    backup(sqlite_world.store, tmp_path / "copy.db")
    sqlite_world.store.close()
    (home / "oauthconn.db").write_bytes(b"garbage" * 1000)
    restore(tmp_path / "copy.db", home=home)
    store = sqlite_world.open()
    assert store.grants.of_owner(sqlite_world.owner) == [sqlite_world.grant()]
    assert (home / "oauthconn.db").stat().st_mode & 0o777 == 0o600


def test_what_is_no_backup_changes_nothing(sqlite_world, home, tmp_path):
    grant = sqlite_world.sign_in()
    (tmp_path / "garbage").write_bytes(b"garbage" * 1000)
    (tmp_path / "empty").write_bytes(b"")
    for name in ("garbage", "empty", "missing"):
        with pytest.raises(StorageError, match="not a sound backup"):
            restore(tmp_path / name, home=home)
    assert sqlite_world.grant() == grant


def test_postgresql_is_saved_by_its_own_tools(home, postgres, tmp_path):
    store = Store.open(home=home, database_url=postgres.create_database("saving"))
    with pytest.raises(StorageError) as caught:
        backup(store, tmp_path / "copy.db")
    assert "pg_dump" in caught.value.hint
    store.close()


def test_a_check_counts_values_by_key_and_finds_nothing_wrong(world):
    fill(world)
    findings = check(world.store)
    assert findings.problems == ()
    assert findings.revision == tables.HEAD
    # sentinel, client secret, 3 of the grant, 2 of the candidate, 3 of the sign-in
    assert findings.values_by_key == {world.store.keys.active: 10}


def test_a_check_finds_values_whose_key_is_gone(world):
    world.sign_in()
    with world.store.database.writing() as connection:
        connection.execute(
            sa.update(tables.grants).values(refresh_sealed=b"\x01\x08deadbeef" + b"0" * 80)
        )
    (problem,) = check(world.store).problems
    assert problem == "1 values need the key 'deadbeef', which is missing."
