"""Tokens in memory: when one is served, and when the service is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jupyter_oauthconn.kernel.current import TokenCache
from jupyter_oauthconn.model import AccessToken, Secret

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = "sales"


class Clock:
    def __init__(self) -> None:
        self.now = START.timestamp()

    def __call__(self) -> float:
        return self.now

    def at(self, seconds: float) -> None:
        self.now = START.timestamp() + seconds


def token(
    life: float | None = 3600, refresh: float | None = 3300, **changes: object
) -> AccessToken:
    return AccessToken(
        value=Secret("x"),
        generation=1,
        issued_at=START,
        expires_at=None if life is None else START + timedelta(seconds=life),
        refresh_at=None if refresh is None else START + timedelta(seconds=refresh),
        **changes,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> TokenCache:
    return TokenCache(clock=clock)


def test_a_fresh_token_is_the_same_object(cache: TokenCache) -> None:
    kept = token()
    cache.keep(KEY, kept)
    assert cache.fresh(KEY) is kept
    assert cache.fresh("other") is None


def test_asked_again_from_refresh_at_on_within_the_jitter(cache: TokenCache, clock: Clock) -> None:
    cache.keep(KEY, token(refresh=3000))
    clock.at(2999)
    assert cache.fresh(KEY) is not None
    clock.at(3010.1)
    assert cache.fresh(KEY) is None


def test_kernels_ask_at_different_moments(clock: Clock) -> None:
    moments = set()
    for _ in range(20):
        cache = TokenCache(clock=clock)
        cache.keep(KEY, token(refresh=3000))
        moments.add(cache._kept[KEY].ask_at)
    assert len(moments) > 10
    assert all(0 <= moment - START.timestamp() - 3000 <= 10 for moment in moments)


def test_min_validity_is_clamped_to_a_fifth_of_the_life_unless_exact(
    cache: TokenCache, clock: Clock
) -> None:
    cache.keep(KEY, token(life=100, refresh=None))
    clock.at(79)
    assert cache.fresh(KEY, 60) is not None
    assert cache.fresh(KEY, 60, exact=True) is None
    clock.at(81)
    assert cache.fresh(KEY, 60) is None
    assert cache.fresh(KEY, 5) is not None


def test_unknown_expiry_serves_until_it_is_forgotten(cache: TokenCache, clock: Clock) -> None:
    cache.keep(KEY, token(life=None, refresh=None))
    clock.at(10**9)
    assert cache.fresh(KEY, 60) is not None
    cache.forget("sales")
    assert cache.fresh(KEY) is None


def test_without_issue_time_the_asked_validity_holds(cache: TokenCache, clock: Clock) -> None:
    kept = AccessToken(value=Secret("x"), generation=1, expires_at=START + timedelta(seconds=100))
    cache.keep(KEY, kept)
    clock.at(30)
    assert cache.fresh(KEY, 60) is kept
    clock.at(41)
    assert cache.fresh(KEY, 60) is None


def test_agrees_with_the_model(cache: TokenCache, clock: Clock) -> None:
    """The hot path repeats `AccessToken.valid_for` in floats; both must say the same."""
    for life in (10, 100, 3600):
        kept = token(life=life, refresh=None)
        cache.keep(KEY, kept)
        for passed in (0, 1, life * 0.5, life * 0.79, life * 0.81, life - 1, life, life + 1):
            clock.at(passed)
            now = START + timedelta(seconds=passed)
            for validity in (0, 5, 60):
                for exact in (False, True):
                    expected = kept.valid_for(timedelta(seconds=validity), now=now, exact=exact)
                    assert (cache.fresh(KEY, validity, exact) is not None) is expected


def test_forgetting_one_leaves_the_others(cache: TokenCache) -> None:
    cache.keep(KEY, token())
    cache.keep("sales2", token())
    cache.forget("sales")
    assert cache.fresh(KEY) is None
    assert cache.fresh("sales2") is not None
