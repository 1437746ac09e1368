"""`keys …` and `db …`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_keys(run: Any, signed_in: str, home: Path) -> None:
    (first,) = run.ok("keys", "list", "--json").json
    assert first["active"] is True
    added = run.ok("keys", "add", "--json").json
    assert run.ok("keys", "list", "--json").json == [{"id": first["id"], "active": False}, added]
    text = run.ok("keys", "list").out
    assert first["id"] in text
    assert str(home / "keys.json") in text
    # what the older key sealed still opens, what comes is sealed with the newer one
    assert run.ok("token", signed_in).out
    run.ok("ensure", signed_in, "--for", "1h")
    assert set(run.ok("db", "check", "--json").json["values_by_key"]) == {first["id"], added["id"]}
    assert "key added" in run.ok("events").out


def test_lost_keys(run: Any, signed_in: str, home: Path) -> None:
    """Clients and connections stay, everybody signs in again."""
    (home / "keys.json").unlink()
    answer = run("status")
    assert (answer.code, answer.out) == (1, "")
    assert "jupyter oauthconn keys add --forget-sign-ins" in answer.err
    run.ok("keys", "add", "--forget-sign-ins")
    (line,) = run.ok("status", "--json").json
    assert (line["name"], line["status"]) == (signed_in, "not_connected")
    run.ok("auth", signed_in)


def test_db_upgrade_and_check(run: Any, signed_in: str) -> None:
    revision = run.ok("db", "upgrade", "--json").json["revision"]
    assert revision
    body = run.ok("db", "check", "--json").json
    assert (body["revision"], body["problems"]) == (revision, [])
    assert "Nothing is wrong." in run.ok("db", "check").out


def test_backup_and_restore(run: Any, signed_in: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    answer = run.ok("db", "backup", str(file))
    assert "keys" in answer.out
    token = run.ok("token", signed_in).out
    run.ok("connections", "rm", signed_in)
    again = run("db", "backup", str(file))
    assert (again.code, again.out) == (1, "")
    run.ok("db", "restore", str(file))
    assert run.ok("token", signed_in).out == token


def test_restore_of_something_else(run: Any, signed_in: str, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear database")
    answer = run("db", "restore", str(file))
    assert (answer.code, answer.out) == (1, "")
    assert "letter.txt" in answer.err
    assert run.ok("token", signed_in).out


def test_restore_is_for_the_file_only(run: Any, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_DATABASE_URL", "postgresql://me:pass-word@db/x")
    answer = run("db", "restore", str(tmp_path / "x"))
    assert answer.code == 1
    assert "pass-word" not in answer.err
