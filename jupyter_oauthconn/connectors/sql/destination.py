"""Whether a database that the caller addresses may get the token, and only over TLS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from jupyter_oauthconn.connectors.reach import LOOPBACK, Reach
from jupyter_oauthconn.errors import NotAllowedError

_ODBC_ENCRYPTED = frozenset({"yes", "mandatory", "true", "1", "strict"})


class _Tls(NamedTuple):
    """How a driver is told to use TLS, and which values of the argument do."""

    argument: str
    default: Any
    demands: Callable[[Any], bool]


def _mode(value: Any) -> bool:
    return str(value).lower().replace("_", "-") in {
        "require", "required", "verify-ca", "verify-full", "verify-identity",
    }  # fmt: skip


def _mode_or_context(value: Any) -> bool:
    return _mode(value) if isinstance(value, str) else bool(value)


_LIBPQ = _Tls("sslmode", "require", _mode)
_TLS = {
    "psycopg": _LIBPQ,
    "psycopg2": _LIBPQ,
    "psycopg2cffi": _LIBPQ,
    "asyncpg": _Tls("ssl", "require", _mode_or_context),
    "pg8000": _Tls("ssl_context", True, bool),
    # an empty dict would not do: the drivers take it for "no TLS"
    "pymysql": _Tls("ssl", {"check_hostname": True}, bool),
    "aiomysql": _Tls("ssl", None, bool),
    "mysqldb": _Tls("ssl_mode", "REQUIRED", _mode),
}
#: Arguments that lead elsewhere than the host that is looked at.
_DETOURS = ("conninfo", "connection_name", "hostaddr", "read_default_file", "service", "sock",
            "unix_sock", "unix_socket")  # fmt: skip
#: Arguments that name a host; a driver that knows two of them may take either.
_HOSTS = ("host", "server", "hostname", "server_hostname", "account")
#: Those that only a caller gives: a dialect makes them of the host.
_OF_CALLER = ("dsn", "database_url", "uri", "url")
#: Keywords of an ODBC connection string that name a host, and those that lead to a file.
_ODBC_HOSTS = frozenset(
    {"server", "address", "addr", "network address", "failover_partner", "failoverpartner"}
)
_ODBC_FILES = frozenset({"dsn", "filedsn"})
_ODBC_PAIR = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*?)\s*(?:;|$)")
#: Transport, port and instance around a server's name.
_ODBC_SERVER = re.compile(r"(?:tcp:)?\s*([^,\\]*?)\s*(?:\\[\w$-]+)?(?:,\s*\d{1,5})?", re.IGNORECASE)
_HOST_NAME = re.compile(r"[\w.-]+", re.ASCII)


def hosts_in(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The hosts among a driver's arguments; libpq takes several, separated by commas."""
    found = [arguments[name] for name in _HOSTS[:-1] if arguments.get(name)]
    # Snowflake makes the host of it, where it is not given
    found = found or [arguments[name] for name in _HOSTS[-1:] if arguments.get(name)]
    several = [one.split(",") if isinstance(one, str) else one for one in found]
    return tuple(str(one).strip() for each in several for one in each)


def leads_elsewhere(name: str, given: Mapping[str, Any]) -> bool:
    """Whether what a caller gives to the driver says where the database is.

    Raises `NotAllowedError`: in a form in which no host can be looked at.
    """
    for one in _OF_CALLER:
        if given.get(one):
            raise _nothing_says(name, f"{one} names")
    return any(given.get(one) for one in (*_HOSTS, *_DETOURS, "protocol"))


def odbc_hosts(name: str, positional: Iterable[Any]) -> tuple[str, ...]:
    """The hosts of ODBC connection strings. Raises `NotAllowedError`: a file says where it is."""
    found: list[str] = []
    for text in positional:
        for key, value in _odbc_pairs(text):
            if key in _ODBC_FILES:
                raise _nothing_says(name, f"{key.upper()} names")
            if key in _ODBC_HOSTS:
                server = _ODBC_SERVER.fullmatch(value)
                found.append(server[1] if server else value)
    return tuple(found)


def require_reach(
    name: str, reach: Reach, hosts: Iterable[str], arguments: Mapping[str, Any], suffix: str = ""
) -> None:
    """Raises `NotAllowedError`: the token of the connection `name` does not go there.

    Args:
        suffix: what the driver appends to a host, e.g. `.snowflakecomputing.com`.
    """
    detour = next((one for one in _DETOURS if arguments.get(one)), None)
    hosts = list(hosts)
    if detour is not None or not hosts:
        raise _nothing_says(name, f"{detour} names" if detour else "nothing says")
    if str(arguments.get("protocol", "")).lower() == "http" and not all(map(is_local, hosts)):
        raise NotAllowedError(
            f"The token of {name!r} is not sent without TLS (protocol='http').",
            hint="Leave protocol out.",
        )
    for host in hosts:
        # some dialects have appended it themselves
        whole = host if host.endswith(suffix) else host + suffix
        if not reach.covers(_as_address(whole)):
            known = "any host" if reach.hosts is None else ", ".join(reach.hosts) or "no host"
            raise NotAllowedError(
                f"The token of {name!r} is not sent to {whole}: the connection is for {known}.",
                hint="Use the host of the connection's own store, or a connection for that one.",
            )


def with_tls(
    name: str, driver: str, hosts: Iterable[str], arguments: dict[str, Any], *, encrypted: bool
) -> dict[str, Any]:
    """A driver's arguments, by which a connection to another machine is encrypted.

    Args:
        encrypted: the caller says that his arguments see to it.

    Raises:
        NotAllowedError: they do not, or nobody knows whether they do.
    """
    tls = _TLS.get(driver)
    if tls is _LIBPQ:
        # else PGHOSTADDR, or a file of services, would lead elsewhere than the host says
        arguments = {"hostaddr": "", **arguments}
    hosts = list(hosts)
    if encrypted or (hosts and all(is_local(one) for one in hosts)):
        return arguments
    if tls is None or (tls.default is None and tls.argument not in arguments):
        raise NotAllowedError(
            f"A token is a password to this database, and whether {driver} encrypts the "
            f"connection of {name!r} is not known.",
            hint="Give the driver's arguments that demand TLS in connect_args, and encrypted=True.",
        )
    if tls.argument not in arguments:
        return {**arguments, tls.argument: tls.default}
    if tls.demands(arguments[tls.argument]):
        return arguments
    raise NotAllowedError(
        f"The token of {name!r} is not sent over a connection that need not be encrypted "
        f"({tls.argument}={arguments[tls.argument]!r}).",
        hint=f"Leave {tls.argument} out, or give one that demands TLS, e.g. {tls.default!r}.",
    )


def require_odbc_tls(name: str, hosts: Iterable[str], positional: Iterable[Any]) -> None:
    """Raises `NotAllowedError`: the connection string switches TLS off (its default is on)."""
    modes = [one for text in positional for key, one in _odbc_pairs(text) if key == "encrypt"]
    weak = any(one.lower() not in _ODBC_ENCRYPTED for one in modes)
    if weak and not all(is_local(one) for one in hosts):
        raise NotAllowedError(
            f"The token of {name!r} is not sent over a connection that need not be encrypted.",
            hint="Leave Encrypt out of the address, or give Encrypt=yes.",
        )


def is_local(host: str) -> bool:
    """Loopback, or a socket of this machine."""
    return host.lower() in LOOPBACK or host.startswith(("/", "@"))


def _as_address(host: str) -> str:
    if is_local(host):
        return f"http://{'[::1]' if host == '::1' else 'localhost' if host[0] in '/@' else host}"
    # a host and nothing else: no port, which a driver may cut off, no user name, no path
    return f"https://{host}/" if _HOST_NAME.fullmatch(host) else ""


def _odbc_pairs(text: Any) -> list[tuple[str, str]]:
    """Keyword in lower case and value, of a connection string of ODBC."""
    if not isinstance(text, str):
        return []
    found = [(one[1].lower(), one[2]) for one in _ODBC_PAIR.finditer(text)]
    # drivers do not agree on what braces may hold: what is within them counts, too
    for part in text.split(";"):
        key, _, value = part.partition("=")
        found.append((key.strip().lower(), value.strip()))
    return [(key, _unbraced(value)) for key, value in dict.fromkeys(found)]


def _unbraced(value: str) -> str:
    if not (value.startswith("{") and value.endswith("}")):
        return value
    return value[1:-1].replace("}}", "}").strip()


def _nothing_says(name: str, what: str) -> NotAllowedError:
    return NotAllowedError(
        f"The token of {name!r} is not sent to a database of which {what} the host.",
        hint="Give the host in the address: driver://user@host/database.",
    )
