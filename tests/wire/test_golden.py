"""The bodies in `golden/` are the contract with the TypeScript side, which reads the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from jupyter_oauthconn import errors, model, wire

GOLDEN = Path(__file__).parent / "golden"
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
AN_ID = UUID("6f1c2a58-7c1b-4e0e-9d1d-3a4f3a3b2c11")

LAST_ERROR = model.LastError(
    code="provider_unavailable", message="The provider did not answer.", at=NOON
)
STATUS = model.Status(
    state=model.State.DEGRADED,
    next_step="Wait, the provider is asked again by itself.",
    identity="analyst@example.com",
    scope="openid sales.read",
    missing_scope="offline_access",
    expires_at=NOON + HOUR,
    refresh_expires_at=NOON + timedelta(days=30),
    connected_at=NOON - HOUR,
    refreshed_at=NOON,
    last_error=LAST_ERROR,
)
NEW_STATUS = model.Status(state=model.State.NOT_CONNECTED, next_step="Sign in.")
AUTHORIZATION = model.Authorization(
    id=AN_ID,
    connection="sales",
    flow=model.Flow.DEVICE,
    state=model.AuthorizationState.REFUSED,
    path="connect/sales",
    expires_at=NOON + timedelta(minutes=10),
    public_url="http://localhost:8888/oauthconn/connect/sales",
    user_code="WDJB-MJHT",
    verification_uri="https://login.example.com/device",
    redirect_uri="http://localhost:8888/oauthconn/callback/warehouse",
    identity="guest@example.com",
    confirm=True,
    error=LAST_ERROR,
)
CLIENT = model.ClientRegistration(
    id=wire.NO_ID,
    version=3,
    name="warehouse",
    title="Warehouse",
    description="Sales figures.",
    provider="generic-oidc",
    client_id="0oa1",
    auth_method=model.AuthMethod.CLIENT_SECRET_BASIC,
    parameters={"host": "login.example.com"},
    issuer="https://login.example.com",
    endpoints=model.Endpoints(token="https://login.example.com/token"),
    scope="openid sales.read",
    authorization_parameters={"prompt": "consent"},
    access_token_lifetime=HOUR,
    refresh_token_lifetime=timedelta(days=90),
    inactivity=timedelta(0),
    redirect_uris=("http://localhost:8888/oauthconn/callback/warehouse",),
    loopback_port="any",
    allowed_users=("ada",),
    allowed_groups=("analysts",),
    enabled=False,
    managed_by="clients.toml",
    owner="ada",
    secrets=(
        model.ClientSecretInfo(id=AN_ID, set_at=NOON, ends_at=NOON + HOUR, reference="env:W"),
    ),
    used_by=2,
    updated_at=NOON,
    updated_by="ada",
)
CONNECTION = model.Connection(
    id=wire.NO_ID,
    owner_id=wire.NO_ID,
    version=1,
    name="sales",
    client="warehouse",
    provider="generic-oidc",
    parameters={"role": "ANALYST"},
    scope="sales.read",
    connector="http",
    login_hint="ada@example.com",
    shared_users=("grace",),
    shared_groups=("analysts",),
    mine=False,
    owner="grace",
    updated_at=NOON,
    status=NEW_STATUS,
)
EVENT = model.Event(
    id=7,
    at=NOON,
    owner="ada",
    actor="ada",
    kind="token_issued",
    client="warehouse",
    connection="sales",
    origin={"kernel": "k1"},
    request_id="r1",
)
CHECK = model.Check(
    check="discovery", outcome=model.Outcome.FAILED, detail="No answer.", next_step="Try again."
)
REVOCATION = model.Revocation(
    at_provider=model.Outcome.OK, detail="Revoked.", siblings=("marketing",)
)
ENDURANCE = model.Endurance(
    lasts=None, detail="Nobody can tell.", expires_at=NOON + HOUR, refresh_expires_at=None
)

CLIENT_USE = model.ClientUse(
    connections=(
        model.ConnectionUse(owner="ada", connection="sales", sign_ins=2),
        model.ConnectionUse(owner="grace", connection="budget", sign_ins=1),
    )
)
GRANT = model.OwnedGrant(
    id=AN_ID, owner="ada", connection="sales", client="warehouse", status=STATUS
)
SETTING = model.SettingInForce(
    name="refresh_margin", value="60", origin="administration page", changeable=True
)

PAIRS: list[tuple[str, Any, Callable[[Any], Any], Callable[[Any], Any]]] = [
    ("client", CLIENT, wire.client_json, wire.read_client),
    ("connection", CONNECTION, wire.connection_json, wire.read_connection),
    ("client_use", CLIENT_USE, wire.client_use_json, wire.read_client_use),
    ("grant", GRANT, wire.grant_json, wire.read_grant),
    ("setting", SETTING, wire.setting_json, wire.read_setting),
    ("status", STATUS, wire.status_json, wire.read_status),
    ("authorization", AUTHORIZATION, wire.authorization_json, wire.read_authorization),
    ("event", EVENT, wire.event_json, wire.read_event),
    ("check", CHECK, wire.check_json, wire.read_check),
    ("revocation", REVOCATION, wire.revocation_json, wire.read_revocation),
    ("endurance", ENDURANCE, wire.endurance_json, wire.read_endurance),
]
TOKEN = model.AccessToken(
    value=model.Secret("at-1"),
    generation=4,
    issued_at=NOON - HOUR,
    expires_at=NOON + HOUR,
    refresh_at=NOON + timedelta(minutes=55),
    scope="sales.read",
    resource="https://api.example.com",
    extra={"instance_url": "https://eu7.example.com"},
)


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "value", "to_json", "read"), PAIRS, ids=[p[0] for p in PAIRS])
def test_body_and_back(
    name: str, value: Any, to_json: Callable[[Any], Any], read: Callable[[Any], Any]
) -> None:
    assert to_json(value) == golden(name)
    assert read(golden(name)) == value
    # a later service may say more
    assert read({**golden(name), "of_a_later_version": 1}) == value


@pytest.mark.parametrize(("name", "value", "to_json", "read"), PAIRS, ids=[p[0] for p in PAIRS])
def test_a_body_that_lacks_a_member_is_refused(
    name: str, value: Any, to_json: Callable[[Any], Any], read: Callable[[Any], Any]
) -> None:
    for member in golden(name):
        body = golden(name)
        del body[member]
        with pytest.raises(KeyError, match=member):
            read(body)


@pytest.mark.parametrize(
    "member", [{"version": "3"}, {"provider": None}, {"enabled": 1.5}, {"auth_method": "magic"}]
)
def test_a_body_of_other_types_is_refused(member: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        wire.read_client({**golden("client"), **member})


def test_token() -> None:
    assert wire.token_json(TOKEN, now=NOON) == golden("token")
    assert wire.read_token(golden("token"), now=NOON) == TOKEN


def test_token_times_count_from_the_readers_clock() -> None:
    """A kernel whose clock is a day ahead must not see a dead token."""
    ahead = NOON + timedelta(days=1)
    token = wire.read_token(golden("token"), now=ahead)
    assert token.expires_at == ahead + HOUR
    assert token.refresh_at == ahead + timedelta(minutes=55)
    assert token.issued_at == ahead - HOUR


def test_token_without_times() -> None:
    token = model.AccessToken(value=model.Secret("at-1"), generation=1)
    body = wire.token_json(token, now=NOON)
    assert body["expires_in"] is None
    assert wire.read_token(body, now=NOON) == token


def test_token_times_are_rounded_down_and_never_negative() -> None:
    body = wire.token_json(TOKEN, now=NOON + HOUR - timedelta(seconds=1.5))
    assert (body["expires_in"], body["refresh_in"]) == (1, 0)


def test_status_of_each_state() -> None:
    for state in model.State:
        status = model.Status(state=state, next_step="x")
        assert wire.read_status(wire.status_json(status)) == status


ERRORS: list[errors.OAuthConnError] = [
    errors.NotSignedInError("m"),
    errors.OAuthConnError("m", hint="h"),
    errors.InteractionRequiredError("m", authorization=AUTHORIZATION),
    errors.ConsentRequiredError("m"),
    errors.ReauthorizationRequiredError("m", reason="revoked"),
    errors.AuthorizationFailedError("m"),
    errors.AccessDeniedError("m"),
    errors.CallbackMismatchError("m", expected="a", received="b"),
    errors.AuthorizationExpiredError("m"),
    errors.ProviderError("m"),
    errors.ProviderRejectedError("m", error="invalid_grant", status=400),
    errors.InvalidClientError("m", error="invalid_client", status=401),
    errors.ProviderUnavailableError("m", retry_after_seconds=3.5, request_sent=False),
    errors.ProviderProtocolError("m"),
    errors.InvalidIDTokenError("m"),
    errors.ConfigurationError("m"),
    errors.InvalidNameError("m"),
    errors.InvalidParameterError("m", parameter="scope"),
    errors.InvalidConnectionError("m"),
    errors.UnknownConnectionError("sale", known=["sales"]),
    errors.UnknownClientError("x"),
    errors.UnknownProviderError("x"),
    errors.UnknownAuthorizationError("x"),
    errors.ConflictError("m"),
    errors.InUseError("m", used_by=("a", "b")),
    errors.NotAllowedError("m"),
    errors.NotAllowedError("m", code="client_disabled"),
    errors.MissingKeyError("m", key_id="k1"),
    errors.StorageError("m"),
    errors.UnsealError("m"),
    errors.ServiceUnreachableError("m", url="http://localhost:8888/"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_comes_back_as_itself(error: errors.OAuthConnError) -> None:
    body = json.loads(json.dumps(wire.error_json(error, request_id="r1")))
    again = wire.read_error(body)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.code == error.code
    assert vars(again) == vars(error)


def test_every_error_class_is_covered() -> None:
    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(one) for one in kind.__subclasses__()))

    public = {one for one in below(errors.OAuthConnError) if not one.__name__.startswith("_")}
    assert public == {type(one) for one in ERRORS}


def test_error_bodies() -> None:
    pending = errors.ReauthorizationRequiredError(
        "sales: sign in again.", hint="`%connect auth sales`", authorization=AUTHORIZATION
    )
    assert wire.error_json(pending, request_id="r1") == golden("error_interaction")
    away = errors.ProviderUnavailableError(
        "The provider does not answer.", hint="Wait.", retry_after_seconds=30.0
    )
    assert wire.error_json(away) == golden("error_unavailable")


def test_unknown_code_is_the_base_class() -> None:
    error = wire.read_error(
        {"code": "of_a_later_version", "message": "m", "hint": "", "request_id": None}
    )
    assert type(error) is errors.OAuthConnError
    assert error.code == "of_a_later_version"


def test_no_body_but_the_token_holds_a_secret() -> None:
    """A draft's secret and a grant's tokens have no shape to travel in."""
    for name, value, to_json, _ in PAIRS:
        assert "at-1" not in json.dumps(to_json(value)), name
    with pytest.raises(KeyError):
        wire.walk.body_of(TOKEN)
