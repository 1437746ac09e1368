"""`clients export` and `clients import`: OAuth clients and connections as a TOML document."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from jupyter_oauthconn.demo import PracticeServer

NOTHING = "Nothing to do: everything is as the file says.\n"


class Drawer(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    before, made = keyring.get_keyring(), Drawer()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def elsewhere(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty token service, once somebody asks for it: `elsewhere()`."""

    def move() -> None:
        monkeypatch.setenv("JUPYTER_OAUTHCONN_HOME", str(tmp_path / "another home"))

    return move


@pytest.fixture
def secret(
    practice: PracticeServer, drawer: Drawer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The confidential client's: in a variable, in a file of the working folder, in the keyring."""
    value = practice.provider.confidential_secret.reveal()
    monkeypatch.setenv("CRM_SECRET", value)
    monkeypatch.chdir(tmp_path)
    Path("crm-secret").write_text(value)
    drawer.set_password("crm.example", "app", value)
    return value


@pytest.fixture
def full(
    run: Any,
    practice: PracticeServer,
    secret: str,
    connection: str,
) -> str:
    """A public client with a connection, and three clients whose secret is somewhere."""
    for name, option, place in (
        ("by-env", "--secret-env", "CRM_SECRET"),
        ("by-file", "--secret-file", "crm-secret"),
        ("by-keyring", "--secret-keyring", "crm.example/app"),
    ):
        run.ok(
            *("clients", "add", name, "--provider", "practice", option, place),
            *("--client-id", "confidential-notebook", "--issuer", practice.issuer),
            *("--description", 'What "it" is for', "--allow-user", "*", "--inactivity", "7d"),
        )
    run.ok("connections", "add", "crm", "--client", "by-env", "--login-hint", "guest@example.com")
    run.ok("clients", "disable", "by-file")
    return secret


def test_a_round_trip(run: Any, full: str, elsewhere: Any, tmp_path: Path) -> None:
    """Exported, imported into an empty service: nothing is left to do, and the secrets work."""
    text = run.ok("clients", "export").out
    assert full not in text
    document = tomllib.loads(text)
    assert {name: one.get("secret_reference") for name, one in document["clients"].items()} == {
        "by-env": "env:CRM_SECRET",
        "by-file": f"file:{tmp_path / 'crm-secret'}",
        "by-keyring": "keyring:crm.example/app",
        "warehouse": None,
    }
    assert set(document["connections"]) == {"sales", "crm"}
    file = tmp_path / "team.toml"
    file.write_text(text)
    assert run.ok("clients", "import", str(file)).out == NOTHING

    elsewhere()
    plan = run.ok("clients", "import", str(file), "--dry-run")
    assert "+ add OAuth client by-env\n    provider: practice\n" in plan.out
    assert "+ add connection crm\n    client: by-env\n    login_hint: guest@example.com" in plan.out
    assert full not in plan.out
    assert run.ok("clients", "--json").json == []
    assert run.ok("clients", "import", str(file)).out == plan.out

    assert run.ok("clients", "import", str(file)).out == NOTHING
    assert run.ok("clients", "export").out == text
    for name in ("by-env", "by-keyring"):
        checks = run.ok("clients", "test", name, "--json").json
        assert "client authentication" in [one["check"] for one in checks]
    run.ok("clients", "enable", "by-file")
    run.ok("clients", "test", "by-file")
    run.ok("auth", "sales")


def test_a_changed_document_is_a_diff(run: Any, full: str, client: str, tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    text = run.ok("clients", "export").out
    file.write_text(text.replace("guest@example.com", "analyst@example.com"))
    changes = run.ok("clients", "import", str(file), "--dry-run", "--json").json
    assert changes == [
        {
            "kind": "change",
            "what": "connection crm",
            "lines": ["login_hint: guest@example.com → analyst@example.com"],
        }
    ]
    assert run.ok("clients", "import", str(file), "--json").json == changes
    assert run.ok("clients", "import", str(file), "--json").json == []
    hints = [one["login_hint"] for one in run.ok("connections", "--json").json]
    assert sorted(hints) == ["", "analyst@example.com"]


def test_export_of_named_clients_leaves_connections_out(run: Any, full: str) -> None:
    document = tomllib.loads(run.ok("clients", "export", "warehouse", "by-env").out)
    assert set(document["clients"]) == {"warehouse", "by-env"}
    assert "connections" not in document
    body = run.ok("clients", "export", "warehouse", "--json").json
    assert set(tomllib.loads(body["toml"])["clients"]) == {"warehouse"}
    assert "no OAuth client named 'nobody'" in run("clients", "export", "nobody").err


def test_import_from_a_pipe(run: Any, client: str) -> None:
    text = run.ok("clients", "export", client).out
    run.ok("clients", "rm", client)
    (line,) = run.ok("clients", "import", "-", "--json", stdin=text).json
    assert (line["kind"], line["what"]) == ("add", f"OAuth client {client}")
    assert "Standard input is not TOML" in run("clients", "import", "-", stdin="[").err


def test_a_secret_in_the_document_is_refused_and_not_repeated(run: Any, client: str) -> None:
    text = run.ok("clients", "export", client).out
    answer = run("clients", "import", "-", stdin=f'{text}client_secret = "hunter2"\n')
    assert answer.code == 1
    assert "holds the secret of 'warehouse' itself" in answer.err
    assert "hunter2" not in answer.err


def test_an_import_that_stops_says_how_far_it_came(run: Any, client: str) -> None:
    text = run.ok("clients", "export", client).out.replace(f"clients.{client}", "clients.first")
    bad = '[connections.rm]\nclient = "first"\n'
    answer = run("clients", "import", "-", stdin=f"{text}\n{bad}")
    assert answer.code == 1
    assert "'rm' is a verb of %connect" in answer.err
    assert "1 of 2 changes are made" in answer.err
    assert {one["name"] for one in run.ok("clients", "--json").json} == {client, "first"}


def test_a_file_that_cannot_be_read(run: Any, tmp_path: Path) -> None:
    answer = run("clients", "import", str(tmp_path / "none.toml"))
    assert (answer.code, answer.out) == (1, "")
    assert "none.toml" in answer.err
