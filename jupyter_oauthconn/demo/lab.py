"""JupyterLab on the tutorials, with a practice provider, in a folder that goes away with it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_oauthconn.errors import ConfigurationError, ServiceUnreachableError

from .dials import Practice

FIRST_TUTORIAL = "01_first_connection.ipynb"
LOG = "jupyterlab.log"
USUAL_PORT = 8888
_START_SECONDS = 60
_STOP_SECONDS = 20
#: Of a JupyterLab that does not run: as much as a person looks at.
_LOG_LINES = 20
#: Nothing of the person's own Jupyter, Hub or token service reaches the demo.
_FOREIGN = ("JUPYTER_OAUTHCONN_", "JUPYTERHUB_", "JUPYTERLAB_", "JPY_")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabDemo:
    """A demo that runs.

    Attributes:
        folder: everything it writes.
        url: of the first tutorial.
        open_url: the same with Jupyter's token, for the person who started it alone.
    """

    folder: Path
    port: int
    url: str
    open_url: str = field(repr=False)
    issuer: str
    data_url: str
    process: subprocess.Popen[bytes] = field(repr=False)

    def wait(self) -> None:
        """Until it is shut down in the browser.

        Raises:
            ServiceUnreachableError: it ends otherwise; what it wrote is a note.
        """
        if self.process.wait():
            raise _ended("JupyterLab has ended by itself.", "Start the demo again.", self.folder)


@contextlib.contextmanager
def run_lab(*, port: int = USUAL_PORT, browser: bool = True) -> Iterator[LabDemo]:
    """Starts it, and ends it with all its kernels and files.

    Args:
        port: if it is taken the next free one is; 0: any.
        browser: may a browser be opened.

    Raises:
        ConfigurationError: JupyterLab is not installed.
        ServiceUnreachableError: it did not start; what it wrote is a note.
    """
    if find_spec("jupyterlab") is None:
        raise ConfigurationError(
            "The demo needs JupyterLab, which is not installed here.",
            hint='Install it beside this package: pip install ".[demo]"',
        )
    with (
        # a kernel may still write its history while it ends
        TemporaryDirectory(prefix="oauthconn-demo-", ignore_cleanup_errors=True) as name,
        contextlib.ExitStack() as ending,
    ):
        folder = Path(name)
        token = secrets.token_hex(24)
        _copy_tutorials(folder / "tutorials")
        _write_config(folder, port=port, token=token, browser=browser)
        process = _start(folder)
        ending.callback(_end, process)
        yield _when_ready(folder, process, token)


def _copy_tutorials(folder: Path) -> None:
    """Without their outputs: whoever runs them wants to see them come."""
    folder.mkdir()
    for path in _tutorials().glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)
        (folder / path.name).write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def _tutorials() -> Path:
    installed = Path(__file__).parent / "notebooks"
    # in a checkout they are where their authors look for them
    return installed if installed.is_dir() else Path(__file__).parents[2] / "notebooks"


def _write_config(folder: Path, *, port: int, token: str, browser: bool) -> None:
    config: dict[str, dict[str, Any]] = {
        "ServerApp": {
            # said although it is the default: a system-wide configuration may say otherwise
            "ip": "localhost",
            "base_url": "/",
            "port": port,
            "port_retries": 50,
            "open_browser": browser,
            "root_dir": str(folder / "tutorials"),
            # in a container everybody is root, and here only this machine can reach the server
            "allow_root": True,
            "jpserver_extensions": {
                "jupyterlab": True,
                "jupyter_oauthconn": True,
                "jupyter_oauthconn.demo": True,
            },
        },
        "IdentityProvider": {"token": token},
        "LabApp": {"default_url": f"/lab/tree/{FIRST_TUTORIAL}"},
    }
    _write_json(folder / "config" / "jupyter_server_config.json", config)
    # works offline, and a first visit is not asked whether it wants news
    settings = folder / "config/lab/user-settings/@jupyterlab/apputils-extension"
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    _write_json(settings / "notification.jupyterlab-settings", quiet)
    # light or dark as the person's system, like the pages of a sign-in
    _write_json(settings / "themes.jupyterlab-settings", {"adaptive-theme": True})


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _start(folder: Path) -> subprocess.Popen[bytes]:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name not in {"JUPYTER_CONFIG_PATH", "JUPYTER_TOKEN"}
    }
    for kind in ("config", "data", "runtime"):
        environ[f"JUPYTER_{kind.upper()}_DIR"] = str(folder / kind)
    environ["JUPYTER_OAUTHCONN_HOME"] = str(folder / "oauthconn")
    environ["IPYTHONDIR"] = str(folder / "ipython")
    with (folder / LOG).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyter_oauthconn.demo.lab_process"],
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # the terminal's Ctrl-C is ours alone; we end the server in order
            start_new_session=True,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        # Ctrl-C once more: the kernels end when they see that their server is gone
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _when_ready(folder: Path, process: subprocess.Popen[bytes], token: str) -> LabDemo:
    from .mounted import issuer_at

    deadline = time.monotonic() + _START_SECONDS
    missing = "JupyterLab did not start."
    while process.poll() is None and time.monotonic() < deadline:
        info = _read(folder / "runtime" / f"jpserver-{process.pid}.json")
        if info and _answers(issuer_at(info["port"], info["base_url"])):
            issuer = issuer_at(info["port"], info["base_url"])
            if not _has_token_service(issuer):
                missing = "JupyterLab has started without the server extension jupyter_oauthconn."
                break
            url = f"{info['url']}lab/tree/{FIRST_TUTORIAL}"
            return LabDemo(
                folder=folder,
                port=info["port"],
                url=url,
                open_url=f"{url}?token={token}",
                issuer=issuer,
                data_url=f"{issuer}/data",
                process=process,
            )
        time.sleep(0.05)
    raise _ended(missing, "What it wrote is above.", folder)


def _read(path: Path) -> dict[str, Any]:
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # not there yet, or not all of it
    return info if isinstance(info, dict) else {}


def _answers(issuer: str) -> bool:
    try:
        Practice().attach(issuer)
    except ServiceUnreachableError:
        return False
    return True


def _has_token_service(issuer: str) -> bool:
    """It was loaded before the practice provider; its answer waits until it has opened."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(issuer.removesuffix("practice") + "api/v1/health", timeout=_START_SECONDS):
            return True
    except OSError:
        return False


def _ended(message: str, hint: str, folder: Path) -> ServiceUnreachableError:
    error = ServiceUnreachableError(message, hint=hint)
    log = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    error.add_note("\n".join(log.splitlines()[-_LOG_LINES:]))
    return error
