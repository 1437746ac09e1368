"""What every broker promises, tried on one in this process and on one over HTTP alike."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from jupyter_oauthconn import errors
from jupyter_oauthconn.broker import TokenServiceBroker
from jupyter_oauthconn.catalog import load
from jupyter_oauthconn.model import (
    AccessToken,
    AuthMethod,
    AuthorizationState,
    ClientDraft,
    ClientUse,
    ConnectionDraft,
    ConnectionUse,
    Endpoints,
    EventFilter,
    Flow,
    Outcome,
    Secret,
    SettingInForce,
    State,
)

from .desk import Desk

SOON = timedelta(seconds=10)
NOW = timedelta(0)


@pytest.fixture
def broker(desk: Desk) -> TokenServiceBroker:
    return desk.broker


def sign_in(desk: Desk, **how: Any) -> AccessToken:
    pending = desk.broker.authorize("sales")
    desk.person(pending, **how)
    return desk.broker.access_token("sales")


# --- connections and OAuth clients


def test_a_connection_is_made_read_changed_and_removed(desk: Desk) -> None:
    broker = desk.broker
    draft = ConnectionDraft(
        name="crm",
        client="practice",
        scope="sales.read",
        connector="http",
        login_hint="analyst@example.com",
        shared_users=("ada",),
        shared_groups=("analysts", "guests"),
    )
    made = broker.add_connection(draft)
    assert (made.name, made.client, made.provider) == ("crm", "practice", "practice")
    assert (made.scope, made.connector, made.mine) == ("sales.read", "http", True)
    assert (made.login_hint, made.owner) == (
        "analyst@example.com",
        broker.connection("sales").owner,
    )
    assert (made.shared_users, made.shared_groups) == (("ada",), ("analysts", "guests"))
    assert made.status is not None
    assert made.status.state is State.NOT_CONNECTED
    assert [one.name for one in broker.connections()] == ["crm", "sales"]
    changes = {"connector": None, "login_hint": "", "shared_groups": ()}
    changed = broker.edit_connection("crm", changes, version=1)
    assert (changed.version, changed.connector, changed.shared_groups) == (2, None, ())
    assert changed.login_hint == ""
    assert changed.shared_users == ("ada",)
    assert broker.connection("crm") == changed
    broker.remove_connection("crm")
    assert [one.name for one in broker.connections()] == ["sales"]


def test_an_oauth_client_is_made_read_changed_and_removed(broker: TokenServiceBroker) -> None:
    draft = ClientDraft(
        name="warehouse",
        provider="practice",
        client_id="0oa1",
        title="Warehouse",
        description="Sales figures.",
        issuer="https://login.example.com",
        endpoints=Endpoints(token="https://login.example.com/token"),
        client_secret=Secret("not-shown-again"),
        auth_method=AuthMethod.CLIENT_SECRET_POST,
        scope="openid data.read",
        authorization_parameters={"prompt": "consent"},
        access_token_lifetime=timedelta(minutes=30),
        refresh_token_lifetime=timedelta(days=90),
        inactivity=timedelta(0),
        redirect_uris=("http://localhost:8888/oauthconn/callback/warehouse",),
        allowed_users=("ada",),
    )
    made = broker.add_client(draft)
    for name in ("client_id", "title", "description", "issuer", "endpoints", "auth_method", "scope",
                 "authorization_parameters", "access_token_lifetime", "refresh_token_lifetime",
                 "inactivity", "redirect_uris", "loopback_port", "allowed_users"):  # fmt: skip
        assert getattr(made, name) == getattr(draft, name), name
    assert (made.version, made.enabled, len(made.secrets)) == (1, True, 1)
    assert "not-shown-again" not in repr(broker.client("warehouse"))
    assert (made.managed_by, made.owner) == ("database", None)
    changes = {"title": "House", "inactivity": None, "endpoints": Endpoints(), "enabled": False}
    changed = broker.edit_client("warehouse", changes)
    assert (changed.title, changed.inactivity, changed.enabled) == ("House", None, False)
    assert changed.endpoints == Endpoints()
    assert changed.access_token_lifetime == timedelta(minutes=30)
    assert [one.name for one in broker.clients()] == ["practice", "warehouse"]
    broker.remove_client("warehouse")
    assert [one.name for one in broker.clients()] == ["practice"]


def test_a_second_secret_with_its_end_and_where_it_came_from(
    broker: TokenServiceBroker, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("canary-in-a-file\n")
    file.chmod(0o600)
    first = broker.add_client(
        ClientDraft(
            name="warehouse",
            provider="practice",
            client_id="0oa1",
            issuer="https://login.example.com",
            client_secret=Secret("canary-first"),
        )
    ).secrets
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    # the service reads it, which is the same machine here
    client = broker.add_client_secret("warehouse", None, ends_at=ends_at, reference=f"file:{file}")
    assert (client.secrets[0].ends_at, client.secrets[0].reference) == (ends_at, f"file:{file}")
    assert client.secrets[1:] == first
    assert "canary" not in repr(broker.client("warehouse"))
    with pytest.raises(errors.ConflictError, match="two live secrets"):
        broker.add_client_secret("warehouse", Secret("canary-third"))
    assert broker.remove_client_secret("warehouse", client.secrets[0].id).secrets == first
    again = broker.add_client_secret("warehouse", Secret("canary-again"))
    assert (again.secrets[0].ends_at, again.secrets[0].reference) == (None, None)


def test_what_a_client_carries_and_what_a_change_would_end(desk: Desk) -> None:
    broker = desk.broker
    me = broker.connection("sales").owner
    assert broker.client_use("practice") == ClientUse(
        connections=(ConnectionUse(owner=me, connection="sales", sign_ins=0),)
    )
    sign_in(desk)
    use = broker.client_use("practice")
    assert (use.sign_ins, str(use)) == (1, f"1 connection (sales of {me}) with 1 sign-in")
    assert broker.preview_client("practice", {"client_id": "other"}) == use
    assert broker.preview_client("practice", {"title": "Other"}) == ClientUse()
    assert broker.client("practice").client_id == "notebook"
    assert broker.connection("sales").status.state is State.CONNECTED


def test_who_comes_second_is_told(broker: TokenServiceBroker) -> None:
    version = broker.client("practice").version
    broker.edit_client("practice", {"title": "First"}, version=version)
    with pytest.raises(errors.ConflictError):
        broker.edit_client("practice", {"title": "Second"}, version=version)
    with pytest.raises(errors.ConflictError):
        broker.remove_client("practice", force=True, version=version)
    version = broker.connection("sales").version
    broker.edit_connection("sales", {"scope": "sales.read"}, version=version)
    with pytest.raises(errors.ConflictError):
        broker.edit_connection("sales", {"scope": ""}, version=version)
    with pytest.raises(errors.ConflictError):
        broker.add_connection(ConnectionDraft(name="sales", client="practice"))


def test_a_client_in_use_stays_unless_forced(broker: TokenServiceBroker) -> None:
    with pytest.raises(errors.InUseError) as caught:
        broker.remove_client("practice")
    assert caught.value.used_by == ("sales",)
    broker.remove_client("practice", force=True)
    assert (broker.clients(), broker.connections()) == ([], [])


def test_providers_come_whole(broker: TokenServiceBroker) -> None:
    assert tuple(broker.providers()) == load().entries()
    assert broker.provider("practice") == load().entry("practice")


def test_a_text_for_an_administrator(broker: TokenServiceBroker) -> None:
    text = broker.client_request("google")
    assert load().entry("google").title in text
    assert "callback/NAME" in text
    assert "an administrator" in text
    broker.change_settings({"administrator_contact": "data-team@example.com"})
    assert "data-team@example.com" in broker.client_request("google")


# --- settings, sign-ins of all, history


def test_settings_are_told_changed_and_taken_back(broker: TokenServiceBroker) -> None:
    def setting(listing: Sequence[SettingInForce]) -> SettingInForce:
        return next(one for one in listing if one.name == "refresh_margin")

    before = setting(broker.settings())
    assert before == SettingInForce(
        name="refresh_margin", value="300", origin="default", changeable=True
    )
    changed = setting(broker.change_settings({"refresh_margin": "60"}))
    assert (changed.value, changed.origin) == ("60", "administration page")
    assert setting(broker.settings()) == changed
    assert setting(broker.change_settings({"refresh_margin": None})) == before


def test_sign_ins_of_all_are_seen_and_ended(desk: Desk) -> None:
    broker = desk.broker
    assert broker.grants() == []
    sign_in(desk)
    (grant,) = broker.grants()
    me = broker.connection("sales").owner
    assert (grant.owner, grant.connection, grant.client) == (me, "sales", "practice")
    assert (grant.status.state, grant.status.identity) == (State.CONNECTED, "analyst@example.com")
    assert broker.grants(owner=me) == broker.grants(client="practice") == [grant]
    assert broker.grants(owner="nobody") == broker.grants(client="other") == []
    assert broker.grants(owner=me, client="other") == []
    assert broker.revoke_grant(grant.id).at_provider is Outcome.OK
    assert broker.grants() == []
    assert broker.connection("sales").status.state is State.NOT_CONNECTED
    with pytest.raises(errors.InvalidParameterError, match="no such sign-in"):
        broker.revoke_grant(grant.id)


def test_a_filter_of_events(desk: Desk) -> None:
    broker = desk.broker
    sign_in(desk)
    every = broker.events(limit=1000)
    newest = every[0].id
    assert broker.events(limit=1000, wanted=EventFilter(before=newest)) == every[1:]
    kinds = {one.kind for one in every}
    assert {"client_registered", "connection_added", "connected"} <= kinds
    for kind in kinds:
        assert broker.events(limit=1000, wanted=EventFilter(kind=kind)) == [
            one for one in every if one.kind == kind
        ]
    connected = broker.events(wanted=EventFilter(kind="connected", connection="sales"))[0]
    assert (connected.owner, connected.outcome) == (broker.connection("sales").owner, "ok")
    assert broker.events(wanted=EventFilter(owner=connected.owner), limit=1) == every[:1]
    assert broker.events(wanted=EventFilter(owner="nobody")) == []
    denied = EventFilter(outcome="access_denied", before=connected.id + 1)
    assert connected not in broker.events(limit=1000, wanted=denied)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda broker, name: broker.connection(name), errors.UnknownConnectionError),
        (lambda broker, name: broker.access_token(name), errors.UnknownConnectionError),
        (lambda broker, name: broker.authorize(name), errors.UnknownConnectionError),
        (lambda broker, name: broker.revoke(name), errors.UnknownConnectionError),
        (lambda broker, name: broker.remove_connection(name), errors.UnknownConnectionError),
        (lambda broker, name: broker.client(name), errors.UnknownClientError),
        (lambda broker, name: broker.remove_client(name), errors.UnknownClientError),
        (lambda broker, name: broker.provider(name), errors.UnknownProviderError),
    ],
)
@pytest.mark.parametrize("name", ["nowhere", "", ".", "../me", "a/b", "Ä\n", "x" * 100_000])
def test_what_is_not_there_is_named(
    broker: TokenServiceBroker,
    call: Callable[[TokenServiceBroker, str], object],
    kind: type[Exception],
    name: str,
) -> None:
    with pytest.raises(kind) as caught:
        call(broker, name)
    assert caught.value.name == name
    assert caught.value.hint


@pytest.mark.parametrize(("typed", "meant"), [("sale", "sales"), ("Sales", "sales")])
def test_a_mistyped_name_is_guessed(broker: TokenServiceBroker, typed: str, meant: str) -> None:
    with pytest.raises(errors.UnknownConnectionError) as caught:
        broker.connection(typed)
    assert caught.value.similar == (meant,)
    assert caught.value.hint == "Did you mean sales?"


@pytest.mark.parametrize("field", ["name", "provider", "client_secret", "nonsense", "id"])
def test_what_cannot_be_changed_is_named(broker: TokenServiceBroker, field: str) -> None:
    with pytest.raises(errors.InvalidParameterError) as caught:
        broker.edit_client("practice", {field: "other"})
    assert (caught.value.parameter, "register another client" in caught.value.hint) == (field, True)


# --- tokens


def test_before_the_first_sign_in(broker: TokenServiceBroker) -> None:
    with pytest.raises(errors.ConsentRequiredError) as caught:
        broker.access_token("sales")
    assert caught.value.authorization is None
    assert broker.connection("sales").status.state is State.NOT_CONNECTED
    with pytest.raises(errors.ConsentRequiredError) as caught:
        broker.access_token("sales", interactive=True)
    pending = caught.value.authorization
    assert pending is not None
    assert (pending.connection, pending.state) == ("sales", AuthorizationState.PENDING)
    assert broker.connection("sales").status.state is State.PENDING
    with pytest.raises(errors.ConsentRequiredError) as caught:
        broker.access_token("sales", interactive=True)
    assert caught.value.authorization == pending


def test_a_sign_in_and_its_token(desk: Desk) -> None:
    broker = desk.broker
    pending = broker.authorize("sales")
    assert "Authenticated" in desk.person(pending)
    ended = broker.authorization(pending.id, wait=SOON)
    assert (ended.state, ended.identity) == (AuthorizationState.DONE, "analyst@example.com")
    asked_at = datetime.now(UTC)
    token = broker.access_token("sales")
    assert token.token_type == "Bearer"
    assert set(token.scope.split()) >= {"sales.read"}
    assert token.expires_at is not None
    assert token.refresh_at is not None
    assert token.issued_at is not None
    assert token.issued_at <= datetime.now(UTC)
    assert asked_at < token.refresh_at < token.expires_at
    status = broker.connection("sales").status
    assert status is not None
    assert (status.state, status.identity) == (State.CONNECTED, "analyst@example.com")
    assert len(desk.server.provider.requests("token")) == 1


def test_a_token_is_renewed_when_asked_to_last_longer(desk: Desk) -> None:
    desk.server.provider.dials.access_token_seconds = 60
    first = sign_in(desk)
    broker = desk.broker
    # a fifth of its life is the most that is asked for
    again = broker.access_token("sales", min_validity=timedelta(hours=1))
    assert again.reveal() == first.reveal()
    longer = broker.access_token("sales", min_validity=timedelta(minutes=2), exact=True)
    assert longer.generation == first.generation + 1
    assert longer.reveal() != first.reveal()


def test_a_rejected_token_is_renewed_once(desk: Desk) -> None:
    first = sign_in(desk)
    broker = desk.broker
    second = broker.access_token("sales", rejected_generation=first.generation)
    third = broker.access_token("sales", rejected_generation=first.generation)
    assert second.generation == first.generation + 1
    assert third.reveal() == second.reveal()
    assert len(desk.server.provider.requests("token")) == 2


def test_a_grant_that_the_provider_has_ended(desk: Desk) -> None:
    first = sign_in(desk)
    desk.server.provider.revoke(first.value)
    with pytest.raises(errors.ReauthorizationRequiredError) as caught:
        desk.broker.access_token("sales", rejected_generation=first.generation)
    assert caught.value.reason == "revoked"
    assert desk.broker.connection("sales").status.state is State.REAUTH_REQUIRED


def test_a_provider_that_does_not_answer(desk: Desk) -> None:
    first = sign_in(desk)
    desk.server.provider.faults.plan("status:503", 3, endpoint="token")
    with pytest.raises(errors.ProviderUnavailableError) as caught:
        desk.broker.access_token("sales", rejected_generation=first.generation)
    assert caught.value.hint
    assert caught.value.request_sent is True
    assert desk.broker.connection("sales").status.state is State.DEGRADED


def test_it_says_whether_it_lasts(desk: Desk) -> None:
    first = sign_in(desk)
    found = desk.broker.ensure("sales", timedelta(hours=6))
    assert found.detail
    assert found.expires_at is not None
    assert desk.broker.access_token("sales").generation == first.generation + 1


def test_revoked_is_forgotten(desk: Desk) -> None:
    token = sign_in(desk)
    outcome = desk.broker.revoke("sales")
    assert outcome.at_provider is Outcome.OK
    assert desk.broker.connection("sales").status.state is State.NOT_CONNECTED
    with pytest.raises(errors.ConsentRequiredError):
        desk.broker.access_token("sales", rejected_generation=token.generation)


def test_what_is_checked_and_what_happened(desk: Desk) -> None:
    broker = desk.broker
    sign_in(desk)
    assert {one.outcome for one in broker.test("sales")} == {Outcome.OK}
    assert broker.test_client("practice")
    assert broker.doctor()
    of_client = broker.doctor(client="practice")
    assert [one.check for one in of_client][:2] == ["redirect URIs", "metadata"]
    of_connection = broker.doctor(connection="sales")
    assert set(of_connection) - set(of_client) == {
        one for one in of_connection if one.check == "token"
    }
    kinds = [one.kind for one in broker.events(limit=20)]
    assert "connected" in kinds
    assert len(broker.events(limit=2)) == 2


# --- sign-ins


def test_a_sign_in_is_joined_and_given_up(desk: Desk) -> None:
    broker = desk.broker
    pending = broker.authorize("sales")
    assert broker.authorize("sales").id == pending.id
    assert desk.other().authorize("sales").id == pending.id
    broker.cancel(pending.id)
    ended = broker.authorization(pending.id)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert broker.authorize("sales").id != pending.id


def test_a_sign_in_that_was_denied(desk: Desk) -> None:
    pending = desk.broker.authorize("sales")
    desk.person(pending, allow=False)
    ended = desk.broker.authorization(pending.id, wait=SOON)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert ended.error.code == "access_denied"


@pytest.mark.parametrize("wanted", [True, False])
def test_another_account_than_before(desk: Desk, wanted: bool) -> None:
    broker = desk.broker
    before = sign_in(desk)
    again = broker.authorize("sales")
    desk.person(again, account="guest@example.com")
    waiting = broker.authorization(again.id, wait=SOON)
    assert (waiting.state, waiting.confirm) == (AuthorizationState.PENDING, True)
    assert waiting.identity == "guest@example.com"
    if wanted:
        assert broker.confirm(again.id).state is AuthorizationState.DONE
        assert broker.connection("sales").status.identity == "guest@example.com"
    else:
        broker.cancel(again.id)
        assert broker.authorization(again.id).state is AuthorizationState.REFUSED
        assert broker.access_token("sales").reveal() == before.reveal()


def test_waiting_ends_with_the_sign_in(desk: Desk) -> None:
    pending = desk.broker.authorize("sales")
    started = time.monotonic()
    now = desk.broker.authorization(pending.id, wait=timedelta(seconds=1.2))
    assert now.state is AuthorizationState.PENDING
    assert 1.1 < time.monotonic() - started < 3
    timer = threading.Timer(0.5, desk.person, [pending])
    timer.start()
    started = time.monotonic()
    ended = desk.broker.authorization(pending.id, wait=timedelta(seconds=30))
    assert ended.state is AuthorizationState.DONE
    assert time.monotonic() - started < 10
    timer.join()


def test_an_unknown_sign_in(broker: TokenServiceBroker) -> None:
    id = uuid4()
    for call in (broker.authorization, broker.cancel, broker.confirm):
        with pytest.raises(errors.UnknownAuthorizationError) as caught:
            call(id)
        assert caught.value.name == str(id)
    with pytest.raises(errors.UnknownAuthorizationError):
        broker.finish_by_paste(id, Secret("http://localhost/?code=x"))


def test_a_code_for_another_device(desk: Desk) -> None:
    broker = desk.broker
    pending = broker.authorize("sales", flow=Flow.DEVICE)
    assert pending.user_code
    assert pending.verification_uri
    broker.cancel(pending.id)


# --- errors


@pytest.mark.parametrize(
    "call",
    [
        lambda broker: broker.connection("sale"),
        lambda broker: broker.client("practise"),
        lambda broker: broker.provider("practise"),
        lambda broker: broker.access_token("sales"),
        lambda broker: broker.add_connection(ConnectionDraft(name="login", client="practice")),
        lambda broker: broker.add_connection(ConnectionDraft(name="Not a name", client="practice")),
        lambda broker: broker.add_connection(ConnectionDraft(name="crm", client="practise")),
        lambda broker: broker.add_connection(ConnectionDraft(name="sales", client="practice")),
        lambda broker: broker.add_connection(
            ConnectionDraft(name="crm", client="practice", parameters={"rôle": "x"})
        ),
        lambda broker: broker.add_connection(
            ConnectionDraft(name="crm", client="practice", scope="root")
        ),
        lambda broker: broker.edit_connection("sales", {"provider": "x"}),
        lambda broker: broker.edit_connection("sales", {"scope": ""}, version=99),
        lambda broker: broker.edit_connection("sales", {"scope": "\x00"}),
        lambda broker: broker.edit_client("practice", {"nonsense": "x"}),
        lambda broker: broker.edit_client("practice", {"redirect_uris": ("http://evil/",)}),
        lambda broker: broker.add_client(ClientDraft(name="", provider="practice", client_id="x")),
        lambda broker: broker.add_client(ClientDraft(name="x", provider="nobody", client_id="x")),
        lambda broker: broker.add_client_secret("practice", Secret("x")),
        lambda broker: broker.remove_client("practice"),
        lambda broker: broker.test("sale"),
        lambda broker: broker.test_client("practise"),
        lambda broker: broker.ensure("sales", timedelta(hours=1)),
        lambda broker: broker.authorization(_AN_ID),
        lambda broker: broker.cancel(_AN_ID),
        lambda broker: broker.doctor(client="nothing"),
        lambda broker: broker.doctor(connection="nothing"),
        lambda broker: broker.client_request("nobody"),
        lambda broker: broker.client_use("practise"),
        lambda broker: broker.preview_client("practise", {}),
        lambda broker: broker.preview_client("practice", {"nonsense": "x"}),
        lambda broker: broker.add_client_secret("practice", None, reference="nowhere"),
        lambda broker: broker.remove_client_secret("practice", _AN_ID),
        lambda broker: broker.remove_client("practice", version=99, force=True),
        lambda broker: broker.revoke_grant(_AN_ID),
        lambda broker: broker.change_settings({"database_url": "x"}),
        lambda broker: broker.change_settings({"refresh_margin": "soon"}),
    ],
)
def test_an_error_is_the_same_here_and_over_http(
    both: tuple[TokenServiceBroker, TokenServiceBroker],
    call: Callable[[TokenServiceBroker], object],
) -> None:
    met: list[errors.OAuthConnError | str] = []
    for broker in both:
        try:
            call(broker)
            met.append("no error")
        except errors.OAuthConnError as error:
            met.append(error)
    here, there = met
    assert type(here) is type(there)
    if isinstance(here, errors.OAuthConnError) and isinstance(there, errors.OAuthConnError):
        assert here.code == there.code
        assert vars(here) == vars(there)


_AN_ID = uuid4()


# --- threads, processes, ends


def test_many_threads_at_once(desk: Desk) -> None:
    first = sign_in(desk)
    found: list[AccessToken] = []

    def work() -> None:
        found.append(desk.broker.access_token("sales", rejected_generation=first.generation))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert {one.generation for one in found} == {first.generation + 1}
    assert len(found) == 8
    assert len(desk.server.provider.requests("token")) == 2


def test_a_forked_child_asks_for_itself(desk: Desk) -> None:
    token = sign_in(desk)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = desk.broker.access_token("sales").reveal()
            os.write(writing, told.encode())
        finally:
            os._exit(0)
    os.close(writing)
    # the parent goes on while the child lives: neither may take the other's answer
    ours = [desk.broker.access_token("sales").reveal() for _ in range(20)]
    with open(reading) as pipe:
        assert pipe.read() == token.reveal()
    os.waitpid(child, 0)
    assert set(ours) == {token.reveal()}


def test_closed_and_used_after_all(desk: Desk) -> None:
    token = sign_in(desk)
    desk.broker.close()
    assert desk.other().access_token("sales").reveal() == token.reveal()
