"""The tutorials run strictly: every stored output is compared, none may hold a port or a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_as_it_is_stored(notebook: Path, tmp_path: Path) -> None:
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("JUPYTER_OAUTHCONN_")},
        "JUPYTER_OAUTHCONN_HOME": str(tmp_path / "home"),
        "JUPYTER_OAUTHCONN_INTERACTION": "practice",
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q",
         "-p", "no:cacheprovider", "-p", "no:asyncio", "-c", os.devnull, str(notebook)],
        env=environ, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_hold_nothing_that_changes(notebook: Path) -> None:
    content = json.loads(notebook.read_text())
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert any(cell["outputs"] for cell in cells), "strict validation needs stored outputs"
    outputs = json.dumps([cell["outputs"] for cell in cells])
    changes = (
        r"127\.0\.0\.1",
        "localhost",
        r":\d{4,5}\b",
        r"\d\d:\d\d",
        r"[0-9a-f]{8}-[0-9a-f]{4}",
    )
    for what in changes:
        assert not re.search(what, outputs), what
    assert not any(cell["metadata"] for cell in cells), "times of execution are left out"


def test_the_wheel_takes_every_tutorial_along() -> None:
    """Named one by one, so that a new one is easily forgotten; the demo opens them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    taken = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {path: place for path, place in taken.items() if path.endswith(".ipynb")} == {
        f"notebooks/{path.name}": f"jupyter_oauthconn/demo/notebooks/{path.name}"
        for path in NOTEBOOKS
    }
