"""An ADBC connection that sends a fresh token: imported when the driver manager is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from adbc_driver_manager import AdbcConnection, AdbcStatement, dbapi

from jupyter_oauthconn.connectors.headers import authorization_header
from jupyter_oauthconn.connectors.reach import TokenSource
from jupyter_oauthconn.connectors.sql.opening import is_refusal
from jupyter_oauthconn.model import AccessToken

from .flight_locations import Places, chained

T = TypeVar("T")


class RenewedCursor(dbapi.Cursor):
    """Executes once more what was refused for the token's sake, and only that."""

    _options: Mapping[str, Any] | None = None
    #: What its statement sends, whatever the connection sends by now.
    _token: AccessToken | None = None

    def execute(self, operation: bytes | str, parameters: Any = None) -> Any:
        try:
            return self._executed(operation, parameters)
        except dbapi.Error as error:
            connection: Any = self._conn
            token = connection.other_than(self._token) if is_refusal(error, ()) else None
            if token is None:
                raise
        self._begin_anew(token)
        return self._executed(operation, parameters)

    def _executed(self, operation: bytes | str, parameters: Any) -> Any:
        """As the driver manager's, with a look at where the result is."""
        connection: Any = self._conn
        if connection._places is None:
            return super().execute(operation, parameters)
        partitions, schema = self.adbc_execute_partitions(operation, parameters)
        connection._places.require(partitions)
        rows = self._rowcount
        if len(partitions) == 1:
            self.adbc_read_partition(partitions[0])
        else:
            handle = chained(partitions, schema, connection._conn.read_partition)
            self._results = dbapi._RowIterator(self._stmt, handle, self._backend)
        self._rowcount = rows
        return self

    def adbc_read_partition(self, partition: bytes) -> None:
        connection: Any = self._conn
        if connection._places is not None:
            connection._places.require([partition])
        super().adbc_read_partition(partition)

    def _begin_anew(self, token: AccessToken) -> None:
        # a statement keeps the headers that its connection had when it was made
        connection: Any = self._conn
        self._stmt.close()
        self._stmt = connection.sending(token, lambda: AdbcStatement(connection._conn))
        self._token = token
        if self._options:
            self._stmt.set_options(**self._options)
        self._last_query, self._bind_by_name = None, False


class RenewedConnection(dbapi.Connection):
    """Each cursor sends a fresh token, once `renewed_from` has said where it comes from.

    The header belongs to this connection, not to the database object below: what is set there
    goes along with every call for ever, beside the newer one (tried with 1.13).
    """

    _source: TokenSource | None = None
    _option = ""
    _generation = -1
    _sending: threading.Lock

    def __init__(self, *opened: Any, places: Places | None, **options: Any) -> None:
        """As the driver manager's.

        Args:
            places: where a Flight SQL server may say that a result is; None: it is another driver.
        """
        self._places = places
        super().__init__(*opened, **options)

    def renewed_from(self, source: TokenSource, option: str) -> None:
        """From now on.

        Args:
            option: the driver's name for the header of a connection's calls.
        """
        self._source, self._option, self._sending = source, option, threading.Lock()
        self.sending(source.token(), lambda: None)

    def adbc_clone(self) -> Any:
        made = RenewedConnection(
            self._db,
            AdbcConnection(self._db._db, **(self._conn_kwargs or {})),
            self._conn_kwargs,
            places=self._places,
            autocommit=self._autocommit,
        )
        if self._source is not None:
            made.renewed_from(self._source, self._option)
        return made

    def other_than(self, refused: AccessToken | None) -> AccessToken | None:
        """Another token than the one that was refused; None: there is none."""
        if self._source is None or refused is None:
            return None
        token = self._source.token()
        if token.generation == refused.generation:
            token = self._source.token(rejected=refused)
        return None if token.generation == refused.generation else token

    def cursor(self, *, adbc_stmt_kwargs: Mapping[str, Any] | None = None) -> Any:
        def make() -> RenewedCursor:
            return RenewedCursor(self, adbc_stmt_kwargs, dbapi_backend=self._backend)

        if self._source is None:
            made = make()
        else:
            token = self._source.token()
            made = self.sending(token, make)
            made._token = token
        made._options = adbc_stmt_kwargs
        self._cursors.add(made)
        return made

    def sending(self, token: AccessToken, make: Callable[[], T]) -> T:
        """What `make` makes while the connection sends that token."""
        with self._sending:
            if token.generation != self._generation:
                # a value is added to those that are there: an empty one takes them away
                self._conn.set_options(**{self._option: ""})
                # plain text: the driver is C, and takes no class derived from it
                self._conn.set_options(**{self._option: str(authorization_header(token))})
                self._generation = token.generation
            return make()

    def __repr__(self) -> str:
        return (
            f"<ADBC connection of {self._source.name!r}>" if self._source else "<ADBC connection>"
        )


def _guarded(method: Callable[..., T]) -> Callable[..., T]:
    @wraps(method)
    def call(self: RenewedConnection, *args: Any, **options: Any) -> T:
        if self._places is not None:
            self._places.require_metadata(method.__name__)
        return method(self, *args, **options)

    return call


# whatever else a later driver manager can ask
for _name in [one for one in dir(dbapi.Connection) if one.startswith("adbc_get_")]:
    setattr(RenewedConnection, _name, _guarded(getattr(dbapi.Connection, _name)))
