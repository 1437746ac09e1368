"""The contract of sign-ins, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest

from jupyter_oauthconn.errors import (
    AuthorizationExpiredError,
    AuthorizationFailedError,
    CallbackMismatchError,
)
from jupyter_oauthconn.model import (
    AuthorizationState,
    Flow,
    LastError,
    PendingAuthorization,
    Secret,
)

MINUTES = timedelta(minutes=10)
STATE, BROWSER = b"state-hash", b"browser-hash"


def start(world, *, lifetime=MINUTES, holder="host:1"):
    return world.store.authorizations.start(
        world.owner,
        world.connection.id,
        flow=Flow.CALLBACK,
        lifetime=lifetime,
        public_url="http://localhost:8888/oauthconn/connect/sales",
        holder=holder,
    )


def press(world, id, *, state=STATE, browser=BROWSER) -> bool:
    pending = PendingAuthorization(
        id=id,
        owner_id=world.owner,
        connection_id=world.connection.id,
        client_id=world.store.registry.client("warehouse").id,
        redirect_uri="http://localhost:8888/oauthconn/callback/warehouse",
        issuer="https://as.example.com",
        token_endpoint="https://as.example.com/token",
        requested_scope="read",
        code_verifier=Secret("verifier-canary"),
        nonce=Secret("nonce-canary"),
        iss_required=True,
    )
    return world.store.authorizations.press(id, pending, state_hash=state, browser_hash=browser)


def test_a_second_start_joins_the_pending_one(world):
    row, started = start(world)
    joined, again = start(world, holder="host:2")
    assert (started, again) == (True, False)
    assert joined == row
    assert row.authorization.path == "connect/sales"
    assert row.browser_hash is None
    assert (row.client, row.holder, row.owner_id) == ("warehouse", "host:1", world.owner)
    assert world.store.authorizations.read(world.owner, row.authorization.id) == row
    assert world.store.authorizations.read(uuid4(), row.authorization.id) is None
    assert world.store.authorizations.pending(world.owner, world.connection.id) == row


def test_of_eight_starts_at_once_one_starts(world):
    barrier, found = threading.Barrier(8), []

    def try_to() -> None:
        barrier.wait()
        found.append(start(world))

    threads = [threading.Thread(target=try_to) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(started for _, started in found) == 1
    assert len({row.authorization.id for row, _ in found}) == 1
    assert len(found) == 8


def test_an_expired_one_is_seen_as_such_and_replaced(world):
    row, _ = start(world, lifetime=timedelta(seconds=-1))
    id = row.authorization.id
    assert row.authorization.state is AuthorizationState.EXPIRED
    assert world.store.authorizations.pending(world.owner, world.connection.id) is None
    assert not press(world, id)
    again, started = start(world)
    assert started
    assert again.authorization.id != id
    found = world.store.authorizations.read(world.owner, id)
    assert found.authorization.state is AuthorizationState.EXPIRED


def test_one_whose_holder_is_gone_is_replaced(world):
    row, _ = start(world)
    id, now = row.authorization.id, world.store.now()
    world.store.authorizations.hold(id, now + timedelta(minutes=1))
    assert start(world)[0].held_until == now + timedelta(minutes=1)
    world.store.authorizations.hold(id, now - timedelta(seconds=1))
    again, started = start(world)
    assert started
    assert again.authorization.id != id


def test_a_state_is_used_once_by_the_browser_that_pressed(world):
    row, _ = start(world)
    authorizations = world.store.authorizations
    assert press(world, row.authorization.id)
    with pytest.raises(CallbackMismatchError, match="another browser"):
        authorizations.consume(world.owner, STATE, b"another")
    with pytest.raises(CallbackMismatchError, match="no sign-in"):
        authorizations.consume(world.owner, b"unknown", BROWSER)
    with pytest.raises(CallbackMismatchError, match="no sign-in"):
        authorizations.consume(uuid4(), STATE, BROWSER)
    pending = authorizations.consume(world.owner, STATE, BROWSER)
    assert authorizations.read(world.owner, pending.id).browser_hash == BROWSER
    assert pending.code_verifier == Secret("verifier-canary")
    assert pending.nonce == Secret("nonce-canary")
    assert (pending.token_endpoint, pending.iss_required) == ("https://as.example.com/token", True)
    assert pending.owner_id == world.owner
    with pytest.raises(AuthorizationExpiredError, match="used before"):
        authorizations.consume(world.owner, STATE, BROWSER)


def test_sec_03_of_twenty_callbacks_at_once_one_is_given_the_verifier(world):
    row, _ = start(world)
    press(world, row.authorization.id)
    barrier, given, refused = threading.Barrier(20), [], []

    def come_back() -> None:
        barrier.wait()
        try:
            given.append(world.store.authorizations.consume(world.owner, STATE, BROWSER))
        except AuthorizationFailedError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=come_back) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(given), refused) == (1, ["authorization_expired"] * 19)


def test_pressing_again_replaces_the_state(world):
    id = start(world)[0].authorization.id
    press(world, id)
    assert press(world, id, state=b"newer", browser=b"other")
    with pytest.raises(CallbackMismatchError):
        world.store.authorizations.consume(world.owner, STATE, BROWSER)
    assert world.store.authorizations.consume(world.owner, b"newer", b"other").id == id


def test_a_state_ends_with_its_sign_in(world):
    row, _ = start(world)
    press(world, row.authorization.id)
    assert world.store.authorizations.finish(row.authorization.id, AuthorizationState.REFUSED)
    with pytest.raises(AuthorizationExpiredError, match="given up"):
        world.store.authorizations.consume(world.owner, STATE, BROWSER)
    assert not press(world, row.authorization.id)


def test_the_end_is_written_once(world):
    row, _ = start(world)
    id = row.authorization.id
    authorizations = world.store.authorizations
    error = LastError(code="access_denied", message="The person refused.", at=world.store.now())
    assert authorizations.finish(id, AuthorizationState.REFUSED, error=error)
    assert not authorizations.finish(id, AuthorizationState.DONE, identity="ana")
    found = authorizations.read(world.owner, id).authorization
    assert (found.state, found.error, found.identity) == (
        AuthorizationState.REFUSED,
        error,
        None,
    )
    assert authorizations.pending(world.owner, world.connection.id) is None


def test_another_accounts_tokens_wait_for_the_persons_word(world):
    row, _ = start(world)
    id = row.authorization.id
    authorizations = world.store.authorizations
    assert authorizations.release_tokens(id) is None
    tokens = world.tokens("guest")
    authorizations.hold_tokens(
        id, tokens, identity="guest@example.com", subject="7", requested_scope="read"
    )
    shown = authorizations.read(world.owner, id).authorization
    assert (shown.confirm, shown.identity) == (True, "guest@example.com")
    held = authorizations.release_tokens(id)
    assert (held.tokens, held.subject, held.requested_scope) == (tokens, "7", "read")
    assert authorizations.release_tokens(id) is None


def test_an_end_forgets_held_tokens(world):
    row, _ = start(world)
    id = row.authorization.id
    world.store.authorizations.hold_tokens(
        id, world.tokens("guest"), identity=None, subject=None, requested_scope=""
    )
    world.store.authorizations.finish(id, AuthorizationState.REFUSED)
    assert world.store.authorizations.release_tokens(id) is None
    assert not world.store.authorizations.read(world.owner, id).authorization.confirm


def test_long_ended_sign_ins_are_forgotten(world):
    row, _ = start(world, lifetime=timedelta(days=-2))
    start(world)
    assert world.store.authorizations.read(world.owner, row.authorization.id) is None
