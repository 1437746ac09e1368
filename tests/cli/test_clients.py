"""`clients …`: one OAuth client from its registration to its end."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from jupyter_oauthconn import wire
from jupyter_oauthconn.demo import PracticeServer

SECRET = "hunter2-hunter2"
CONFIDENTIAL = (
    "clients", "add", "crm", "--provider", "practice", "--client-id", "confidential-notebook",
)  # fmt: skip


def test_add_prints_the_redirect_uris(run: Any, practice: PracticeServer) -> None:
    answer = run.ok(
        *("clients", "add", "warehouse", "--provider", "practice", "--client-id", "notebook"),
        *("--issuer", practice.issuer),
    )
    assert "  http://127.0.0.1:8888/oauthconn/callback/warehouse\n" in answer.out
    assert "connections add NAME --client warehouse" in answer.out
    assert answer.err == ""


def test_every_option_is_kept(run: Any, practice: PracticeServer) -> None:
    issuer = practice.issuer
    body = run.ok(
        *("clients", "add", "all", "--provider", "practice", "--client-id", "notebook"),
        *("--title", "All of it", "--issuer", issuer, "--scope", "openid sales.read"),
        *("--authorization-url", f"{issuer}/authorize", "--token-url", f"{issuer}/token"),
        *("--auth-method", "none", "--access-token-lifetime", "600"),
        *("--refresh-token-lifetime", "30d", "--inactivity", "0", "--loopback-port", "any"),
        *("--redirect-uri", "http://localhost:9/a", "--redirect-uri", "http://127.0.0.1:9/a"),
        *("--allow-user", "ada", "--allow-user", "grace", "--allow-group", "analysts", "--json"),
        *("--authorization-parameter", "prompt=consent"),
    ).json
    client = wire.read_client(body)
    assert wire.client_json(client) == body
    assert body["endpoints"]["token"] == f"{issuer}/token"
    assert body["access_token_lifetime_seconds"] == 600
    assert body["refresh_token_lifetime_seconds"] == 30 * 86400
    assert body["inactivity_seconds"] == 0
    assert body["redirect_uris"] == ["http://localhost:9/a", "http://127.0.0.1:9/a"]
    assert body["allowed_users"] == ["ada", "grace"]
    assert body["authorization_parameters"] == {"prompt": "consent"}
    assert (body["title"], body["loopback_port"]) == ("All of it", "any")


@pytest.mark.parametrize("way", ["env", "file", "stdin"])
def test_secret_comes_from_elsewhere(
    run: Any, practice: PracticeServer, way: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is warned of, used, and shown nowhere."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    file = home.parent / "secret"
    file.write_text(f"{SECRET}\n")
    option = {
        "env": ["--secret-env", "CRM_SECRET"],
        "file": ["--secret-file", str(file)],
        "stdin": ["--secret-stdin"],
    }[way]
    answer = run.ok(
        *CONFIDENTIAL, "--issuer", practice.issuer, *option, "--json", stdin=f"{SECRET}\n"
    )
    assert "readable by any program" in answer.err
    assert len(answer.json["secrets"]) == 1
    assert answer.json["auth_method"] == "client_secret_basic"
    seen = answer.out + answer.err + run("clients", "list").out + run("clients", "export").out
    assert SECRET not in seen
    for path in home.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def test_the_secret_is_the_one_that_was_given(run: Any, practice: PracticeServer) -> None:
    secret = practice.provider.confidential_secret.reveal()
    run.ok(*CONFIDENTIAL, "--issuer", practice.issuer, "--secret-stdin", stdin=f" {secret}\n")
    answer = run.ok("clients", "test", "crm", "--json")
    assert {one["outcome"] for one in answer.json} <= {"ok", "unknown"}
    assert practice.provider.requests(
        "token", client="confidential-notebook", outcome="invalid_grant"
    )


@pytest.mark.parametrize(
    "option", [["--secret-env", "NOT_SET"], ["--secret-file", "/nowhere"], ["--secret-stdin"]]
)
def test_no_secret_where_one_was_pointed_to(
    run: Any, practice: PracticeServer, option: list[str]
) -> None:
    answer = run(*CONFIDENTIAL, "--issuer", practice.issuer, *option)
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 2
    assert run("clients", "list", "--json").json == []


def test_list(run: Any, client: str) -> None:
    (body,) = run.ok("clients", "list", "--json").json
    assert body["name"] == client
    assert wire.client_json(wire.read_client(body)) == body
    lines = run.ok("clients", "list").out.splitlines()
    assert lines[0].startswith("NAME")
    assert lines[1].split()[:4] == ["warehouse", "practice", "notebook", "none"]


def test_options_leave_the_name_alone(run: Any, practice: PracticeServer) -> None:
    body = run.ok(
        *("clients", "add", "--provider", "practice", "--client-id", "notebook"),
        *("--redirect-uri", "http://localhost/x", "--allow-user", "ada", "--loopback-port", "any"),
        *("--issuer", practice.issuer, "--allow-group", "staff", "prod", "--json"),
    ).json
    assert (body["name"], body["allowed_groups"]) == ("prod", ["staff"])


def test_a_native_app_is_told_its_redirect_uris_without_port(
    run: Any, practice: PracticeServer
) -> None:
    answer = run.ok(
        *("clients", "add", "x", "--provider", "practice", "--client-id", "notebook"),
        *("--issuer", practice.issuer, "--loopback-port", "any"),
    )
    assert "  http://127.0.0.1/oauthconn/callback/x (any port)\n" in answer.out


def test_list_of_none_says_what_to_do(run: Any) -> None:
    assert "`jupyter oauthconn clients add` makes one" in run.ok("clients", "list").out


def test_edit_says_who_must_sign_in_again(run: Any, client: str, signed_in: str) -> None:
    answer = run.ok("clients", "edit", client, "--title", "Our warehouse", "--json")
    assert answer.json["title"] == "Our warehouse"
    assert answer.err == ""
    answer = run.ok("clients", "edit", client, "--client-id", "another")
    assert f"A new sign-in is needed for {signed_in}." in answer.err


def test_edit_of_one_endpoint_keeps_the_others(run: Any, client: str) -> None:
    run.ok("clients", "edit", client, "--token-url", "http://127.0.0.1:9999/token")
    body = run.ok(
        "clients", "edit", client, "--revocation-url", "http://127.0.0.1:9999/out", "--json"
    ).json
    assert body["endpoints"]["token"] == "http://127.0.0.1:9999/token"
    assert body["endpoints"]["revocation"] == "http://127.0.0.1:9999/out"


def test_edit_of_nothing_is_refused(run: Any, client: str) -> None:
    answer = run("clients", "edit", client)
    assert answer.code == 1
    assert "Nothing was given to change" in answer.err


def test_disable_and_enable(run: Any, client: str, signed_in: str) -> None:
    assert "used by 1 connection" in run.ok("clients", "disable", client).out
    answer = run("token", signed_in)
    assert (answer.code, answer.out) == (1, "")
    assert "jupyter oauthconn clients enable warehouse" in answer.err
    assert run.ok("clients", "enable", client, "--json").json["enabled"] is True
    assert run.ok("token", signed_in).out


def test_test_fails_when_the_provider_refuses_the_client(
    run: Any, client: str, practice: PracticeServer
) -> None:
    assert "✓ ok" in run.ok("clients", "test", client).out
    practice.provider.faults.plan("error:invalid_client")
    answer = run("clients", "test", client)
    assert answer.code == 1
    assert "✗ failed" in answer.out


def test_rm(run: Any, client: str, connection: str) -> None:
    answer = run("clients", "rm", client)
    assert answer.code == 1
    assert f"used by 1 connection: {connection}" in answer.err
    assert run.ok("clients", "rm", client, "--force", "--json").json["removed"] is True
    assert run.ok("connections", "list", "--json").json == []


def test_add_secret(run: Any, practice: PracticeServer) -> None:
    run.ok(*CONFIDENTIAL, "--issuer", practice.issuer, "--secret-stdin", stdin="old")
    answer = run.ok("clients", "add-secret", "crm", "--secret-stdin", "--json", stdin=SECRET)
    assert len(answer.json["secrets"]) == 2
    assert "readable by any program" in answer.err
    assert SECRET not in answer.out + answer.err


def test_export_and_import(run: Any, client: str, tmp_path: Path) -> None:
    before = run.ok("clients", "list", "--json").json
    text = run.ok("clients", "export").out
    assert tomllib.loads(text)["clients"][client]["client_id"] == "notebook"
    file = tmp_path / "clients.toml"
    file.write_text(text)
    run.ok("clients", "rm", client)
    answer = run.ok("clients", "import", str(file))
    assert "/oauthconn/callback/warehouse" in answer.out
    after = run.ok("clients", "list", "--json").json
    for body in before + after:
        del body["updated_at"], body["version"]
    assert after == before


def test_import_from_a_pipe(run: Any, client: str) -> None:
    text = run.ok("clients", "export", client).out
    run.ok("clients", "rm", client)
    assert [one["name"] for one in run.ok("clients", "import", "-", "--json", stdin=text).json] == [
        client
    ]


def test_unknown_name_suggests_the_right_one(run: Any, client: str) -> None:
    answer = run("clients", "test", "warehous")
    assert answer.code == 1
    assert answer.err == ("There is no OAuth client named 'warehous'.\nDid you mean warehouse?\n")
