"""The README's table of settings is the settings."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path

from jupyter_oauthconn.catalog import load
from jupyter_oauthconn.model import Interaction
from jupyter_oauthconn.model.settings import setting_fields

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", README, re.MULTILINE))
    assert list(rows) == [one.name for one in setting_fields()]
    for one in setting_fields():
        match one.default:
            case bool():
                assert rows[one.name] == f"`{one.default}`".lower()
            case timedelta():
                assert float(rows[one.name]) == one.default.total_seconds()
            case Interaction():
                assert rows[one.name] == f"`{one.default}`"
                assert all(f"`{choice}`" in README for choice in Interaction)


def test_every_provider_is_named() -> None:
    for entry in load().entries():
        title = entry.title.removeprefix("Microsoft ")
        assert title in README or entry.key in {"oidc", "practice"}


def test_the_commands_to_try_it_are_there() -> None:
    first, *_ = re.findall(r"```\n(.*?)\n```", README, re.DOTALL)
    assert first == 'pip install ".[demo]" && jupyter oauthconn demo'
    assert 'pip install ".[demo]" && jupyter oauthconn demo --check' in README
    assert 'pip install -e ".[test]" && pytest' in README


def test_every_extra_that_is_named_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = set(re.findall(r'pip install (?:-e )?"\.\[(\w+)\]"', README))
    assert "connectors" in named
    assert named <= set(project["optional-dependencies"])
