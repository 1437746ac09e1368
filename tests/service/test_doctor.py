"""The doctor's findings: each says what is wrong, and how to mend it by a command."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import jupyter_oauthconn
from jupyter_oauthconn.errors import UnknownClientError, UnknownConnectionError
from jupyter_oauthconn.model import (
    Check,
    ClientDraft,
    Endpoints,
    NewTokens,
    Outcome,
    Secret,
    Settings,
    State,
)
from jupyter_oauthconn.service.checks.extensions import extension_checks
from jupyter_oauthconn.service.token_service import TokenService
from jupyter_oauthconn.storage import files

from .conftest import World

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN


def found(world: World, **of: str) -> dict[str, Check]:
    return {one.check: one for one in world.broker.doctor(**of)}


def at_server(world: World, address: str, *redirect_uris: str) -> Check:
    """The finding about the client's redirect URIs at a server with that address."""
    if redirect_uris:
        changes = {"redirect_uris": redirect_uris, "loopback_port": None}
        world.broker.edit_client("practice", changes)
    world.service.checks.address = address
    return found(world)["practice: redirect URIs"]


def test_everything_is_looked_at_and_well(signed_in: World) -> None:
    checks = signed_in.broker.doctor()
    assert [one.check for one in checks] == [
        "data folder", "file system", "database", "key", "settings", "TLS",
        "practice: redirect URIs", "practice: metadata", "practice: PKCE", "practice: provider",
        "practice: clock", "practice: client authentication",
        # one for each that is stored
        "practice: redirect URI", "practice: redirect URI",
        "practice: refresh token", "practice: known trap", "sales",
    ]  # fmt: skip
    # that may be true of anybody: nothing looks whether it is
    trap = next(one for one in checks if one.check == "practice: known trap")
    assert trap.outcome is UNKNOWN
    assert trap.detail in signed_in.broker.provider("practice").traps
    assert {one.outcome for one in checks if one is not trap} == {OK}
    assert not any(one.next_step for one in checks)


def test_without_a_client_there_is_no_provider_to_ask(world: World) -> None:
    world.broker.remove_client("practice", force=True)
    checks = found(world)
    assert list(checks) == [
        "data folder", "file system", "database", "key", "settings", "TLS", "OAuth clients",
    ]  # fmt: skip
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
    of_client = [
        "redirect URIs", "metadata", "PKCE", "provider", "clock", "client authentication",
        "redirect URI", "refresh token", "known trap",
    ]  # fmt: skip
    assert list(found(signed_in, client="practice")) == of_client
    of_connection = found(signed_in, connection="sales")
    assert list(of_connection) == [*of_client[:-1], "token", "known trap"]
    assert of_connection["token"].outcome is OK
    with pytest.raises(UnknownClientError, match="sales"):
        signed_in.broker.doctor(client="sales")
    with pytest.raises(UnknownConnectionError, match="practice"):
        signed_in.broker.doctor(connection="practice")


# --- settings, TLS, public address


def other_settings(world: World, **given: Any) -> dict[str, Check]:
    """What a service with those settings finds in the same store."""
    service = TokenService(Settings(**given), world.service.store, world.service.catalog)
    service.checks.address = world.service.checks.address
    return {one.check: one for one in service.checks.doctor(world.actor)}


def test_settings_are_told_with_their_origin(world: World) -> None:
    assert found(world)["settings"].detail == "Everything is the default."
    world.broker.change_settings({"refresh_margin": "60"})
    given = Settings.from_environ({"JUPYTER_OAUTHCONN_DEVICE_FLOW_ENABLED": "false"})
    service = TokenService(given, world.service.store, world.service.catalog)
    (told,) = (one for one in service.checks.doctor(world.actor) if one.check == "settings")
    assert told.outcome is OK
    assert told.detail == (
        "device_flow_enabled = false (JUPYTER_OAUTHCONN_DEVICE_FLOW_ENABLED); "
        "refresh_margin = 60 (administration page); everything else is the default."
    )


def test_no_password_of_a_setting_is_told(world: World) -> None:
    told = other_settings(world, proxy="http://ana:canary@127.0.0.1:1")["settings"]
    assert "proxy = http://…@127.0.0.1:1 (" in told.detail
    assert "canary" not in told.detail


def test_whom_this_machine_trusts(world: World, tmp_path: Path) -> None:
    assert found(world)["TLS"].outcome is OK
    bundle = tmp_path / "bundle.pem"
    two = ssl.create_default_context().get_ca_certs(binary_form=True)[:2]
    bundle.write_text("\n".join(map(ssl.DER_cert_to_PEM_cert, two)))
    service = TokenService(
        Settings(ca_bundle=str(bundle)), world.service.store, world.service.catalog
    )

    def tls() -> Check:
        return next(one for one in service.checks.doctor(world.actor) if one.check == "TLS")

    assert tls().outcome is OK
    assert f"2 of them from {bundle}" in tls().detail
    # it was read when the service started
    bundle.unlink()
    assert tls().outcome is FAILED
    assert tls().next_step == f"`ls -l {bundle}`"


@pytest.fixture
def outside() -> Iterator[Callable[[str], str]]:
    """Serves what it is told to at an address that is not this service's; the address."""
    answers = {"body": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers["body"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """The test says what is wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def serve(body: str) -> str:
        answers["body"] = body
        return f"http://127.0.0.1:{server.server_port}/hub/oauthconn/"

    yield serve
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("body", "outcome", "says"),
    [
        ('{"status": "ok", "wire_version": 1}', OK, "leads to a token service"),
        ("<h1>Welcome</h1>", FAILED, "is no token service (status 200)"),
        (None, UNKNOWN, "cannot be reached from here"),
    ],
)
def test_the_public_address_leads_back_here(
    world: World, outside: Callable[[str], str], body: str | None, outcome: Outcome, says: str
) -> None:
    address = outside(body) if body is not None else "http://127.0.0.1:1/oauthconn/"
    world.service.checks.address = address
    check = other_settings(world, public_url=address.removesuffix("oauthconn/"))["public address"]
    assert check.outcome is outcome
    assert address in check.detail
    assert says in check.detail
    assert ("public_url" in check.next_step) == (outcome is not OK)
    # without the setting there is nothing to compare
    assert "public address" not in found(world)


# --- client secret, redirect URI, refresh token


def confidential(world: World, **secret: Any) -> dict[str, Check]:
    """What is found about a client of the practice provider that has a secret."""
    provider = world.server.provider
    world.broker.add_client(
        ClientDraft(
            name="web",
            provider="practice",
            client_id="confidential-notebook",
            issuer=world.server.issuer,
            client_secret=Secret("first"),
            loopback_port="any",
        )
    )
    (first,) = world.broker.client("web").secrets
    if secret:
        world.broker.add_client_secret("web", provider.confidential_secret, **secret)
    world.service.store.registry.remove_client_secret(first.id)
    return found(world, client="web")


@pytest.mark.parametrize(
    ("days", "outcome", "says"),
    [
        (None, OK, "nobody has said when it ends"),
        (30, OK, "It ends on"),
        (13, FAILED, "It ends on"),
    ],
)
def test_when_the_client_secret_ends(
    world: World, days: int | None, outcome: Outcome, says: str
) -> None:
    ends_at = None if days is None else world.service.store.now() + timedelta(days=days)
    checks = confidential(world, ends_at=ends_at)
    assert checks["client secret"].outcome is outcome
    assert says in checks["client secret"].detail
    assert ("clients add-secret web" in checks["client secret"].next_step) == (outcome is FAILED)
    assert checks["client authentication"].outcome is OK


def test_a_client_secret_that_is_missing(world: World) -> None:
    checks = confidential(world)
    assert (checks["client secret"].outcome, checks["client secret"].detail) == (
        FAILED,
        "It is missing.",
    )
    assert "clients add-secret web" in checks["client secret"].next_step
    assert checks["token endpoint"].outcome is FAILED


def test_a_public_client_has_no_secret_to_look_at(world: World) -> None:
    assert "client secret" not in found(world, client="practice")


def test_a_redirect_uri_that_the_provider_does_not_know(world: World) -> None:
    foreign = "http://localhost:8888/elsewhere"
    kept = world.broker.client("practice").redirect_uris[0]
    world.broker.edit_client("practice", {"redirect_uris": (kept, foreign)})
    checks = [one for one in world.broker.test_client("practice") if one.check == "redirect URI"]
    assert [one.outcome for one in checks] == [OK, FAILED]
    assert f"accepts {kept}" in checks[0].detail
    assert foreign in checks[1].detail
    assert f"Enter {foreign} at the provider" in checks[1].next_step
    # nobody was signed in by it, and no sign-in is under way
    assert world.broker.connection("sales").status.state is State.NOT_CONNECTED


class Answering(BaseHTTPRequestHandler):
    """An authorization endpoint that answers as its path says: status and parameters."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        _, status, told = parts.path.split("/")
        (uri,) = parse_qs(parts.query)["redirect_uri"]
        self.send_response(int(status))
        self.send_header("Location", f"{uri}?{told}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("302/error=login_required", OK),
        ("303/state=x&code=y", OK),
        ("302/", UNKNOWN),
        ("302/state=error", UNKNOWN),
        ("200/error=login_required", UNKNOWN),
        ("400/error=login_required", FAILED),
        ("302/error=unauthorized_client", FAILED),
    ],
)
def test_what_proves_that_a_redirect_uri_is_known(
    world: World, answer: str, outcome: Outcome
) -> None:
    client = world.broker.client("practice")
    entry = world.service.catalog.entry("oidc")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/{answer}"
            endpoints = Endpoints(authorization=address, token=f"{world.server.issuer}/token")
            draft = ClientDraft(
                name="odd", provider=entry.key, client_id=client.client_id, endpoints=endpoints,
                loopback_port="any", redirect_uris=client.redirect_uris[:1],
            )  # fmt: skip
            world.broker.add_client(draft)
            assert found(world, client="odd")["redirect URI"].outcome is outcome
        finally:
            server.shutdown()
            thread.join()


def test_no_more_than_five_redirect_uris_are_asked_about(world: World) -> None:
    uris = tuple(f"http://localhost:8888/{number}" for number in range(7))
    world.broker.edit_client("practice", {"redirect_uris": uris})
    checks = [one for one in world.broker.test_client("practice") if one.check == "redirect URI"]
    assert len(world.server.provider.requests("authorize")) == 5
    assert [one.outcome for one in checks] == [FAILED] * 5 + [UNKNOWN]
    assert f"not {uris[5]}, {uris[6]}" in checks[-1].detail


def test_a_refresh_token_is_told_from_the_latest_sign_in(world: World) -> None:
    nobody = found(world, client="practice")["refresh token"]
    assert nobody.outcome is UNKNOWN
    assert "%connect add NAME --client practice" in nobody.next_step
    world.sign_in()
    assert found(world, client="practice")["refresh token"].outcome is OK
    now = world.service.store.now()
    tokens = NewTokens(
        access_token=Secret("at"), refresh_token=None, token_type="Bearer", issued_at=now,
        expires_at=None, refresh_at=None, refresh_expires_at=None, scope="",
    )  # fmt: skip
    world.service.store.grants.put(
        world.owner, world.connection.id, tokens, requested_scope="", identity=None, subject=None
    )
    none = found(world, client="practice")["refresh token"]
    assert none.outcome is FAILED
    assert "offline_access" in none.next_step


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
