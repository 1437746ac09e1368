"""What holds for every test: under `CI` a skipped test fails the run."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("oauthconn", deadline=None, print_blob=True)
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
