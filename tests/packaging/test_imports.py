"""A kernel pays for what it uses: `import jupyter_oauthconn` loads none of the large libraries."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "alembic", "authlib", "cryptography", "httpcore2", "httpx2", "ipywidgets", "joserfc",
    "jupyter_server", "requests", "sqlalchemy", "tornado",
}  # fmt: skip


def loaded_after(statement: str) -> set[str]:
    """The heavy libraries that a fresh interpreter has loaded after `statement`."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    return HEAVY & set(done.stdout.split())


def test_the_check_sees_a_library_that_is_loaded() -> None:
    assert loaded_after("import tornado") == {"tornado"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import jupyter_oauthconn, jupyter_oauthconn.errors") == set()


def test_what_every_kernel_imports_is_the_standard_library_alone() -> None:
    layers = "jupyter_oauthconn.model, jupyter_oauthconn.catalog, jupyter_oauthconn.broker"
    assert loaded_after(f"import {layers}") == set()
