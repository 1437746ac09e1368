"""The two-user host and the practice provider."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_oauthconn.demo import PracticeServer

sys.path.insert(0, str(Path(__file__).parent))  # `two_users` and `openapi` are imported by name

from two_users import Person, TwoUsers, two_users

from .visiting import MakeBrowser, PersonsBrowser


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer() as server:
        yield server


@pytest.fixture
def users(server: PracticeServer, tmp_path: Path) -> Iterator[TwoUsers]:
    """Nobody has signed in."""
    with two_users(tmp_path / "home", server) as running:
        yield running


@pytest.fixture
def make_browser(users: TwoUsers) -> Iterator[MakeBrowser]:
    """Makes browsers at the pages of a sign-in."""
    made: list[PersonsBrowser] = []

    def make(person: Person | None = users.admin) -> PersonsBrowser:
        made.append(PersonsBrowser(users, person))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def browser(make_browser: MakeBrowser) -> PersonsBrowser:
    """With admin's session."""
    return make_browser()
