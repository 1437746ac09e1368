"""Registering OAuth clients and connections: what is refused, with which sentence."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from jupyter_oauthconn.errors import (
    ConflictError,
    InUseError,
    InvalidNameError,
    InvalidParameterError,
    NotAllowedError,
    OAuthConnError,
    UnknownClientError,
    UnknownConnectionError,
    UnknownProviderError,
)
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    ConnectionDraft,
    Endpoints,
    Secret,
    Settings,
    State,
)
from jupyter_oauthconn.service.token_service import TokenService

from .conftest import World

OIDC: dict[str, Any] = {
    "name": "idp",
    "provider": "oidc",
    "client_id": "me",
    "issuer": "https://idp.example.com",
    "auth_method": AuthMethod.NONE,
}
SNOWFLAKE: dict[str, Any] = {
    "name": "warehouse",
    "provider": "snowflake",
    "client_id": "me",
    "client_secret": Secret("s"),
    "parameters": {"account": "myorg-myaccount"},
}


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (OIDC | {"name": "Sales!"}, InvalidNameError, "Sales!"),
        (OIDC | {"name": "-x"}, InvalidNameError, "-x"),
        (OIDC | {"name": "a" * 41}, InvalidNameError, "cannot name an OAuth client"),
        (OIDC | {"provider": "gogle"}, UnknownProviderError, "gogle"),
        (OIDC | {"client_id": " "}, InvalidParameterError, "client ID"),
        (OIDC | {"issuer": None}, InvalidParameterError, "authorization server"),
        (OIDC | {"issuer": "http://idp.example.com"}, InvalidParameterError, "https"),
        (OIDC | {"issuer": "https://a@evil.example"}, InvalidParameterError, ""),
        (OIDC | {"client_secret": Secret("s")}, InvalidParameterError, "takes no client secret"),
        (OIDC | {"auth_method": AuthMethod.CLIENT_SECRET_POST}, InvalidParameterError, "needs a"),
        (
            OIDC | {"redirect_uris": ("http://hub.example.com/cb",)},
            InvalidParameterError,
            "http://hub.example.com/cb",
        ),
        (OIDC | {"redirect_uris": ("/cb",)}, InvalidParameterError, "absolute"),
        (OIDC | {"redirect_uris": ("https://h/cb#x",)}, InvalidParameterError, "fragment"),
        (
            OIDC | {"endpoints": Endpoints(token="http://idp.example.com/token")},
            InvalidParameterError,
            "https",
        ),
        (SNOWFLAKE | {"parameters": {}}, InvalidParameterError, "account"),
        (SNOWFLAKE | {"parameters": {"acount": "x"}}, InvalidParameterError, "acount"),
        *(
            (SNOWFLAKE | {"parameters": {"account": evil}}, InvalidParameterError, "")
            for evil in ("evil.com/#", "a@evil", "evil.com\\", "x.evil.com", "a\nb", "%2fevil", "")
        ),
    ],
)
def test_a_client_that_cannot_work_is_refused(
    world: World, given: dict[str, Any], error: type[OAuthConnError], says: str
) -> None:
    with pytest.raises(error) as caught:
        world.broker.add_client(ClientDraft(**given))
    assert says in caught.value.message
    assert caught.value.hint
    assert [one.name for one in world.broker.clients()] == ["practice"]


def test_usual_redirect_uris_are_those_that_the_provider_accepts(world: World) -> None:
    client = world.broker.add_client(ClientDraft(**OIDC))
    assert client.redirect_uris == (
        "http://localhost:8888/oauthconn/callback/idp",
        "http://127.0.0.1:8888/oauthconn/callback/idp",
    )
    snowflake = world.broker.add_client(ClientDraft(**SNOWFLAKE))
    assert snowflake.redirect_uris == ("http://localhost:8888/oauthconn/callback/warehouse",)
    assert snowflake.auth_method is AuthMethod.CLIENT_SECRET_BASIC


def test_a_name_is_taken_once(world: World) -> None:
    with pytest.raises(ConflictError):
        world.broker.add_client(ClientDraft(**OIDC | {"name": "practice"}))
    with pytest.raises(ConflictError):
        world.broker.add_connection(ConnectionDraft(name="sales", client="practice"))


@pytest.mark.parametrize("name", ["auth", "rm", "scan", "Sales", "s" * 41, "sälés", ""])
def test_reserved_and_malformed_connection_names(world: World, name: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        world.broker.add_connection(ConnectionDraft(name=name, client="practice"))
    assert repr(name) in caught.value.message


def test_unknown_names_propose_similar_ones(world: World) -> None:
    with pytest.raises(UnknownConnectionError, match="sale"):
        world.broker.access_token("sale")
    with pytest.raises(UnknownClientError) as caught:
        world.broker.add_connection(ConnectionDraft(name="crm", client="practise"))
    assert caught.value.hint == "Did you mean practice?"


def test_a_stale_version_is_a_conflict(world: World) -> None:
    client = world.broker.client("practice")
    world.broker.edit_client("practice", {"title": "A"}, version=client.version)
    with pytest.raises(ConflictError):
        world.broker.edit_client("practice", {"title": "B"}, version=client.version)
    assert world.broker.client("practice").title == "A"


@pytest.mark.parametrize("changes", [{"name": "x"}, {"client_secret": "x"}, {"colour": "red"}])
def test_what_cannot_be_edited_is_named(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(changes))):
        world.broker.edit_client("practice", changes)


def test_a_wider_scope_needs_a_new_sign_in(signed_in: World) -> None:
    signed_in.broker.edit_client("practice", {"scope": "sales.read sales.write"})
    connection = signed_in.broker.edit_connection("sales", {"scope": "sales.read sales.write"})
    assert connection.status.state is State.REAUTH_REQUIRED
    assert connection.status.reason == "scope_changed"
    signed_in.sign_in()
    token = signed_in.broker.access_token("sales")
    assert "sales.write" in token.scope.split()


def test_a_scope_that_the_client_does_not_allow_is_refused(world: World) -> None:
    with pytest.raises(InvalidParameterError, match=r"admin\.all"):
        world.broker.edit_connection("sales", {"scope": "admin.all"})


def test_another_client_id_needs_a_new_sign_in(signed_in: World) -> None:
    signed_in.broker.edit_client("practice", {"client_id": "other"})
    assert signed_in.broker.connection("sales").status.reason == "client_changed"


def test_a_client_in_use_is_removed_only_by_force(signed_in: World) -> None:
    with pytest.raises(InUseError, match="sales"):
        signed_in.broker.remove_client("practice")
    signed_in.broker.remove_client("practice", force=True)
    assert signed_in.broker.clients() == []
    assert signed_in.broker.connections() == []
    assert signed_in.server.provider.requests("revocation")


def test_client_management_can_be_switched_off(signed_in: World) -> None:
    service = TokenService(
        Settings(client_management_enabled=False),
        signed_in.service.store,
        signed_in.service.catalog,
    )
    actor = signed_in.actor
    assert actor.administrator
    for act in (
        lambda: service.clients.add(ClientDraft(**OIDC), actor),
        lambda: service.clients.edit("practice", {"title": "x"}, actor),
        lambda: service.clients.preview("practice", {"title": "x"}, actor),
        lambda: service.clients.remove("practice", actor, force=True),
        lambda: service.clients.add_secret("practice", Secret("x"), actor),
        lambda: service.clients.remove_secret("practice", uuid4(), actor),
    ):
        with pytest.raises(NotAllowedError) as caught:
            act()
        assert caught.value.code == "client_management_disabled"
    assert [one.name for one in service.clients.all(actor)] == ["practice"]
    connection = service.connections.usable(signed_in.person, "sales")
    assert service.tokens.access_token(signed_in.owner, connection).reveal()


def test_a_secret_is_not_read_back(world: World) -> None:
    client = world.broker.add_client(ClientDraft(**SNOWFLAKE))
    assert [one.ends_at for one in client.secrets] == [None]
    assert "s" not in {getattr(client.secrets[0], name, None) for name in ("value", "secret")}
    again = world.broker.add_client_secret("warehouse", Secret("second"))
    assert len(again.secrets) == 2


def test_none_takes_a_parameter_away(world: World) -> None:
    world.broker.add_client(ClientDraft(**SNOWFLAKE))
    given = {"role": "ANALYST", "warehouse": "W"}
    world.broker.add_connection(ConnectionDraft(name="wh", client="warehouse", parameters=given))
    after = world.broker.edit_connection("wh", {"parameters": {"warehouse": None}})
    assert after.parameters == {"role": "ANALYST"}
    with pytest.raises(InvalidParameterError, match="account"):
        world.broker.edit_client("warehouse", {"parameters": {"account": None}})


def test_a_client_that_becomes_public_keeps_no_secret(world: World) -> None:
    world.broker.add_client(ClientDraft(**SNOWFLAKE))
    client = world.broker.edit_client("warehouse", {"auth_method": AuthMethod.NONE})
    assert client.secrets == ()
