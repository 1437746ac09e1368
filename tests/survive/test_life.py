"""The life of a grant in any order of events: sign-ins, refreshes, lost answers, crashes, ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import sampled_from

from jupyter_oauthconn.demo.provider import Record
from jupyter_oauthconn.errors import InteractionRequiredError, ProviderError
from jupyter_oauthconn.model import State
from jupyter_oauthconn.service.refresh import exchange, flight

from .conftest import Timeless

HARMLESS = ("status:503", "status:500", "hangup_before", "html", "retry_after:60", "status:400")
LOSING = ("hangup_after",)


class CrashError(Exception):
    """The process ends at this place."""


def die(world: Timeless, step: str, after: bool) -> None:
    """The next refresh comes up to that step, and no further."""
    grants: Any = world.service.store.grants
    real = getattr(grants, step)

    def deadly(*args: object, **kwargs: object) -> None:
        if after:
            real(*args, **kwargs)
        raise CrashError

    setattr(grants, step, deadly)


class Life(RuleBasedStateMachine):
    """One grant of a strict provider. What the provider has done is known from its own memory."""

    world: ClassVar[Timeless]
    numbers: ClassVar[Iterator[int]] = count()
    steps: ClassVar[Counter[str]] = Counter()

    @initialize()
    def begin(self) -> None:
        self.name = f"sales{next(self.numbers)}"
        self.world.provider.reset()
        self.world.add(self.name)
        #: refresh tokens whose answers were lost on the way, so that one more request is allowed
        self.lost: set[str | None] = set()
        #: whether the newest answer is among them
        self.unsure = False
        self.world.sign_in(self.name)

    # --- events

    @rule(account=sampled_from(["analyst@example.com", "guest@example.com"]))
    def sign_in(self, account: str) -> None:
        before = self.world.grant(self.name)
        shown = self.world.sign_in(self.name, account)
        if before is not None and before.identity != account:
            assert shown.confirm
            self.world.service.sign_ins.confirm(self.world.owner, shown.id)
        after = self.world.grant(self.name)
        assert after is not None
        assert after.identity == account
        self.unsure = False

    @rule(seconds=sampled_from([5, 100, 3000, 3700, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.pass_(seconds)

    @precondition(lambda self: self.signed_in)
    @rule()
    def ask(self) -> None:
        self.try_to_ask()

    @precondition(lambda self: self.signed_in)
    @rule()
    def a_resource_rejects_the_token(self) -> None:
        grant = self.world.grant(self.name)
        assert grant is not None
        self.try_to_ask(rejected=grant.generation)

    @precondition(lambda self: self.signed_in)
    @rule(fault=sampled_from(HARMLESS + LOSING))
    def the_next_refresh_goes_wrong(self, fault: str) -> None:
        self.world.provider.faults.plan(fault)
        grant = self.world.grant(self.name)
        assert grant is not None
        self.try_to_ask(rejected=grant.generation)
        self.world.provider.faults.clear()

    @precondition(lambda self: self.signed_in)
    @rule(step=sampled_from(["claim", "mark_sent", "save"]), after=sampled_from([True, False]))
    def the_process_dies_in_a_refresh(self, step: str, after: bool) -> None:
        grant = self.world.grant(self.name)
        assert grant is not None
        die(self.world, step, after)
        self.try_to_ask(rejected=grant.generation)
        self.world.crash()
        # its lease runs out
        self.world.clock.pass_(flight.LEASE.total_seconds() + 1)

    @rule()
    def the_process_ends_and_another_begins(self) -> None:
        self.world.crash()

    @precondition(lambda self: self.signed_in)
    @rule()
    def the_provider_revokes(self) -> None:
        grant = self.world.grant(self.name)
        assert grant is not None
        self.world.provider.revoke(grant.token.value)

    @precondition(lambda self: self.signed_in)
    @rule()
    def the_person_revokes(self) -> None:
        world = self.world
        world.service.connections.revoke(world.person, world.connection(self.name), world.actor)
        assert self.world.grant(self.name) is None

    # --- what always holds

    @invariant()
    def no_refresh_token_is_presented_again(self) -> None:
        """But once, after an answer that was lost."""
        used = Counter(one.token for one in self.worked_on())
        for token, times in used.items():
            assert times <= (2 if token in self.lost else 1), (token, times)

    @invariant()
    def a_dead_grant_is_silent(self) -> None:
        if not self.signed_in or self.state is not State.REAUTH_REQUIRED:
            return
        before = len(self.world.provider.requests())
        for rejected in (None, 10_000):
            with pytest.raises(InteractionRequiredError):
                self.world.ask(self.name, rejected=rejected)
        assert len(self.world.provider.requests()) == before

    @invariant()
    def connected_means_that_there_is_a_token(self) -> None:
        """Unless the provider took the grant back and nobody could know."""
        if not self.signed_in or self.state is not State.CONNECTED:
            return
        grant = self.world.grant(self.name)
        assert grant is not None
        known = self.world.provider.tokens[grant.token.reveal()]
        if known.grant.revoked or self.unsure:
            return
        assert grant.token.issued_at is not None
        token = self.world.ask(self.name)
        self.settle()
        assert token.expires_at is not None
        assert token.expires_at > self.world.clock.now
        self.steps["token of a connected grant"] += 1

    @invariant()
    def a_grant_ends_only_when_the_provider_ends_it(self) -> None:
        """Nothing is lost: a person is asked again only over a grant that is over there too."""
        if not self.signed_in or self.state is not State.REAUTH_REQUIRED:
            return
        grant = self.world.grant(self.name)
        assert grant is not None
        assert self.world.provider.tokens[grant.token.reveal()].grant.revoked
        self.steps["dead grant"] += 1

    # --- means

    @property
    def signed_in(self) -> bool:
        return self.world.grant(self.name) is not None

    @property
    def state(self) -> State:
        return self.world.status(self.name).state

    def worked_on(self) -> list[Record]:
        return [one for one in self.world.refreshes() if one.outcome != "fault"]

    def try_to_ask(self, rejected: int | None = None) -> None:
        done, crashed = len(self.worked_on()), False
        try:
            token = self.world.ask(self.name, rejected=rejected)
            assert token.expires_at is None or token.expires_at > self.world.clock.now
            self.steps["token"] += 1
        except CrashError:
            crashed = True
            self.steps["crash"] += 1
        except (InteractionRequiredError, ProviderError) as error:
            self.steps[error.code] += 1
        self.settle()
        for one in self.worked_on()[done:]:
            self.unsure = one.outcome == "ok" and (crashed or one.fault in LOSING)
            if self.unsure:
                self.lost.add(one.token)

    def settle(self) -> None:
        """What was started behind a caller has ended."""
        for one in list(self.world.service._refresher._flights.values()):
            with suppress(InteractionRequiredError, ProviderError, CrashError):
                one.result(timeout=30)


def test_the_life_of_a_grant(
    timeless: Timeless, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    # nobody holds an answer here: whoever had one is dead
    monkeypatch.setattr(exchange, "_HOLDER_SECONDS", 0.0)
    monkeypatch.setattr(Life, "world", timeless, raising=False)
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    figure(", ".join(f"{name} {times}" for name, times in sorted(Life.steps.items())))
    assert {"token", "crash", "dead grant", "token of a connected grant"} <= Life.steps.keys()
