"""`purge`: says what it will do, ends the sign-ins, deletes what is kept."""

from __future__ import annotations

import getpass
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_oauthconn.broker.flows import Flows
from jupyter_oauthconn.broker.owned import OwnedBroker
from jupyter_oauthconn.broker.running import ServiceFile, store_fingerprint
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.demo.database import Postgres, start_postgres
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import ConnectionDraft, Owner, Secret, Settings
from jupyter_oauthconn.service.token_service import TokenService
from jupyter_oauthconn.storage import database


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's runtime folder: no server runs."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    return folder


def test_it_is_said_asked_and_done(
    run: Any, signed_in: str, home: Path, practice: PracticeServer
) -> None:
    run.ok("connections", "add", "unused", "--client", "warehouse")
    plan = [
        "This will",
        f"  end these sign-ins at their providers: {signed_in}",
        f"  remove these connections of yours: {signed_in}, unused",
        "  remove these OAuth clients: warehouse",
        f"  delete {home / 'oauthconn.db'}, ",
        "It cannot be undone.",
    ]
    for answer in (run("purge"), run("purge", typed="y"), run("purge", typed="")):
        assert (answer.code, answer.out) == (1, "")
        lines = answer.err.splitlines()
        assert all(one.startswith(two) for one, two in zip(lines, plan, strict=False))
        assert str(home / "keys.json") in lines[4]
        assert "Nothing was purged" in answer.err
    assert "--yes" in run("purge").err
    assert practice.provider.requests("revocation") == []
    assert run.ok("token", signed_in).out

    answer = run.ok("purge", typed="purge")
    assert "Type purge to go on: " in answer.err
    assert answer.out == f"All of it is gone, {home} too.\n"
    assert not home.exists()
    assert len(practice.provider.requests("revocation", outcome="ok")) == 1


def test_json_without_a_question(run: Any, signed_in: str, home: Path) -> None:
    (home / "spool").mkdir()
    body = run.ok("purge", "--yes", "--json").json
    assert [one["connection"] for one in body["sign_ins"]] == [signed_in]
    assert [one["at_provider"] for one in body["sign_ins"]] == ["ok"]
    assert (body["connections"], body["clients"]) == ([signed_in], ["warehouse"])
    assert body["files"][0] == str(home / "oauthconn.db")
    assert body["files"][-3:] == [str(home / "spool"), str(home / "keys.json"), str(home)]
    assert not home.exists()


def test_a_file_of_somebody_else_stays(run: Any, signed_in: str, home: Path) -> None:
    other = home / "notes.txt"
    other.write_text("mine")
    answer = run.ok("purge", "--yes")
    assert f"{home} is kept" in answer.out
    assert list(home.iterdir()) == [other]


def test_nothing_to_purge(run: Any, home: Path) -> None:
    assert run.ok("purge", "--yes").out == f"There is nothing to purge in {home}.\n"
    assert run.ok("purge", "--json").json["files"] == []
    assert not home.exists()


def test_a_provider_that_is_down_is_said_and_does_not_stop_it(
    run: Any, signed_in: str, home: Path, practice: PracticeServer
) -> None:
    practice.provider.dials.down = True
    answer = run("purge", "--yes")
    assert answer.code == 1
    assert f"{signed_in}: " in answer.err
    assert f"Not confirmed by the provider: {signed_in}." in answer.err
    assert not home.exists()


def test_the_sign_ins_of_whoever_else_used_the_folder(
    run: Any, signed_in: str, client: str, home: Path, practice: PracticeServer
) -> None:
    run.ok("clients", "edit", client, "--allow-user", "ada")
    sign_in_of_ada(Settings(), home, client)
    answer = run.ok("purge", "--yes")
    assert f"budget of ada, {signed_in} of {getpass.getuser()}" in answer.err
    assert len(practice.provider.requests("revocation", outcome="ok")) == 2
    assert not home.exists()


@pytest.mark.parametrize("lost", ["key", "database"])
def test_a_store_that_nobody_can_read_again_is_deleted_all_the_same(
    run: Any, signed_in: str, home: Path, practice: PracticeServer, lost: str
) -> None:
    if lost == "key":
        (home / "keys.json").unlink()
    else:
        (home / "oauthconn.db").write_bytes(b"no database" * 1000)
    answer = run("purge", "--yes")
    assert answer.code == 1
    assert "no sign-in can be ended from here" in answer.err
    assert "live on at the providers" in answer.err
    assert practice.provider.requests("revocation") == []
    assert not home.exists()


def test_what_is_declared_does_not_stop_it(
    run: Any, signed_in: str, home: Path, practice: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_CONFIG_FILES", "/nope.toml")
    run.ok("purge", "--yes")
    assert len(practice.provider.requests("revocation", outcome="ok")) == 1
    assert not home.exists()


@pytest.mark.parametrize("reason", ["locked", "catalog"])
def test_a_store_that_cannot_be_opened_now_stays(
    run: Any, signed_in: str, home: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    with ExitStack() as until, monkeypatch.context() as patch:
        if reason == "locked":
            patch.setattr(database, "_BUSY_TIMEOUT", timedelta(seconds=0.05))
            other = until.enter_context(
                closing(sqlite3.connect(home / "oauthconn.db", isolation_level=None))
            )
            other.execute("BEGIN EXCLUSIVE")
        else:
            patch.setenv("JUPYTER_OAUTHCONN_CATALOG_PATHS", str(home / "oauthconn.db"))
        answer = run("purge", "--yes")
    assert (answer.code, answer.out) == (1, "")
    assert run.ok("token", signed_in).out


def test_a_link_is_removed_and_not_what_it_leads_to(
    run: Any, signed_in: str, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (home / "spool").symlink_to(tmp_path / "elsewhere")
    run.ok("purge", "--yes")
    assert not home.exists()
    assert (tmp_path / "elsewhere").exists()


def test_a_database_somewhere_else(
    run: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "elsewhere.db"
    monkeypatch.setenv("JUPYTER_OAUTHCONN_DATABASE_URL", f"sqlite:///{file}")
    run.ok("clients", "list")
    assert file.exists()
    body = run.ok("purge", "--yes", "--json").json
    assert body["files"][0] == str(file)
    assert not file.exists()
    assert not home.exists()


def test_a_running_server_keeps_it_back(
    run: Any, signed_in: str, home: Path, runtime: Path, tmp_path: Path
) -> None:
    def announce(store: str) -> None:
        ServiceFile(
            url="http://127.0.0.1:8899/oauthconn/",
            credential=Secret("c"),
            store=store,
            pid=os.getpid(),
            version="1",
        ).write(runtime / f"oauthconn-{os.getpid()}.json")

    announce(store_fingerprint(home, None))
    answer = run("purge", "--yes")
    assert (answer.code, answer.out) == (1, "")
    assert "http://127.0.0.1:8899/oauthconn/" in answer.err
    assert "jupyter server stop 8899" in answer.err
    assert run.ok("token", signed_in).out
    announce(store_fingerprint(tmp_path, None))
    run.ok("purge", "--yes")


@pytest.mark.parametrize("named", ["option", "variable"])
def test_only_for_this_machines_own_service(
    run: Any, signed_in: str, home: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    url = "http://127.0.0.1:9/oauthconn/"
    with monkeypatch.context() as patch:
        if named == "variable":
            patch.setenv("JUPYTER_OAUTHCONN_URL", url)
        answer = run(*(("--service", url) if named == "option" else ()), "purge", "--yes")
    assert (answer.code, answer.out) == (1, "")
    assert "not what a Jupyter server keeps" in answer.err
    assert run.ok("token", signed_in).out


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


def test_of_a_postgresql_database_only_ones_own_rows_go(
    home: Path,
    postgres: Postgres,
    run: Any,
    practice: PracticeServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = postgres.create_database("purge")
    monkeypatch.setenv("JUPYTER_OAUTHCONN_DATABASE_URL", url)
    run.ok(
        *("clients", "add", "warehouse", "--provider", "practice", "--client-id", "notebook"),
        *("--issuer", practice.issuer, "--loopback-port", "any", "--allow-user", "*"),
    )
    run.ok("connections", "add", "sales", "--client", "warehouse")
    run.ok("connections", "add", "unused", "--client", "warehouse")
    run.ok("auth", "sales")
    sign_in_of_ada(Settings(database_url=url), home, "warehouse")

    answer = run.ok("purge", "--yes", "--json")
    assert "keep the OAuth clients, the history and the files" in answer.err
    assert [one["connection"] for one in answer.json["sign_ins"]] == ["sales"]
    assert (answer.json["clients"], answer.json["files"]) == ([], [])
    assert (home / "keys.json").exists()
    assert len(practice.provider.requests("revocation", outcome="ok")) == 1
    assert run.ok("connections", "--json").json == []
    (hers,) = run.ok("grants", "list", "--json").json
    assert (hers["owner"], hers["status"]["state"]) == ("ada", "connected")
    assert [one["name"] for one in run.ok("clients", "--json").json] == ["warehouse"]
    assert "are kept" in run.ok("purge", "--yes").out


def sign_in_of_ada(settings: Settings, home: Path, client: str) -> None:
    """The same database has a second owner with a connection of her own."""
    service = TokenService.open(settings, home)
    ada = Owner(id=service.owner("os", "4242", "ada"), name="ada")
    broker = OwnedBroker(service, ada, Flows(service, ada), administrator=False)
    broker.add_connection(ConnectionDraft(name="budget", client=client))
    start = broker.authorize("budget").public_url
    assert start is not None
    consent(start)
    broker.close()
    service.close()
