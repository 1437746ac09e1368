"""A second sign-in: whose account it is."""

from __future__ import annotations

import pytest

from jupyter_oauthconn.model import AuthorizationState
from jupyter_oauthconn.service.sign_in import new_grants

from .conftest import World


@pytest.mark.parametrize(
    ("now", "asked"),
    [
        (("analyst-1", "analyst@example.com"), False),
        (("analyst-1", "renamed@example.com"), False),
        (("guest-2", "analyst@example.com"), True),
        ((None, "analyst@example.com"), False),
        ((None, "guest@example.com"), True),
        ((None, None), True),
    ],
)
def test_another_or_a_nameless_account_is_asked_about(
    signed_in: World,
    monkeypatch: pytest.MonkeyPatch,
    now: tuple[str | None, str | None],
    asked: bool,
) -> None:
    before = signed_in.broker.access_token("sales").reveal()
    assert signed_in.grant.subject == "analyst-1"
    monkeypatch.setattr(new_grants, "account_of", lambda *_, **__: now)
    waiting = signed_in.broker.authorize("sales")
    signed_in.sign_in()
    after = signed_in.broker.authorization(waiting.id)
    assert after.confirm == asked
    assert (after.state is AuthorizationState.PENDING) == asked
    assert (signed_in.broker.access_token("sales").reveal() == before) == asked


def test_a_provider_that_never_names_an_account_is_not_asked_about(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_grants, "account_of", lambda *_, **__: (None, None))
    world.sign_in()
    waiting = world.broker.authorize("sales")
    world.sign_in()
    assert world.broker.authorization(waiting.id).state is AuthorizationState.DONE
