"""A connection of a DB-API driver (PEP 249), opened with a fresh token."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from jupyter_oauthconn.catalog import Placement, TokenPlacement
from jupyter_oauthconn.connectors.connector import Access, library
from jupyter_oauthconn.connectors.exchange import token_source
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import AccessToken

from .destination import hosts_in, leads_elsewhere, require_reach, with_tls
from .engine import AS_PASSWORD, ENDS_AT, lent_if, oauth_arguments
from .engine import CONNECTOR as ENGINES
from .frameless import Frameless
from .opening import connect_fresh, is_refusal
from .placements import WITH_EACH_STATEMENT, Living, placed, placement_of

if TYPE_CHECKING:
    import sqlalchemy as sa

_TEXT_LIMIT = 80


class DbapiConnector:
    """Kind `dbapi`: the driver's own connection. Where a session ends with its token
    (`session_bound`), one that opens a new connection for the next cursor; where the driver sends
    the token with each statement, one whose errors do not show it."""

    def open(
        self,
        access: Access,
        *,
        url: str | sa.URL | None = None,
        module: str | None = None,
        token: TokenPlacement | Mapping[str, str] | str | None = None,
        session_bound: bool | None = None,
        encrypted: bool = False,
        **options: Any,
    ) -> Any:
        """A connection.

        Args:
            url: as of an engine, whose driver is used.
            module: the driver's module, e.g. `psycopg`, in place of `url`; `options` are then
                the arguments of its `connect`.
            token, session_bound, encrypted: as of an engine.
        """
        module = module or access.handle.options.get("module")
        where = placement_of(access.handle, token)
        bound = access.handle.session_bound if session_bound is None else session_bound
        if module and not url:
            opened = _of_module(access, module, where, options, encrypted=encrypted)
        else:
            opened = _of_url(access, url=url, token=token, encrypted=encrypted, **options)
        made = LiveConnection(access.source.name, opened) if bound else opened()[0]
        if where is not None and where.placement in WITH_EACH_STATEMENT:
            return Frameless(access.source.name, made)
        return made

    def check(self, handle: Any, access: Access) -> str:
        """Runs the entry's probe, else `select 1`."""
        probe = access.handle.probe or "select 1"
        cursor = handle.cursor()
        try:
            cursor.execute(probe)
            row = cursor.fetchone()
        finally:
            cursor.close()
        return f"`{probe}` answered {str(row[0] if row else row)[:_TEXT_LIMIT]}."


#: Opens a connection; says when the token that opened it ends (seconds since the epoch).
Open = Callable[[], tuple[Any, float]]


class LiveConnection:
    """A driver's connection for a database that ends a session with its token: a cursor that is
    asked for after that gets a new connection. An open transaction has ended with the old one.

    Attributes that are set, e.g. `autocommit`, are the driver's, and are set again on a new one;
    what a method such as `set_session` has set is not. `with` does what the driver's does.
    """

    def __init__(self, name: str, opened: Open) -> None:
        self._name = name
        self._opened = opened
        self._lock = threading.RLock()
        self._set: dict[str, Any] = {}
        self._entered = False
        self._connection, self._ends_at = opened()

    def cursor(self, *args: Any, **options: Any) -> Any:
        with self._lock:
            if self._ends_at <= time.time():
                self._open_anew()
            return self._connection.cursor(*args, **options)

    def _open_anew(self) -> None:
        made, ends_at = self._opened()
        try:
            for name, value in self._set.items():
                setattr(made, name, value)
            if self._entered:
                made.__enter__()
        except BaseException:
            made.close()
            raise
        old, self._connection, self._ends_at = self._connection, made, ends_at
        # the server has ended it, and some drivers say so
        with suppress(OSError, *_errors_of(old)):
            old.close()

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
            return
        with self._lock:
            setattr(self._connection, name, value)
            self._set[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._connection, name)

    def __enter__(self) -> LiveConnection:
        with self._lock:
            if hasattr(type(self._connection), "__enter__"):
                self._connection.__enter__()
                self._entered = True
        return self

    def __exit__(self, *raised: Any) -> Any:
        if not self._entered:  # PEP 249 asks no driver for it
            self.close()
            return None
        with self._lock:
            self._entered = False
            return self._connection.__exit__(*raised)

    def close(self) -> None:
        self._connection.close()

    def __repr__(self) -> str:
        return f"<Connection to the data of {self._name!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A connection to a database is not pickled: open one in the other process.")


def _errors_of(connection: Any) -> tuple[type[Exception], ...]:
    """The driver's `Error` (PEP 249): of a module above the connection's class, or of itself."""
    path = type(connection).__module__.split(".")
    modules = [sys.modules.get(".".join(path[:length])) for length in range(len(path), 0, -1)]
    # the modules first: some drivers warn when the connection is asked
    for place in (*modules, connection):
        found = getattr(place, "Error", None)
        if isinstance(found, type) and issubclass(found, Exception):
            return (found,)
    return ()


def _of_url(access: Access, **options: Any) -> Open:
    from sqlalchemy.pool import NullPool

    engine: Any = ENGINES.open(access, poolclass=NullPool, session_bound=False, **options)
    if hasattr(engine, "sync_engine"):
        raise InvalidParameterError(
            f"{engine.dialect.driver} has no connections for code that is not async.",
            hint="Take an engine: conn.engine(…), or another driver.",
            parameter="url",
        )

    def opened() -> tuple[Any, float]:
        pooled = engine.raw_connection()
        ends_at = pooled.info.get(ENDS_AT, float("inf"))
        connection = pooled.driver_connection
        pooled.detach()
        return connection, ends_at

    return opened


def _of_module(
    access: Access,
    module: str,
    where: TokenPlacement | None,
    options: dict[str, Any],
    *,
    encrypted: bool,
) -> Open:
    name = access.source.name
    if where is None or where.placement in {Placement.URL_QUERY, Placement.ADBC_HEADER}:
        raise InvalidParameterError(
            f"Nobody says which argument of {module} takes the token of {name!r}.",
            hint='Give token="password", or a mapping such as {"placement": "connect_arg", '
            '"name": "token"}.',
            parameter="token",
        )
    driver = library(module, access)
    named = {**access.handle.connect_args, **options}
    of_entry = module == access.handle.options.get("module")
    if leads_elsewhere(name, options) or not (of_entry or hosts_in(named)):
        require_reach(name, access.reach, hosts_in(named), named,
                      access.handle.options.get("host_suffix", ""))  # fmt: skip
    if where.placement in AS_PASSWORD:
        named = with_tls(name, module, hosts_in(named), named, encrypted=encrypted)
    if where.placement is Placement.LIBPQ_HOOK:
        named = {**oauth_arguments(access), **named}
    source = token_source(access)
    living = Living(source, access.reach)

    def attempt(token: AccessToken) -> Any:
        with lent_if(where, token):
            return driver.connect(**placed(where, token, ((), named), living)[1])

    def opened() -> tuple[Any, float]:
        made, token = connect_fresh(
            lambda rejected: source.token(rejected=rejected),
            attempt,
            lambda error: is_refusal(error, access.handle.auth_errors),
        )
        return made, token.expires_at.timestamp() if token.expires_at else float("inf")

    return opened


CONNECTOR = DbapiConnector()
