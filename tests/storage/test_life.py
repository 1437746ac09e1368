"""The life of a grant against the strictest provider, step by step, as hypothesis finds them.

The provider spends a refresh token at its first use and ends the whole grant at a second one.
Processes refresh through one store; each may be overtaken, crash, or lose its answer.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jupyter_oauthconn.model import Attempt, Claim, GrantState, NewTokens, Reason, Secret
from jupyter_oauthconn.storage import Store, tables
from jupyter_oauthconn.storage.sealing import Place
from tests.storage.conftest import Clock, World, build_world

LEASE = timedelta(seconds=60)
#: Which of those that could take the step does.
which = st.integers(0, 3)


def unsent(machine: LifeOfAGrant) -> list[Process]:
    return [one for one in machine.processes if not one.sent]


def answered(machine: LifeOfAGrant) -> list[Process]:
    return [one for one in machine.processes if one.answer is not None]


def when(those: Callable[[LifeOfAGrant], list[Process]]):
    """The rule runs only when a process could take the step."""
    return precondition(lambda machine: bool(those(machine)))


def one_of(those: list[Process], which: int) -> Process:
    return those[which % len(those)]


def can_claim(machine: LifeOfAGrant) -> bool:
    grant = machine.read()
    return grant is not None and grant.state is GrantState.ACTIVE and len(machine.processes) < 4


@dataclass
class Provider:
    """What the authorization server knows of one grant."""

    numbers: itertools.count = field(default_factory=itertools.count)
    spent: set[str] = field(default_factory=set)

    def sign_in(self) -> str:
        return f"refresh-{next(self.numbers)}"

    def refresh(self, token: str) -> str | None:
        if token in self.spent:
            return None
        self.spent.add(token)
        return f"refresh-{next(self.numbers)}"


@dataclass(eq=False)
class Process:
    """One refresh under way, and the answer that it has in hand."""

    claim: Claim
    sent: bool = False
    answer: str | None = None


class LifeOfAGrant(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        home = self.folder / "home"
        self.world = build_world(lambda: Store.open(home=home, clock=self.clock), self.clock)
        # what a power cut would do is another test's matter
        engine = self.world.store.database._engine
        engine.dispose()
        sa.event.listen(engine, "connect", lambda one, _: one.execute("PRAGMA synchronous = OFF"))
        self.grants = self.world.store.grants
        self.provider = Provider()
        self.processes: list[Process] = []
        # refresh tokens of the present sign-in that the store was given
        self.given: set[str] = set()
        # those that came out of the row's own refresh token, since the last claim
        self.better: set[str] = set()

    def teardown(self) -> None:
        self.world.store.close()
        shutil.rmtree(self.folder)

    def read(self):
        return self.grants.read(self.world.owner, self.world.connection.id)

    def tokens(self, refresh: str) -> NewTokens:
        now = self.clock()
        return NewTokens(
            access_token=Secret(f"access of {refresh}"),
            refresh_token=Secret(refresh),
            token_type="Bearer",
            issued_at=now,
            expires_at=now + timedelta(hours=1),
            refresh_at=now,
            refresh_expires_at=None,
            scope="",
        )

    @initialize()
    def first_sign_in(self) -> None:
        self.sign_in()

    @rule(again=st.booleans())
    def revoke(self, again: bool) -> None:
        """The grant is revoked, or another sign-in replaces it."""
        if again:
            self.sign_in()
            return
        taken = {
            one.tokens.refresh_token.reveal()
            for one in self.grants.take(self.world.connection.id, self.world.owner)
        }
        assert self.given - self.provider.spent <= taken, "all that may live is revoked"
        self.given = set()
        assert self.read() is None

    @precondition(lambda self: self.read() is None)
    @rule()
    def sign_in(self) -> None:
        refresh = self.provider.sign_in()
        self.grants.put(
            self.world.owner,
            self.world.connection.id,
            self.tokens(refresh),
            requested_scope="",
            identity=None,
            subject=None,
        )
        self.given, self.better = {refresh}, set()

    @precondition(can_claim)
    @rule()
    def claim(self) -> None:
        grant = self.read()
        claim = self.grants.claim(grant.id, generation=grant.generation, lease=LEASE)
        if claim is None:
            alive = grant.lease_until is not None and grant.lease_until > self.clock()
            assert alive or grant.state is not GrantState.ACTIVE
            return
        assert grant.state is GrantState.ACTIVE, "dead, so silent"
        assert not any(
            one.claim.grant.id == grant.id
            and one.claim.grant.generation == grant.generation
            and one.claim.lease_until > self.clock()
            for one in self.processes
        ), "at most one refresh is under way"
        token = claim.refresh_token.reveal()
        if token in self.provider.spent:
            assert claim.previous is Attempt.SENT, "handed out again only with a warning"
            assert self.better == set(), "and only when nothing better was kept"
        self.better = set()
        self.processes.append(Process(claim))

    @precondition(can_claim)
    @rule()
    def take_over(self) -> None:
        self.clock.pass_(LEASE + timedelta(seconds=1))
        self.claim()

    @when(unsent)
    @rule(which=which)
    def send(self, which: int) -> None:
        self.present(one_of(unsent(self), which))

    def present(self, mine: Process) -> None:
        if not self.grants.mark_sent(mine.claim):
            self.processes.remove(mine)
            return
        mine.sent = True
        token = mine.claim.refresh_token.reveal()
        mine.answer = self.provider.refresh(token)
        if mine.answer is None:
            self.invalid_grant(mine)

    def invalid_grant(self, mine: Process) -> None:
        while (candidate := self.grants.next_candidate(mine.claim.grant.id)) is not None:
            self.grants.use_candidate(candidate.id)
            self.better.discard(candidate.refresh_token.reveal())
            token = candidate.refresh_token.reveal()
            assert token not in self.provider.spent, "a candidate was never presented"
            assert token in self.given, "a candidate is of the present sign-in"
            mine.answer = self.provider.refresh(token)
            return
        grant = self.read()
        if grant is not None and grant.id == mine.claim.grant.id:
            self.grants.require_reauthorization(
                grant.id,
                generation=mine.claim.grant.generation,
                reason=Reason.REVOKED,
                error=None,
            )
        self.processes.remove(mine)

    @when(unsent)
    @rule(which=which, acknowledged=st.booleans())
    def send_and_save(self, which: int, acknowledged: bool) -> None:
        mine = one_of(unsent(self), which)
        self.present(mine)
        if mine.answer is not None:
            self.store(mine, acknowledged)

    @when(answered)
    @rule(which=which, acknowledged=st.booleans())
    def save(self, which: int, acknowledged: bool) -> None:
        self.store(one_of(answered(self), which), acknowledged)

    def store(self, mine: Process, acknowledged: bool) -> None:
        before = self.read()
        saved = self.grants.save(mine.claim, self.tokens(mine.answer))
        if saved and not acknowledged:
            assert self.grants.save(mine.claim, self.tokens(mine.answer))
        after = self.read()
        if saved:
            assert after.generation == before.generation + 1
            assert after.token.reveal() == f"access of {mine.answer}"
            self.given.add(mine.answer)
            self.better = set()
        else:
            assert after == before, "who was overtaken changes nothing"
            kept = self.grants.keep_candidate(mine.claim, None, Secret(mine.answer))
            if kept and after.generation == mine.claim.grant.generation:
                self.better.add(mine.answer)
            assert kept is (after is not None and after.id == mine.claim.grant.id)
            if kept and self.is_of_present_sign_in(mine.claim):
                self.given.add(mine.answer)
        self.processes.remove(mine)

    def is_of_present_sign_in(self, claim: Claim) -> bool:
        query = sa.select(tables.grants.c.sign_in_generation)
        with self.world.store.database.reading() as connection:
            return connection.execute(query).scalar_one() <= claim.grant.generation

    @precondition(lambda self: self.processes)
    @rule(which=which, orderly=st.booleans())
    def leave(self, which: int, orderly: bool) -> None:
        """A process crashes, or gives a lease back that it has not used."""
        mine = one_of(self.processes, which)
        if orderly and not mine.sent:
            self.grants.release(mine.claim)
        self.processes.remove(mine)

    @when(answered)
    @rule(which=which)
    def spool(self, which: int) -> None:
        """The process ends with its answer in the spool; the store is opened again."""
        mine = one_of(answered(self), which)
        self.grants.spool(mine.claim, self.tokens(mine.answer))
        self.grants.replay_spool()
        now = self.read()
        same = now is not None and now.id == mine.claim.grant.id
        if same and self.is_of_present_sign_in(mine.claim):
            self.given.add(mine.answer)
        self.processes.remove(mine)

    @rule(seconds=st.sampled_from([1, 61, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_(timedelta(seconds=seconds))

    @invariant()
    def the_newest_unspent_refresh_token_is_within_reach(self) -> None:
        assert self.given - self.provider.spent <= self.stored()

    def stored(self) -> set[str]:
        """Every refresh token that the store would present one day."""
        sealer = self.world.store.sealer
        with self.world.store.database.reading() as connection:
            rows = connection.execute(sa.select(tables.grants)).all()
            candidates = connection.execute(
                sa.select(tables.refresh_candidates).where(
                    tables.refresh_candidates.c.used_at.is_(None)
                )
            ).all()
        found = set()
        for row in rows:
            place = Place("grants", "refresh_sealed", row.id, row.owner_id, row.generation)
            found.add(sealer.unseal(row.refresh_sealed, place).reveal())
        for one in candidates:
            place = Place(
                "refresh_candidates", "refresh_sealed", one.id, self.world.owner, one.generation
            )
            found.add(sealer.unseal(one.refresh_sealed, place).reveal())
        return found


LifeOfAGrant.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
test_the_life_of_a_grant = LifeOfAGrant.TestCase
