"""An ADBC connection that sends a fresh token: imported when the driver manager is there."""

from __future__ import annotations

from typing import Any

from adbc_driver_manager import dbapi

from jupyter_oauthconn.connectors.reach import TokenSource, authorization_header
from jupyter_oauthconn.model import AccessToken

from .opening import is_refusal

#: The option of a live Flight SQL connection that replaces the header of its calls.
_RENEWED = "adbc.flight.sql.rpc.call_header.authorization"


class RenewedCursor(dbapi.Cursor):
    """Executes once more what was refused for the token's sake, and only that."""

    def execute(self, operation: bytes | str, parameters: Any = None) -> Any:
        try:
            return super().execute(operation, parameters)
        except dbapi.Error as error:
            connection: Any = self._conn
            if not is_refusal(error, ()) or not connection.renew_refused():
                raise
        self._last_query = None  # it was not prepared
        return super().execute(operation, parameters)


class RenewedConnection(dbapi.Connection):
    """Each cursor sends a fresh token, once `renewed_from` has said where it comes from."""

    _source: TokenSource | None = None
    _generation = -1

    def renewed_from(self, source: TokenSource, generation: int) -> None:
        """From now on; `generation` is that of the token it was opened with."""
        self._source, self._generation = source, generation

    def renew_refused(self) -> bool:
        """Whether there is another token than the one that was refused, which is sent now."""
        if self._source is None:
            return False
        token = self._source.token()
        if token.generation == self._generation:
            token = self._source.token(rejected=token)
        return self._send(token)

    def cursor(self, *, adbc_stmt_kwargs: Any = None) -> Any:
        if self._source is not None:
            self._send(self._source.token())
        made = RenewedCursor(self, adbc_stmt_kwargs, dbapi_backend=self._backend)
        self._cursors.add(made)
        return made

    def _send(self, token: AccessToken) -> bool:
        if token.generation == self._generation:
            return False
        # plain text: the driver is C, and takes no class derived from it
        self._conn.set_options(**{_RENEWED: str(authorization_header(token))})
        self._generation = token.generation
        return True

    def __repr__(self) -> str:
        return (
            f"<ADBC connection of {self._source.name!r}>" if self._source else "<ADBC connection>"
        )
