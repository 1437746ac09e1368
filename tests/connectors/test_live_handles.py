"""Live handles on real stores: a good token, and every way in which one goes bad."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from issuer import OTHER_USER, IssuedTokens, Issuer
from leaks import told
from live import LIVE, NUMBERS, Live, close

from jupyter_oauthconn.errors import OAuthConnError, ReauthorizationRequiredError

every_handle = pytest.mark.parametrize("live", LIVE.values(), ids=LIVE)


@pytest.fixture
def store(live: Live, request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(live.store)


@pytest.fixture
def tokens(live: Live, make_tokens: Callable[..., IssuedTokens]) -> IssuedTokens:
    """For five minutes each."""
    return make_tokens(opaque=live.opaque)


@pytest.fixture
def hold(live: Live, store: Any, tokens: IssuedTokens) -> Iterator[Callable[..., Any]]:
    """Opens the handle; it is closed after the test."""
    with ExitStack() as ends:

        def opened(source: IssuedTokens = tokens, **options: Any) -> Any:
            handle = live.open(store, source, **options)
            ends.callback(close, handle)
            return handle

        yield opened


def leaked(error: BaseException, tokens: IssuedTokens) -> list[str]:
    """The issued tokens that an error shows with its causes and all their frames' locals."""
    text = told(error)
    return [one for one in tokens.issued if one in text]


def tried(issuer: Issuer, tokens: IssuedTokens) -> int:
    """How often a store has asked about these tokens: no list of them in a test's frame."""
    return sum(one in tokens.issued for one in issuer.asked)


@every_handle
def test_it_reads_and_asks_for_one_token(
    live: Live, store: Any, tokens: IssuedTokens, hold: Callable[..., Any]
) -> None:
    handle = hold()
    assert live.read(handle, store) == NUMBERS
    assert live.read(handle, store) == NUMBERS
    assert tokens.generation == 1
    assert tokens.issued[0] not in repr(handle)


@every_handle
def test_a_refused_token_is_renewed_once_and_tried_once_more(
    live: Live, store: Any, tokens: IssuedTokens, issuer: Issuer, hold: Callable[..., Any]
) -> None:
    """It looks fresh here; the store knows better: it has expired."""
    tokens.spoil(lifetime=-60)
    if not live.renews_refused:
        with pytest.raises(Exception, match=live.refusal) as caught:
            live.read(hold(), store)
        assert leaked(caught.value, tokens) == []
        return
    handle = hold()
    assert live.read(handle, store) == NUMBERS
    assert (tokens.generation, tokens.forced) == (2, 1)
    if live.asks_issuer:
        assert issuer.asked.count(tokens.issued[0]) == 1


@every_handle
def test_a_revoked_token_is_renewed_where_the_store_sees_it(
    live: Live, store: Any, tokens: IssuedTokens, hold: Callable[..., Any]
) -> None:
    handle = hold()
    assert live.read(handle, store) == NUMBERS
    tokens.revoke()
    if not live.renews_refused:
        handle.renew(rejected=True)
    time.sleep(live.remembers * 2.5)
    assert live.read(handle, store) == NUMBERS
    assert tokens.forced == (1 if live.asks_issuer and not live.keeps_session else 0)


@every_handle
def test_another_users_token_is_refused_after_one_renewal_never_two(
    live: Live,
    store: Any,
    make_tokens: Callable[..., IssuedTokens],
    issuer: Issuer,
    hold: Callable[..., Any],
) -> None:
    tokens = make_tokens(OTHER_USER, opaque=live.opaque)
    with pytest.raises(Exception, match=live.refusal) as caught:
        live.read(hold(tokens), store)
    renewed = live.renews_refused and live.user_is_refused_as == "token"
    assert tokens.forced == (1 if renewed else 0)
    assert tokens.generation == 1 + tokens.forced
    if live.asks_issuer and live.renews_refused:
        assert tried(issuer, tokens) == tokens.generation
    assert leaked(caught.value, tokens) == []


@every_handle
def test_a_lost_consent_says_that_a_person_must_sign_in(
    live: Live, store: Any, tokens: IssuedTokens, hold: Callable[..., Any]
) -> None:
    tokens.end()
    if not live.renews_refused:
        handle = hold()
        with pytest.raises(Exception, match=live.refusal):
            live.read(handle, store)
        with pytest.raises(ReauthorizationRequiredError):
            handle.renew(rejected=True)
        return
    if not live.asks_issuer:
        # what the store cannot know ends with the token
        assert live.read(hold(), store) == NUMBERS
        return
    with pytest.raises(ReauthorizationRequiredError) as caught:
        live.read(hold(), store)
    assert "`%connect auth data --again`" in caught.value.hint
    assert leaked(caught.value, tokens) == []


@every_handle
def test_without_a_sign_in_no_handle_asks_the_store(
    live: Live, store: Any, tokens: IssuedTokens, hold: Callable[..., Any]
) -> None:
    tokens.fail()
    with pytest.raises(OAuthConnError, match="sign-in behind 'data' is over"):
        live.read(hold(), store)
