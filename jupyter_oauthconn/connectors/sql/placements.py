"""Where a driver wants the token: what its connect arguments become.

Four are put in at each connect, as text; three are a callable that asks for a token whenever the
driver needs one; the others need the address (`url_query`), the connection (`adbc_header`) or the
library below the driver (`libpq_hook`).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_oauthconn.catalog import Handle, Placement, TokenPlacement, unfit_placement
from jupyter_oauthconn.connectors.credentials.for_databricks import HeaderFactories
from jupyter_oauthconn.connectors.headers import MaskedText, authorization_header
from jupyter_oauthconn.connectors.reach import Reach, TokenSource
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import AccessToken

#: `SQL_COPT_SS_ACCESS_TOKEN` of Microsoft's ODBC driver.
_ODBC_ACCESS_TOKEN = 1256
#: What an ODBC connection string may not hold beside a token.
_ODBC_SIGN_IN = re.compile(
    r"(?:^|;)\s*(?:Trusted_Connection|Authentication|UID|PWD|User Id|Password)\s*=[^;]*",
    re.IGNORECASE,
)
#: Names that a driver's argument has unless the entry says otherwise.
USUAL_NAMES = {
    Placement.PASSWORD: "password",
    Placement.ODBC_TOKEN: "attrs_before",
    Placement.ADBC_HEADER: "adbc.flight.sql.rpc.call_header.authorization",
}

#: The driver asks for the header at each request: its frames hold it later than the connect, too.
WITH_EACH_STATEMENT = frozenset({Placement.HEADER_FACTORY, Placement.REQUESTS_AUTH})

Arguments = tuple[list[Any], dict[str, Any]]


def placement_of(
    handle: Handle, given: TokenPlacement | Mapping[str, str] | str | None
) -> TokenPlacement | None:
    """What the caller says, else the entry.

    Args:
        given: a placement's name, or a mapping with `placement`, `name` and `prefix`.

    Raises:
        InvalidParameterError: there is no such placement, or its name or prefix is missing, or a
            prefix is there that it has no use for.
    """
    if given is None:
        return handle.token
    if isinstance(given, str):
        given = {"placement": given}
    if isinstance(given, Mapping):
        given = _read(given)
    if wrong := unfit_placement(given):
        key, reason = wrong
        prefix = ', "prefix": "token="' if given.placement is Placement.PREFIXED else ""
        raise InvalidParameterError(
            f"The token's placement does not fit: its {key} {reason}.",
            hint=f'For example token={{"placement": "{given.placement}", '
            f'"name": "token"{prefix}}}.',
            parameter="token",
        )
    return given


def placed(
    where: TokenPlacement,
    token: AccessToken,
    arguments: tuple[Sequence[Any], Mapping[str, Any]],
    living: Living,
) -> Arguments:
    """The driver's positional and named arguments with the token in its place.

    The given ones are not changed. Texts are masked where a frame or a dict shows them.
    """
    positional, named = list(arguments[0]), dict(arguments[1])
    name = where.name or USUAL_NAMES.get(where.placement, "")
    match where.placement:
        case Placement.CONNECT_ARG | Placement.PASSWORD:
            named[name] = MaskedText(token.reveal())
        case Placement.PREFIXED:
            named[name] = MaskedText(where.prefix + token.reveal())
        case Placement.ADBC_HEADER:
            named[name] = authorization_header(token)
        case Placement.ODBC_TOKEN:
            before = {_ODBC_ACCESS_TOKEN: _odbc(token)}
            named[name] = {**named.get(name, {}), **before}
            positional = [
                _ODBC_SIGN_IN.sub("", one) if isinstance(one, str) else one for one in positional
            ]
        case Placement.HEADER_FACTORY | Placement.REQUESTS_AUTH | Placement.CALLABLE_ARG:
            named[name] = living.made(where.placement)
        case Placement.URL_QUERY | Placement.LIBPQ_HOOK:
            pass  # in the address, or on the way
    return positional, named


class Living:
    """What asks for a token by itself, as often as the driver does: made once for a handle."""

    def __init__(self, source: TokenSource, reach: Reach) -> None:
        self._source = source
        self._reach = reach

    def made(self, placement: Placement) -> object:
        if placement is Placement.HEADER_FACTORY:
            return HeaderFactories(self._source, self._reach)
        if placement is Placement.CALLABLE_ARG:
            return TokenCallback(self._source)
        return _requests_auth(self._source, self._reach)

    def __repr__(self) -> str:
        return f"<Tokens of {self._source.name!r}>"


class TokenCallback:
    """Gives a token as text. A driver that says `True` has been refused the last one (Oracle).

    The text is a plain one: Oracle's driver is compiled and takes no class derived from it.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self, refused: object = None, *_: object, **__: object) -> str:
        token = self._source.token()
        if refused is True:
            token = self._source.token(rejected=token)
        return token.reveal()

    def __repr__(self) -> str:
        return f"<Token of {self._source.name!r}>"


def _requests_auth(source: TokenSource, reach: Reach) -> object:
    from jupyter_oauthconn.connectors.with_requests import SessionAuth

    return SessionAuth(source, reach)


def _odbc(token: AccessToken) -> bytes:
    value = token.reveal().encode("utf-16-le")
    return struct.pack(f"<I{len(value)}s", len(value), value)


def _read(given: Mapping[str, str]) -> TokenPlacement:
    text = given.get("placement", "")
    try:
        placement = Placement(text)
    except ValueError:
        raise InvalidParameterError(
            f"There is no placement {text!r} for a token.",
            hint=f"There are {', '.join(Placement)}.",
            parameter="token",
        ) from None
    return TokenPlacement(
        placement=placement, name=given.get("name", ""), prefix=given.get("prefix", "")
    )
