"""The files by which kernels find the servers of their user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_oauthconn.broker.running import (
    ServiceFile,
    process_is_alive,
    running,
    store_fingerprint,
)
from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import Secret

FILE = ServiceFile(
    url="http://localhost:8888/oauthconn/",
    credential=Secret("canary-credential"),
    certificate="-----BEGIN CERTIFICATE-----",
    store=store_fingerprint(Path("/home/ada/oauthconn"), None),
    pid=os.getpid(),
    version="0.1.0",
)


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "oauthconn-1.json"
    FILE.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert ServiceFile.read(path) == FILE
    body = json.loads(path.read_text(encoding="utf-8"))
    assert set(body) == {"url", "credential", "certificate", "store", "pid", "version"}
    replace(FILE, version="0.2.0").write(path)
    assert ServiceFile.read(path).version == "0.2.0"
    assert [one.name for one in tmp_path.iterdir()] == ["oauthconn-1.json"]


def test_a_later_server_may_say_more(tmp_path: Path) -> None:
    path = tmp_path / "oauthconn-1.json"
    FILE.write(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "more": 1}))
    assert ServiceFile.read(path) == FILE


def test_sec_53_the_credential_is_not_shown() -> None:
    assert "canary" not in repr(FILE) + str(FILE)
    with pytest.raises(TypeError):
        f"{FILE.credential}"


def test_the_alive_ones_are_listed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for number, pid in enumerate((os.getpid(), dead.pid, 0, -1, 2**70)):
        replace(FILE, url=f"http://localhost:{number}/", pid=pid).write(
            tmp_path / f"oauthconn-{number}.json"
        )
    FILE.write(tmp_path / "other-1.json")
    assert [one.url for one in running(tmp_path)] == ["http://localhost:0/"]
    assert running(tmp_path / "missing") == []


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '"x"', "{}", "\xff", json.dumps({"url": 5}), "[" * 100_000],
)
def test_what_is_no_such_file_is_left_out(tmp_path: Path, content: str) -> None:
    path = tmp_path / "oauthconn-1.json"
    path.write_bytes(content.encode("latin-1"))
    path.chmod(0o600)
    assert running(tmp_path) == []
    with pytest.raises(ServiceUnreachableError, match=r"oauthconn-1\.json") as caught:
        ServiceFile.read(path)
    assert caught.value.hint


def test_neither_are_pipes_and_folders(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "oauthconn-1.json", 0o600)
    (tmp_path / "oauthconn-2.json").mkdir()
    (tmp_path / "oauthconn-3.json").symlink_to("nowhere")
    assert running(tmp_path) == []


def test_a_file_that_others_can_read_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "oauthconn-1.json"
    FILE.write(path)
    path.chmod(0o640)
    assert running(tmp_path) == []
    with pytest.raises(ServiceUnreachableError, match="others can read it"):
        ServiceFile.read(path)
    monkeypatch.setenv("JUPYTER_ALLOW_INSECURE_WRITES", "true")
    assert running(tmp_path) == [FILE]


def test_a_file_of_another_user_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "oauthconn-1.json"
    FILE.write(path)
    somebody_else = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody_else)
    with pytest.raises(ServiceUnreachableError, match="another user"):
        ServiceFile.read(path)


def test_a_file_that_is_gone_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnreachableError) as caught:
        ServiceFile.read(tmp_path / "oauthconn-1.json")
    assert "has ended or is restarting" in caught.value.hint


@pytest.mark.parametrize("other", [{"home": Path("/b")}, {"database_url": "sqlite:///x"}])
def test_a_fingerprint_tells_stores_apart(other: dict[str, Any]) -> None:
    given: dict[str, Any] = {"home": Path("/a"), "database_url": None}
    assert store_fingerprint(**given) == store_fingerprint(**given)
    assert store_fingerprint(**given) != store_fingerprint(**{**given, **other})
    assert "secret" not in store_fingerprint(Path("/a"), "postgresql://ada:secret@db/x")


def test_a_process_is_alive_or_not() -> None:
    assert process_is_alive(os.getpid())
    assert process_is_alive(1)
    assert not process_is_alive(0)
