"""What goes wrong with a database, as sentences that name it and the next step."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from jupyter_oauthconn.errors import StorageError
from jupyter_oauthconn.model import ALL_EVENTS, Event
from jupyter_oauthconn.storage import Store, files


def with_pragma(store: Store, pragma: str) -> None:
    """Every connection that the store opens from now on has it."""
    engine = store.database._engine
    engine.dispose()
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute(pragma))


def refused(action, *arguments, **options) -> StorageError:
    with pytest.raises(StorageError) as caught:
        action(*arguments, **options)
    error = caught.value
    assert error.hint
    assert error.__suppress_context__ or error.__context__ is None
    assert "canary" not in f"{error}{error!r}{error.hint}{vars(error)}"
    assert "INSERT" not in str(error)
    assert "sqlalche.me" not in str(error)
    return error


def test_a_full_disk(sqlite_world):
    store = sqlite_world.store
    with store.database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    with_pragma(store, f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for _ in range(200):
            store.journal.add(Event(kind="canary" * 100))

    assert "full" in str(refused(fill))


def test_a_store_that_cannot_be_written_gives_no_claim(sqlite_world):
    grant = sqlite_world.sign_in()
    store = sqlite_world.store
    with_pragma(store, "PRAGMA query_only = 1")
    for _ in range(2):
        error = refused(store.grants.claim, grant.id, generation=1, lease=timedelta(minutes=1))
        assert "read-only" in str(error)
    assert sqlite_world.grant() == grant


def test_a_locked_database(sqlite_world, home):
    store = sqlite_world.store
    with_pragma(store, "PRAGMA busy_timeout = 50")
    other = sqlite3.connect(home / "oauthconn.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    error = refused(store.journal.add, Event(kind="x"))
    assert "locked by another program" in str(error)
    assert str(home / "oauthconn.db") in str(error)
    assert store.journal.events(ALL_EVENTS, 1) == []  # readers go on
    other.execute("ROLLBACK")
    other.close()
    store.journal.add(Event(kind="x"))


def test_a_read_that_was_followed_by_another_write_can_still_write(sqlite_world):
    """BEGIN IMMEDIATE: a transaction that reads first has the write lock already."""
    other = sqlite_world.open()
    with sqlite_world.store.database.writing() as connection:
        connection.execute(sa.text("SELECT count(*) FROM grants"))
        with_pragma(other, "PRAGMA busy_timeout = 50")
        refused(other.journal.add, Event(kind="x"))
        connection.execute(sa.text("DELETE FROM events"))


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database(home, content):
    home.mkdir()
    (home / "oauthconn.db").write_bytes(content)
    error = refused(Store.open, home=home)
    assert "is not a database" in str(error) or "is damaged" in str(error)
    assert "restore" in error.hint
    assert not (home / "keys.json").exists()
    assert (home / "oauthconn.db").read_bytes() == content


def test_a_program_that_holds_the_file_when_it_is_opened_is_waited_for(home):
    Store.open(home=home).close()
    database = home / "oauthconn.db"
    other = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA journal_mode = delete")
    other.execute("BEGIN EXCLUSIVE")
    # longer than SQLite waits for who asks for the journal's mode
    leaving = threading.Timer(1.5, other.execute, ("ROLLBACK",))
    leaving.start()
    Store.open(home=home).close()
    leaving.join()
    other.close()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be made" in str(refused(Store.open, home=tmp_path / "file" / "home"))


def test_a_folder_in_the_place_of_the_file(home):
    (home / "oauthconn.db").mkdir(parents=True)
    refused(Store.open, home=home)


def test_postgresql_away_and_a_password_that_nobody_sees(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        url = f"postgresql://ana:pass-canary@127.0.0.1:{port}/tokens?application_name=x"
        error = refused(Store.open, home=tmp_path / "home", database_url=url)
    assert "'tokens' on 127.0.0.1 does not answer" in str(error)
    assert not (tmp_path / "home" / "keys.json").exists()


def test_a_missing_postgresql_database(tmp_path, postgres):
    url = postgres.url_of("missing").replace("postgres@", "postgres:pass-canary@")
    error = refused(Store.open, home=tmp_path / "home", database_url=url)
    assert "'missing'" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ana:pass-canary@host/db",
        "pass-canary",
        "postgresql://ana:pass-canary@host:port/db",
        "sqlite://",
        "sqlite:///:memory:",
        "unknown+pass-canary://host",
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(tmp_path, url):
    assert "database_url" in str(refused(Store.open, home=tmp_path / "home", database_url=url))


def test_postgresql_after_a_crash_is_met_without_an_error(home, postgres):
    store = Store.open(home=home, database_url=postgres.create_database("crashing"))
    store.journal.add(Event(kind="before"))
    postgres.restart(immediate=True)
    store.journal.add(Event(kind="after"))
    assert [one.kind for one in store.journal.events(ALL_EVENTS, 5)] == ["after", "before"]
    store.close()


def test_everything_is_for_its_owner_alone(sqlite_world, home):
    sqlite_world.sign_in()
    assert home.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    assert {"oauthconn.db", "oauthconn.db-wal", "oauthconn.db-shm", "keys.json"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_rights_of_others_are_taken_away_and_told(sqlite_world, home):
    sqlite_world.store.close()
    for name in ("oauthconn.db", "keys.json"):
        (home / name).chmod(0o644)
    store = sqlite_world.open()
    assert sum("could be read by others" in note for note in store.notes) == 2
    assert (home / "oauthconn.db").stat().st_mode & 0o777 == 0o600
    assert (home / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_was_there_keeps_its_rights(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    for mode, told in ((0o755, False), (0o777, True), (0o1777, False)):
        shared.chmod(mode)
        store = Store.open(home=shared)
        assert any("Others can write into" in note for note in store.notes) == told
        store.close()
        assert shared.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("place", ["/dev/null", "/dev/zero"])
def test_a_device_is_no_database_and_is_left_alone(home, place):
    before = Path(place).stat().st_mode
    assert "is not a file" in str(refused(Store.open, home=home, database_url=f"sqlite:///{place}"))
    assert Path(place).stat().st_mode == before


def test_insecure_writes_can_be_allowed(sqlite_world, home, monkeypatch):
    monkeypatch.setenv("JUPYTER_ALLOW_INSECURE_WRITES", "1")
    (home / "oauthconn.db").chmod(0o644)
    store = sqlite_world.open()
    assert any("can be read by others" in note for note in store.notes)
    assert (home / "oauthconn.db").stat().st_mode & 0o777 == 0o644


def test_files_of_somebody_else_are_not_judged(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.write_text("")
    path.chmod(0o644)
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    assert files.keep_private(path) == ()
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ext4", False), ("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("lustre", True)],
)
def test_network_file_systems_are_told_from_local_ones(tmp_path, kind, expected):
    mounts = tmp_path / "mountinfo"
    place = tmp_path / "a b"
    escaped = str(place).replace(" ", "\\040")
    mounts.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"35 21 0:31 / {escaped} rw,relatime shared:1 - {kind} server:/x rw\n"
        f"36 21 0:32 / {escaped}c rw - nfs server:/y rw\n"
    )
    assert files.is_on_network(place / "home" / "oauthconn.db", mounts) is expected
    assert not files.is_on_network(tmp_path, mounts)
    assert not files.is_on_network(tmp_path, tmp_path / "missing")


def test_a_network_file_system_gets_a_rollback_journal_and_a_note(home, monkeypatch):
    monkeypatch.setattr("jupyter_oauthconn.storage.database.is_on_network", lambda path: True)
    store = Store.open(home=home)
    with store.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    assert any("network file system" in note for note in store.notes)
    store.close()


def test_the_connections_are_set_up(sqlite_world):
    for mode in (sqlite_world.store.database.reading, sqlite_world.store.database.writing):
        with mode() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        assert pragmas == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "busy_timeout": 5000,
        }


def test_a_failure_never_shows_what_was_being_written(sqlite_world):
    with sqlite_world.store.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE events")
    refused(sqlite_world.store.journal.add, Event(kind="value-canary"))
