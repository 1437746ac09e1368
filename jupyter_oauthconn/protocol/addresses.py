"""Which hosts and addresses a call to a provider may reach: the guard against forged requests.

A host is resolved once, every address is judged, and the connection is made to a judged address,
so that a second DNS answer cannot differ from the one that was checked.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterable
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from jupyter_oauthconn.errors import InvalidParameterError, ProviderUnavailableError

#: Carrier-grade NAT (RFC 6598) counts as private: overlay networks live there.
_PRIVATE = [
    ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]
#: Clouds' metadata services outside the link-local range; they hand out machine credentials.
_MACHINE_CREDENTIALS = {
    ip_address(one)
    for one in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
}
_NAT64 = ip_network("64:ff9b::/96")
#: IPv6 that carries an IPv4 address to a relay of unknown reach: 6to4, Teredo, local NAT64.
_RELAYED = [ip_network(one) for one in ("2002::/16", "2001::/32", "64:ff9b:1::/48")]
_GLOBAL_UNICAST = ip_network("2000::/3")

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
#: How `inet_aton` reads a number: decimal, octal or hexadecimal.
_NUMBER = re.compile(r"([0-9]+|0x[0-9a-f]*)")
_URL = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_FIRST_USER_PORT = 1024


class Reach(Enum):
    """How far an address reaches (RFC 6890)."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    FORBIDDEN = "forbidden"


def reach_of(address: IPv4Address | IPv6Address) -> Reach:
    """What kind of address it is; whatever is not plainly known is forbidden."""
    carried = _carried(address)
    if carried is not None:
        # DNS64 gives such addresses for public hosts; anything else in this form is a disguise
        return Reach.PUBLIC if reach_of(carried) is Reach.PUBLIC else Reach.FORBIDDEN
    if address in _MACHINE_CREDENTIALS:
        return Reach.FORBIDDEN
    if address.is_loopback:
        return Reach.LOOPBACK
    if any(address in network for network in _PRIVATE):
        return Reach.PRIVATE
    if address.is_multicast or address.is_reserved or not address.is_global:
        return Reach.FORBIDDEN
    return Reach.FORBIDDEN if _special(address) else Reach.PUBLIC


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def _special(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and (
        address not in _GLOBAL_UNICAST or any(address in network for network in _RELAYED)
    )


class AddressGuard:
    """Judges addresses of providers. Thread-safe.

    "Typed" says that an administrator wrote the address by hand: then it may be private or
    loopback. What metadata, providers or users name may not, unless the host is listed.

    Args:
        allowed_private_hosts: `host` or `host:port` that may be private or loopback.
    """

    #: Look-ups that hang cannot be stopped; so many may hang at once.
    _LOOKUPS = 32

    def __init__(self, allowed_private_hosts: Iterable[str] = ()) -> None:
        self._allowed = frozenset(one.strip().lower() for one in allowed_private_hosts)
        self._lookups = threading.BoundedSemaphore(self._LOOKUPS)

    def check_url(self, url: str, *, typed: bool, parameter: str = "url") -> None:
        """Checks an address when it is configured, and again before each call, without DNS.

        Raises:
            InvalidParameterError: not https (http: loopback only), user info, fragment, no host,
                an odd port or spelling, or a numeric address that may not be reached.
        """
        reason = self._fault(url, typed=typed)
        if reason is not None:
            raise InvalidParameterError(
                f"The address in {parameter!r} cannot be used: {reason}.",
                hint="Give it as https://host/path, as the provider's documentation has it.",
                parameter=parameter,
            )

    def resolve(self, host: str, port: int, *, typed: bool, seconds: float) -> tuple[str, ...]:
        """The addresses of `host` to connect to, all of them judged.

        Args:
            seconds: how long DNS may take.

        Raises:
            ProviderUnavailableError: the name has no address, DNS is late, or one of its
                addresses may not be reached; `request_sent` is False.
        """
        allowed = self._may_be_private(host, port, typed=typed)
        addresses = _literal(host) or self._look_up(host, port, seconds)
        for address in addresses:
            if not _permitted(reach_of(address), allowed):
                raise ProviderUnavailableError(
                    f"{host} leads to {address}, which may not be called from here.",
                    hint="If this provider lives in your own network, an administrator can add "
                    f"{host} to allowed_private_hosts.",
                    request_sent=False,
                )
        return tuple(str(address) for address in addresses)

    def _fault(self, url: str, *, typed: bool) -> str | None:
        parts = split_url(url)
        if parts is None:
            return "it is not a URL"
        host, port = parts.hostname or "", port_of(parts)
        literal, last = _literal(host), host.rpartition(".")[2]
        local = is_loopback(host)
        allowed = self._may_be_private(host, port, typed=typed)
        web_port = port in _DEFAULT_PORTS.values() or port >= _FIRST_USER_PORT
        faults = (
            (not _NAME.fullmatch(host) and not literal, "its host is missing or malformed"),
            ("[" in parts.netloc and ":" not in host, "its host is malformed"),
            (not literal and _NUMBER.fullmatch(last), "its host is an oddly spelled number"),
            ("@" in parts.netloc, "it holds a user name"),
            ("#" in url, "it holds a fragment"),
            (
                parts.scheme != "https" and not (parts.scheme == "http" and local),
                "it is not https",
            ),
            (not web_port, f"no provider answers on port {port}"),
            # names are judged when they are resolved, but this one never leads elsewhere
            # (RFC 6761 §6.3)
            (local and not allowed, f"{host} may not be called from here"),
            (
                any(not _permitted(reach_of(address), allowed) for address in literal),
                f"{host} may not be called from here",
            ),
        )
        return next((reason for fault, reason in faults if fault), None)

    def _may_be_private(self, host: str, port: int, *, typed: bool) -> bool:
        host = host.lower()
        return typed or host in self._allowed or f"{host}:{port}" in self._allowed

    def _look_up(
        self, host: str, port: int, seconds: float
    ) -> tuple[IPv4Address | IPv6Address, ...]:
        """`getaddrinfo` has no time-out, so it runs in a thread that is left behind when late."""
        found: list[IPv4Address | IPv6Address] = []
        end = time.monotonic() + seconds
        if not self._lookups.acquire(timeout=seconds):
            raise _no_address(host)

        def ask() -> None:
            try:
                for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                    found.append(ip_address(str(place[0]).partition("%")[0]))
            except (OSError, UnicodeError):
                found.clear()
            finally:
                self._lookups.release()

        thread = threading.Thread(target=ask, name="oauthconn-dns", daemon=True)
        thread.start()
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive() or not found:
            raise _no_address(host)
        return tuple(dict.fromkeys(found))


def split_url(url: str) -> SplitResult | None:
    """The URL's parts, or None for what two parsers might read differently."""
    if not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        return None
    return parts


def port_of(parts: SplitResult) -> int:
    """The port, given or by default; 0 for a scheme without one."""
    return parts.port if parts.port is not None else _DEFAULT_PORTS.get(parts.scheme, 0)


def same_origin(url: str, other: str) -> bool:
    """Whether both have one scheme, host and port (RFC 6454 §4)."""
    first, second = split_url(url), split_url(other)
    return (
        first is not None
        and second is not None
        and first.hostname is not None
        and (first.scheme, first.hostname, port_of(first))
        == (second.scheme, second.hostname, port_of(second))
    )


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its spelling alone."""
    literal = _literal(host)
    if literal:
        return literal[0].is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _literal(host: str) -> tuple[IPv4Address | IPv6Address, ...]:
    try:
        return (ip_address(host),)
    except ValueError:
        return ()


def _permitted(reach: Reach, allowed: bool) -> bool:
    return reach is Reach.PUBLIC or (allowed and reach in (Reach.PRIVATE, Reach.LOOPBACK))


def _no_address(host: str) -> ProviderUnavailableError:
    return ProviderUnavailableError(
        f"The name {host} has no address, or DNS does not answer.",
        hint="Check the spelling of the provider's address and this machine's network.",
        request_sent=False,
    )
