"""`grants …` and `settings …`."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from jupyter_oauthconn.broker.flows import Flows
from jupyter_oauthconn.broker.owned import OwnedBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import ConnectionDraft, Owner, Settings
from jupyter_oauthconn.service.token_service import TokenService


@pytest.fixture
def of_ada(run: Any, client: str, home: Path) -> str:
    """The same database has a second owner, who is signed in for a connection of her own."""
    run.ok("clients", "edit", client, "--allow-user", "ada")
    service = TokenService.open(Settings(), home)
    ada = Owner(id=service.owner("os", "4242", "ada"), name="ada")
    broker = OwnedBroker(service, ada, Flows(service, ada), administrator=False)
    broker.add_connection(ConnectionDraft(name="budget", client=client))
    start = broker.authorize("budget").public_url
    assert start is not None
    consent(start)
    broker.close()
    service.close()
    return "budget"


def test_everybodys_sign_ins(run: Any, signed_in: str, of_ada: str, client: str) -> None:
    grants = run.ok("grants", "list", "--json").json
    me = getpass.getuser()
    assert {(one["owner"], one["connection"]) for one in grants} == {
        (me, signed_in), ("ada", of_ada),
    }  # fmt: skip
    assert all(one["client"] == client for one in grants)
    assert all(one["status"]["state"] == "connected" for one in grants)
    (hers,) = run.ok("grants", "list", "--owner", "ada", "--json").json
    assert hers["connection"] == of_ada
    lines = run.ok("grants", "list").out.splitlines()
    assert lines[0].split()[:4] == ["ID", "OWNER", "CONNECTION", "CLIENT"]
    assert hers["id"] in "".join(lines)
    assert run.ok("grants", "list", "--client", "another", "--json").json == []
    assert run.ok("grants", "list", "--client", "another").out == "Nobody is signed in.\n"
    token = run.ok("token", signed_in).out.strip()
    assert token not in run.ok("grants", "list").out + run.ok("grants", "list", "--json").out


def test_somebodys_sign_in_is_ended(
    run: Any, signed_in: str, of_ada: str, practice: PracticeServer
) -> None:
    (hers,) = run.ok("grants", "list", "--owner", "ada", "--json").json
    (line,) = run.ok("grants", "revoke", hers["id"], "--json").json
    assert (line["id"], line["at_provider"]) == (hers["id"], "ok")
    assert len(practice.provider.requests("revocation", outcome="ok")) == 1
    assert [one["owner"] for one in run.ok("grants", "list", "--json").json] == [getpass.getuser()]
    assert run.ok("token", signed_in).out
    again = run("grants", "revoke", hers["id"])
    assert (again.code, again.out) == (1, "")
    assert "no such sign-in" in again.err


def test_all_of_a_user_or_client(run: Any, signed_in: str, of_ada: str, client: str) -> None:
    assert len(run.ok("grants", "revoke", "--owner", "ada", "--json").json) == 1
    assert "ended here" in run.ok("grants", "revoke", "--client", client).out
    assert run.ok("grants", "list", "--json").json == []
    assert run.ok("grants", "revoke", "--client", client).out == "There was nothing to revoke.\n"


@pytest.mark.parametrize("more", [[], ["--owner", "ada", str(uuid4())]])
def test_revoke_needs_to_know_which(run: Any, signed_in: str, more: list[str]) -> None:
    answer = run("grants", "revoke", *more)
    assert answer.code == 1
    assert "--owner U" in answer.err
    assert len(run.ok("grants", "list", "--json").json) == 1


def test_a_revocation_that_the_provider_does_not_confirm(
    run: Any, signed_in: str, practice: PracticeServer
) -> None:
    (mine,) = run.ok("grants", "list", "--json").json
    practice.provider.dials.down = True
    answer = run("grants", "revoke", mine["id"])
    assert answer.code == 1
    assert f"not confirmed by the provider: {mine['id']}." in answer.err
    practice.provider.dials.down = False
    assert run.ok("grants", "list", "--json").json == []


def test_settings_say_where_they_come_from(run: Any) -> None:
    by_name = {one["name"]: one for one in run.ok("settings", "--json").json}
    assert run.ok("settings", "list", "--json").json == list(by_name.values())
    assert by_name["interaction"] == {
        "name": "interaction",
        "value": "practice",
        "origin": "JUPYTER_OAUTHCONN_INTERACTION",
        "changeable": False,
    }
    assert by_name["client_management_enabled"]["changeable"] is True
    lines = run.ok("settings").out.splitlines()
    assert lines[0].split("  ")[0] == "SETTING"
    (line,) = [one for one in lines if one.startswith("refresh_margin")]
    assert line.split() == ["refresh_margin", "300", "default", "yes"]


def test_a_setting_changes_while_the_service_runs(run: Any, client: str, signed_in: str) -> None:
    name = "client_management_enabled"
    (line,) = run.ok("settings", "set", name, "false", "--json").json
    assert (line["value"], line["origin"]) == ("false", "administration page")
    assert run("clients", "edit", client, "--title", "x").code == 1
    assert run.ok("token", signed_in).out
    assert run.ok("settings", "unset", name).out.splitlines()[1].split() == [
        name, "true", "default", "yes",
    ]  # fmt: skip
    run.ok("clients", "edit", client, "--title", "x")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("home", "/tmp", "no setting that can be changed"),
        ("refresh_margin", "soon", "refresh_margin"),
        ("device_flow_enabled", "maybe", "device_flow_enabled"),
    ],
)
def test_what_cannot_be_set(run: Any, name: str, value: str, says: str) -> None:
    answer = run("settings", "set", name, value)
    assert (answer.code, answer.out) == (1, "")
    assert says in answer.err


def test_what_the_environment_says_wins(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_REFRESH_MARGIN", "30")
    answer = run("settings", "set", "refresh_margin", "60")
    assert answer.code == 1
    assert "JUPYTER_OAUTHCONN_REFRESH_MARGIN" in answer.err


def test_the_doctor_tells_the_settings_of_the_service(run: Any, connection: str) -> None:
    run.ok("settings", "set", "refresh_margin", "60")
    out = run.ok("doctor").out
    (line,) = [one for one in out.splitlines() if one.startswith("refresh_margin")]
    assert line.split() == ["refresh_margin", "60", "administration", "page", "yes"]
    assert "Of this command" not in out
    assert all("check" in one for one in run.ok("doctor", "--json").json)


def test_the_doctor_tells_its_own_where_no_service_answers(
    run: Any, signed_in: str, home: Path
) -> None:
    (home / "keys.json").unlink()
    answer = run("doctor")
    assert answer.code == 1
    assert "Of this command, because the service does not tell its own:" in answer.out
    assert str(home) in answer.out
    assert os.environ["JUPYTER_OAUTHCONN_INTERACTION"] in answer.out
