"""Sealed values, and the key ring that opens them."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from uuid import UUID

import pytest

from jupyter_oauthconn.errors import MissingKeyError, UnsealError
from jupyter_oauthconn.model import Secret
from jupyter_oauthconn.storage import KeyRing, Store, forget_sign_ins
from jupyter_oauthconn.storage.sealing import Place, Sealer, key_id_of

PLACE = Place("grants", "access_sealed", UUID(int=1), UUID(int=2), 3)
SECRET = Secret("a-canary € \U0001f511")


@pytest.fixture
def ring(tmp_path):
    return KeyRing.create(tmp_path / "keys.json")


@pytest.fixture
def sealer(ring):
    return Sealer(ring)


def test_a_value_comes_back_at_its_place_and_never_looks_the_same_twice(ring, sealer):
    one, two = sealer.seal(SECRET, PLACE), sealer.seal(SECRET, PLACE)
    assert sealer.unseal(one, PLACE) == sealer.unseal(two, PLACE) == SECRET
    assert one != two
    assert key_id_of(one) == ring.active
    # version, length, key id, salt, nonce, tag: 1 + 1 + 8 + 32 + 12 + 16
    assert len(one) == 70 + len(SECRET.reveal().encode())


@pytest.mark.parametrize(
    "change",
    [
        {"table": "grant"},
        {"table": "grantsa", "column": "ccess_sealed"},
        {"column": "refresh_sealed"},
        {"row": UUID(int=9)},
        {"owner": UUID(int=9)},
        {"row": UUID(int=2), "owner": UUID(int=1)},
        {"generation": 4},
    ],
)
def test_sec_48_no_other_place_opens_a_value(sealer, change):
    sealed = sealer.seal(SECRET, PLACE)
    with pytest.raises(UnsealError):
        sealer.unseal(sealed, dataclasses.replace(PLACE, **change))


def test_sec_48_no_changed_byte_passes(sealer):
    sealed = sealer.seal(SECRET, PLACE)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises((UnsealError, MissingKeyError)):
            sealer.unseal(changed, PLACE)


@pytest.mark.parametrize(
    "value", [b"", b"\x01", b"\x01\x08", b"plain text", b"\x01\x00" + b"0" * 60]
)
def test_what_is_no_sealed_value_is_refused(sealer, value):
    with pytest.raises((UnsealError, MissingKeyError)):
        sealer.unseal(value, PLACE)


def test_a_new_key_seals_from_now_on_and_the_old_one_still_opens(ring, sealer, tmp_path):
    before = sealer.seal(SECRET, PLACE)
    old = ring.active
    elsewhere = Sealer(KeyRing.load(tmp_path / "keys.json"))
    new = ring.add()
    after = sealer.seal(SECRET, PLACE)
    assert (key_id_of(before), key_id_of(after)) == (old, new)
    assert ring.ids == (old, new)
    assert sealer.unseal(before, PLACE) == SECRET
    # a process that runs on reads the file again when it meets the new key
    assert elsewhere.unseal(after, PLACE) == SECRET


def test_the_key_file_is_for_its_owner_and_no_repr_shows_a_key(ring, tmp_path):
    path = tmp_path / "keys.json"
    assert path.stat().st_mode & 0o777 == 0o600
    content = json.loads(path.read_text())
    shown = repr(ring) + repr(ring._keys)
    assert content["keys"][ring.active]["key"] not in shown
    assert repr(ring.key(ring.active)) not in shown
    assert set(content["keys"][ring.active]) == {"key", "created_at", "retired_at"}


def refused(home, **options) -> MissingKeyError:
    before = (home / "keys.json").read_bytes() if (home / "keys.json").exists() else None
    with pytest.raises(MissingKeyError) as caught:
        Store.open(home=home, **options)
    after = (home / "keys.json").read_bytes() if (home / "keys.json").exists() else None
    assert before == after
    assert "--forget-sign-ins" in caught.value.hint
    return caught.value


def test_sec_49_a_database_without_its_key_is_refused_by_the_keys_id(sqlite_world, home):
    key_id = sqlite_world.store.keys.active
    (home / "keys.json").unlink()
    error = refused(home)
    assert error.key_id == key_id
    assert key_id in str(error)


def test_sec_49_a_short_key_is_refused(sqlite_world, home):
    path, key_id = home / "keys.json", sqlite_world.store.keys.active
    content = json.loads(path.read_text())
    for short in ("", "c2hvcnQ=", "not base64!"):
        content["keys"][key_id]["key"] = short
        path.write_text(json.dumps(content))
        error = refused(home)
        assert error.key_id == key_id
        assert not short or short not in str(error)


def test_sec_49_another_key_under_the_same_id_is_refused(sqlite_world, home, tmp_path):
    path, key_id = home / "keys.json", sqlite_world.store.keys.active
    other = KeyRing.create(tmp_path / "other.json")
    text = (tmp_path / "other.json").read_text().replace(other.active, key_id)
    path.write_text(text)
    error = refused(home)
    assert error.key_id == key_id
    assert "not the one" in str(error)


def test_sec_49_another_ring_is_refused(sqlite_world, home):
    key_id = sqlite_world.store.keys.active
    KeyRing.create(home / "keys.json")
    assert refused(home).key_id == key_id


@pytest.mark.parametrize("text", ["", "{", "[]", '{"active": "x", "keys": {}}', '{"keys": 3}'])
def test_sec_49_a_damaged_key_file_is_refused(sqlite_world, home, text):
    (home / "keys.json").write_text(text)
    refused(home)


def test_sec_49_keys_without_a_database_are_used(tmp_path):
    (tmp_path / "home").mkdir()
    ring = KeyRing.create(tmp_path / "home" / "keys.json")
    store = Store.open(home=tmp_path / "home")
    assert store.keys.active == ring.active
    store.close()


def test_forgetting_sign_ins_keeps_clients_and_connections(world, home):
    world.sign_in()
    claim = world.store.grants.claim(world.grant().id, generation=1, lease=timedelta(minutes=1))
    world.store.grants.spool(claim, world.tokens("spooled"))
    old = world.store.keys.active
    (home / "keys.json").write_text("lost")
    url = world.store.database.url.render_as_string(hide_password=False)
    forget_sign_ins(home=home, database_url=url)
    store = world.open()
    assert store.keys.ids == (store.keys.active,)
    assert store.keys.active != old
    assert store.grants.of_owner(world.owner) == []
    client = store.registry.client("warehouse")
    assert (client.secrets, client.used_by) == ((), 1)
    assert store.registry.client_secrets(client.id) == []
    assert store.registry.connections(world.person) == [world.connection]
    assert list((home / "spool").iterdir()) == []
    assert (home / "keys.json.unreadable").read_text() == "lost"


def test_a_lost_key_among_others_is_replaced_too(sqlite_world, home):
    (home / "keys.json").unlink()
    other = KeyRing.create(home / "keys.json").active
    forget_sign_ins(home=home)
    store = sqlite_world.open()
    assert store.keys.ids[0] == other
    assert store.keys.active != other
    assert store.check_keys() == []
