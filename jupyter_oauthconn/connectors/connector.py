"""What a connector is, how it is found, and what it is given."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from jupyter_oauthconn.catalog import Handle
from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError

from .reach import Reach, TokenSource

GROUP = "jupyter_oauthconn.connectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A connection as its connectors get it: no credential, only the way to one.

    Attributes:
        source: gives a fresh token whenever it is asked.
        reach: the hosts that may be sent the token.
        handle: the provider's table `[[handles]]`, the person's values filled in.
        parameters: the values of client and connection.
        identity: the account at the provider, where it is known.
        client_id: the OAuth client's id at the provider.
        issuer: the authorization server's issuer (RFC 8414), where it is known.
    """

    source: TokenSource
    reach: Reach
    handle: Handle
    parameters: Mapping[str, str] = field(default_factory=dict)
    identity: str | None = None
    client_id: str = ""
    issuer: str | None = None


class Connector(Protocol):
    """Turns a token source into something that reads data.

    An entry point of the group `jupyter_oauthconn.connectors` names an object with these methods;
    its name is the kind.
    """

    def open(self, access: Access, **options: Any) -> Any:
        """The live handle: it asks `access.source` whenever it needs a token, and keeps none."""

    def check(self, handle: Any, access: Access) -> str | Awaitable[str]:
        """Makes a real, cheap call and says in a sentence what it saw.

        Of an asynchronous handle it may be awaitable; its `aclose` is then awaited in that loop.
        Raises whatever the library raises.
        """


def kinds() -> tuple[str, ...]:
    """The kinds of handle that are installed, in alphabetical order."""
    return tuple(sorted(one.name for one in entry_points(group=GROUP)))


def connector(kind: str) -> Connector:
    """Raises `InvalidParameterError`: nothing that is installed makes such a handle."""
    found: tuple[EntryPoint, ...] = tuple(entry_points(group=GROUP, name=kind))
    if not found:
        raise InvalidParameterError(
            f"There is no handle {kind!r}.",
            hint=f"There are {', '.join(kinds())}.",
            parameter="handle",
        )
    made: Connector = found[0].load()
    return made


def library(module: str, access: Access, *, requires: str = "") -> Any:
    """Imports a vendor's library when it is needed.

    Args:
        requires: what pip installs for it; else the handle's own list, else the module's name.

    Raises:
        ConfigurationError: it is not installed; the hint is the command.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        # a library that is there and lacks one of its own is another fault
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
    wanted = requires or " ".join(f'"{one}"' for one in access.handle.requires) or module
    raise ConfigurationError(
        f"The handle {access.handle.kind!r} of {access.source.name!r} needs {module}, which is "
        "not installed here.",
        hint=f"`%pip install {wanted}`, then run this again.",
    )


def base_address(access: Access) -> str:
    """Where the store's HTTP interface is, empty where the provider does not say.

    The option `url_from` names the field of the token answer that holds it, e.g. `instance_url`.

    Raises:
        ConfigurationError: the answer led to a host that is none of the connection's.
    """
    field_name = access.handle.options.get("url_from")
    if not field_name:
        return access.handle.url
    address = access.source.token().extra.get(field_name, "")
    if not access.reach.covers(address):
        raise ConfigurationError(
            f"The provider of {access.source.name!r} gave no address of its own as {field_name}.",
            hint="Sign in again; if it stays so, tell who maintains the provider's entry.",
        )
    return address


def probe_address(access: Access) -> str:
    """What a cheap request asks for. Raises `InvalidParameterError`: nobody knows an address."""
    base, probe = base_address(access), access.handle.probe
    address = urljoin(f"{base.rstrip('/')}/", probe.lstrip("/")) if base else probe
    if not urlsplit(address).hostname:
        raise InvalidParameterError(
            f"Nobody knows an address at which to test {access.source.name!r}.",
            hint='Give one that answers a GET quickly: `conn.test(probe="https://…")`.',
            parameter="probe",
        )
    return address


def answered(address: str, status: int) -> str:
    """What a probe saw, in words that are the same at each run: no port, no query."""
    parts = urlsplit(address)
    return f"GET {parts.path or '/'} at {parts.hostname} answered {status}."
