"""A SQLAlchemy engine whose new connections always carry a fresh token."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from jupyter_oauthconn.catalog import Placement, TokenPlacement
from jupyter_oauthconn.connectors.connector import Access, library
from jupyter_oauthconn.connectors.exchange import token_source
from jupyter_oauthconn.connectors.frames import empty_frames
from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError
from jupyter_oauthconn.model import AccessToken

from .destination import (
    hosts_in,
    leads_elsewhere,
    odbc_hosts,
    require_odbc_tls,
    require_reach,
    with_tls,
)
from .opening import connect_fresh, is_refusal
from .placements import WITH_EACH_STATEMENT, Arguments, Living, placed, placement_of

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import AsyncEngine

#: In a pooled connection's `info`: when the token that opened it ends (epoch, seconds).
ENDS_AT = "jupyter_oauthconn.token_ends_at"
_TEXT_LIMIT = 80
AS_PASSWORD = frozenset({Placement.PASSWORD, Placement.LIBPQ_HOOK})
_ODBC_DRIVERS = frozenset({"pyodbc", "aioodbc"})
#: Where a driver's distribution has another name.
_DISTRIBUTIONS = {"psycopg": '"psycopg[binary]"', "psycopg2": "psycopg2-binary"}


class EngineConnector:
    """Kind `engine`: an `Engine`, or an `AsyncEngine` with `asynchronous=True`.

    Each new connection of its pool gets a fresh token; one that the database refuses is renewed
    and tried once more. Where a session ends with its token (`session_bound`), the pool replaces
    a connection at checkout once its token has expired.
    """

    def open(
        self,
        access: Access,
        *,
        url: str | sa.URL | None = None,
        token: TokenPlacement | Mapping[str, str] | str | None = None,
        asynchronous: bool = False,
        session_bound: bool | None = None,
        encrypted: bool = False,
        **options: Any,
    ) -> sa.Engine | AsyncEngine:
        """An engine.

        Args:
            url: of the database, without password; None: as the provider's entry says.
            token: where the driver wants the token: a placement's name, e.g. `"password"`, or a
                mapping with `placement`, `name`, `prefix`; None: as the entry says.
            session_bound: the database ends a session whose token has expired.
            encrypted: `connect_args` see to TLS, for a driver of which that is not known.
            options: those of `sqlalchemy.create_engine`.

        Raises:
            InvalidParameterError: nobody says where the database is or where the token goes.
            NotAllowedError: the token does not go to that host, or not without TLS.
            ConfigurationError: dialect or driver is not installed; the hint is the command.
        """
        sqlalchemy = library("sqlalchemy", access)
        address = address_of(access, url)
        _refuse_options(access, options)
        by_caller = options.pop("connect_args", {})
        elsewhere = leads_elsewhere(access.source.name, by_caller)
        arguments = {**access.handle.connect_args, **by_caller}
        where = placement_of(access.handle, token)
        if where is None:
            arguments |= _client_argument(access, address)
        dialect = dialect_of(access, address)
        asynchronous = asynchronous or dialect.is_async
        make = sqlalchemy.create_engine
        if asynchronous:
            make = library("sqlalchemy.ext.asyncio", access).create_async_engine
        made = make(address, connect_args=arguments, **options)
        engine = made.sync_engine if asynchronous else made
        if where is None or where.placement in WITH_EACH_STATEMENT:
            sqlalchemy.event.listen(engine, "handle_error", _empty_frames)
        if where is not None:
            bound = access.handle.session_bound if session_bound is None else session_bound
            fresh = FreshConnections(access, where, arguments, encrypted=encrypted,
                                     by_caller=elsewhere or bool(url))  # fmt: skip
            fresh.look_at(engine)
            sqlalchemy.event.listen(engine, "do_connect", fresh)
            if bound:
                sqlalchemy.event.listen(engine, "checkout", _replace_expired)
        opened: sa.Engine | AsyncEngine = made
        return opened

    def check(self, handle: sa.Engine | AsyncEngine, access: Access) -> str:
        """Runs the entry's probe, else `select 1`."""
        probe = access.handle.probe or "select 1"
        if hasattr(handle, "sync_engine"):
            seen = _in_loop(handle, probe)
        else:
            from sqlalchemy import text

            with handle.connect() as connection:
                seen = connection.execute(text(probe)).scalar()
        return f"`{probe}` answered {str(seen)[:_TEXT_LIMIT]}."


class FreshConnections:
    """Listens to `do_connect`: connects with a fresh token, and knows when it ends."""

    def __init__(
        self,
        access: Access,
        where: TokenPlacement,
        connect_args: Mapping[str, Any],
        *,
        by_caller: bool,
        encrypted: bool,
    ) -> None:
        self._access = access
        self._source = token_source(access)
        self._where = where
        self._connect_args = connect_args
        self._by_caller = by_caller
        self._encrypted = encrypted
        self._living = Living(self._source, access.reach)
        self._url: sa.URL | None = None

    def look_at(self, engine: sa.Engine) -> None:
        """Raises `NotAllowedError` now instead of at the first connect."""
        self._url = engine.url
        positional, named = engine.dialect.create_connect_args(engine.url)
        self._prepared(engine.dialect, list(positional), {**named, **self._connect_args})

    def __call__(
        self, dialect: sa.Dialect, record: Any, positional: list[Any], named: dict[str, Any]
    ) -> Any:
        named = self._prepared(dialect, positional, named)
        ask = self._ask_in_loop if dialect.is_async else self._ask

        def attempt(token: AccessToken) -> Any:
            with lent_if(self._where, token):
                # no name holds what the driver gets: a traceback would show it
                return _connect(dialect, self._arguments(dialect, token, positional, named))

        made, token = connect_fresh(ask, attempt, self._is_refusal)
        if record is not None and token.expires_at is not None:
            record.info[ENDS_AT] = token.expires_at.timestamp()
        return made

    def _prepared(
        self, dialect: sa.Dialect, positional: list[Any], named: dict[str, Any]
    ) -> dict[str, Any]:
        """The driver's arguments without the token, if it may go where they lead."""
        name, placement = self._access.source.name, self._where.placement
        url = self._url
        odbc = placement is Placement.ODBC_TOKEN or dialect.driver in _ODBC_DRIVERS
        hosts = odbc_hosts(name, positional) if odbc else ()
        hosts = hosts or hosts_in(named) or ((url.host,) if url is not None and url.host else ())
        if self._by_caller:
            suffix = self._access.handle.options.get("host_suffix", "")
            require_reach(name, self._access.reach, hosts, named, suffix)
        if placement in AS_PASSWORD:
            named = with_tls(name, dialect.driver.removesuffix("_async"), hosts, named,
                             encrypted=self._encrypted)  # fmt: skip
        if placement is Placement.ODBC_TOKEN:
            require_odbc_tls(name, hosts, positional)
        if placement is Placement.LIBPQ_HOOK:
            named = {**oauth_arguments(self._access), **named}
        return named

    def _arguments(
        self, dialect: sa.Dialect, token: AccessToken, positional: list[Any], named: dict[str, Any]
    ) -> Arguments:
        if self._where.placement is Placement.URL_QUERY and self._url is not None:
            url = self._url.update_query_dict({self._where.name: token.reveal()})
            made, found = dialect.create_connect_args(url)
            return list(made), {**found, **self._connect_args}
        return placed(self._where, token, (positional, named), self._living)

    def _ask(self, rejected: AccessToken | None) -> AccessToken:
        return self._source.token(rejected=rejected)

    def _ask_in_loop(self, rejected: AccessToken | None) -> AccessToken:
        # the event loop runs on while a token is fetched
        from sqlalchemy.util import await_only

        token: AccessToken = await_only(self._source.atoken(rejected=rejected))
        return token

    def _is_refusal(self, error: Exception) -> bool:
        return is_refusal(error, self._access.handle.auth_errors)

    def __repr__(self) -> str:
        return f"<Connects with the tokens of {self._access.source.name!r}>"


def address_of(access: Access, url: str | sa.URL | None) -> sa.URL:
    """Raises `InvalidParameterError`: there is none, or it holds a password."""
    from sqlalchemy import exc, make_url

    name = access.source.name
    if not url and not access.handle.url:
        raise InvalidParameterError(
            f"The provider of {name!r} names no database.",
            hint='Say where it is: conn.engine("postgresql+psycopg://me@host/db", '
            'token="password").',
            parameter="url",
        )
    try:
        address = make_url(url or access.handle.url)
    except exc.ArgumentError:
        address = None
    if address is None or address.password is not None:
        what = "no address of a database" if address is None else "holds a password"
        raise InvalidParameterError(
            f"What was given to {name!r} as url {'is ' * (address is None)}{what}.",
            hint="Like dialect+driver://user@host/database: the token takes the password's place.",
            parameter="url",
        )
    return address


def dialect_of(access: Access, address: sa.URL) -> Any:
    """The dialect's class. Raises `ConfigurationError`: it or its driver is not installed."""
    from sqlalchemy import exc

    of_entry = " ".join(f'"{one}"' for one in access.handle.requires)
    try:
        dialect = address.get_dialect()
        dialect.import_dbapi()
    except exc.NoSuchModuleError:
        missing = address.get_backend_name()
    except ModuleNotFoundError as error:
        missing = error.name or address.get_driver_name()
        if not access.handle.url and "+" in address.drivername:
            of_entry = ""  # the caller has chosen another driver than the entry
    else:
        return dialect
    wanted = of_entry or _DISTRIBUTIONS.get(missing, missing)
    raise ConfigurationError(
        f"The engine of {access.source.name!r} needs {missing}, which is not installed here.",
        hint=f"`%pip install {wanted}`, then run this again.",
    )


def _refuse_options(access: Access, options: Mapping[str, Any]) -> None:
    for name in ("creator", "async_creator", "pool"):
        if name in options:
            raise InvalidParameterError(
                f"An engine of {access.source.name!r} opens its own connections.",
                hint=f"Leave {name} out; connect_args are given to the driver.",
                parameter=name,
            )


def _client_argument(access: Access, address: sa.URL) -> dict[str, Any]:
    """The vendor's client, for a dialect that takes one in place of a token."""
    if access.handle.options.get("client") == "bigquery":
        from jupyter_oauthconn.connectors.credentials import CONNECTOR as CREDENTIAL

        bigquery = library("google.cloud.bigquery", access)
        credential = CREDENTIAL.open(access, library="google")
        return {"client": bigquery.Client(project=address.host, credentials=credential)}
    raise InvalidParameterError(
        f"Nobody says where {address.drivername} wants the token of {access.source.name!r}.",
        hint='Give token="password", or a mapping such as {"placement": "connect_arg", '
        '"name": "token"}.',
        parameter="token",
    )


def oauth_arguments(access: Access) -> dict[str, str]:
    """What libpq wants to know before it asks for a token."""
    found = {"oauth_client_id": access.client_id or access.source.name}
    if access.issuer:
        # the well-known form saves libpq a request to the database for it
        issuer = access.issuer.rstrip("/")
        found["oauth_issuer"] = f"{issuer}/.well-known/openid-configuration"
    return found


def lent_if(where: TokenPlacement, token: AccessToken) -> AbstractContextManager[None]:
    """For the block, the token waits for libpq's hook, if that is where it goes."""
    if where.placement is not Placement.LIBPQ_HOOK:
        return nullcontext()
    from .libpq import lent

    return lent(token)


def _connect(dialect: sa.Dialect, arguments: Arguments) -> Any:
    return dialect.connect(*arguments[0], **arguments[1])


def _empty_frames(failed: sa.ExceptionContext) -> None:
    empty_frames(failed.original_exception)


def _replace_expired(_connection: Any, record: Any, _proxy: Any) -> None:
    from sqlalchemy.exc import DisconnectionError

    if record.info.get(ENDS_AT, float("inf")) <= time.time():
        raise DisconnectionError("The token of this session has expired.")


def _in_loop(engine: Any, probe: str) -> Any:
    """Runs the probe of an async engine from code that may itself run in an event loop."""
    from sqlalchemy import text

    async def ask() -> Any:
        async with engine.connect() as connection:
            seen = (await connection.execute(text(probe))).scalar()
        await engine.dispose()  # its connections belong to this loop
        return seen

    seen: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            seen.append(asyncio.run(ask()))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return seen[0]


CONNECTOR = EngineConnector()
