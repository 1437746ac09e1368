"""What holds for every test: under `CI` a skipped test fails the run. And a broker for many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from jupyter_oauthconn.broker.local import LocalBroker

# a busy machine is no fault
settings.register_profile(
    "oauthconn",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("oauthconn")


def _skips_that_fail(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("CI", "").lower() in {"", "0", "false"}:
        return 0
    return len(reporter.stats.get("skipped", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skips_that_fail(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if count := _skips_that_fail(config):
        terminalreporter.write_line(f"{count} skipped: with CI set a skip is a failure", red=True)


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[[str], LocalBroker]]:
    """Makes the broker of one laptop, for a practice provider's issuer: the public client
    `practice`, which may come back to any port, and the connection `sales`."""
    from jupyter_oauthconn.broker.local import LocalBroker
    from jupyter_oauthconn.model import ClientDraft, ConnectionDraft, Settings

    made: list[LocalBroker] = []

    def make(issuer: str) -> LocalBroker:
        broker = LocalBroker(Settings(), tmp_path / "home")
        made.append(broker)
        broker.add_client(
            ClientDraft(
                name="practice",
                provider="practice",
                client_id="notebook",
                issuer=issuer,
                loopback_port="any",
            )
        )
        broker.add_connection(ConnectionDraft(name="sales", client="practice"))
        return broker

    yield make
    for broker in made:
        broker.close()
