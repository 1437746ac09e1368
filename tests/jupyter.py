"""A real Jupyter server in a process of its own, with nothing of the machine's own Jupyter.

from ..jupyter import jupyter_server

with jupyter_server(tmp_path) as server:
    server.request("GET", "api/v1/me", server.kernel_headers)
"""

from __future__ import annotations

import http.client
import json
import os
import pty
import random
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROGRAMS = {"server": "jupyter_server", "lab": "jupyterlab", "notebook": "notebook"}
START_SECONDS = 90.0
#: Longer than the extension may take to finish what is under way.
STOP_SECONDS = 60.0


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def cookies(self) -> dict[str, str]:
        """Name and value of the cookies that it sets."""
        lines = self.headers.get_all("Set-Cookie") or []
        pairs = (line.partition(";")[0].partition("=") for line in lines)
        return {name: value for name, _, value in pairs}


@dataclass
class JupyterServer:
    """One server; everything of it lies below `folder`, the token service's data in `home`.

    Attributes:
        url: of the server, with its base URL, e.g. `http://127.0.0.1:8888/a%40b/`.
        token: Jupyter's own.
        terminal: it is started in one, so Ctrl-C asks first.
        work: folder of the notebooks.
    """

    folder: Path
    url: str
    token: str
    program: str
    options: tuple[str, ...]
    terminal: bool
    environ: dict[str, str] = field(repr=False)
    work: Path = field(repr=False)
    home: Path = field(repr=False)
    process: subprocess.Popen[bytes] = field(init=False, repr=False)
    _terminals: list[int] = field(default_factory=list, init=False, repr=False)

    @property
    def mount(self) -> str:
        """Where the extension's addresses begin."""
        return f"{self.url}oauthconn/"

    @property
    def runtime(self) -> Path:
        return Path(self.environ["JUPYTER_RUNTIME_DIR"])

    @property
    def service_file(self) -> Path:
        """The file with the kernel credential, while the server runs."""
        return self.runtime / f"oauthconn-{self.process.pid}.json"

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    @property
    def log(self) -> str:
        """All it has written, its former lives included."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def kernel_headers(self) -> dict[str, str]:
        credential = json.loads(self.service_file.read_text(encoding="utf-8"))["credential"]
        return {"Authorization": f"Bearer {credential}"}

    @property
    def token_headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}

    def start(self, *, ready: bool = True) -> None:
        """`ready`: waits until it answers and has written its service file."""
        # a terminal's other end stays open, unread: nobody types
        terminal, typed = pty.openpty() if self.terminal else (None, subprocess.DEVNULL)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", PROGRAMS[self.program], *self.options],
                cwd=self.work,
                env=self.environ,
                stdin=typed,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if terminal is not None:
            os.close(typed)
            self._terminals.append(terminal)
        if ready:
            self.wait_for(self._answers, "it does not answer", START_SECONDS)
            self.wait_for(self.service_file.exists, "it writes no service file", START_SECONDS)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Ends it without any warning, as a crash does."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def close(self) -> None:
        """Stops it for good."""
        if hasattr(self, "process"):
            self.stop()
        while self._terminals:
            os.close(self._terminals.pop())

    def restart(self) -> None:
        """Stops it if it still runs, and starts it on the same port again."""
        self.stop()
        self.start()

    def wait_for(self, true: Callable[[], object], complaint: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, f"The server has ended.\n{self.log[-4000:]}"
            assert time.monotonic() < deadline, f"{complaint}\n{self.log[-4000:]}"
            time.sleep(0.05)

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        *,
        below: str | None = None,
        timeout: float = 60.0,
    ) -> Answer:
        """One request without cookies or credentials of its own; redirects are not followed.

        `path` is below `below`, which is the extension's mount by default. A `str` body is sent
        as a form, any other as JSON.
        """
        sent = dict(headers or {})
        data: bytes | None = None
        if isinstance(body, str):
            data = body.encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = self._connection(timeout)
        try:
            target = urlsplit(self.mount if below is None else below).path + path
            connection.request(method, target, data, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def jupyter(self, method: str, path: str, body: object = None) -> Answer:
        """A request to Jupyter's own API, with its token."""
        return self.request(method, path, self.token_headers, body, below=self.url)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            # the certificate is the test's own, and who answers on this port is known
            context = ssl._create_unverified_context()
            return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=context)
        return http.client.HTTPConnection(host, parts.port, timeout=timeout)

    def _answers(self) -> bool:
        try:
            return self.request("GET", "api", below=self.url, timeout=15).status == 200
        except (OSError, http.client.HTTPException):
            return False


@contextmanager
def jupyter_server(
    folder: Path,
    *,
    app: str = "server",
    options: Sequence[str] = (),
    config: Mapping[str, Mapping[str, object]] | None = None,
    environ: Mapping[str, str] | None = None,
    base_url: str = "/",
    scheme: str = "http",
    host: str = "127.0.0.1",
    home: Path | None = None,
    terminal: bool = False,
    work: Path | None = None,
    ready: bool = True,
) -> Iterator[JupyterServer]:
    """Starts a server with the extension, and stops it at the end.

    Args:
        app: `server`, `lab` or `notebook`.
        options: command line, e.g. `--OAuthConn.public_url=…`.
        config: what a `jupyter_server_config.json` says, over what is needed here; None takes
            something out of it.
        environ: more environment variables for it.
        base_url: escaped, as browsers send it.
        host: by which it is called here; it listens there, if `config` names no other address.
        home: folder of the token service's data, e.g. that of another server.
        terminal: see `JupyterServer`.
        work: folder of the notebooks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = work or folder / "work"
    home = home or folder / "home"
    work.mkdir(parents=True, exist_ok=True)
    port = free_port(host)
    shown = f"[{host}]" if ":" in host else host
    server = JupyterServer(
        folder=folder,
        url=f"{scheme}://{shown}:{port}{base_url}",
        token=secrets.token_hex(16),
        program=app,
        options=tuple(options),
        terminal=terminal,
        environ=_environ(folder, home, environ or {}),
        work=work,
        home=home,
    )
    _write_config(server, {"port": port, "ip": host, "base_url": base_url}, config or {})
    try:
        server.start(ready=ready)
        yield server
    finally:
        server.close()


def free_port(host: str = "127.0.0.1") -> int:
    """One that is still free when the server is there, and while it restarts: below those that
    the system gives to whoever asks for any, such as the ports of kernels."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.randint(20000, 32000)
        with suppress(OSError), socket.create_server((host, port), family=family):
            return port


def _environ(folder: Path, home: Path, more: Mapping[str, str]) -> dict[str, str]:
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "JPY_", "IPYTHON", "PYTEST"))
    }
    for name in ("config", "data", "runtime"):
        own[f"JUPYTER_{name.upper()}_DIR"] = str(folder / name)
    return own | {
        "JUPYTER_OAUTHCONN_HOME": str(home),
        "IPYTHONDIR": str(folder / "ipython"),
        "HOME": str(folder),
        **more,
    }


def _write_config(
    server: JupyterServer,
    address: Mapping[str, object],
    config: Mapping[str, Mapping[str, object]],
) -> None:
    needed: dict[str, dict[str, object]] = {
        "ServerApp": {
            **address,
            "port_retries": 0,
            "open_browser": False,
            "allow_root": True,
            "log_level": "DEBUG",
            "jpserver_extensions": {"jupyter_oauthconn": True, "jupyter_server_terminals": True},
        },
        "IdentityProvider": {"token": server.token},
        "LanguageServerManager": {"autodetect": False},  # fills the log
    }
    for name, values in config.items():
        merged = {**needed.get(name, {}), **values}
        needed[name] = {key: value for key, value in merged.items() if value is not None}
    folder = Path(server.environ["JUPYTER_CONFIG_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "jupyter_server_config.json"
    path.write_text(json.dumps(needed), encoding="utf-8")
