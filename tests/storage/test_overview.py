"""What administrators see of everybody's things, on SQLite and on PostgreSQL: nothing is opened."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from jupyter_oauthconn.errors import UnsealError
from jupyter_oauthconn.model import (
    AuthMethod,
    AuthorizationState,
    ClientDraft,
    ConnectionDraft,
    Flow,
    Reason,
    Secret,
)
from jupyter_oauthconn.storage import Store, tables


@pytest.fixture
def eve(world) -> UUID:
    return world.store.owners.ensure("os", "2000", "eve")


def sign_in(world, owner: UUID, connection: UUID | None = None, *, refresh: bool = True):
    return world.store.grants.put(
        owner,
        connection or world.connection.id,
        world.tokens("other", refresh=refresh),
        requested_scope="read",
        identity="eve@example.com",
        subject="7",
    )


def second_client(world) -> UUID:
    """Another OAuth client with a connection of its own: the connection's id."""
    world.store.registry.add_client(
        ClientDraft(
            name="lake",
            title="Lake",
            provider="generic",
            client_id="xyz",
            auth_method=AuthMethod.NONE,
        ),
        actor="ana",
    )
    draft = ConnectionDraft(name="raw", client="lake")
    return world.store.registry.add_connection(world.owner, draft, provider="generic").id


# --- grants


def test_everybodys_grants_are_told_without_their_tokens(world, eve):
    mine = world.sign_in()
    world.clock.pass_(timedelta(minutes=1))
    grants = [mine, sign_in(world, eve, refresh=False)]
    found = world.store.grants.overview.all()
    assert [one.owner_id for one in found] == [world.owner, eve]
    for grant, told in zip(grants, found, strict=True):
        assert told.token.value == Secret("")
        assert told.token.extra == {}
        assert told.id == grant.id
        for field in ("identity", "subject", "has_refresh_token", "connected_at", "state"):
            assert getattr(told, field) == getattr(grant, field), field
        for field in ("expires_at", "scope", "generation", "token_type"):
            assert getattr(told.token, field) == getattr(grant.token, field), field


def test_grants_are_told_although_nobody_can_open_them(world, eve):
    world.sign_in()
    with world.store.database.writing() as connection:
        connection.execute(tables.grants.update().values(access_sealed=b"garbage"))
    with pytest.raises(UnsealError):
        world.grant()
    (told,) = world.store.grants.overview.all()
    assert told.identity == "analyst@example.com"


def test_one_grant_by_its_id(world):
    grant = world.sign_in()
    overview = world.store.grants.overview
    assert overview.of_id(grant.id).identity == "analyst@example.com"
    assert overview.of_id(uuid4()) is None
    world.store.grants.take(world.connection.id)
    assert overview.of_id(grant.id) is None
    assert overview.all() == []


def test_sign_ins_are_counted_by_connection_of_a_client(world, eve):
    raw = second_client(world)
    overview = world.store.grants.overview
    assert overview.sign_ins("warehouse") == {}
    world.sign_in()
    sign_in(world, eve)
    sign_in(world, world.owner, raw)
    assert overview.sign_ins("warehouse") == {world.connection.id: 2}
    assert overview.sign_ins("lake") == {raw: 1}
    assert overview.sign_ins("gone") == {}


def test_a_sign_in_that_has_to_be_made_again_is_none(world):
    world.sign_in()
    world.store.grants.invalidate_connection(world.connection.id, Reason.CLIENT_CHANGED)
    assert world.store.grants.overview.sign_ins("warehouse") == {}
    assert len(world.store.grants.overview.all()) == 1


def test_the_latest_sign_in_of_a_client(world, eve):
    raw = second_client(world)
    overview = world.store.grants.overview
    assert overview.latest_of_client("warehouse") is None
    world.sign_in()
    world.clock.pass_(timedelta(minutes=1))
    sign_in(world, eve, refresh=False)
    world.clock.pass_(timedelta(minutes=1))
    sign_in(world, world.owner, raw)
    latest = overview.latest_of_client("warehouse")
    assert (latest.owner_id, latest.has_refresh_token) == (eve, False)
    assert overview.latest_of_client("lake").has_refresh_token
    world.clock.pass_(timedelta(minutes=1))
    world.sign_in("again")
    assert overview.latest_of_client("warehouse").owner_id == world.owner


def test_everybodys_sign_ins_under_way_for_a_connection(world, eve):
    raw = second_client(world)
    started = [
        world.store.authorizations.start(
            owner, connection,
            flow=Flow.CALLBACK, lifetime=timedelta(minutes=10), public_url=None, holder="host:1",
        )[0].authorization.id
        for owner, connection in [
            (world.owner, world.connection.id), (eve, world.connection.id), (eve, raw),
        ]
    ]  # fmt: skip
    overview = world.store.grants.overview
    assert set(overview.pending(world.connection.id)) == set(started[:2])
    assert overview.pending(raw) == started[2:]
    world.store.authorizations.finish(started[0], AuthorizationState.EXPIRED)
    assert overview.pending(world.connection.id) == [started[1]]
    assert overview.pending(uuid4()) == []


def test_everybodys_name(world, eve):
    assert world.store.owners.names() == {world.owner: "ana", eve: "eve"}
    world.store.owners.ensure("os", "1000", "anna")
    assert world.store.owners.names()[world.owner] == "anna"
    assert world.store.owners.of_kind("os")[world.owner] == "1000"
    assert world.store.owners.of_kind("file") == {}


# --- settings that were changed at run time


def test_a_changed_setting_is_kept_replaced_and_taken_back(world):
    settings = world.store.settings
    assert settings.read() == {}
    settings.write({"refresh_margin": "60", "administrator_contact": "data-team@example.com"})
    settings.write({"refresh_margin": "90"})
    kept = {"refresh_margin": "90", "administrator_contact": "data-team@example.com"}
    assert settings.read() == kept
    assert world.open().settings.read() == kept
    settings.write({"refresh_margin": None, "allow_user_clients": None})
    assert settings.read() == {"administrator_contact": "data-team@example.com"}
    settings.write({})
    assert settings.read() == {"administrator_contact": "data-team@example.com"}


# --- keys and tables


def add_key(world) -> Store:
    """The same store, opened with a second key: new values are sealed with that."""
    world.store.keys.add()
    return world.open()


def test_each_key_and_how_many_values_need_it(world):
    (only,) = world.store.key_uses()
    # its sentinel and the client secret
    assert (only.active, only.values) == (True, 2)
    assert only.id == json.loads(world.store.keys.path.read_text())["active"]
    world.sign_in()
    assert [one.values for one in world.store.key_uses()] == [5]
    again = add_key(world)
    old, new = again.key_uses()
    assert (old.id, old.active, old.values) == (only.id, False, 5)
    assert (new.active, new.values) == (True, 1)
    again.registry.add_client_secret(again.registry.client("warehouse").id, Secret("canary"))
    assert [one.values for one in again.key_uses()] == [5, 2]
    assert again.values_by_key() == {old.id: 5, new.id: 2}


def test_values_of_a_key_that_is_missing_are_counted(world):
    world.sign_in()
    with world.store.database.writing() as connection:
        sealed = b"\x01\x08deadbeef" + b"0" * 80
        connection.execute(tables.grants.update().values(refresh_sealed=sealed))
    assert world.store.values_by_key() == {world.store.keys.active: 4, "deadbeef": 1}
    assert [one.id for one in world.store.key_uses()] == [world.store.keys.active]


def test_the_revision_of_the_tables(world):
    assert world.store.revision() == tables.HEAD
