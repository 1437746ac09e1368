"""An ADBC connection (Arrow): its header is renewed while it lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_oauthconn.catalog import Placement, TokenPlacement
from jupyter_oauthconn.connectors.connector import Access, library
from jupyter_oauthconn.connectors.exchange import token_source
from jupyter_oauthconn.connectors.reach import Reach
from jupyter_oauthconn.connectors.sql.opening import connect_fresh, is_refusal
from jupyter_oauthconn.connectors.sql.placements import USUAL_NAMES, Living, placed, placement_of
from jupyter_oauthconn.errors import InvalidParameterError, NotAllowedError
from jupyter_oauthconn.model import AccessToken

if TYPE_CHECKING:
    from .flight_locations import Places

_FLIGHT_SQL = "adbc_driver_flightsql"
#: Ends of options by which a driver would go elsewhere.
_ADDRESSES = ("uri", "host", "account", "protocol")
_PLAIN_ADDRESSES = ("uri", "protocol")
_HEADER = TokenPlacement(placement=Placement.ADBC_HEADER)


class AdbcConnector:
    """Kind `adbc`: an `adbc_driver_manager.dbapi.Connection`, as pandas and polars take it.

    With the placement `adbc_header` each cursor sends a fresh token; a statement that is refused
    is executed once more with a renewed one.
    """

    def open(
        self,
        access: Access,
        *,
        url: str | None = None,
        module: str | None = None,
        token: TokenPlacement | Mapping[str, str] | str | None = None,
        metadata: bool = False,
        **options: Any,
    ) -> Any:
        """A connection.

        Args:
            url: of the database, e.g. `grpc+tls://host:443`; None: as the provider's entry says.
            module: the driver's, e.g. `adbc_driver_snowflake`; None: as the entry says, else
                Flight SQL's.
            token: as of an engine; None: as the entry says, else the header.
            metadata: allow `adbc_get_objects` and the like with Flight SQL: the driver takes the
                token wherever the server says that their answer is.
            options: of the driver: `db_kwargs`, `conn_kwargs`, `autocommit`.

        Raises:
            InvalidParameterError: nobody says where the database is.
            NotAllowedError: the token does not go to that host, or not without TLS.
            ConfigurationError: the driver is not installed; the hint is the command.
        """
        where = placement_of(access.handle, token) or _HEADER
        module = module or access.handle.options.get("module") or _FLIGHT_SQL
        requires = "" if access.handle.requires else module.replace("_", "-")
        driver = library(module, access, requires=f"{requires} pyarrow" if requires else "")
        arguments = {**access.handle.connect_args, **options.pop("db_kwargs", {})}
        address = _checked(access, url, module)
        _require_no_other(access, arguments)
        places = _places(access, address, metadata) if module == _FLIGHT_SQL else None
        connect = _connector(driver, address, options, places)
        source = token_source(access)
        if where.placement is Placement.ADBC_HEADER:
            made = connect(arguments)
            try:
                made.renewed_from(source, where.name or USUAL_NAMES[where.placement])
            except BaseException:
                made.close()
                raise
            return made
        living = Living(source, access.reach)

        def attempt(fresh: AccessToken) -> Any:
            return connect(placed(where, fresh, ((), arguments), living)[1])

        made, _ = connect_fresh(
            lambda rejected: source.token(rejected=rejected),
            attempt,
            lambda error: is_refusal(error, access.handle.auth_errors),
        )
        return made

    def check(self, handle: Any, access: Access) -> str:
        """Runs the entry's probe, else `select 1`."""
        probe = access.handle.probe or "select 1"
        with handle.cursor() as cursor:
            cursor.execute(probe)
            row = cursor.fetchone()
        return f"`{probe}` answered {row[0] if row else row}."


def _checked(access: Access, url: str | None, module: str) -> str:
    """The address, if the token may go there."""
    address = url or access.handle.url
    name = access.source.name
    if not address:
        if module == _FLIGHT_SQL:
            raise InvalidParameterError(
                f"The provider of {name!r} names no address for Arrow Flight SQL.",
                hint='Give it: conn.handle("adbc", url="grpc+tls://host:443").',
                parameter="url",
            )
        return ""
    from .flight_locations import covers

    if not covers(access.reach, address):
        raise NotAllowedError(
            f"The token of {name!r} is not sent to {address}.",
            hint="It goes to the hosts of the connection's own store, over TLS (grpc+tls://…).",
        )
    return address


def _require_no_other(access: Access, arguments: Mapping[str, Any]) -> None:
    """Raises `NotAllowedError`: the caller's options lead elsewhere than the entry's."""
    # where any host would do, the caller may say it in this way, but not without TLS
    ends = _ADDRESSES if access.reach.hosts is not None else _PLAIN_ADDRESSES
    for name, value in arguments.items():
        if name.endswith(ends) and access.handle.connect_args.get(name) != value:
            raise NotAllowedError(
                f"The token of {access.source.name!r} is not sent to where {name} leads.",
                hint="Give the address as url, and leave that option out.",
            )


def _places(access: Access, address: str, metadata: bool) -> Places:
    from .flight_locations import Places

    reach = access.reach
    # where any host would do, the one that was named is enough
    if reach.hosts is None:
        reach = Reach((urlsplit(address).hostname or "",))
    return Places(access.source.name, reach, metadata)


def _connector(
    driver: Any, address: str, options: Mapping[str, Any], places: Places | None
) -> Callable[[Mapping[str, str]], Any]:
    from adbc_driver_manager import AdbcConnection

    from .connection import RenewedConnection

    of_connection = options.get("conn_kwargs") or {}
    autocommit = bool(options.get("autocommit", False))

    def connect(arguments: Mapping[str, str]) -> Any:
        opened: list[Any] = []
        try:
            # the driver is C: it takes texts, and no class derived from them
            plain = {key: str(value) for key, value in arguments.items()}
            opened.append(driver.connect(address or None, db_kwargs=plain))
            opened.append(AdbcConnection(opened[0], **of_connection))
            return RenewedConnection(*opened, of_connection, places=places, autocommit=autocommit)
        except BaseException:
            for one in reversed(opened):
                one.close()
            raise

    return connect


CONNECTOR = AdbcConnector()
