"""The contract of grants, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from jupyter_oauthconn.errors import UnsealError
from jupyter_oauthconn.model import (
    Attempt,
    Claim,
    GrantState,
    LastError,
    Reason,
    Secret,
)
from jupyter_oauthconn.storage import Store, tables

LEASE = timedelta(seconds=60)
OVER = timedelta(seconds=-1)


def claim(world, *, lease=LEASE, **options) -> Claim | None:
    grant = world.grant()
    return world.store.grants.claim(grant.id, generation=grant.generation, lease=lease, **options)


def claimed(world, **options) -> Claim:
    found = claim(world, **options)
    assert found is not None
    return found


def error(world) -> LastError:
    return LastError(code="provider_unavailable", message="no answer", at=world.store.now())


def taken_over(world) -> tuple[Claim, Claim]:
    """A claim whose lease ran out at once, and the one that took over."""
    return claimed(world, lease=OVER), claimed(world)


def test_what_a_sign_in_wrote_is_read_without_the_refresh_token(world):
    world.sign_in()
    grant = world.grant()
    assert grant.token.reveal() == "access-first-canary"
    assert grant.token.extra == {"instance_url": "https://first.example.com"}
    assert (grant.generation, grant.state, grant.identity) == (
        1, GrantState.ACTIVE, "analyst@example.com",
    )  # fmt: skip
    assert grant.has_refresh_token
    assert grant.token.expires_at - grant.token.issued_at == timedelta(hours=1)
    assert world.store.grants.of_owner(world.owner) == [grant]
    assert world.store.grants.read(uuid4(), world.connection.id) is None
    assert world.store.grants.read(world.owner, world.connection.id, "https://other") is None


def test_a_second_sign_in_replaces_the_first_and_ends_what_was_under_way(world):
    world.sign_in()
    before = claimed(world)
    world.store.grants.require_reauthorization(
        before.grant.id, generation=1, reason=Reason.REVOKED, error=None
    )
    again = world.sign_in("second")
    assert (again.id, again.generation) == (before.grant.id, 2)
    assert (again.state, again.reason, again.lease_until) == (GrantState.ACTIVE, None, None)
    assert not world.store.grants.save(before, world.tokens("late"))
    assert world.grant().token.reveal() == "access-second-canary"


def test_of_eight_claims_at_once_exactly_one_is_given(world):
    grant = world.sign_in()
    barrier, found = threading.Barrier(8), []

    def try_to() -> None:
        barrier.wait()
        found.append(world.store.grants.claim(grant.id, generation=1, lease=LEASE))

    threads = [threading.Thread(target=try_to) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert [one.refresh_token.reveal() for one in found if one] == ["refresh-first-canary"]


def test_a_claim_needs_the_generation_that_was_seen_and_a_refresh_token(world):
    grant = world.sign_in()
    assert world.store.grants.claim(grant.id, generation=0, lease=LEASE) is None
    world.sign_in("second", refresh=False)
    assert claim(world) is None


def test_a_refresh_is_saved_once_and_resealed_for_its_generation(world):
    world.sign_in()
    mine = claimed(world)
    assert world.store.grants.mark_sent(mine)
    assert world.store.grants.save(mine, world.tokens("new"))
    grant = world.grant()
    assert (grant.generation, grant.token.generation) == (2, 2)
    assert grant.token.reveal() == "access-new-canary"
    assert (grant.attempt, grant.lease_until, grant.failures) == (Attempt.NONE, None, 0)
    assert grant.refreshed_at is not None
    assert claimed(world).refresh_token.reveal() == "refresh-new-canary"


def test_an_answer_without_a_refresh_token_keeps_the_old_one(world):
    world.sign_in()
    assert world.store.grants.save(claimed(world), world.tokens("new", refresh=False))
    assert claimed(world).refresh_token.reveal() == "refresh-first-canary"


def test_a_save_whose_acknowledgement_was_lost_is_recognised(world):
    world.sign_in()
    mine = claimed(world)
    tokens = world.tokens("new")
    assert world.store.grants.save(mine, tokens)
    assert world.store.grants.save(mine, tokens)
    assert world.grant().generation == 2


def test_a_save_after_a_take_over_is_refused_and_its_tokens_are_kept(world):
    world.sign_in()
    late, current = taken_over(world)
    assert not world.store.grants.save(late, world.tokens("late"))
    for _ in range(2):  # an acknowledgement may be lost here too
        assert world.store.grants.keep_candidate(late, Secret("a"), Secret("refresh-late"))
    world.store.grants.release(current)
    assert world.store.grants.next_candidate(late.grant.id).refresh_token == Secret("refresh-late")
    # it came out of the row's refresh token, so that one is spent and is not presented again
    following = claimed(world)
    assert following.refresh_token == Secret("refresh-late")
    assert world.store.grants.next_candidate(late.grant.id) is None
    world.store.grants.release(following)
    assert claimed(world).refresh_token == Secret("refresh-late")


def test_a_candidate_of_an_older_refresh_waits_until_it_is_used(world):
    world.sign_in()
    late, current = taken_over(world)
    assert world.store.grants.save(current, world.tokens("new"))
    assert world.store.grants.keep_candidate(late, None, Secret("refresh-late"))
    assert claimed(world).refresh_token.reveal() == "refresh-new-canary"
    candidate = world.store.grants.next_candidate(late.grant.id)
    world.store.grants.use_candidate(candidate.id)
    assert world.store.grants.next_candidate(late.grant.id) is None


def test_candidates_of_an_earlier_sign_in_are_never_presented(world):
    world.sign_in()
    before = claimed(world)
    world.sign_in("second")
    assert world.store.grants.keep_candidate(before, None, Secret("another account's"))
    assert world.store.grants.next_candidate(before.grant.id) is None


def test_a_grant_that_was_given_up_comes_back_when_the_overtaken_answer_arrives(world):
    grant = world.sign_in()
    late, _ = taken_over(world)
    assert world.store.grants.require_reauthorization(
        grant.id, generation=1, reason=Reason.REVOKED, error=error(world)
    )
    assert world.grant().reason == Reason.REVOKED
    assert world.store.grants.keep_candidate(late, None, Secret("refresh-late"))
    assert world.grant().state is GrantState.ACTIVE
    assert claimed(world).refresh_token == Secret("refresh-late")


def test_a_late_answer_does_not_lift_an_administrators_change(world):
    world.sign_in()
    late, _ = taken_over(world)
    assert world.store.grants.invalidate_client("warehouse", Reason.CLIENT_CHANGED) == 1
    world.store.grants.keep_candidate(late, None, Secret("refresh-late"))
    assert world.grant().state is GrantState.REAUTH_REQUIRED
    assert claim(world) is None


def test_nothing_is_sent_under_a_lease_that_ran_out(world):
    world.sign_in()
    late, current = taken_over(world)
    assert not world.store.grants.mark_sent(late)
    assert world.store.grants.mark_sent(current)


def test_a_crash_after_sending_is_seen_by_whoever_takes_over_even_after_a_second_crash(world):
    world.sign_in()
    first = claimed(world)
    assert world.store.grants.mark_sent(first)
    end_lease(world)
    second = claimed(world, lease=OVER)  # dies before sending
    third = claimed(world)
    assert second.previous is third.previous is Attempt.SENT
    assert first.claimed_at <= third.previous_sent_at <= third.claimed_at
    world.store.grants.release(third)
    assert claimed(world).previous is Attempt.SENT


def end_lease(world) -> None:
    """PostgreSQL's clock cannot be set, and one that runs out by itself may do so too early."""
    with world.store.database.writing() as connection:
        connection.execute(sa.update(tables.grants).values(lease_until=world.store.now() + OVER))


def test_a_claim_that_died_before_sending_has_spent_nothing(world):
    world.sign_in()
    late, current = taken_over(world)
    assert late.previous is Attempt.NONE
    assert current.previous is Attempt.CLAIMED
    assert current.previous_sent_at is None
    world.store.grants.release(current)
    assert claimed(world).previous is Attempt.NONE


@pytest.mark.parametrize("spent_unknown", [True, False])
def test_a_failure_backs_off_and_says_whether_the_token_may_be_spent(world, spent_unknown):
    world.sign_in()
    mine = claimed(world)
    world.store.grants.mark_sent(mine)
    later = mine.claimed_at + timedelta(minutes=5)
    world.store.grants.record_failure(
        mine, error(world), not_before=later, spent_unknown=spent_unknown
    )
    grant = world.grant()
    assert (grant.failures, grant.not_before, grant.lease_until) == (1, later, None)
    assert grant.last_error.code == "provider_unavailable"
    assert claim(world) is None
    again = claimed(world, although_backing_off=True)
    assert again.previous is (Attempt.SENT if spent_unknown else Attempt.NONE)


def test_a_later_failure_does_not_hide_an_earlier_unknown_outcome(world):
    world.sign_in()
    first = claimed(world)
    world.store.grants.mark_sent(first)
    world.store.grants.record_failure(first, error(world), not_before=None, spent_unknown=True)
    second = claimed(world)
    world.store.grants.record_failure(second, error(world), not_before=None, spent_unknown=False)
    third = claimed(world)
    assert third.previous is Attempt.SENT
    assert third.previous_sent_at == second.previous_sent_at


def test_an_overtaken_holder_changes_nothing(world):
    world.sign_in()
    late, current = taken_over(world)
    world.store.grants.release(late)
    world.store.grants.record_failure(late, error(world), not_before=None, spent_unknown=True)
    assert world.grant().failures == 0
    assert world.store.grants.save(current, world.tokens("new"))


def test_permanent_failures_count_for_the_generation_that_had_them(world):
    grant = world.sign_in()
    world.store.grants.save(claimed(world), world.tokens("new"))
    assert not world.store.grants.require_reauthorization(
        grant.id, generation=1, reason=Reason.REVOKED, error=None
    )
    assert not world.store.grants.suspend(grant.id, generation=1, error=error(world))
    assert world.grant().state is GrantState.ACTIVE


def test_a_suspended_grant_rests_until_its_client_is_mended(world):
    grant = world.sign_in()
    world.store.grants.suspend(grant.id, generation=1, error=error(world))
    assert world.grant().state is GrantState.SUSPENDED
    assert claim(world) is None
    assert world.store.grants.resume_client("another") == 0
    assert world.store.grants.resume_client("warehouse") == 1
    assert claimed(world).refresh_token.reveal() == "refresh-first-canary"


def test_an_invalid_grant_keeps_what_a_refresh_under_way_brings(world):
    world.sign_in()
    mine = claimed(world)
    assert world.store.grants.invalidate_connection(world.connection.id, Reason.SCOPE_CHANGED) == 1
    assert world.store.grants.save(mine, world.tokens("new"))
    grant = world.grant()
    assert (grant.state, grant.reason) == (GrantState.REAUTH_REQUIRED, Reason.SCOPE_CHANGED)
    (taken,) = world.store.grants.take(world.connection.id, world.owner)
    assert taken.tokens.refresh_token.reveal() == "refresh-new-canary"


def test_taking_defeats_a_refresh_under_way(world):
    world.sign_in()
    mine = claimed(world)
    world.store.grants.mark_sent(mine)
    taken = world.store.grants.take(world.connection.id, world.owner)
    assert [one.tokens.refresh_token.reveal() for one in taken] == ["refresh-first-canary"]
    assert world.store.grants.take(world.connection.id, world.owner) == []
    assert not world.store.grants.save(mine, world.tokens("late"))
    assert not world.store.grants.keep_candidate(mine, None, Secret("refresh-late"))
    assert world.store.grants.read(world.owner, world.connection.id) is None


def test_taking_brings_kept_candidates_too(world):
    world.sign_in()
    late, _ = taken_over(world)
    world.store.grants.keep_candidate(late, None, Secret("refresh-late"))
    taken = world.store.grants.take(world.connection.id, world.owner)
    assert [one.tokens.refresh_token.reveal() for one in taken] == [
        "refresh-late",
        "refresh-first-canary",
    ]


def test_of_everybody_or_of_one_alone(world):
    eve = world.store.owners.ensure("os", "2000", "eve")
    world.sign_in()

    def sign_in_as_eve() -> None:
        world.store.grants.put(
            eve, world.connection.id, world.tokens("eve"),
            requested_scope="read", identity=None, subject=None,
        )  # fmt: skip

    def taken(*of: UUID) -> list[tuple[UUID, str]]:
        found = world.store.grants.take(world.connection.id, *of)
        return [(one.owner_id, one.tokens.refresh_token.reveal()) for one in found]

    sign_in_as_eve()
    assert taken(eve) == [(eve, "refresh-eve-canary")]
    assert world.grant().identity == "analyst@example.com"
    sign_in_as_eve()
    assert sorted(taken()) == sorted(
        [(world.owner, "refresh-first-canary"), (eve, "refresh-eve-canary")]
    )
    assert taken() == []


def test_use_is_noted_also_for_a_grant_that_is_gone(world):
    grant = world.sign_in()
    world.store.grants.touch(grant.id)
    world.store.grants.touch(grant.id)
    world.store.grants.take(world.connection.id, world.owner)
    world.store.grants.touch(grant.id)


def test_a_spooled_answer_is_saved_when_the_store_opens(world, home):
    world.sign_in()
    mine = claimed(world)
    world.store.grants.spool(mine, world.tokens("spooled"))
    assert [one.stat().st_mode & 0o777 for one in (home / "spool").iterdir()] == [0o600]
    other: Store = world.open()
    grant = other.grants.read(world.owner, world.connection.id)
    assert (grant.generation, grant.token.reveal()) == (2, "access-spooled-canary")
    assert list((home / "spool").iterdir()) == []
    assert other.grants.replay_spool() == 0


def test_a_spooled_answer_that_comes_too_late_becomes_a_candidate(world):
    world.sign_in()
    late, current = taken_over(world)
    world.store.grants.spool(late, world.tokens("spooled"))
    world.store.grants.save(current, world.tokens("new"))
    other: Store = world.open()
    candidate = other.grants.next_candidate(late.grant.id)
    assert candidate.refresh_token.reveal() == "refresh-spooled-canary"


def test_a_spooled_answer_moved_to_another_refresh_is_left_alone(world, home):
    world.sign_in()
    world.store.grants.spool(claimed(world), world.tokens("spooled"))
    (path,) = (home / "spool").iterdir()
    path.rename(path.with_name(str(uuid4())))
    other: Store = world.open()
    assert other.grants.read(world.owner, world.connection.id).generation == 1
    assert any("spooled answer" in note for note in other.notes)


@pytest.mark.parametrize("source", ["access_sealed", "refresh_sealed", "extra_sealed"])
def test_sec_48_a_value_of_another_row_or_column_is_refused(world, source):
    """Somebody who can write to the database cannot make one row give another's token."""
    grants = world.store.grants
    mine = world.sign_in()
    eve = world.store.owners.ensure("os", "2000", "eve")
    hers = grants.put(
        eve,
        world.connection.id,
        world.tokens("eve"),
        requested_scope="",
        identity="eve",
        subject="66",
    )
    column = tables.grants.c["extra_sealed" if source == "extra_sealed" else "access_sealed"]
    with world.store.database.writing() as connection:
        stolen = sa.select(tables.grants.c[source]).where(tables.grants.c.id == mine.id)
        value = connection.execute(stolen).scalar_one()
        connection.execute(
            sa.update(tables.grants).where(tables.grants.c.id == hers.id).values({column: value})
        )
    with pytest.raises(UnsealError, match=f"{column.name} of row {hers.id}"):
        grants.read(eve, world.connection.id)
    assert grants.read(world.owner, world.connection.id) == mine


def test_sec_48_a_value_of_another_generation_is_refused(world):
    world.sign_in()
    with world.store.database.writing() as connection:
        connection.execute(sa.update(tables.grants).values(generation=2))
    with pytest.raises(UnsealError):
        world.grant()


def test_sec_48_a_value_moved_to_another_owner_is_refused(world):
    world.sign_in()
    eve = world.store.owners.ensure("os", "2000", "eve")
    with world.store.database.writing() as connection:
        connection.execute(sa.update(tables.grants).values(owner_id=eve))
    with pytest.raises(UnsealError):
        world.store.grants.read(eve, world.connection.id)


def test_a_damaged_refresh_token_claims_nothing(world):
    world.sign_in()
    with world.store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE grants SET refresh_sealed = access_sealed")
    with pytest.raises(UnsealError):
        claim(world)
    assert world.grant().lease_until is None
