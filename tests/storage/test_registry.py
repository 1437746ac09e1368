"""Owners, OAuth clients, connections and the journal, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from jupyter_oauthconn.errors import (
    ConflictError,
    InUseError,
    UnknownClientError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import (
    ALL_EVENTS,
    AuthMethod,
    ClientDraft,
    ConnectionDraft,
    Endpoints,
    Event,
    EventFilter,
    Owner,
    Secret,
)

DRAFT = ClientDraft(
    name="lake",
    title="Lake",
    description="Where the raw files are.",
    provider="generic",
    client_id="xyz",
    auth_method=AuthMethod.NONE,
    parameters={"host": "lake.example.com"},
    issuer="https://lake.example.com",
    endpoints=Endpoints(token="https://lake.example.com/token"),
    scope="read",
    authorization_parameters={"audience": "lake"},
    access_token_lifetime=timedelta(hours=1),
    refresh_token_lifetime=timedelta(days=90),
    inactivity=timedelta(days=30),
    redirect_uris=("http://localhost:8888/oauthconn/callback/lake",),
    loopback_port="any",
    allowed_users=("ana",),
    allowed_groups=("analysts", "admins"),
)


def test_an_owner_keeps_the_id_when_the_name_changes(world):
    owners = world.store.owners
    assert owners.ensure("os", "1000", "ana") == world.owner
    assert owners.ensure("os", "1000", "anna") == world.owner
    assert owners.ensure("hub", "1000", "ana") != world.owner


def test_a_client_comes_back_as_it_was_given(world):
    client = world.store.registry.add_client(DRAFT, actor="root")
    assert client == world.store.registry.client("lake")
    for name in DRAFT.__dataclass_fields__:
        if name not in {"client_secret", "secret_reference", "secret_ends_at"}:
            assert getattr(client, name) == getattr(DRAFT, name), name
    assert (client.version, client.enabled, client.used_by) == (1, True, 0)
    assert (client.managed_by, client.updated_by) == ("database", "root")
    assert (client.owner_id, client.owner) == (None, None)
    assert [one.name for one in world.store.registry.clients()] == ["lake", "warehouse"]
    assert world.store.registry.client("another") is None


def test_whose_a_client_is_and_which_file_has_it(world):
    registry = world.store.registry
    mine = registry.add_client(
        replace(DRAFT, name="mine"), actor="ana", owner_id=world.owner, managed_by="/etc/c.toml"
    )
    assert (mine.owner_id, mine.owner, mine.managed_by) == (world.owner, "ana", "/etc/c.toml")
    registry.add_client(DRAFT, actor="root")
    registry.update_client("lake", {"enabled": False}, version=None, actor="root")
    assert registry.client_access("lake") == (False, None, ("ana",), ("analysts", "admins"))
    assert registry.client_access("mine").owner_id == world.owner
    assert registry.client_access("gone") is None


def test_a_stale_removal_of_a_client_is_refused(world):
    registry = world.store.registry
    registry.add_client(DRAFT, actor="root")
    registry.update_client("lake", {"scope": "write"}, version=1, actor="eva")
    with pytest.raises(ConflictError):
        registry.remove_client("lake", version=1)
    assert registry.client("lake").version == 2
    registry.remove_client("lake", version=2)
    assert registry.client("lake") is None


def test_a_client_name_is_given_once(world):
    world.store.registry.add_client(DRAFT, actor="root")
    with pytest.raises(ConflictError, match="lake"):
        world.store.registry.add_client(DRAFT, actor="root")


def test_an_edit_counts_the_version_and_a_stale_one_is_refused(world):
    registry = world.store.registry
    registry.add_client(DRAFT, actor="root")
    changes = {"endpoints": Endpoints(token="https://other.example.com"), "enabled": False}
    after = registry.update_client("lake", changes, version=1, actor="eva")
    assert (after.version, after.enabled, after.updated_by) == (2, False, "eva")
    assert after.endpoints == changes["endpoints"]
    with pytest.raises(ConflictError):
        registry.update_client("lake", {"scope": "write"}, version=1, actor="eva")
    assert registry.update_client("lake", {"scope": "write"}, version=None, actor="").version == 3
    with pytest.raises(UnknownClientError):
        registry.update_client("gone", {"scope": ""}, version=None, actor="eva")


def test_the_newest_secret_comes_first_and_its_value_is_not_in_the_client(world):
    registry = world.store.registry
    client = registry.client("warehouse")
    world.clock.pass_(timedelta(days=1))
    second = registry.add_client_secret(client.id, Secret("newer"), reference="env:SECRET")
    assert registry.client_secrets(client.id) == [Secret("newer"), Secret("client-secret-canary")]
    infos = registry.client("warehouse").secrets
    assert (len(infos), infos[0]) == (2, second)
    registry.remove_client_secret(second.id)
    assert registry.client_secrets(client.id) == [Secret("client-secret-canary")]
    assert registry.client_secrets(uuid4()) == []


def test_a_secret_that_has_ended_is_told_but_not_used(world):
    registry = world.store.registry
    client = registry.client("warehouse")
    now = world.store.now()
    world.clock.pass_(timedelta(minutes=1))
    ended = registry.add_client_secret(
        client.id, Secret("ended"), ends_at=now - timedelta(seconds=1)
    )
    world.clock.pass_(timedelta(minutes=1))
    ending = registry.add_client_secret(
        client.id, Secret("ending"), ends_at=now + timedelta(hours=1)
    )
    assert registry.client_secrets(client.id) == [Secret("ending"), Secret("client-secret-canary")]
    assert registry.client("warehouse").secrets[:2] == (ending, ended)
    assert ended.ends_at == now - timedelta(seconds=1)


def test_a_client_in_use_stays(world):
    registry = world.store.registry
    assert registry.client("warehouse").used_by == 1
    with pytest.raises(InUseError) as caught:
        registry.remove_client("warehouse")
    assert caught.value.used_by == ("sales",)
    registry.remove_connection(world.owner, "sales")
    registry.remove_client("warehouse")
    assert registry.clients() == []


def test_connections_belong_to_their_owner(world):
    registry = world.store.registry
    eve = Owner(id=world.store.owners.ensure("os", "2000", "eve"), name="eve")
    hers = registry.add_connection(
        eve.id,
        ConnectionDraft(
            name="sales",
            client="warehouse",
            parameters={"role": "R"},
            scope="read",
            connector="http",
            login_hint="eve@example.com",
        ),
        provider="generic",
    )
    assert hers.parameters == {"role": "R"}
    assert (hers.client, hers.provider) == ("warehouse", "generic")
    assert (hers.login_hint, hers.owner, hers.mine) == ("eve@example.com", "eve", True)
    assert registry.connections(world.person) == [world.connection]
    assert registry.connection(eve, "sales") == hers
    assert registry.connection(eve, "stock") is None
    assert registry.connection_of_id(hers.id) == hers
    assert registry.connection_of_id(uuid4()) is None
    assert registry.all_connections() == [world.connection, hers]
    assert registry.connections_of_client("warehouse") == [world.connection, hers]


@pytest.mark.parametrize(
    ("users", "groups", "sees"),
    [
        (("eve",), (), True),
        ((), ("analysts",), True),
        (("*",), (), True),
        (("ana",), ("admins",), False),
        ((), (), False),
        # a group of that name is not everybody
        ((), ("*",), False),
    ],
)
def test_a_shared_definition_is_seen_by_those_it_names(world, users, groups, sees):
    registry = world.store.registry
    eve = Owner(
        id=world.store.owners.ensure("os", "2000", "eve"),
        name="eve",
        groups=frozenset({"analysts"}),
    )
    changes = {"shared_users": users, "shared_groups": groups}
    shared = registry.update_connection(world.owner, "sales", changes, version=1)
    assert (shared.shared_users, shared.shared_groups, shared.mine) == (users, groups, True)
    seen = [replace(shared, mine=False, shared_users=(), shared_groups=())] if sees else []
    assert registry.connections(eve) == seen
    assert registry.connection(eve, "sales") == (seen[0] if seen else None)
    assert registry.shared_connections("sales") == ([shared] if users or groups else [])


def test_ones_own_connection_hides_a_shared_one(world):
    registry = world.store.registry
    eve = Owner(id=world.store.owners.ensure("os", "2000", "eve"), name="eve")
    registry.update_connection(world.owner, "sales", {"shared_users": ("*",)}, version=None)
    draft = ConnectionDraft(name="sales", client="warehouse")
    hers = registry.add_connection(eve.id, draft, provider="generic")
    assert registry.connection(eve, "sales") == hers
    assert [(one.owner, one.mine) for one in registry.connections(eve)] == [
        ("eve", True),
        ("ana", False),
    ]


def test_a_connection_needs_a_name_of_its_own_and_a_client_that_fits(world):
    registry = world.store.registry
    draft = ConnectionDraft(name="sales", client="warehouse")
    with pytest.raises(ConflictError, match="sales"):
        registry.add_connection(world.owner, draft, provider="generic")
    with pytest.raises(UnknownClientError):
        registry.add_connection(
            world.owner, ConnectionDraft(name="x", client="gone"), provider="generic"
        )
    with pytest.raises(UnknownClientError):
        # the client was replaced by another provider's after the parameters were checked
        registry.add_connection(
            world.owner, ConnectionDraft(name="x", client="warehouse"), provider="other"
        )


def test_an_edit_of_a_connection_counts_and_can_change_its_client(world):
    registry = world.store.registry
    registry.add_client(DRAFT, actor="root")
    after = registry.update_connection(
        world.owner, "sales", {"client": "lake", "parameters": {"role": "S"}}, version=1
    )
    assert (after.version, after.client, after.parameters) == (2, "lake", {"role": "S"})
    with pytest.raises(ConflictError):
        registry.update_connection(world.owner, "sales", {"scope": ""}, version=1)
    with pytest.raises(UnknownConnectionError):
        registry.update_connection(world.owner, "stock", {"scope": ""}, version=None)


def test_removing_a_connection_removes_its_grant(world):
    world.sign_in()
    world.store.registry.remove_connection(world.owner, "sales")
    assert world.store.grants.of_owner(world.owner) == []


def test_events_come_newest_first_and_can_be_pruned(world):
    journal = world.store.journal
    journal.add(Event(kind="connected", owner="ana", connection="sales"))
    journal.add(Event(kind="refreshed", owner="eve", origin={"kernel": "k1"}, request_id="r"))
    assert [one.kind for one in journal.events(ALL_EVENTS, 10)] == ["refreshed", "connected"]
    assert journal.kinds() == ["connected", "refreshed"]
    (mine,) = journal.events(ALL_EVENTS, 10, owners=["ana"])
    assert journal.events(ALL_EVENTS, 10, owners=[]) == []
    assert (mine.connection, mine.outcome) == ("sales", "ok")
    assert abs(mine.at - world.store.now()) < timedelta(minutes=1)
    assert journal.events(ALL_EVENTS, 1)[0].origin == {"kernel": "k1"}
    assert journal.prune(mine.at) == 0
    assert journal.prune(world.store.now() + timedelta(minutes=1)) == 2


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (ALL_EVENTS, [3, 2, 1]),
        (EventFilter(kind="connected"), [3, 1]),
        (EventFilter(outcome="access_denied"), [3]),
        (EventFilter(client="lake"), [2]),
        (EventFilter(connection="sales"), [3, 1]),
        (EventFilter(kind="connected", outcome="ok"), [1]),
        (EventFilter(kind="nothing"), []),
    ],
)
def test_a_filter_of_events(world, wanted, numbers):
    journal = world.store.journal
    journal.add(Event(kind="connected", connection="sales", request_id="1"))
    journal.add(Event(kind="client_edited", client="lake", request_id="2"))
    journal.add(
        Event(kind="connected", outcome="access_denied", connection="sales", request_id="3")
    )
    found = journal.events(wanted, 10)
    assert [int(one.request_id) for one in found] == numbers
    older = [journal.events(replace(wanted, before=one.id), 10) for one in found]
    assert older == [found[place + 1 :] for place in range(len(found))]
