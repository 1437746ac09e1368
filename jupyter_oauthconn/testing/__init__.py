"""Fixtures for your own tests and notebooks, offline: a practice provider and a home of their own.

pytest finds this plugin by itself once the package is installed; it costs nothing until a test
asks for one of its fixtures:

    def test_report(practice, oauthconn_home):
        oc.register_client("practice", provider="practice", issuer=practice.issuer,
                           client_id="notebook")
        oc.add("sales", client="practice")
        assert run_report(oc.connect("sales")) == ...

Notebooks are tested with nbval, whose kernels start (or find) the provider by `practice.start()`
in a cell; the settings come from the environment:

    JUPYTER_OAUTHCONN_INTERACTION=practice JUPYTER_OAUTHCONN_HOME=$(mktemp -d) \\
        pytest --nbval notebooks/

Who writes a connector of his own runs it through `check_connector`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jupyter_oauthconn.demo import Practice

    from .kit import check_connector
    from .store import ScriptedTokens, TokenStore

__all__ = ["ScriptedTokens", "TokenStore", "check_connector"]

_HOMES = {"ScriptedTokens": "store", "TokenStore": "store", "check_connector": "kit"}


def __getattr__(name: str) -> Any:
    # at their first use: every run of pytest loads this plugin
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


@pytest.fixture(scope="session")
def oauthconn_practice_provider() -> Iterator[Practice]:
    """One provider for the session, named to child processes by JUPYTER_OAUTHCONN_PRACTICE_URL."""
    from jupyter_oauthconn.demo import URL_VARIABLE, PracticeServer, practice

    if os.environ.get(URL_VARIABLE):
        yield practice.start()
        return
    with PracticeServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(URL_VARIABLE, server.issuer)
        yield practice.start()


@pytest.fixture
def practice(oauthconn_practice_provider: Practice) -> Practice:
    """The practice provider with all dials as at the start and an empty log."""
    oauthconn_practice_provider.reset()
    return oauthconn_practice_provider


@pytest.fixture
def oauthconn_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for database and keys; sign-ins are done by the practice provider's robot."""
    home = tmp_path / "oauthconn"
    monkeypatch.setenv("JUPYTER_OAUTHCONN_HOME", str(home))
    monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "practice")
    return home
