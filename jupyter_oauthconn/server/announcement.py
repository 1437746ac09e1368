"""How kernels and terminals of this server learn where its token service is."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_oauthconn.broker.running import ServiceFile, process_is_alive

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

URL_VARIABLE = "JUPYTER_OAUTHCONN_URL"
FILE_VARIABLE = "JUPYTER_OAUTHCONN_CREDENTIAL_FILE"
#: Where a program of this machine reaches a server that listens everywhere.
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


def local_url(serverapp: ServerApp) -> str | None:
    """The server's address for programs of this machine, its base URL included.

    Returns None if it listens on a Unix socket.
    """
    if serverapp.sock:
        return None
    host = _EVERYWHERE.get(serverapp.ip, serverapp.ip)
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if _certificate_file(serverapp) else "http"
    return f"{scheme}://{shown}:{serverapp.port}{serverapp.base_url}"


def certificate(serverapp: ServerApp) -> str | None:
    """What programs of this machine must trust: an https server's certificate, as PEM text.

    Raises:
        OSError: its file cannot be read.
    """
    path = _certificate_file(serverapp)
    if not path:
        return None
    # the file may hold the private key, too
    return "".join(_CERTIFICATE.findall(Path(path).read_text(encoding="ascii")))


def _certificate_file(serverapp: ServerApp) -> str:
    return str(serverapp.certfile or (serverapp.ssl_options or {}).get("certfile") or "")


class Announcement:
    """One service file, and its path in the environment that kernels and terminals inherit."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"oauthconn-{os.getpid()}.json"
        self._url = ""

    def make(self, file: ServiceFile) -> None:
        """Raises `OSError`, `RuntimeError`: the runtime folder takes no private file."""
        file.write(self.path)
        self._url = file.url
        os.environ[URL_VARIABLE] = file.url
        os.environ[FILE_VARIABLE] = str(self.path)

    def withdraw(self) -> None:
        """Takes back what `make` did, and nothing else."""
        self.path.unlink(missing_ok=True)
        if os.environ.get(FILE_VARIABLE) == str(self.path):
            del os.environ[FILE_VARIABLE]
            os.environ.pop(URL_VARIABLE, None)

    def sweep(self) -> None:
        """Removes files of servers that were killed; on this machine's own file systems only,
        because the folder may be shared with machines whose processes are not seen here."""
        from jupyter_oauthconn.storage.files import is_on_network

        if is_on_network(self.path.parent):
            return
        for path in self.path.parent.glob("oauthconn-*.json"):
            pid = path.stem.removeprefix("oauthconn-")
            if pid.isdecimal() and not process_is_alive(int(pid)):
                with suppress(OSError):
                    path.unlink()
