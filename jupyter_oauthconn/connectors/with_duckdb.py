"""A DuckDB connection that reads files over HTTP with the token.

DuckDB keeps a bearer token as a secret of the database and asks nobody for a newer one. So what is
handed out looks at the token whenever a method that runs a query is taken (`con.sql`), and replaces
the secret first if it is time. The exception is a relation that was made before its token
expired and is read afterwards: `con.renew()`, or making it again, mends that.
"""

from __future__ import annotations

import re
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from zlib import crc32

from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError, NotAllowedError
from jupyter_oauthconn.model import AccessToken

from .connector import Access, base_address, library, probe_address
from .exchange import token_source
from .reach import LOOPBACK, TokenSource, is_plain_loopback, require

#: What reads data. For the rest, such as to close a connection or to show it, nobody must sign in.
_QUERIES = frozenset({
    "execute", "executemany", "from_csv_auto", "from_parquet", "from_query", "query", "read_csv",
    "read_json", "read_parquet", "sql", "table", "table_function", "view",
})  # fmt: skip
_CREATE = "CREATE OR REPLACE TEMPORARY SECRET {name} (TYPE http, BEARER_TOKEN $token, SCOPE $scope)"


class DuckDBConnector:
    """Options: `address` of the data, if the provider's entry names none; `connection`, an open
    one to use; else those of `duckdb.connect`."""

    def open(
        self, access: Access, address: str | None = None, *, connection: Any = None, **options: Any
    ) -> BearerConnection:
        """Raises `InvalidParameterError`: nobody says at which host the data is."""
        duckdb = library("duckdb", access, requires="duckdb")
        scope = _scope(access, address)
        made = duckdb.connect(**options) if connection is None else connection
        _load_httpfs(made, access.source.name)
        _refuse_proxy(access.source.name, made, scope)
        handle = BearerConnection(made, token_source(access), scope)
        handle.renew()
        return handle

    def check(self, handle: BearerConnection, access: Access) -> str:
        """Reads what the probe names."""
        probe = probe_address(access)
        row = handle.execute("SELECT sum(size) FROM read_blob(?)", [probe]).fetchone()
        return f"DuckDB read {row[0]} bytes of {urlsplit(probe).path or '/'}."


class BearerConnection:
    """A `DuckDBPyConnection`, and beside it the care for its secret.

    Its methods are DuckDB's own: a query sees the variables of the cell that it stands in. The
    secret is the database's and ends with it: other connections to that one use it too.
    """

    def __init__(self, connection: Any, source: TokenSource, scope: tuple[str, ...]) -> None:
        self._connection = connection
        self._source = source
        self._scope = scope
        self._kept: AccessToken | None = None
        self._lock = threading.Lock()

    def renew(self, *, rejected: bool = False) -> None:
        """Puts a fresh token into the secret, if the one in it is not fresh any more.

        Args:
            rejected: a server refused the token although it has not expired.
        """
        with self._lock:
            token = self._source.token(rejected=self._kept if rejected else None)
            if self._kept is None or token.generation != self._kept.generation:
                _put(self._connection, self._source.name, token, self._scope)
                self._kept = token

    def cursor(self) -> BearerConnection:
        """A cursor on the same database: one secret serves both."""
        made = BearerConnection(self._connection.cursor(), self._source, self._scope)
        made._kept = self._kept
        return made

    duplicate = cursor

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _QUERIES:
            self.renew()
        return getattr(self._connection, name)

    def __enter__(self) -> BearerConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __repr__(self) -> str:
        return f"<DuckDB connection with the token of {self._source.name!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A DuckDB connection is not pickled: open one in the other process.")


def _scope(access: Access, address: str | None) -> tuple[str, ...]:
    """The beginnings of addresses that get the token: whole origins, closed by a slash. Without it
    `https://data.example` would fit `https://data.example.evil.example/` as well."""
    where = address or base_address(access)
    if where:
        parts = urlsplit(require(access.source.name, access.reach, where))
        return (f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/",)
    # nobody knows at which port of this machine
    known = set(access.reach.hosts or ()) - LOOPBACK
    exact = tuple(sorted(one for one in known if not one.startswith("*")))
    if not exact:
        raise InvalidParameterError(
            f"Nobody knows at which host the data of {access.source.name!r} is.",
            hint='Give an address: `conn.handle("duckdb", address="https://…/")`.',
            parameter="address",
        )
    return tuple(f"https://{host}/" for host in exact)


def _refuse_proxy(name: str, connection: Any, scope: tuple[str, ...]) -> None:
    """Raises `NotAllowedError`: a proxy would get what is for this machine, and in clear. DuckDB
    and the library below it each have their own way to one."""
    for address in filter(is_plain_loopback, scope):
        host = urlsplit(address).hostname or ""
        # a cursor: a result that is not read to its end keeps the secrets of its time in sight
        with connection.cursor() as cursor:
            row = cursor.execute("SELECT current_setting('http_proxy')").fetchone()
        proxy = getproxies().get("http") or (row and row[0])
        if proxy and not proxy_bypass(host):
            raise NotAllowedError(
                f"The token of {name!r} is not sent to {host} through a proxy.",
                hint=f"`%env no_proxy={host}`, then run this again.",
            )


def _secret(connection: str, scope: tuple[str, ...]) -> str:
    """Its name: the same for the same hosts, so that no stale one of another handle is beside it
    and could be chosen."""
    return f"oauthconn_{re.sub('[^a-z0-9]', '_', connection)}_{crc32(repr(scope).encode()):08x}"


def _put(connection: Any, name: str, token: AccessToken, scope: tuple[str, ...]) -> None:
    """The token is a parameter: neither the statement nor what DuckDB says about it holds it."""
    import duckdb

    failure = ""
    try:
        # a cursor, so that a result that is being read on the connection goes on
        with connection.cursor() as cursor:
            cursor.execute(
                _CREATE.format(name=_secret(name, scope)),
                {"token": token.reveal(), "scope": list(scope)},
            )
    except duckdb.Error as error:
        failure = type(error).__name__
    if failure:
        raise ConfigurationError(
            f"DuckDB does not take the token of {name!r}: {failure}.",
            hint="A connection that is closed cannot be used again: open another.",
        )


def _load_httpfs(connection: Any, name: str) -> None:
    """From the wheel where it is installed (no network is asked then), else as DuckDB does it."""
    import duckdb

    failure = ""
    try:
        connection.load_extension(_packaged() or "httpfs")
    except duckdb.Error as error:
        failure = type(error).__name__
    if not failure:
        return
    try:
        connection.install_extension("httpfs")
        connection.load_extension("httpfs")
    except duckdb.Error as error:
        raise ConfigurationError(
            f"The DuckDB connection of {name!r} needs the extension httpfs: "
            f"{type(error).__name__}.",
            hint="`%pip install duckdb-extension-httpfs` in the version of duckdb, where DuckDB's "
            "own server of extensions is out of reach.",
        ) from error


def _packaged() -> str | None:
    import duckdb

    version = f"v{duckdb.__version__}"
    try:
        package = import_module("duckdb_extension_httpfs")
    except ModuleNotFoundError:
        return None
    found = Path(package.__file__ or "").parent / "extensions" / version / "httpfs.duckdb_extension"
    return str(found) if found.is_file() else None


CONNECTOR = DuckDBConnector()
