"""The doctor's findings: each says what is wrong, and how to mend it by a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import jupyter_oauthconn
from jupyter_oauthconn.model import Check, Outcome
from jupyter_oauthconn.service.checks.extensions import extension_checks
from jupyter_oauthconn.storage import files

from .conftest import World

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN


def found(world: World, name: str | None = None) -> dict[str, Check]:
    return {one.check: one for one in world.broker.doctor(name)}


def at_server(world: World, address: str, *redirect_uris: str) -> Check:
    """The finding about the client's redirect URIs at a server with that address."""
    if redirect_uris:
        changes = {"redirect_uris": redirect_uris, "loopback_port": None}
        world.broker.edit_client("practice", changes)
    world.service.checks.address = address
    return found(world)["practice: redirect URIs"]


def test_everything_is_looked_at_and_well(signed_in: World) -> None:
    checks = found(signed_in)
    assert list(checks) == [
        "data folder", "file system", "database", "key", "practice: redirect URIs",
        "practice: metadata", "practice: PKCE", "practice: provider", "practice: clock",
        "practice: client authentication", "sales",
    ]  # fmt: skip
    assert {one.outcome for one in checks.values()} == {OK}
    assert not any(one.next_step for one in checks.values())


def test_without_a_client_there_is_no_provider_to_ask(world: World) -> None:
    world.broker.remove_client("practice", force=True)
    checks = found(world)
    assert list(checks)[-1] == "OAuth clients"
    assert checks["OAuth clients"].outcome is UNKNOWN
    assert "%oauthclient register" in checks["OAuth clients"].next_step


def test_a_client_that_was_switched_off_on_purpose_is_not_wrong(world: World) -> None:
    world.broker.edit_client("practice", {"enabled": False})
    checks = found(world)
    assert checks["practice: enabled"].outcome is UNKNOWN
    assert "%oauthclient enable practice" in checks["practice: enabled"].next_step
    assert FAILED not in {one.outcome for one in checks.values()}


# --- data folder, file system, key


def test_files_that_others_can_read(signed_in: World, tmp_path: Path) -> None:
    keys = tmp_path / "home" / "keys.json"
    keys.chmod(0o640)
    check = found(signed_in)["data folder"]
    assert (check.outcome, check.next_step) == (FAILED, f"`chmod 600 {keys}`")
    assert "keys.json" in check.detail
    subprocess.run(check.next_step.strip("`"), shell=True, check=True)
    assert found(signed_in)["data folder"].outcome is OK


def test_a_folder_that_others_can_write(signed_in: World, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.chmod(0o777)
    check = found(signed_in)["data folder"]
    assert (check.outcome, check.next_step) == (FAILED, f"`chmod go-w {home}`")
    subprocess.run(check.next_step.strip("`"), shell=True, check=True)
    assert found(signed_in)["data folder"].outcome is OK


@pytest.mark.parametrize(
    ("kind", "outcome"), [("ext4", OK), ("nfs4", FAILED), ("fuse.sshfs", FAILED), (None, UNKNOWN)]
)
def test_the_file_system(
    signed_in: World, monkeypatch: pytest.MonkeyPatch, kind: str | None, outcome: Outcome
) -> None:
    monkeypatch.setattr(files, "file_system_of", lambda *_: kind)
    monkeypatch.setattr("jupyter_oauthconn.service.checks.of_store.file_system_of", lambda *_: kind)
    check = found(signed_in)["file system"]
    assert check.outcome is outcome
    assert (kind or "does not tell") in check.detail
    assert ("JUPYTER_OAUTHCONN_HOME" in check.next_step) == (outcome is FAILED)


def test_a_key_file_of_another_database(signed_in: World, tmp_path: Path) -> None:
    keys = tmp_path / "home" / "keys.json"
    body = json.loads(keys.read_text())
    keys.unlink()
    check = found(signed_in)["key"]
    assert check.outcome is FAILED
    assert body["active"] in check.detail
    assert "keys add --forget-sign-ins" in check.next_step


# --- redirect URIs


@pytest.mark.parametrize(
    ("registered", "outcome"),
    [
        ("http://localhost:8888/oauthconn/callback/practice", OK),
        # the start page leads there: the same server under its other name
        ("http://127.0.0.1:8888/oauthconn/callback/practice", OK),
        ("http://localhost:9999/oauthconn/callback/practice", FAILED),
        ("http://localhost:8888/other/oauthconn/callback/practice", FAILED),
        ("https://hub.example.com/oauthconn/callback/practice", FAILED),
    ],
)
def test_redirect_uris_against_the_address_of_a_server(
    world: World, registered: str, outcome: Outcome
) -> None:
    check = at_server(world, "http://localhost:8888/oauthconn/", registered)
    assert check.outcome is outcome
    if outcome is FAILED:
        wanted = "http://localhost:8888/oauthconn/callback/practice"
        assert registered in check.detail
        assert wanted in check.detail
        # a list is replaced, so what is there is named, too
        assert f"--redirect-uri {registered} --redirect-uri {wanted}" in check.next_step


def test_a_server_on_another_port_can_be_started_on_the_registered_one(world: World) -> None:
    registered = "http://localhost:8888/base/oauthconn/callback/practice"
    check = at_server(world, "http://localhost:8889/base/oauthconn/", registered)
    assert "`jupyter lab --port 8888`" in check.next_step


def test_any_port_of_a_native_app(world: World) -> None:
    assert at_server(world, "http://localhost:40123/oauthconn/").outcome is OK


def test_redirect_uris_without_a_server(world: World) -> None:
    assert found(world)["practice: redirect URIs"].outcome is OK
    changes = {"redirect_uris": ("https://hub.example.com/cb",), "loopback_port": None}
    world.broker.edit_client("practice", changes)
    check = found(world)["practice: redirect URIs"]
    assert check.outcome is FAILED
    assert "--redirect-uri https://hub.example.com/cb --redirect-uri http://" in check.next_step


# --- provider and clock


def test_a_provider_that_does_not_answer(signed_in: World) -> None:
    signed_in.server.stop()
    check = found(signed_in)["practice: provider"]
    assert check.outcome is FAILED
    assert check.next_step.startswith(f"`curl -sSI http://127.0.0.1:{signed_in.server.port}/`")
    assert "practice: clock" not in found(signed_in)


@pytest.mark.parametrize("minutes", [-30, 30])
def test_a_clock_that_is_wrong(world: World, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    now = world.service.store.now
    monkeypatch.setattr(world.service.store, "now", lambda: now() + timedelta(minutes=minutes))
    check = found(world)["practice: clock"]
    assert check.outcome is FAILED
    assert "30 minutes off" in check.detail
    assert "timedatectl" in check.next_step


def test_a_name_narrows_it(signed_in: World) -> None:
    of_connection = found(signed_in, "sales")
    assert next(iter(of_connection)) == "redirect URIs"
    assert of_connection["token"].outcome is OK
    assert "redirect URIs" in found(signed_in, "practice")
    assert found(signed_in, "nobody")["name"].outcome is FAILED


# --- what Jupyter's configuration says


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Folders of Jupyter with nothing of this machine's own in the user's."""
    for name in ("config", "data"):
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(tmp_path / name))
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_PATH", "")
    # the environment's own files count less than the user's, and not at all here
    monkeypatch.setattr("jupyter_core.paths.ENV_CONFIG_PATH", [])
    monkeypatch.setattr("jupyter_core.paths.ENV_JUPYTER_PATH", [])
    return dict(os.environ)


def toggled(jupyter: dict[str, str], *command: str) -> dict[str, Outcome]:
    """What is found after Jupyter's own command was run."""
    subprocess.run(
        [sys.executable, "-m", *command], env=jupyter, check=True, capture_output=True, timeout=60
    )
    return {one.check: one.outcome for one in extension_checks(answers=False)}


def test_the_server_extension_as_jupyter_keeps_it(jupyter: dict[str, str], tmp_path: Path) -> None:
    command = ("jupyter_server.extension.serverextension",)
    first = {one.check: one for one in extension_checks(answers=False)}["server extension"]
    assert first.outcome is UNKNOWN
    assert "jupyter server extension list" in first.next_step
    # that the package brings; Jupyter's command changes what is there only
    brought = next(Path(jupyter_oauthconn.__file__).parent.glob("etc/**/*.json"))
    folder = tmp_path / "config" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    (folder / brought.name).write_bytes(brought.read_bytes())
    assert extension_checks(answers=False)[0].outcome is OK
    off = toggled(jupyter, *command, "disable", "--user", "jupyter_oauthconn")
    assert off["server extension"] is FAILED
    on = toggled(jupyter, *command, "enable", "--user", "jupyter_oauthconn")
    assert on["server extension"] is OK
    # the file without a folder wins over those in the folder
    told = {"ServerApp": {"jpserver_extensions": {"jupyter_oauthconn": False}}}
    (tmp_path / "config" / "jupyter_server_config.json").write_text(json.dumps(told))
    assert extension_checks(answers=False)[0].outcome is FAILED
    (one,) = (one for one in extension_checks(answers=True) if one.check == "server extension")
    assert one.outcome is OK


def test_the_lab_extension_as_jupyterlab_keeps_it(jupyter: dict[str, str], tmp_path: Path) -> None:
    def lab() -> Check:
        return extension_checks(answers=True)[1]

    assert lab().outcome is FAILED
    assert "pip install" in lab().next_step
    assert extension_checks(answers=False)[1].outcome is UNKNOWN
    installed = tmp_path / "data" / "labextensions" / "jupyter-oauthconn"
    installed.mkdir(parents=True)
    built = {"name": "jupyter-oauthconn", "version": "1", "jupyterlab": {"_build": {"load": ""}}}
    (installed / "package.json").write_text(json.dumps(built))
    assert lab().outcome is OK
    command = ("jupyterlab.labextensions",)
    off = toggled(jupyter, *command, "disable", "--level=user", "jupyter-oauthconn")
    assert off["lab extension"] is FAILED
    on = toggled(jupyter, *command, "enable", "--level=user", "jupyter-oauthconn")
    assert on["lab extension"] is OK


def test_a_server_tells_of_its_own_extensions(world: World) -> None:
    world.service.checks.address = "http://localhost:8888/oauthconn/"
    checks = list(found(world).values())
    assert [one.check for one in checks[:2]] == ["server extension", "lab extension"]
    assert checks[0].outcome is OK
