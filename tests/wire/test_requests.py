"""What a kernel, a form or a script gives to make or change something, and what it may not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_oauthconn import model, wire
from jupyter_oauthconn.catalog import load
from jupyter_oauthconn.catalog.bodies import provider_json, read_provider
from jupyter_oauthconn.catalog.entry import (
    Exchange,
    ExchangeKind,
    Handle,
    Placement,
    ProviderEntry,
    RefreshRules,
    ResourceParameter,
    Rotation,
    Scopes,
    TokenAnswerRules,
    TokenPlacement,
    Variable,
)
from jupyter_oauthconn.errors import OAuthConnError

GOLDEN = Path(__file__).parent / "golden"
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

CLIENT = model.ClientDraft(
    name="warehouse",
    provider="oidc",
    client_id="0oa1",
    title="Warehouse",
    description="Sales figures.",
    parameters={"host": "login.example.com"},
    issuer="https://login.example.com",
    endpoints=model.Endpoints(token="https://login.example.com/token"),
    client_secret=model.Secret("canary-secret"),
    secret_reference="env:W",
    auth_method=model.AuthMethod.CLIENT_SECRET_BASIC,
    scope="openid sales.read",
    authorization_parameters={"prompt": "consent"},
    access_token_lifetime=timedelta(hours=1),
    refresh_token_lifetime=timedelta(days=90),
    inactivity=timedelta(0),
    redirect_uris=("http://localhost:8888/oauthconn/callback/warehouse",),
    loopback_port="any",
    allowed_users=("ada",),
    allowed_groups=("analysts",),
)
CONNECTION = model.ConnectionDraft(
    name="sales",
    client="warehouse",
    parameters={"role": "ANALYST"},
    scope="sales.read",
    connector="http",
    login_hint="ada@example.com",
    shared_users=("grace",),
    shared_groups=("analysts",),
)
CLIENT_CHANGES: dict[str, Any] = {
    "title": "House",
    "description": "",
    "client_id": "0oa2",
    "parameters": {"host": "id.example.com", "realm": None},
    "issuer": None,
    "endpoints": model.Endpoints(token="https://id.example.com/token"),
    "auth_method": model.AuthMethod.NONE,
    "scope": "",
    "authorization_parameters": {},
    "access_token_lifetime": timedelta(minutes=30),
    "refresh_token_lifetime": None,
    "inactivity": timedelta(0),
    "redirect_uris": (),
    "loopback_port": None,
    "allowed_users": ("grace",),
    "allowed_groups": (),
    "enabled": False,
}
CONNECTION_CHANGES: dict[str, Any] = {
    "client": "house",
    "parameters": {"role": None},
    "scope": "sales.read",
    "connector": None,
    "login_hint": "",
    "shared_users": ("ada",),
    "shared_groups": (),
}
PROVIDER = ProviderEntry(
    key="warehouse",
    title="Warehouse",
    checked="2026-11-02",
    source="https://docs.example.com/oauth",
    confidence="high",
    issuer="https://{host}",
    discovery=True,
    endpoints=model.Endpoints(token="https://{host}/token"),
    variables=(
        Variable(
            name="host",
            title="Host name",
            pattern=r"[a-z.]+",
            at="client",
            required=True,
            default="login.example.com",
            example="eu.example.com",
            host_suffixes=(".example.com",),
        ),
    ),
    scopes=Scopes(default=("data",), offline=("offline_access",), identity=("openid",)),
    auth_methods=(model.AuthMethod.NONE, model.AuthMethod.CLIENT_SECRET_POST),
    authorization_parameters={"prompt": "consent"},
    account_prompt="select_account",
    token_answer=TokenAnswerRules(
        default_lifetime=timedelta(hours=1),
        keep=("instance_url",),
        accept_form=True,
        error_with_status_200=True,
        account="username",
    ),
    refresh=RefreshRules(
        rotation=Rotation.GRACE,
        grace=timedelta(minutes=10),
        kills_access_token=True,
        lifetime=timedelta(days=90),
        idle=timedelta(days=30),
        resource_parameter=ResourceParameter.SCOPE,
    ),
    loopback_hosts=("127.0.0.1",),
    callback_keep=("realmId",),
    revocation_note="Remove the app on your profile page.",
    api_hosts=("*.example.com",),
    steps=("Add {redirect_uri}.",),
    traps=("Names are case-sensitive.",),
    handles=(
        Handle(
            kind="engine",
            title="SQL",
            requires=("acme-sqlalchemy",),
            url="acme://{host}/sales",
            connect_args={"tls": True, "ports": [1, 2]},
            token=TokenPlacement(placement=Placement.PREFIXED, name="logdata", prefix="token="),
            session_bound=True,
            auth_errors=("390303",),
            probe="select 1",
            options={"library": "acme"},
            exchange=Exchange(
                kind=ExchangeKind.TOKEN_EXCHANGE,
                endpoint="https://{host}/token",
                parameters={"scope": "all"},
                lifetime=timedelta(hours=1),
            ),
        ),
    ),
)


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


# --- drafts


def test_drafts_and_back() -> None:
    assert wire.client_draft_json(CLIENT) == golden("client_draft")
    assert wire.read_client_draft(golden("client_draft")) == CLIENT
    assert wire.connection_draft_json(CONNECTION) == golden("connection_draft")
    assert wire.read_connection_draft(golden("connection_draft")) == CONNECTION


def test_what_was_not_given_is_left_out() -> None:
    """So that an older service meets no member that it does not know."""
    client = model.ClientDraft(name="w", provider="p", client_id="c")
    body = wire.client_draft_json(client)
    assert body == {"name": "w", "provider": "p", "client_id": "c"}
    assert wire.read_client_draft(body) == client
    connection = model.ConnectionDraft(name="s", client="w")
    assert wire.connection_draft_json(connection) == {"name": "s", "client": "w"}
    assert wire.read_connection_draft({"name": "s", "client": "w"}) == connection


def test_a_part_of_the_endpoints_is_enough() -> None:
    body = {**golden("client_draft"), "endpoints": {"revocation": "https://a.example.com/r"}}
    read = wire.read_client_draft(body)
    assert read.endpoints == model.Endpoints(revocation="https://a.example.com/r")


def test_sec_53_a_draft_that_was_read_hides_its_secret() -> None:
    read = wire.read_client_draft(golden("client_draft"))
    assert read.client_secret is not None
    assert read.client_secret.reveal() == "canary-secret"
    assert "canary" not in repr(read)


def test_a_secret_and_back() -> None:
    secret = (model.Secret("canary-secret"), "env:W", NOON + timedelta(hours=1))
    assert wire.client_secret_json(*secret) == golden("client_secret")
    assert wire.read_client_secret(golden("client_secret")) == secret
    # one of the two is enough, and what was not given is left out
    alone = wire.client_secret_json(model.Secret("canary-secret"), None, None)
    assert alone == {"client_secret": "canary-secret"}
    by_reference = wire.client_secret_json(None, "env:W", None)
    assert by_reference == {"secret_reference": "env:W"}
    assert wire.read_client_secret(by_reference) == (None, "env:W", None)


def test_sec_53_a_secret_that_was_read_hides_itself() -> None:
    assert "canary" not in repr(wire.read_client_secret(golden("client_secret")))


# --- changes


def test_changes_and_back() -> None:
    assert wire.client_changes_json(CLIENT_CHANGES, 3) == golden("client_changes")
    assert wire.read_client_changes(golden("client_changes")) == (CLIENT_CHANGES, 3)
    assert wire.connection_changes_json(CONNECTION_CHANGES, 1) == golden("connection_changes")
    assert wire.read_connection_changes(golden("connection_changes")) == (CONNECTION_CHANGES, 1)


def test_without_a_version_whatever_is_stored_is_meant() -> None:
    assert wire.client_changes_json({"title": "x"}, None) == {"title": "x"}
    assert wire.read_client_changes({"title": "x"}) == ({"title": "x"}, None)
    assert wire.read_connection_changes({"version": None}) == ({}, None)
    assert wire.read_connection_changes({"shared_with": {"users": ["ada"]}}) == (
        {"shared_users": ("ada",)},
        None,
    )


def test_what_cannot_be_changed_reaches_the_service_by_name_only() -> None:
    secret = {"client_secret": model.Secret("canary"), "provider": "x", "nonsense": object()}
    body = wire.client_changes_json(secret, None)
    assert body == {"client_secret": None, "provider": None, "nonsense": None}
    assert wire.read_client_changes(body) == (body, None)
    assert wire.read_connection_changes({"name": "x"}) == ({"name": None}, None)  # type: ignore[typeddict-unknown-key]


# --- what is refused

READERS: list[tuple[str, Callable[[Any], Any]]] = [
    ("client_draft", wire.read_client_draft),
    ("client_changes", wire.read_client_changes),
    ("client_secret", wire.read_client_secret),
    ("connection_draft", wire.read_connection_draft),
    ("connection_changes", wire.read_connection_changes),
    ("provider", read_provider),
    ("client", wire.read_client),
    ("connection", wire.read_connection),
    ("client_use", wire.read_client_use),
    ("grant", wire.read_grant),
    ("setting", wire.read_setting),
    ("status", wire.read_status),
    ("authorization", wire.read_authorization),
    ("event", wire.read_event),
    ("check", wire.read_check),
    ("revocation", wire.read_revocation),
    ("endurance", wire.read_endurance),
    ("token", lambda body: wire.read_token(body, now=NOON)),
    ("error_interaction", wire.read_error),
    ("error_unavailable", wire.read_error),
]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("client_draft", {"client_id": None}),
        ("client_draft", {"client_secret": 5}),
        ("client_draft", {"parameters": {"host": 5}}),
        ("client_draft", {"parameters": {"host": None}}),
        ("client_draft", {"redirect_uris": "http://localhost/"}),
        ("client_draft", {"redirect_uris": [None]}),
        ("client_draft", {"auth_method": "magic"}),
        ("client_draft", {"endpoints": {"other": "https://a.example.com"}}),
        ("client_draft", {"endpoints": {"token": 5}}),
        ("client_draft", {"inactivity_seconds": -1}),
        ("client_draft", {"inactivity_seconds": 1e300}),
        ("client_draft", {"inactivity_seconds": float("nan")}),
        ("client_draft", {"inactivity_seconds": True}),
        ("client_draft", {"inactivity_seconds": "60"}),
        ("client_draft", {"inactivity": 60}),
        ("client_draft", {"enabled": True}),
        ("client_draft", {"shared_with": {}}),
        ("client_draft", {"secret_reference": 5}),
        ("client_draft", {"description": None}),
        ("client_secret", {"client_secret": 5}),
        ("client_secret", {"secret_reference": ["env:W"]}),
        ("client_secret", {"ends_at": "tomorrow"}),
        ("client_secret", {"ends_at": 5}),
        ("client_changes", {"access_token_lifetime": 60}),
        ("client_changes", {"version": "3"}),
        ("client_changes", {"version": True}),
        ("client_changes", {"title": None}),
        ("client_changes", {"enabled": 1}),
        ("connection_draft", {"shared_with": {"users": "ada"}}),
        ("connection_draft", {"shared_with": {"owners": ["ada"]}}),
        ("connection_draft", {"shared_users": ["ada"]}),
        ("connection_draft", {"login_hint": None}),
        ("client_use", {"connections": {"ada": "sales"}}),
        ("client_use", {"connections": [{"owner": "ada", "connection": "sales"}]}),
        ("grant", {"status": None}),
        ("setting", {"value": 60}),
        ("setting", {"changeable": "yes"}),
        ("connection_changes", {"shared_users": ["ada"]}),
        ("connection_changes", {"parameters": [["role", "x"]]}),
    ],
)
def test_a_request_of_another_shape_is_refused(name: str, other: Mapping[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        dict(READERS)[name]({**golden(name), **other})


@pytest.mark.parametrize("name", ["client_draft", "connection_draft"])
def test_a_draft_needs_its_first_members(name: str) -> None:
    for member in list(golden(name))[:2]:
        body = golden(name)
        del body[member]
        with pytest.raises(KeyError, match=member):
            dict(READERS)[name](body)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(("name", "read"), READERS, ids=[one[0] for one in READERS])
def test_whatever_comes_a_reader_says_so_in_one_of_three_ways(
    name: str, read: Callable[[Any], Any]
) -> None:
    known = golden(name)

    @given(st.data())
    def check(data: st.DataObject) -> None:
        body = data.draw(
            ANYTHING
            | st.sampled_from(sorted(known)).flatmap(
                lambda member: ANYTHING.map(lambda value: {**known, member: value})
            )
        )
        try:
            read(body)
        except (KeyError, TypeError, ValueError):
            return

    check()


# --- providers, and shapes that have no model


def test_a_provider_and_back() -> None:
    assert provider_json(PROVIDER) == golden("provider")
    assert read_provider(golden("provider")) == PROVIDER
    assert read_provider({**golden("provider"), "of_a_later_version": 1}) == PROVIDER


@pytest.mark.parametrize("entry", load().entries(), ids=lambda entry: entry.key)
def test_every_entry_of_the_catalog_comes_whole(entry: ProviderEntry) -> None:
    assert read_provider(json.loads(json.dumps(provider_json(entry)))) == entry


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("me", wire.Me),
        ("key", wire.Key),
        ("client_request", wire.ClientRequest),
        ("settings_changes", wire.SettingsChanges),
        ("health", wire.Health),
        ("token_request", wire.TokenRequest),
        ("authorization_request", wire.AuthorizationRequest),
        ("ensure_request", wire.EnsureRequest),
        ("client_secret", wire.ClientSecret),
    ],
)
def test_a_shape_without_a_model(name: str, shape: type) -> None:
    assert list(golden(name)) == list(shape.__annotations__)


def test_errors_are_read_where_they_are_whole() -> None:
    with pytest.raises(KeyError):
        wire.read_error({"code": "internal", "message": "m"})  # type: ignore[typeddict-item]
    body: Any = {"code": "conflict", "message": "m", "hint": "", "request_id": None, "details": 5}
    with pytest.raises(TypeError):
        wire.read_error(body)
    assert isinstance(wire.read_error({**body, "details": {}}), OAuthConnError)
