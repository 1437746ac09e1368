"""`connections …`, `status`, `ensure`, `revoke`, `events`, `doctor`, `providers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_oauthconn import wire
from jupyter_oauthconn.demo import PracticeServer

STATUS_FIELDS = [
    "name", "client", "provider", "status", "identity", "expires_at", "scope", "reason",
    "next_step",
]  # fmt: skip


def test_add_and_list(run: Any, client: str) -> None:
    answer = run.ok("connections", "add", "sales", "--client", client, "--scope", "sales.read")
    assert "jupyter oauthconn auth sales" in answer.out
    (body,) = run.ok("connections", "list", "--json").json
    assert wire.connection_json(wire.read_connection(body)) == body
    assert (body["name"], body["client"], body["scope"]) == ("sales", client, "sales.read")
    assert body["status"]["state"] == "not_connected"
    assert "Not authenticated" in run.ok("connections", "list").out


def test_add_says_what_is_wrong(run: Any, client: str) -> None:
    answer = run("connections", "add", "Sales!", "--client", client)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines()[0] == "'Sales!' cannot name a connection."
    answer = run("connections", "add", "sales", "--client", client, "--set", "nonsense=1")
    assert answer.code == 1
    assert "nonsense" in answer.err


def test_edit_says_whether_a_sign_in_is_needed(run: Any, signed_in: str) -> None:
    body = run.ok("connections", "edit", signed_in, "--connector", "http", "--json").json
    assert body["status"]["state"] == "connected"
    answer = run.ok("connections", "edit", signed_in, "--connector", "httpx")
    assert "A new sign-in is not needed." in answer.out
    wider = "openid email offline_access sales.read sales.write"
    answer = run.ok("connections", "edit", signed_in, "--scope", wider)
    assert "A new sign-in is needed." in answer.out
    assert f"jupyter oauthconn auth {signed_in} --again" in answer.out
    assert run("connections", "edit", signed_in).code == 1


def test_an_empty_value_takes_it_away(run: Any) -> None:
    run.ok(
        *("clients", "add", "flake", "--provider", "snowflake", "--client-id", "i"),
        *("--set", "account=myorg-acme", "--auth-method", "none"),
    )
    add = ("connections", "add", "wh", "--client", "flake", "--set", "role=ANALYST")
    body = run.ok(*add, "--set", "warehouse=W", "--json").json
    assert body["parameters"]["warehouse"] == "W"
    run.ok("connections", "edit", "wh", "--set", "warehouse=")
    (body,) = run.ok("connections", "--json").json
    assert body["parameters"].get("warehouse") is None
    assert body["parameters"]["role"] == "ANALYST"


def test_two_accounts_are_two_connections(run: Any, client: str) -> None:
    for name, account in (("mine", "analyst@example.com"), ("guests", "guest@example.com")):
        body = run.ok(
            "connections", "add", name, "--client", client, "--login-hint", account, "--json"
        ).json
        assert body["login_hint"] == account
    assert "meant for     guest@example.com\n" in run.ok("status", "guests").out
    edit = ("connections", "edit", "guests", "--login-hint")
    assert run.ok(*edit, "", "--json").json["login_hint"] == ""


def test_sharing_is_given_and_taken_away(run: Any, connection: str) -> None:
    edit = ("connections", "edit", connection)
    share = ("--share-with", "user:ada", "--share-with", "group:staff", "--json")
    assert run.ok(*edit, *share).json["shared_with"] == {"users": ["ada"], "groups": ["staff"]}
    assert "shared with   ada, group staff\n" in run.ok("status", connection).out
    body = run.ok(*edit, "--share-with", "user:*", "--json").json
    assert body["shared_with"] == {"users": ["*"], "groups": []}
    assert "shared with   everyone\n" in run.ok("status", connection).out
    run.ok(*edit, "--login-hint", "a@b.example")
    assert "shared with   everyone\n" in run.ok("status", connection).out
    body = run.ok(*edit, "--unshare", "--json").json
    assert body["shared_with"] == {"users": [], "groups": []}
    for wrong in ("ada", "group:*", "user:"):
        answer = run(*edit, "--share-with", wrong)
        assert answer.code == 1
        assert "user:* for everyone" in answer.err


def test_lists_say_who_shares_a_connection(
    run: Any, client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration shares two; one's own name hides one of them."""
    file = tmp_path / "team.toml"
    file.write_text(
        f'[connections.sales]\nclient = "{client}"\n[connections.budget]\nclient = "{client}"\n'
    )
    monkeypatch.setenv("JUPYTER_OAUTHCONN_CONFIG_FILES", str(file))
    run.ok("connections", "add", "sales", "--client", client)
    out = run.ok("connections", "list").out
    assert "\nbudget (shared by the configuration)  " in out
    assert "\nsales  " in out
    assert "\nsales (shared by the configuration, hidden by yours)  " in out
    assert run.ok("status").out == out
    assert "shared by     the configuration\n" in run.ok("status", "budget").out
    answer = run("connections", "rm", "budget")
    assert answer.code == 1
    assert "is shared with you by the configuration" in answer.err


def test_status(run: Any, signed_in: str) -> None:
    (line,) = run.ok("status", "--json").json
    assert list(line) == STATUS_FIELDS
    assert line["status"] == "connected"
    assert line["identity"] == "analyst@example.com"
    assert line["expires_at"].endswith("Z")
    assert run.ok("status", signed_in, "--json").json == [line]
    assert run.ok("--json", "status", signed_in).json == [line]
    assert "analyst@example.com" in run.ok("status").out
    page = run.ok("status", signed_in).out
    assert "status        Authenticated\n" in page
    assert "connected as  analyst@example.com\n" in page


def test_status_of_nothing(run: Any) -> None:
    assert run.ok("status", "--json").json == []
    assert "`jupyter oauthconn connections add` makes one" in run.ok("status").out
    answer = run("status", "sales")
    assert answer.code == 1
    assert "There is no connection named 'sales'." in answer.err


def test_test(run: Any, signed_in: str, practice: PracticeServer) -> None:
    checks = run.ok("connections", "test", signed_in, "--json").json
    assert all(list(one) == ["check", "outcome", "detail", "next_step"] for one in checks)
    practice.provider.dials.down = True
    answer = run("connections", "test", signed_in)
    assert answer.code == 1
    assert "✗ failed" in answer.out


def test_ensure(run: Any, signed_in: str, practice: PracticeServer) -> None:
    body = run.ok("ensure", signed_in, "--for", "6h", "--json").json
    assert body["lasts"] is not False
    assert len(practice.provider.requests("token", grant_type="refresh_token")) == 1


def test_ensure_of_what_does_not_last(run: Any, client: str, connection: str) -> None:
    run.ok("clients", "edit", client, "--refresh-token-lifetime", "2h")
    run.ok("auth", connection)
    assert run.ok("ensure", connection, "--for", "1h", "--json").json["lasts"] is True
    answer = run("ensure", connection, "--for", "6h")
    assert answer.code == 1
    assert "too soon" in answer.out


def test_ensure_needs_a_sign_in(run: Any, connection: str) -> None:
    answer = run("ensure", connection, "--for", "6h")
    assert answer.code == 3
    assert f"jupyter oauthconn auth {connection}" in answer.err


def test_revoke(run: Any, signed_in: str, practice: PracticeServer) -> None:
    body = run.ok("revoke", signed_in, "--json").json
    assert body["at_provider"] == "ok"
    assert practice.provider.requests("revocation", outcome="ok")
    assert run("token", signed_in).code == 3


def test_revoke_that_the_provider_does_not_confirm(
    run: Any, signed_in: str, practice: PracticeServer
) -> None:
    practice.provider.faults.plan("status:500", times=2, endpoint="revocation")
    answer = run("revoke", signed_in)
    assert answer.code == 1
    assert "forgotten here" in answer.err
    assert run("token", signed_in).code == 3


def test_rm(run: Any, signed_in: str, practice: PracticeServer) -> None:
    assert run.ok("connections", "rm", signed_in, "--json").json == {
        "name": signed_in,
        "removed": True,
    }
    assert practice.provider.requests("revocation", outcome="ok")
    assert run("status", signed_in).code == 1


def test_events(run: Any, signed_in: str) -> None:
    events = run.ok("events", "--json").json
    kinds = [one["kind"] for one in events]
    assert kinds[-2:] == ["connection_added", "client_registered"]
    assert {"connected"} <= set(kinds)
    assert [wire.event_json(wire.read_event(one)) for one in events] == events
    assert len(run.ok("events", "--limit", "1", "--json").json) == 1
    assert run.ok("events", "--limit", "1").out.splitlines()[0].startswith("AT")


def test_doctor(run: Any, signed_in: str, practice: PracticeServer) -> None:
    answer = run.ok("doctor")
    assert "interaction" in answer.out
    assert "JUPYTER_OAUTHCONN_INTERACTION" in answer.out
    assert all(
        list(one) == ["check", "outcome", "detail", "next_step"]
        for one in run.ok("doctor", signed_in, "--json").json
    )
    practice.provider.dials.down = True
    assert run("doctor", signed_in).code == 1
    assert run("doctor", "nobody").code == 1


def test_doctor_looks_at_everything(run: Any, signed_in: str, home: Path) -> None:
    checks = {one["check"]: one for one in run.ok("doctor", "--json").json}
    assert list(checks) == [
        "service", "versions", "server extension", "lab extension", "data folder", "file system",
        "database", "key", "settings", "TLS", "warehouse: redirect URIs", "warehouse: metadata",
        "warehouse: PKCE", "warehouse: provider", "warehouse: clock",
        "warehouse: client authentication", "warehouse: redirect URI", "warehouse: refresh token",
        "warehouse: known trap", "sales",
    ]  # fmt: skip
    assert str(home) in checks["service"]["detail"]
    assert "no Jupyter server" in checks["service"]["detail"]
    assert checks["versions"]["outcome"] == "ok"


def test_doctor_of_a_service_that_cannot_be_reached(
    run: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the first finding; what this side knows comes all the same."""
    monkeypatch.setenv("JUPYTER_OAUTHCONN_URL", "http://127.0.0.1:9/oauthconn/")
    monkeypatch.setenv("JUPYTER_OAUTHCONN_CREDENTIAL_FILE", str(tmp_path / "oauthconn-1.json"))
    answer = run("doctor", "--json")
    assert answer.code == 1
    checks = {one["check"]: one for one in answer.json}
    assert list(checks) == ["service", "versions", "server extension", "lab extension"]
    assert checks["service"]["outcome"] == "failed"
    assert checks["service"]["next_step"]
    assert checks["server extension"]["outcome"] == "ok"


def test_doctor_of_a_store_that_cannot_be_opened(run: Any, signed_in: str, home: Path) -> None:
    (home / "keys.json").unlink()
    answer = run("doctor", "--json")
    assert answer.code == 1
    first = answer.json[0]
    assert (first["check"], first["outcome"]) == ("service", "failed")
    assert first["next_step"]
    assert len(answer.json) == 4


def test_doctor_hides_passwords(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_PROXY", "http://me:pass-word@proxy.example.com:3128")
    answer = run.ok("doctor")
    assert "proxy.example.com" in answer.out
    assert "pass-word" not in answer.out


def test_providers(run: Any) -> None:
    entries = run.ok("providers", "--json").json
    assert "practice" in [one["key"] for one in entries]
    for one in entries:
        assert list(one)[:6] == ["key", "title", "checked", "source", "confidence", "handles"]
        assert run.ok("providers", "show", one["key"], "--json").json == one
        page = run.ok("providers", "show", one["key"]).out
        assert "{redirect_uri}" not in page
        command = f"jupyter oauthconn clients add NAME --provider {one['key']} --client-id ID"
        assert page.splitlines()[-1].startswith(command)
        assert all(f"- {trap}" in page for trap in one["traps"])
        assert all(variable["title"] in page for variable in one["variables"])
        assert all(handle["title"] in page for handle in one["handles"])
    assert "practice" in run.ok("providers").out


def test_provider_page_names_the_public_address(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_PUBLIC_URL", "https://hub.example.com/")
    page = run.ok("providers", "show", "snowflake").out
    assert "https://hub.example.com/oauthconn/callback/NAME" in page
    assert "127.0.0.1" not in page


def test_unknown_provider(run: Any) -> None:
    answer = run("providers", "show", "practise")
    assert answer.code == 1
    assert "Did you mean practice?" in answer.err
