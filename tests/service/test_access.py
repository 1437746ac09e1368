"""Who may use OAuth clients and connections, and who may change them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin
from uuid import UUID

import httpx2
import pytest

from jupyter_oauthconn.broker.owned import OwnedBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import (
    AuthorizationFailedError,
    ConflictError,
    ConsentRequiredError,
    InUseError,
    InvalidParameterError,
    NotAllowedError,
    ReauthorizationRequiredError,
    StorageError,
    UnknownClientError,
    UnknownConnectionError,
)
from jupyter_oauthconn.kernel.clients import document_of
from jupyter_oauthconn.kernel.practice import _Form, consent
from jupyter_oauthconn.model import (
    AuthMethod,
    ConnectionDraft,
    Endpoints,
    EventFilter,
    LastError,
    OwnedGrant,
    Secret,
    State,
)

from .people import People, people


@pytest.fixture
def team(tmp_path: Path, server: PracticeServer) -> Iterator[People]:
    with people(tmp_path / "home", server) as found:
        yield found


def names(found: object) -> list[str]:
    return [one.name for one in found]  # type: ignore[attr-defined]


# --- access lists


@pytest.mark.parametrize(
    ("lists", "analyst", "guest"),
    [
        ({}, False, False),
        ({"allowed_users": ("analyst",)}, True, False),
        ({"allowed_groups": ("analysts",)}, True, False),
        ({"allowed_users": ("*",)}, True, True),
        ({"allowed_users": ("guest",), "allowed_groups": ("analysts",)}, True, True),
    ],
)
def test_an_access_list_says_who_sees_and_uses_a_client(
    team: People, lists: dict[str, tuple[str, ...]], analyst: bool, guest: bool
) -> None:
    team.admin.add_client(team.client(**lists))
    for person, may in ((team.admin, True), (team.analyst, analyst), (team.guest, guest)):
        assert names(person.clients()) == (["team"] if may else [])
        if may:
            person.add_connection(ConnectionDraft(name="sales", client="team"))
            continue
        with pytest.raises(UnknownClientError) as caught:
            person.client("team")
        assert caught.value.similar == ()
        with pytest.raises(UnknownClientError) as caught:
            person.add_connection(ConnectionDraft(name="sales", client="team"))
        assert "an administrator" in caught.value.hint
        assert "%oauthclient request" in caught.value.hint


def test_who_is_taken_off_the_list_gets_no_token_and_loses_nothing(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("analyst",)))
    team.analyst.add_connection(ConnectionDraft(name="sales", client="team"))
    team.sign_in(team.analyst, "sales")
    token = team.analyst.access_token("sales")
    team.admin.edit_client("team", {"allowed_users": ()})
    for use in (
        lambda: team.analyst.access_token("sales"),
        lambda: team.analyst.authorize("sales"),
        lambda: team.analyst.ensure("sales", timedelta(hours=1)),
    ):
        with pytest.raises(NotAllowedError) as caught:
            use()
        assert "team" in caught.value.message
    status = team.analyst.connection("sales").status
    assert status is not None
    assert status.state is State.CLIENT_DISABLED
    assert "access list" in status.next_step
    team.admin.edit_client("team", {"allowed_groups": ("analysts",)})
    assert team.analyst.access_token("sales").reveal() == token.reveal()


def test_a_switched_off_client_keeps_everything_and_says_so(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.guest.add_connection(ConnectionDraft(name="sales", client="team"))
    team.sign_in(team.guest, "sales")
    token = team.guest.access_token("sales")
    team.admin.edit_client("team", {"enabled": False})
    with pytest.raises(NotAllowedError) as caught:
        team.guest.access_token("sales")
    assert caught.value.code == "client_disabled"
    team.admin.edit_client("team", {"enabled": True})
    assert team.guest.access_token("sales").reveal() == token.reveal()


def test_only_administrators_change_clients(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    for change in (
        lambda: team.guest.add_client(team.client("mine")),
        lambda: team.guest.edit_client("team", {"title": "x"}),
        lambda: team.guest.add_client_secret("team", Secret("s")),
        lambda: team.guest.remove_client("team", force=True),
        lambda: team.guest.test_client("team"),
        team.guest.grants,
        lambda: team.guest.change_settings({"client_management_enabled": "false"}),
    ):
        with pytest.raises(NotAllowedError):
            change()
    assert team.admin.client("team").version == 1


def test_management_that_is_switched_off_refuses_and_everything_goes_on(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.guest.add_connection(ConnectionDraft(name="sales", client="team"))
    team.admin.change_settings({"client_management_enabled": "false"})
    for change in (
        lambda: team.admin.add_client(team.client("other")),
        lambda: team.admin.edit_client("team", {"title": "x"}),
        lambda: team.admin.remove_client("team"),
    ):
        with pytest.raises(NotAllowedError) as caught:
            change()
        assert caught.value.code == "client_management_disabled"
    team.sign_in(team.guest, "sales")
    assert team.guest.access_token("sales").reveal()


# --- clients of users


def test_a_users_own_client_is_hers_alone(tmp_path: Path, server: PracticeServer) -> None:
    allowed = {"allow_user_clients": True, "allowed_private_hosts": ("127.0.0.1", "localhost")}
    with people(tmp_path / "home", server, **allowed) as team:
        made = team.analyst.add_client(team.client("mine"))
        assert made.owner == "analyst"
        assert names(team.guest.clients()) == []
        assert names(team.admin.clients()) == ["mine"]
        with pytest.raises(NotAllowedError):  # not even an administrator
            team.admin.add_connection(ConnectionDraft(name="sales", client="mine"))
        team.analyst.add_connection(ConnectionDraft(name="sales", client="mine"))
        team.sign_in(team.analyst, "sales")
        assert team.analyst.access_token("sales").reveal()
        team.analyst.edit_client("mine", {"title": "My own"})
        with pytest.raises(UnknownClientError):
            team.guest.edit_client("mine", {"title": "x"})
        with pytest.raises(InvalidParameterError, match="nobody else"):
            team.analyst.edit_client("mine", {"allowed_users": ("guest",)})
        with pytest.raises(InvalidParameterError, match="administrators'"):
            team.analyst.add_client(
                replace(team.client("two"), secret_reference="file:/etc/passwd", auth_method=None)
            )
        team.admin.change_settings({"client_management_enabled": "false"})
        with pytest.raises(NotAllowedError):
            team.analyst.edit_client("mine", {"title": "x"})


@pytest.mark.parametrize(
    "addresses",
    [
        {"issuer": "http://127.0.0.1:8000"},
        {"issuer": "https://169.254.169.254"},
        {"endpoints": Endpoints(authorization="https://10.0.0.1/a", token="https://10.0.0.1/t")},
    ],
)
def test_sec_27_what_a_user_types_is_judged_like_a_strangers(
    tmp_path: Path, server: PracticeServer, addresses: dict[str, object]
) -> None:
    with people(tmp_path / "home", server, allow_user_clients=True) as team:
        draft = replace(team.client("mine"), **{"provider": "oidc", "issuer": None, **addresses})
        with pytest.raises(InvalidParameterError):
            team.analyst.add_client(draft)
        assert team.admin.clients() == []


# --- sharing


def test_a_shared_connection_is_a_definition(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.admin.add_connection(
        ConnectionDraft(
            name="sales", client="team", scope="sales.read", shared_groups=("analysts",)
        )
    )
    team.sign_in(team.admin, "sales")
    assert names(team.guest.connections()) == []
    with pytest.raises(UnknownConnectionError):
        team.guest.access_token("sales")
    shared = team.analyst.connection("sales")
    assert (shared.mine, shared.owner, shared.shared_groups) == (False, "admin", ())
    with pytest.raises(ConsentRequiredError):  # the definition came along, the sign-in did not
        team.analyst.access_token("sales")
    team.sign_in(team.analyst, "sales", account="guest@example.com")
    mine, hers = team.analyst.access_token("sales"), team.admin.access_token("sales")
    assert mine.reveal() != hers.reveal()
    assert team.analyst.connection("sales").status.identity == "guest@example.com"
    for change in (
        lambda: team.analyst.edit_connection("sales", {"scope": ""}),
        lambda: team.analyst.remove_connection("sales"),
    ):
        with pytest.raises(NotAllowedError, match="shared with you by admin"):
            change()
    team.analyst.revoke("sales")
    assert team.admin.access_token("sales").reveal() == hers.reveal()


def test_ones_own_name_hides_a_shared_one(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.admin.add_connection(
        ConnectionDraft(name="sales", client="team", shared_users=("*",), scope="sales.read")
    )
    team.analyst.add_connection(ConnectionDraft(name="sales", client="team", scope="openid"))
    seen = team.analyst.connections()
    assert [(one.name, one.mine) for one in seen] == [("sales", True), ("sales", False)]
    assert team.analyst.connection("sales").scope == "openid"
    team.analyst.remove_connection("sales")
    assert team.analyst.connection("sales").scope == "sales.read"


def test_only_an_administrator_shares(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    with pytest.raises(NotAllowedError, match="Only an administrator may share"):
        team.analyst.add_connection(
            ConnectionDraft(name="sales", client="team", shared_users=("guest",))
        )
    team.analyst.add_connection(ConnectionDraft(name="sales", client="team"))
    with pytest.raises(NotAllowedError):
        team.analyst.edit_connection("sales", {"shared_groups": ("analysts",)})


def test_a_changed_or_removed_definition_reaches_everybody(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",), scope="sales.read sales.write"))
    team.admin.add_connection(
        ConnectionDraft(name="sales", client="team", scope="sales.read", shared_users=("*",))
    )
    team.sign_in(team.guest, "sales")
    team.admin.edit_connection("sales", {"scope": "sales.read sales.write"})
    with pytest.raises(ReauthorizationRequiredError) as caught:
        team.guest.access_token("sales")
    assert caught.value.reason == "scope_changed"
    team.sign_in(team.guest, "sales")
    team.admin.remove_connection("sales")
    assert names(team.guest.connections()) == []
    assert len(team.server.provider.requests("revocation", outcome="ok")) == 1


# --- edits, secrets, removal


def test_an_edit_says_beforehand_whom_it_signs_out(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",), scope="sales.read"))
    for person in (team.analyst, team.guest):
        person.add_connection(ConnectionDraft(name="sales", client="team"))
        team.sign_in(person, "sales")
    team.admin.add_connection(ConnectionDraft(name="unused", client="team"))
    assert team.admin.preview_client("team", {"title": "x"}).sign_ins == 0
    for changes in ({"scope": "sales.read sales.write"}, {"client_id": "other"}):
        use = team.admin.preview_client("team", changes)
        assert use.sign_ins == 2
        assert [one.owner for one in use.connections] == ["analyst", "guest"]
    assert team.analyst.access_token("sales").reveal()  # a preview changes nothing
    team.admin.edit_client("team", {"scope": "sales.read sales.write"})
    assert team.admin.client_use("team").sign_ins == 0
    with pytest.raises(ReauthorizationRequiredError) as caught:
        team.guest.access_token("sales")
    assert caught.value.reason == "scope_changed"


def test_two_administrators(team: People) -> None:
    version = team.admin.add_client(team.client()).version
    team.admin.edit_client("team", {"title": "one"}, version=version)
    with pytest.raises(ConflictError, match="somebody else"):
        team.admin.edit_client("team", {"title": "two"}, version=version)
    with pytest.raises(ConflictError):
        team.admin.remove_client("team", version=version)
    assert team.admin.client("team").title == "one"


def test_two_live_secrets_with_their_ends(team: People) -> None:
    now = team.service.store.now()
    good = team.server.provider.confidential_secret
    draft = replace(
        team.client(client_secret=good, allowed_users=("*",)), client_id="confidential-notebook"
    )
    team.admin.add_client(draft)
    team.admin.add_client_secret("team", Secret("wrong"), ends_at=now + timedelta(days=30))
    client = team.admin.client("team")
    assert [one.ends_at for one in client.secrets] == [now + timedelta(days=30), None]
    with pytest.raises(ConflictError, match="two live secrets"):
        team.admin.add_client_secret("team", Secret("third"))
    with pytest.raises(InvalidParameterError, match="has passed"):
        team.admin.add_client_secret("team", Secret("old"), ends_at=now - timedelta(days=1))
    outcomes = {one.check: one.outcome.value for one in team.admin.test_client("team")}
    assert outcomes["client authentication"] == "failed"  # the newest is used
    team.admin.remove_client_secret("team", client.secrets[0].id)
    outcomes = {one.check: one.outcome.value for one in team.admin.test_client("team")}
    assert outcomes["client authentication"] == "ok"
    with pytest.raises(InvalidParameterError, match="no such secret"):
        team.admin.remove_client_secret("team", client.secrets[0].id)


def test_a_secret_that_has_ended_is_not_used(team: People) -> None:
    team.admin.add_client(
        replace(
            team.client(client_secret=team.server.provider.confidential_secret),
            client_id="confidential-notebook",
            auth_method=AuthMethod.CLIENT_SECRET_BASIC,
        )
    )
    registry = team.service.store.registry
    client = team.admin.client("team")
    soon = team.service.store.now() + timedelta(days=3)
    team.admin.remove_client_secret("team", client.secrets[0].id)
    registry.add_client_secret(client.id, Secret("gone"), ends_at=soon - timedelta(days=4))
    assert registry.client_secrets(client.id) == []
    found = {one.check: one for one in team.admin.test_client("team")}
    assert "has ended" in found["client secret"].detail
    assert "no live client secret" in found["token endpoint"].detail
    team.admin.add_client_secret("team", team.server.provider.confidential_secret, ends_at=soon)
    found = {one.check: one for one in team.admin.test_client("team")}
    assert found["client authentication"].outcome.value == "ok"
    assert found["client secret"].outcome.value == "failed"  # ends soon: something to act on
    assert len(team.admin.client("team").secrets) == 1


def test_removing_a_client_that_is_used(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.guest.add_connection(ConnectionDraft(name="sales", client="team"))
    team.sign_in(team.guest, "sales")
    with pytest.raises(InUseError, match=r"1 connection \(sales of guest\) with 1 sign-in"):
        team.admin.remove_client("team")
    team.admin.remove_client("team", force=True)
    assert team.guest.connections() == []
    assert len(team.server.provider.requests("revocation", outcome="ok")) == 1


# --- other people's sign-ins


def test_an_administrator_sees_and_ends_sign_ins_and_uses_none(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    for person in (team.analyst, team.guest):
        person.add_connection(ConnectionDraft(name="sales", client="team"))
        team.sign_in(person, "sales")
    with pytest.raises(UnknownConnectionError):
        team.admin.access_token("sales")
    grants = team.admin.grants()
    assert [(one.owner, one.connection, one.client) for one in grants] == [
        ("analyst", "sales", "team"),
        ("guest", "sales", "team"),
    ]
    assert [one.owner for one in team.admin.grants(owner="guest")] == ["guest"]
    assert team.admin.grants(client="other") == []
    ended = team.admin.revoke_grant(grants[1].id)
    assert ended.at_provider.value == "ok"
    with pytest.raises(ConsentRequiredError):
        team.guest.access_token("sales")
    assert team.analyst.access_token("sales").reveal()
    with pytest.raises(InvalidParameterError, match="no such sign-in"):
        team.admin.revoke_grant(grants[1].id)
    (event,) = team.admin.events(wanted=EventFilter(kind="revoked"))
    assert (event.owner, event.actor, event.connection) == ("guest", "admin", "sales")
    assert {one.owner for one in team.analyst.events()} == {"analyst"}


def test_ones_own_sign_in_is_seen_and_ended_when_the_connection_is_not(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.admin.add_connection(
        ConnectionDraft(name="sales", client="team", shared_users=("analyst", "guest"))
    )
    for person in (team.analyst, team.guest):
        team.sign_in(person, "sales")
    team.admin.edit_connection("sales", {"shared_users": ("analyst",)})
    team.analyst.add_connection(ConnectionDraft(name="sales", client="team"))  # hides it

    def own(person: OwnedBroker) -> list[OwnedGrant]:
        return list(team.service.grants.of(person._person))

    for person, other in ((team.analyst, team.guest), (team.guest, team.analyst)):
        (grant,) = own(person)
        assert (grant.owner, grant.connection) == (person._person.name, "sales")
        assert grant.status.state is State.CONNECTED
        for id in (grant.id, UUID(int=1)):
            # whether there is one is not told
            with pytest.raises(NotAllowedError, match="Only an administrator"):
                other.revoke_grant(id)
    for person in (team.analyst, team.guest):
        assert person.revoke_grant(own(person)[0].id).at_provider.value == "ok"
        assert own(person) == []


def test_ones_own_sign_ins_stand_as_their_connections_do(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("guest",)))
    team.guest.add_connection(ConnectionDraft(name="sales", client="team"))
    team.sign_in(team.guest, "sales")
    team.admin.edit_client("team", {"allowed_users": ()})
    (grant,) = team.service.grants.of(team.guest._person)
    assert grant.status == team.guest.connection("sales").status


# --- tests and the doctor


def test_who_does_not_administrate_is_told_of_her_own_things(
    tmp_path: Path, server: PracticeServer
) -> None:
    given = {"allow_user_clients": True, "allowed_private_hosts": ("127.0.0.1", "localhost"),
             "administrator_contact": "ops"}  # fmt: skip
    with people(tmp_path / "home", server, **given) as team:
        team.admin.add_client(team.client(allowed_users=("*",)))
        team.guest.add_client(team.client("mine"))
        team.guest.add_connection(ConnectionDraft(name="sales", client="team"))
        told = team.guest.doctor()
        of_mine = [one.check for one in told if one.check.startswith("mine: ")]
        assert "mine: client authentication" in of_mine
        assert [one.check for one in told if one.check not in of_mine] == [
            "database", "team: redirect URIs", "team: known trap", "sales",
        ]  # fmt: skip
        place = str(team.service.store.home)
        assert not any(place in f"{one.detail}{one.next_step}" for one in told)
        of_all = {one.check for one in team.admin.doctor()}
        assert of_all >= {"data folder", "key", "settings", "TLS", "team: metadata"}
        with pytest.raises(NotAllowedError, match="Only an administrator may test"):
            team.guest.doctor(client="team")
        assert team.guest.doctor(client="mine")
        team.admin.edit_client("team", {"enabled": False})
        (off,) = (one for one in team.guest.doctor() if one.check == "team: enabled")
        assert off.next_step == "Ask ops whether it comes back."


def test_a_database_that_is_away_is_told_without_its_place(
    team: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise StorageError(f"{team.service.store.database.place} is away.")

    monkeypatch.setattr(team.service.store.journal, "add", away)
    (told,) = team.guest.doctor()
    assert (told.check, told.outcome.value) == ("database", "failed")
    assert told.detail == "The database does not answer."
    assert any("is away" in one.detail for one in team.admin.doctor())


def test_who_is_taken_off_the_list_tests_with_nobodys_secret(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("analyst",)))
    team.analyst.add_connection(ConnectionDraft(name="sales", client="team"))
    team.sign_in(team.analyst, "sales")
    assert {one.outcome.value for one in team.analyst.test("sales")} == {"ok"}
    team.admin.edit_client("team", {"allowed_users": ()})
    asked = len(team.server.provider.requests())
    for told in (team.analyst.test("sales"), team.analyst.doctor(connection="sales")):
        (refused,) = (one for one in told if one.outcome.value == "failed")
        assert refused.check == "access"
        assert "may not use the OAuth client 'team'" in refused.detail
    assert len(team.server.provider.requests()) == asked


def test_only_who_may_test_a_client_lets_its_sign_ins_go_on(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    for person in (team.analyst, team.guest):
        person.add_connection(ConnectionDraft(name="sales", client="team"))
        team.sign_in(person, "sales")
    grants = team.service.store.grants
    (one,) = grants.of_owner(team.analyst._person.id)
    error = LastError(code="invalid_client", message="refused", at=team.service.store.now())
    assert grants.suspend(one.id, generation=one.token.generation, error=error)
    for test in (lambda: team.guest.test("sales"), lambda: team.guest.doctor(connection="sales")):
        test()
        assert team.analyst.connection("sales").status.state is State.MISCONFIGURED
    team.admin.test_client("team")
    assert team.analyst.connection("sales").status.state is State.CONNECTED


# --- the account that is meant


def test_another_account_than_is_meant_is_asked_about(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.guest.add_connection(
        ConnectionDraft(name="second", client="team", login_hint="guest@example.com")
    )
    team.sign_in(team.guest, "second", account="analyst@example.com")
    with pytest.raises(ConsentRequiredError):
        team.guest.access_token("second")
    pending = team.guest.authorize("second")
    assert pending.confirm
    assert pending.identity == "analyst@example.com"
    team.guest.cancel(pending.id)
    team.sign_in(team.guest, "second")  # the provider proposes the account that is meant
    assert team.guest.connection("second").status.identity == "guest@example.com"


def test_an_analyst_gets_a_text_to_send(team: People) -> None:
    team.admin.change_settings({"administrator_contact": "data-team@example.com"})
    text = team.guest.client_request("google")
    for part in ("To: data-team@example.com", "Google", "callback/NAME", "guest", "openid"):
        assert part in text
    with pytest.raises(NotAllowedError) as caught:
        team.guest.add_client(team.client())
    assert "data-team@example.com" in caught.value.hint


# --- settings


def test_settings_that_change_while_the_service_runs(
    tmp_path: Path, server: PracticeServer
) -> None:
    with people(tmp_path / "home", server, administrator_contact="ops@example.com") as team:
        found = {one.name: one for one in team.admin.settings()}
        assert found["client_management_enabled"].changeable
        assert found["client_management_enabled"].origin == "default"
        assert not found["administrator_contact"].changeable
        assert not found["database_url"].changeable
        with pytest.raises(NotAllowedError, match="which wins"):
            team.admin.change_settings({"administrator_contact": "me"})
        with pytest.raises(InvalidParameterError, match="authorization_lifetime"):
            team.admin.change_settings({"authorization_lifetime": "soon"})
        with pytest.raises(InvalidParameterError, match="database_url"):
            team.admin.change_settings({"database_url": "x"})
        team.admin.change_settings({"authorization_lifetime": "60"})
        team.admin.add_client(team.client())
        team.admin.add_connection(ConnectionDraft(name="sales", client="team"))
        left = team.admin.authorize("sales").expires_at - team.service.store.now()
        assert timedelta(seconds=50) < left <= timedelta(seconds=60)
        changed = {one.name: one for one in team.admin.settings()}["authorization_lifetime"]
        assert (changed.value, changed.origin) == ("60", "administration page")
        team.admin.change_settings({"authorization_lifetime": None})
        back = {one.name: one for one in team.admin.settings()}["authorization_lifetime"]
        assert (back.value, back.origin) == ("600", "default")


# --- what a change must not send to another server


def test_tokens_of_the_server_before_go_nowhere(team: People) -> None:
    """Neither a refresh nor a revocation tells them to the one that the client names now."""
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.guest.add_connection(ConnectionDraft(name="sales", client="team"))
    team.sign_in(team.guest, "sales")
    endpoints = Endpoints(revocation=f"{team.server.issuer}/elsewhere")
    team.admin.edit_client("team", {"endpoints": endpoints})
    asked = len(team.server.provider.requests())
    (grant,) = team.admin.grants()
    ended = team.admin.revoke_grant(grant.id)
    assert ended.at_provider.value == "unknown"
    assert "sent nowhere" in ended.detail
    assert len(team.server.provider.requests()) == asked


def test_an_edit_that_is_refused_ends_nothing(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.guest.add_connection(ConnectionDraft(name="sales", client="team"))
    team.sign_in(team.guest, "sales")
    with pytest.raises(ConflictError):
        team.admin.edit_client("team", {"client_id": "other"}, version=99)
    assert team.guest.access_token("sales").reveal()


def test_a_connection_that_is_removed_during_a_sign_in_leaves_no_token_alive(
    team: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.admin.add_connection(ConnectionDraft(name="sales", client="team", shared_users=("*",)))
    grants = team.service.store.grants
    put = grants.put

    def remove_first(*arguments: object, **more: object) -> object:
        team.admin.remove_connection("sales")
        return put(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(grants, "put", remove_first)
    with pytest.raises(AuthorizationFailedError):
        consent(team.begin(team.guest, "sales"))
    assert len(team.server.provider.requests("revocation", outcome="ok")) == 1


def test_who_administrates_no_more_only_takes_back(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.admin.add_connection(ConnectionDraft(name="sales", client="team", shared_users=("*",)))
    owner = replace(team.admin._person, administrator=False)
    before = OwnedBroker(team.service, owner, team.admin._flows, administrator=False)
    with pytest.raises(NotAllowedError, match="others use"):
        before.edit_connection("sales", {"login_hint": "guest@example.com"})
    before.edit_connection("sales", {"shared_users": ()})
    before.edit_connection("sales", {"login_hint": "guest@example.com"})


def test_a_sign_in_that_is_refused_at_the_button_ends(team: People) -> None:
    team.admin.add_client(team.client(allowed_users=("*",)))
    team.guest.add_connection(ConnectionDraft(name="sales", client="team"))
    page = team.begin(team.guest, "sales")
    waiting = team.guest.authorize("sales")
    browser = httpx2.Client()
    form = _Form()
    form.feed(browser.get(page).text)
    team.admin.edit_client("team", {"allowed_users": ()})
    refused = browser.post(urljoin(page, form.action), data=form.hidden | {"do": "authenticate"})
    browser.close()
    assert refused.status_code == 400
    ended = team.guest.authorization(waiting.id)
    assert ended.state.value == "refused"
    assert ended.error is not None
    assert ended.error.code == "not_allowed"


def test_an_export_names_no_place_of_the_service_for_a_user(
    tmp_path: Path, server: PracticeServer
) -> None:
    allowed = {"allow_user_clients": True, "allowed_private_hosts": ("127.0.0.1", "localhost")}
    with people(tmp_path / "home", server, **allowed) as team:
        team.guest.add_client(
            replace(
                team.client("mine", client_secret=Secret("s"), secret_reference="env:HUB_TOKEN"),
                auth_method=None,
            )
        )
        assert [one.reference for one in team.admin.client("mine").secrets] == [None]
        assert "mine" not in document_of(team.admin)
