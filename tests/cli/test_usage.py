"""What a person meets first: help, wrong usage, a fast start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMANDS = (
    "demo", "providers", "doctor", "events", "clients", "connections", "status", "ensure",
    "revoke", "auth", "token", "grants", "settings", "keys", "db", "purge",
)  # fmt: skip
VERBS = {
    "clients": "list add edit test disable enable rm add-secret rm-secret request export import",
    "connections": "list add edit test rm",
    "grants": "list revoke",
    "settings": "list set unset",
    "keys": "list add",
    "db": "upgrade check backup restore",
    "providers": "show",
}


def test_help_lists_everything(run: Any) -> None:
    answer = run.ok("--help")
    for command in COMMANDS:
        assert f"    {command}" in [line[: 4 + len(command)] for line in answer.out.splitlines()]
    assert "3 a person must sign in" in " ".join(answer.out.split())


@pytest.mark.parametrize("group", VERBS)
def test_help_of_a_group_lists_its_verbs(run: Any, group: str) -> None:
    answer = run.ok(group, "--help")
    for verb in VERBS[group].split():
        assert verb in [
            line.split()[0] for line in answer.out.splitlines() if line.startswith("    ")
        ]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("keys",),
        ("--service",),
        ("clients", "add", "x"),
        ("clients", "add", "x", "--provider", "practice"),
        ("connections", "add", "x"),
        ("connections", "add", "x", "--client", "c", "--set", "novalue"),
        ("ensure", "x", "--for", "soon"),
        ("ensure", "x", "--for", "-3"),
        ("auth", "x", "--flow", "teleport"),
        ("clients", "add-secret", "x"),
        ("clients", "add-secret", "x", "--secret-env", "A", "--secret-stdin"),
        ("clients", "add-secret", "x", "--secret", "hunter2"),
        ("clients", "add-secret", "x", "--secret-env", "A", "--ends", "soon"),
        ("clients", "add-secret", "x", "--secret-env", "A", "--secret-keyring", "a/b"),
        ("clients", "rm-secret", "x"),
        ("clients", "rm-secret", "x", "1"),
        ("clients", "request"),
        ("connections", "edit", "x", "--share-with", "user:a", "--unshare"),
        ("grants",),
        ("grants", "revoke", "1"),
        ("settings", "set", "x"),
        ("purge", "now"),
        ("keys", "add", "--forget"),
        ("events", "--limit", "-1"),
    ],
)
def test_wrong_usage(run: Any, home: Path, arguments: tuple[str, ...]) -> None:
    """Exit code 2, and nothing was opened or made."""
    answer = run(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert "usage: jupyter oauthconn" in answer.err
    assert not home.exists()


@pytest.mark.parametrize("group", ["clients", "connections", "providers", "settings"])
def test_a_group_alone_lists(run: Any, group: str) -> None:
    assert run.ok(group).out
    assert isinstance(run.ok(group, "--json").json, list)


def test_settings_that_cannot_be_read(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "maybe")
    answer = run("status")
    assert answer.code == 1
    assert "JUPYTER_OAUTHCONN_INTERACTION='maybe' cannot be read." in answer.err


@pytest.mark.parametrize("arguments", [["--help"], ["clients", "--help"], ["nonsense"]])
def test_starts_without_libraries(arguments: list[str]) -> None:
    """`jupyter oauthconn --help` must be fast: it loads the standard library and this package."""
    code = (
        "import sys; from jupyter_oauthconn.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(*sorted({one.partition('.')[0] for one in sys.modules}), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    loaded = set(ended.stderr.splitlines()[-1].split())
    foreign = {"sqlalchemy", "alembic", "cryptography", "authlib", "joserfc", "httpx2", "tornado"}
    assert not loaded & (foreign | {"IPython", "jupyter_core", "jupyter_server", "traitlets"})


def test_a_terminal_of_another_encoding(home: Path) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(
        [sys.executable, "-m", "jupyter_oauthconn", "doctor"],
        capture_output=True, text=True, check=True, env=environ,
    )  # fmt: skip
    assert ended.stdout.startswith("? ok")


def test_module_and_script_are_the_same() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "jupyter_oauthconn", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout.startswith("usage: jupyter oauthconn ")
