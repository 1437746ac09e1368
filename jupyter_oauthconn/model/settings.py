"""Everything that can be set, with the names of the traits and of `JUPYTER_OAUTHCONN_*`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import InvalidParameterError

PREFIX = "JUPYTER_OAUTHCONN_"


class Interaction(StrEnum):
    """What a call does that needs a person."""

    AUTO = "auto"
    WAIT = "wait"
    FAIL = "fail"
    PRACTICE = "practice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one token service, all with their defaults.

    Attributes:
        home: folder of database and keys; None: `<jupyter data dir>/oauthconn`.
        database_url: SQLAlchemy URL; None: the SQLite file in `home`.
        client_management_enabled: may administrators register OAuth clients here.
        public_url: address under which browsers reach the service.
        catalog_paths: folders with further provider entries (TOML).
        allowed_private_hosts: hosts in private networks that providers may live on.
        ca_bundle: PEM file of further certification authorities.
        proxy: HTTP proxy for calls to providers.
        authorization_lifetime: how long a sign-in may take.
        refresh_margin: how long before its end a token is renewed, at most.
        audit_retention: how long the history is kept.
    """

    home: str | None = None
    database_url: str | None = None
    client_management_enabled: bool = True
    public_url: str | None = None
    catalog_paths: tuple[str, ...] = ()
    device_flow_enabled: bool = True
    interaction: Interaction = Interaction.AUTO
    allowed_private_hosts: tuple[str, ...] = ()
    ca_bundle: str | None = None
    proxy: str | None = None
    authorization_lifetime: timedelta = timedelta(minutes=10)
    refresh_margin: timedelta = timedelta(minutes=5)
    audit_retention: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        if self.public_url is not None and not _is_public(self.public_url):
            raise InvalidParameterError(
                f"{self.public_url!r} cannot be the public address.",
                hint="Give an https address without user, query and fragment, e.g. "
                "https://jupyter.example.com/; http only on localhost, 127.0.0.1 or [::1].",
                parameter="public_url",
            )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """The defaults with what the environment says; see `with_environ`."""
        return cls().with_environ(environ)

    def with_environ(self, environ: Mapping[str, str]) -> Settings:
        """These with `JUPYTER_OAUTHCONN_<NAME>`; durations are seconds, lists have commas.

        Raises:
            InvalidParameterError: a value cannot be read; names the variable.
        """
        variables = {one: PREFIX + one.name.upper() for one in fields(self)}
        found: dict[str, Any] = {
            one.name: _read(one, environ[variable], variable)
            for one, variable in variables.items()
            if environ.get(variable)
        }
        return replace(self, **found)

    def configured(self, given: Mapping[str, object]) -> Settings:
        """These with those that a server's configuration gives, in its types or as text.

        Raises:
            InvalidParameterError: a value cannot be read; names the trait.
        """
        found: dict[str, Any] = {
            one.name: _read(one, given[one.name], f"OAuthConn.{one.name}")
            for one in fields(self)
            if one.name in given
        }
        return replace(self, **found)


def _read(setting: Field[Any], value: object, label: str) -> object:
    try:
        match setting.default:
            case bool():
                return _BOOLEANS[str(value).lower()]
            case Interaction():
                return Interaction(_text(value))
            case timedelta():
                return _duration(value)
            case tuple():
                return _texts(value)
            case _:
                return _text(value)
    except (KeyError, TypeError, ValueError):
        # an address may hold a password
        shown = label if setting.default is None else f"{label}={value!r}"
        raise InvalidParameterError(
            f"{shown} cannot be read.",
            hint=_EXPECTED[type(setting.default)],
            parameter=setting.name,
        ) from None


def _duration(seconds: object) -> timedelta:
    number = float(seconds) if isinstance(seconds, str | int | float) else 0.0
    if not 0 < number <= _LONGEST_SECONDS:  # also refuses nan
        raise ValueError
    return timedelta(seconds=number)


def _texts(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise TypeError
    return tuple(text for part in parts if (text := _text(part).strip()))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _is_public(url: str) -> bool:
    """http only on loopback: elsewhere a code could be read on its way (RFC 9700 §2.1)."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return secure and plain and bool(parts.hostname)


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST_SECONDS = 10 * 366 * 86_400.0
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_EXPECTED: dict[type, str] = {
    bool: "Use true or false.",
    Interaction: "Use auto, wait, fail or practice.",
    timedelta: "Give a number of seconds, more than 0 and at most ten years.",
    tuple: "Give a list of texts, in the environment with commas between them.",
    type(None): "Give a text.",
}
