"""What this environment's configuration says about our extensions of Jupyter.

Read from files alone, as Jupyter reads them: neither `jupyter_server` nor JupyterLab need be here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_oauthconn.model import Check

from .findings import failed, ok, unknown

_MODULE = "jupyter_oauthconn"
_LAB_NAME = "jupyter-oauthconn"
SERVER_EXTENSION = "server extension"
_LAB_EXTENSION = "lab extension"


def extension_checks(*, answers: bool) -> list[Check]:
    """One line for the server extension, one for that of JupyterLab.

    Args:
        answers: the server extension runs in this very environment and answers.
    """
    server = ok(SERVER_EXTENSION, "It is enabled: it answers.") if answers else _server_extension()
    return [server, _lab_extension(answers)]


def _server_extension() -> Check:
    for path in _server_files():
        told = _table(_table(_json(path), "ServerApp"), "jpserver_extensions").get(_MODULE)
        if told:
            return ok(SERVER_EXTENSION, f"{path} enables it.")
        if told is not None:
            # Jupyter's own command changes some of these files only
            return failed(
                SERVER_EXTENSION,
                f"{path} switches it off.",
                f"Set `{_MODULE}` to true below `jpserver_extensions` there, then start the "
                "server again.",
            )
    return unknown(
        SERVER_EXTENSION,
        f"It cannot be told from here: no file of this environment ({sys.prefix}) enables it, but "
        "a Jupyter server may run in another one.",
        f"`jupyter server extension list` in the server's environment names {_MODULE}.",
    )


def _lab_extension(answers: bool) -> Check:
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    folders = [Path(one) / _LAB_NAME for one in jupyter_path("labextensions")]
    installed = next((one for one in folders if (one / "package.json").is_file()), None)
    if installed is None:
        return _not_installed(answers)
    for folder in jupyter_config_path():
        path = Path(folder) / "labconfig" / "page_config.json"
        told = _table(_json(path), "disabledExtensions").get(_LAB_NAME)
        if told:
            return failed(_LAB_EXTENSION, f"{path} switches it off.",
                          f"`jupyter labextension enable {_LAB_NAME}`")  # fmt: skip
        if told is not None:
            break
    return ok(_LAB_EXTENSION, f"It is installed in {installed}.")


def _not_installed(answers: bool) -> Check:
    if answers:
        return failed(
            _LAB_EXTENSION,
            f"It is not installed in the server's environment ({sys.prefix}): cells show a link "
            "instead of a live card.",
            f"`{sys.executable} -m pip install --force-reinstall --no-deps {_LAB_NAME}`",
        )
    return unknown(
        _LAB_EXTENSION,
        f"It cannot be told from here: this environment ({sys.prefix}) has none, but a Jupyter "
        "server may run in another one.",
        f"`jupyter labextension list` in the server's environment names {_LAB_NAME}.",
    )


def _server_files() -> Iterator[Path]:
    """The strongest first, as Jupyter Server merges them."""
    from jupyter_core.paths import jupyter_config_path

    name = "jupyter_server_config"
    for folder in map(Path, jupyter_config_path()):
        yield folder / f"{name}.json"
        yield from sorted((folder / f"{name}.d").glob("*.json"), reverse=True)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _table(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}
