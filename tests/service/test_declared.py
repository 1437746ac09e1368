"""OAuth clients and connections as code: documents, plans, and the setting `config_files`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import (
    ConfigurationError,
    ConsentRequiredError,
    InvalidParameterError,
    NotAllowedError,
    OAuthConnError,
)
from jupyter_oauthconn.model import ConnectionDraft, Secret
from jupyter_oauthconn.service.declared.documents import read_document, write_document
from jupyter_oauthconn.service.declared.files import variables_of
from jupyter_oauthconn.service.declared.plan import Kind, changes_for
from jupyter_oauthconn.service.secret_references import secret_at

from .people import People, people


@pytest.fixture
def team(tmp_path: Path, server: PracticeServer) -> Iterator[People]:
    with people(tmp_path / "home", server) as found:
        yield found


def document(server: PracticeServer, more: str = "", *, reference: str = "env:TEAM_SECRET") -> str:
    return f"""
[clients.team]
provider = "practice"
client_id = "confidential-notebook"
issuer = "{server.issuer}"
secret_reference = "{reference}"
loopback_port = "any"
allowed_users = ["*"]
description = "For everybody"
access_token_lifetime_seconds = 600
{more}

[connections.sales]
client = "team"
scope = "sales.read"
"""


@pytest.fixture
def secret(server: PracticeServer, monkeypatch: pytest.MonkeyPatch) -> Secret:
    monkeypatch.setenv("TEAM_SECRET", server.provider.confidential_secret.reveal())
    return server.provider.confidential_secret


def apply(text: str, team: People) -> list[str]:
    changes = changes_for(read_document(text), team.admin)
    for one in changes:
        one.apply()
    return [f"{one.kind} {one.what}" for one in changes]


# --- documents and plans


def test_export_and_import_into_an_empty_service(
    team: People, tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    apply(document(server), team)
    team.admin.add_connection(
        ConnectionDraft(
            name="second", client="team", login_hint="guest@example.com", shared_users=("*",)
        )
    )
    text = write_document(team.admin.clients(), team.admin.connections())
    assert secret.reveal() not in text
    assert 'secret_reference = "env:TEAM_SECRET"' in text
    assert changes_for(read_document(text), team.admin) == []
    with people(tmp_path / "other", server) as empty:
        assert apply(text, empty) == [
            "add OAuth client team", "add connection sales", "add connection second",
        ]  # fmt: skip
        assert changes_for(read_document(text), empty.admin) == []
        again = write_document(empty.admin.clients(), empty.admin.connections())
        assert again == text


def test_a_plan_is_a_diff_and_changes_nothing_by_itself(
    team: People, server: PracticeServer, secret: Secret
) -> None:
    apply(document(server), team)
    edited = (
        document(server, 'title = "Team data"')
        .replace("600", "900")
        .replace('scope = "sales.read"', 'scope = "sales.read"\nlogin_hint = "guest@example.com"')
    )
    client, connection = changes_for(read_document(edited), team.admin)
    assert client.kind is Kind.CHANGE
    assert str(client).splitlines() == [
        "~ change OAuth client team",
        "    title: Practice provider → Team data",
        "    access_token_lifetime: 600 s → 900 s",
    ]
    assert str(connection).splitlines() == [
        "~ change connection sales",
        "    login_hint: nothing → guest@example.com",
    ]
    assert team.admin.client("team").title == "Practice provider"
    assert apply(edited, team) == ["change OAuth client team", "change connection sales"]
    assert apply(edited, team) == []


def test_what_a_document_leaves_out_is_the_default(
    team: People, server: PracticeServer, secret: Secret
) -> None:
    """An access list that is taken out of a file must not live on."""
    apply(document(server), team)
    apply(document(server).replace('allowed_users = ["*"]\n', ""), team)
    assert team.admin.client("team").allowed_users == ()


def test_no_plan_shows_a_secret(team: People, server: PracticeServer, secret: Secret) -> None:
    added = changes_for(read_document(document(server)), team.admin)
    assert secret.reveal() not in "".join(f"{one!s}{one!r}" for one in added)
    assert "secret_reference: env:TEAM_SECRET" in str(added[0])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[clients.team", "not TOML"),
        ("[servers.x]\n", "'servers'"),
        ("clients = 3\n", "does not hold tables"),
        ('[clients.x]\nprovider = "oidc"\n', "client_id"),
        ('[clients.x]\nprovider = "oidc"\nclient_id = "a"\ncolour = "b"\n', "'colour'"),
        ('[clients.x]\nprovider = "oidc"\nclient_id = "a"\nclient_secret = "s3"\n', "itself"),
        ('[clients.x]\nprovider = "oidc"\nclient_id = 3\n', "none that its key can have"),
        ('[clients.x]\nprovider = "oidc"\nclient_id = "a"\nenabled = "yes"\n', "none that"),
        ("[connections.x]\n", "client"),
        ('[connections.x]\nclient = "a"\nname = "b"\n', "'name'"),
    ],
)
def test_a_document_that_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        read_document(text, "clients.toml")
    assert says in caught.value.message
    assert "clients.toml" in caught.value.message
    assert "s3" not in str(caught.value)
    assert caught.value.hint


# --- secrets by reference


class Ring(KeyringBackend):
    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return "ring-secret" if (service, username) == ("jupyter", "team") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


def test_references_to_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("file-secret\n")
    monkeypatch.setenv("TEAM_SECRET", "env-secret")
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    try:
        assert secret_at("env:TEAM_SECRET").reveal() == "env-secret"
        assert secret_at("env:TEAM_SECRET", {"TEAM_SECRET": "given"}).reveal() == "given"
        assert secret_at(f"file:{tmp_path}/secret").reveal() == "file-secret"
        assert secret_at("keyring:jupyter/team").reveal() == "ring-secret"
        missing_ones = ("env:NOWHERE", f"file:{tmp_path}/none", "keyring:jupyter/nobody")
        for missing in (*missing_ones, "file:~nosuchuser/x", "file:/dev/zero", "keyring:x"):
            with pytest.raises(InvalidParameterError) as caught:
                secret_at(missing)
            named = missing.partition(":")[2].rpartition("/")[2]
            assert named in caught.value.message or missing == "keyring:x"
        with pytest.raises(InvalidParameterError) as caught:
            secret_at("hunter2")
        assert "hunter2" not in str(caught.value) + caught.value.hint
    finally:
        keyring.set_keyring(before)


# --- the setting config_files


def test_files_are_applied_at_each_start(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(document(server))
    settings = {"config_files": (str(file),)}
    with people(tmp_path / "home", server, **settings) as team:
        client = team.admin.client("team")
        assert client.managed_by == str(file)
        assert [one.reference for one in client.secrets] == ["env:TEAM_SECRET"]
        shared = team.guest.connection("sales")
        assert (shared.mine, shared.owner) == (False, "the configuration")
        team.sign_in(team.guest, "sales")
        for change in (
            lambda: team.admin.edit_client("team", {"title": "x"}),
            lambda: team.admin.edit_client("team", {"enabled": False}),
            lambda: team.admin.remove_client("team", force=True),
            lambda: team.admin.add_client_secret("team", Secret("s")),
        ):
            with pytest.raises(NotAllowedError) as caught:
                change()
            assert str(file) in caught.value.message
        version = client.version
    with people(tmp_path / "home", server, **settings) as team:
        assert team.admin.client("team").version == version  # nothing to do
        assert team.guest.access_token("sales").reveal()


def test_a_rotated_secret_is_taken_over(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    held = tmp_path / "secret"
    held.write_text("wrong")
    file = tmp_path / "clients.toml"
    file.write_text(document(server, reference=f"file:{held}"))
    settings = {"config_files": (str(file),)}
    with people(tmp_path / "home", server, **settings) as team:
        registry = team.service.store.registry
        assert registry.client_secrets(team.admin.client("team").id) == [Secret("wrong")]
    for content in ("next", secret.reveal()):
        held.write_text(content)
        with people(tmp_path / "home", server, **settings) as team:
            registry = team.service.store.registry
            found = registry.client_secrets(team.admin.client("team").id)
            assert found[0] == Secret(content)
            assert len(found) == 2
    with people(tmp_path / "home", server, **settings) as team:
        team.sign_in(team.guest, "sales")
        assert team.guest.access_token("sales").reveal()


def test_what_no_file_declares_any_more_is_kept_and_switched_off(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(document(server))
    settings = {"config_files": (str(file),)}
    with people(tmp_path / "home", server, **settings) as team:
        team.sign_in(team.guest, "sales")
        token = team.guest.access_token("sales").reveal()
    file.write_text("")
    with people(tmp_path / "home", server, **settings) as team:
        assert team.guest.connections() == []
        client = team.admin.client("team")
        assert (client.enabled, client.managed_by) == (False, "database")
        team.admin.edit_client("team", {"title": "by hand"})
    file.write_text(document(server))
    with people(tmp_path / "home", server, **settings) as team:
        assert team.guest.access_token("sales").reveal() == token
        assert team.admin.client("team").managed_by == str(file)


def test_a_process_that_knows_no_files_leaves_what_they_declare(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    """A terminal beside a server has not the server's settings."""
    file, other = tmp_path / "clients.toml", tmp_path / "other.toml"
    file.write_text(document(server))
    other.write_text("")
    with people(tmp_path / "home", server, config_files=(str(file),)) as team:
        team.sign_in(team.guest, "sales")
    for settings in ({}, {"config_files": (str(other),)}):
        with people(tmp_path / "home", server, **settings) as team:
            assert team.guest.access_token("sales").reveal()
            assert team.admin.client("team").managed_by == str(file)
            with pytest.raises(NotAllowedError):
                team.admin.edit_client("team", {"title": "x"})


def test_a_file_may_be_moved_and_its_parts_with_it(
    tmp_path: Path, server: PracticeServer, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text(document(server))
    with people(tmp_path / "home", server, config_files=(str(first),)) as team:
        team.sign_in(team.guest, "sales")
        token = team.guest.access_token("sales").reveal()
    monkeypatch.chdir(tmp_path)
    with people(tmp_path / "home", server, config_files=("a.toml",)) as team:  # spelled otherwise
        assert team.admin.client("team").enabled
    first.rename(second)
    second.write_text(document(server, 'title = "Moved"'))
    for files in ((str(second),), (str(second), str(first))):
        first.write_text("")
        with people(tmp_path / "home", server, config_files=files) as team:
            client = team.admin.client("team")
            assert (client.title, client.managed_by) == ("Moved", str(second))
            assert client.enabled
            assert team.guest.access_token("sales").reveal() == token
    second.write_text("")
    first.write_text(document(server))
    with people(tmp_path / "home", server, config_files=(str(first), str(second))) as team:
        assert team.guest.access_token("sales").reveal() == token
        assert team.admin.client("team").managed_by == str(first)


def test_what_a_lost_file_declared_is_changed_by_hand_again(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(document(server))
    with people(tmp_path / "home", server, config_files=(str(file),)):
        pass
    file.unlink()
    with people(tmp_path / "home", server) as team:
        team.admin.edit_client("team", {"title": "by hand"})
        assert team.admin.client("team").managed_by == "database"


def test_a_users_own_client_never_becomes_a_files(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    """Else the file's secret would go where her addresses say."""
    allowed = {"allow_user_clients": True, "allowed_private_hosts": ("127.0.0.1", "localhost")}
    file = tmp_path / "clients.toml"
    file.write_text(document(server))
    with people(tmp_path / "home", server, **allowed) as team:
        team.guest.add_client(team.client())
    with (
        pytest.raises(ConfigurationError, match="guest's own") as caught,
        people(tmp_path / "home", server, config_files=(str(file),), **allowed),
    ):
        pass
    assert str(file) in caught.value.message


def test_an_administrators_shared_name_is_told_with_the_file(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(document(server))
    with people(tmp_path / "home", server) as team:
        team.admin.add_client(team.client("other", allowed_users=("*",)))
        team.admin.add_connection(
            ConnectionDraft(name="sales", client="other", shared_users=("*",))
        )
    with (
        pytest.raises(ConfigurationError, match="admin shares a connection named") as caught,
        people(tmp_path / "home", server, config_files=(str(file),)),
    ):
        pass
    assert str(file) in caught.value.message


_START = """
import sys
from pathlib import Path
from jupyter_oauthconn.model import Settings
from jupyter_oauthconn.service.token_service import TokenService

home, file = sys.argv[1:]
sys.stdin.readline()
TokenService.open(Settings(config_files=(file,)), Path(home)).close()
"""


def test_processes_that_start_at_one_time(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    file = tmp_path / "clients.toml"
    more = "".join(f'[connections.c{n}]\nclient = "team"\n' for n in range(8))
    file.write_text(document(server) + more)
    with people(tmp_path / "home", server):
        pass
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _START, str(tmp_path / "home"), str(file)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for one in started:
        assert one.stdin is not None
        one.stdin.write(b"\n")
        one.stdin.flush()
    assert [one.communicate(timeout=60)[1] for one in started] == [b""] * 4
    with people(tmp_path / "home", server) as team:
        assert len(team.admin.client("team").secrets) == 1
        assert len(team.guest.connections()) == 9


def test_a_client_that_was_there_becomes_the_files(
    team: People, tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    team.admin.add_client(team.client())
    file = tmp_path / "clients.toml"
    file.write_text(document(server))
    with people(tmp_path / "home", server, config_files=(str(file),)) as again:
        client = again.admin.client("team")
        assert (client.managed_by, client.client_id) == (str(file), "confidential-notebook")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, ConfigurationError),
        ("[clients.team", InvalidParameterError),
        (f"x = {'[' * 100_000}", InvalidParameterError),
        ('[clients.team]\nprovider = "nowhere"\nclient_id = "a"\n', OAuthConnError),
        (
            '[clients.team]\nprovider = "practice"\nclient_id = "a"\nsecret_reference = "env:NO"\n',
            InvalidParameterError,
        ),
        ('[connections.sales]\nclient = "nowhere"\n', OAuthConnError),
    ],
)
def test_a_file_that_cannot_be_applied_stops_the_start(
    tmp_path: Path, server: PracticeServer, content: str | None, error: type[OAuthConnError]
) -> None:
    file = tmp_path / "clients.toml"
    if content is not None:
        file.write_text(content)
    with (
        pytest.raises(error) as caught,
        people(tmp_path / "home", server, config_files=(str(file),)),
    ):
        pass
    assert caught.value.hint


def test_one_name_in_two_files(tmp_path: Path, server: PracticeServer, secret: Secret) -> None:
    files = tmp_path / "a.toml", tmp_path / "b.toml"
    for file in files:
        file.write_text(document(server))
    with (
        pytest.raises(ConfigurationError, match="declared twice") as caught,
        people(tmp_path / "home", server, config_files=tuple(map(str, files))),
    ):
        pass
    assert all(file.name in caught.value.message for file in files)


def test_variables_that_kernels_must_not_inherit(tmp_path: Path, server: PracticeServer) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(document(server))
    assert variables_of((str(file), str(tmp_path / "none.toml"))) == {"TEAM_SECRET"}


def test_nobody_signs_in_for_others_by_a_file(
    tmp_path: Path, server: PracticeServer, secret: Secret
) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(document(server))
    with people(tmp_path / "home", server, config_files=(str(file),)) as team:
        team.sign_in(team.guest, "sales")
        with pytest.raises(ConsentRequiredError):
            team.analyst.access_token("sales")
