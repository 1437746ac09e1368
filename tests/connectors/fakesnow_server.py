"""fakesnow (Snowflake's wire protocol, DuckDB behind it) whose sign-in wants a live OAuth token.

It runs in an environment of its own, because fakesnow needs an older Snowflake connector than the
one under test. The environment is made once and kept: in the folder that the environment variable
`OAUTHCONN_TEST_ENVIRONMENTS` names, else in pytest's cache, else in the user's cache.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from issuer import USER, Issuer
from program import Program, free_ports, listens

SCRIPT = Path(__file__).with_name("fakesnow_with_tokens.py")
REQUIREMENTS = ("fakesnow[server]>=0.12,<0.13", "snowflake-connector-python<5")
FOLDER_VARIABLE = "OAUTHCONN_TEST_ENVIRONMENTS"
DATABASE = "SALES"
SCHEMA = "PUBLIC"


class Fakesnow:
    """A running server."""

    def __init__(self, python: Path, folder: Path, issuer: Issuer) -> None:
        (self.port,) = free_ports(1)
        self._log = folder / "log"
        self._program = Program(
            [python, SCRIPT, str(self.port), issuer.url],
            log=self._log,
            ready=lambda: listens(self.port),
        )
        with self._connection(issuer.issue()) as connection, connection.cursor() as cursor:
            cursor.execute("create table numbers (number int, name text)")
            cursor.execute("insert into numbers values (1, 'one'), (2, 'two'), (3, 'three')")

    @property
    def connect_args(self) -> dict[str, Any]:
        """For snowflake-connector: where it is, and no word to its vendor."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
            "authenticator": "oauth",
            "session_parameters": {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
        }

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def read(self, token: str) -> list[tuple[Any, ...]]:
        """The table, by the bare connector. Raises its `DatabaseError`."""
        with self._connection(token) as connection, connection.cursor() as cursor:
            cursor.execute("select * from numbers")
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _connection(self, token: str) -> Any:
        import snowflake.connector

        return snowflake.connector.connect(
            account="tests",
            user=USER,
            token=token,
            database=DATABASE,
            schema=SCHEMA,
            server_session_keep_alive=False,
            enable_server_session_keep_alive_auto_detection=False,
            **self.connect_args,
        )

    def close(self) -> None:
        self._program.close()


def environment(config: pytest.Config) -> Path:
    """The Python of the environment; made if it is not there, skipped if it cannot be made."""
    folder = _folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "bin" / "python"
    complete = folder / "complete"
    wanted = f"{sys.version}\n{REQUIREMENTS}"
    # two runs at once make it once
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_text() != wanted:
            shutil.rmtree(folder)
            install = [python, "-m", "pip", "install", "-q", *REQUIREMENTS]
            for command in ([sys.executable, "-m", "venv", folder], install):
                done = subprocess.run(
                    command, capture_output=True, text=True, check=False, timeout=600
                )
                if done.returncode != 0:
                    words = " ".join(map(str, command))
                    pytest.skip(f"fakesnow cannot be installed: `{words}`: {done.stderr[-500:]}")
            complete.write_text(wanted)
    return python


def _folder(config: pytest.Config) -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).absolute() / "fakesnow"
    cache = getattr(config, "cache", None)
    if cache is not None:
        return Path(cache.mkdir("environments")) / "fakesnow"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "jupyter-oauthconn-tests" / "fakesnow"
