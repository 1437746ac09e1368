"""`clients …`: one OAuth client from its registration to its end."""

from __future__ import annotations

import getpass
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
    edit = ("clients", "edit", client, "--client-id", "another")
    whose = f"1 connection ({signed_in} of {getpass.getuser()}) with 1 sign-in"
    answer = run.ok(*edit, "--dry-run")
    assert answer.out == f"1 sign-in would have to be repeated: {whose}.\n"
    body = run.ok(*edit, "--dry-run", "--json").json
    assert body["connections"] == [
        {"owner": getpass.getuser(), "connection": signed_in, "sign_ins": 1}
    ]
    assert run.ok("status", "--json").json[0]["status"] == "connected"
    assert run.ok("clients", "--json").json[0]["client_id"] == "notebook"
    answer = run.ok(*edit)
    assert answer.err == f"1 sign-in must be repeated after this change: {whose}.\n"
    assert run.ok("status", "--json").json[0]["status"] == "reauth_required"


def test_a_dry_run_of_what_ends_nothing(run: Any, client: str, signed_in: str) -> None:
    answer = run.ok("clients", "edit", client, "--title", "x", "--dry-run")
    assert answer.out == "No sign-in would have to be repeated.\n"
    assert run.ok("clients", "--json").json[0]["title"] != "x"


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


def test_rm_asks_for_the_name_where_it_is_used(
    run: Any, client: str, signed_in: str, practice: PracticeServer
) -> None:
    answer = run("clients", "rm", client)
    assert (answer.code, answer.out) == (1, "")
    assert f"used by 1 connection ({signed_in} of " in answer.err
    assert "--force" in answer.err
    answer = run("clients", "rm", client, typed="y")
    assert answer.code == 1
    assert f"  {signed_in} of {getpass.getuser()}: 1 signed in\n" in answer.err
    assert f"Type {client} to go on: " in answer.err
    assert answer.err.endswith("Nothing was removed.\n")
    assert run.ok("token", signed_in).out
    assert run.ok("clients", "rm", client, "--json", typed=client).json["removed"] is True
    assert run.ok("connections", "list", "--json").json == []
    assert practice.provider.requests("revocation", outcome="ok")


def test_rm_by_force_asks_nothing(run: Any, client: str, connection: str) -> None:
    assert run.ok("clients", "rm", client, "--force").err == ""
    assert run.ok("connections", "list", "--json").json == []


def test_rm_of_what_nobody_uses_asks_nothing(run: Any, client: str) -> None:
    assert run.ok("clients", "rm", client).err == ""


def test_two_secrets(run: Any, practice: PracticeServer) -> None:
    run.ok(*CONFIDENTIAL, "--issuer", practice.issuer, "--secret-stdin", stdin="old")
    assert "not known" in run.ok("clients", "list").out
    answer = run.ok(
        *("clients", "add-secret", "crm", "--secret-stdin", "--ends", "2127-01-31", "--json"),
        stdin=SECRET,
    )
    new, old = answer.json["secrets"]
    assert new["ends_at"].startswith("2127-01-31T23:59:59")
    assert old["ends_at"] is None
    assert "readable by any program" in answer.err
    assert SECRET not in answer.out + answer.err
    assert "2127-01-31" in run.ok("clients", "list").out
    third = run("clients", "add-secret", "crm", "--secret-stdin", stdin="third")
    assert third.code == 1
    assert "jupyter oauthconn clients rm-secret crm ID" in third.err
    left = run.ok("clients", "rm-secret", "crm", old["id"], "--json").json["secrets"]
    assert [one["id"] for one in left] == [new["id"]]
    again = run("clients", "rm-secret", "crm", old["id"])
    assert (again.code, again.out) == (1, "")


def test_an_end_that_has_passed_is_refused(run: Any, practice: PracticeServer) -> None:
    run.ok(*CONFIDENTIAL, "--issuer", practice.issuer, "--secret-stdin", stdin="old")
    ended = ("clients", "add-secret", "crm", "--secret-stdin", "--ends", "2020-01-31")
    answer = run(*ended, stdin=SECRET)
    assert answer.code == 1
    assert "has passed" in answer.err


def test_description_and_who_may_use_it(run: Any, client: str) -> None:
    assert "administrators only" in run.ok("clients", "list").out
    edit = ("clients", "edit", client, "--description", "Sales of the EU")
    body = run.ok(*edit, "--allow-user", "ada", "--allow-group", "staff", "--json").json
    assert body["description"] == "Sales of the EU"
    assert "ada, group staff, administrators" in run.ok("clients").out
    run.ok("clients", "edit", client, "--allow-user", "*")
    line = run.ok("clients").out.splitlines()[1]
    assert "everyone" in line
    assert "no secret" in line


def test_request_is_a_message_to_send(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_ADMINISTRATOR_CONTACT", "data-team@example.com")
    text = run.ok("clients", "request", "snowflake").out
    assert text.startswith("To: data-team@example.com\n")
    assert "/oauthconn/callback/NAME" in text
    assert run.ok("clients", "request", "snowflake", "--json").json == {
        "provider": "snowflake",
        "text": text.rstrip("\n"),
    }
    assert "Did you mean snowflake?" in run("clients", "request", "snowflak").err


def test_management_that_is_switched_off(
    run: Any, client: str, signed_in: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every change is refused, and what exists goes on."""
    file = tmp_path / "clients.toml"
    file.write_text(run.ok("clients", "export").out.replace(f"clients.{client}", "clients.new"))
    monkeypatch.setenv("JUPYTER_OAUTHCONN_CLIENT_MANAGEMENT_ENABLED", "false")
    for refused in (
        ("add", "x", "--provider", "practice", "--client-id", "i", "--issuer", "http://localhost"),
        ("edit", client, "--title", "x"),
        ("edit", client, "--client-id", "x", "--dry-run"),
        ("disable", client),
        ("rm", client),
        ("import", str(file)),
    ):
        answer = run("clients", *refused, typed=client)
        assert answer.code == 1, refused
        assert "Registering and changing OAuth clients is switched off here." in answer.err
    assert [one["name"] for one in run.ok("clients", "--json").json] == [client]
    run.ok("clients", "test", client)
    run.ok("ensure", signed_in, "--for", "1h")
    run.ok("connections", "add", "more", "--client", client)


def test_unknown_name_suggests_the_right_one(run: Any, client: str) -> None:
    answer = run("clients", "test", "warehous")
    assert answer.code == 1
    assert answer.err == ("There is no OAuth client named 'warehous'.\nDid you mean warehouse?\n")
