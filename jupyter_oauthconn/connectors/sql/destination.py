"""Whether a database that the caller addresses may get the token, and only over TLS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from jupyter_oauthconn.connectors.reach import LOOPBACK, Reach
from jupyter_oauthconn.errors import NotAllowedError

_ODBC_PLAIN = re.compile(r"(?:^|;)\s*Encrypt\s*=\s*(?:no|optional|0)\b", re.IGNORECASE)


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
_DETOURS = ("hostaddr", "service", "unix_sock", "unix_socket")


def hosts_in(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The hosts among a driver's arguments; libpq takes several, separated by commas."""
    found = arguments.get("host") or arguments.get("server") or arguments.get("hostname") or ()
    several = found.split(",") if isinstance(found, str) else found
    return tuple(str(one).strip() for one in several)


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
        what = f"{detour} names" if detour else "nothing says"
        raise NotAllowedError(
            f"The token of {name!r} is not sent to a database of which {what} the host.",
            hint="Give the host in the address: driver://user@host/database.",
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
    if encrypted or all(is_local(one) for one in hosts):
        return arguments
    tls = _TLS.get(driver)
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
    weak = any(isinstance(one, str) and _ODBC_PLAIN.search(one) for one in positional)
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
    # a host and nothing else: no port, no user name, no path
    return f"https://{host}/" if set(host).isdisjoint("/@:?#\\[]") else ""
