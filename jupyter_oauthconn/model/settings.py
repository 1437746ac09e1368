"""Everything that can be set, with the names of the traits and of `JUPYTER_OAUTHCONN_*`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
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
        allow_user_clients: may other people register some for themselves alone.
        administrator_contact: whom people ask for an OAuth client, e.g. an address.
        public_url: address under which browsers reach the service.
        catalog_paths: folders with further provider entries (TOML).
        config_files: TOML files of OAuth clients and connections, applied at the start.
        allowed_private_hosts: hosts in private networks that providers may live on.
        ca_bundle: PEM file of further certification authorities.
        proxy: HTTP proxy for calls to providers.
        authorization_lifetime: how long a sign-in may take.
        refresh_margin: how long before its end a token is renewed, at most.
        audit_retention: how long the history is kept.
        origins: no setting: by name, where a value comes from that is no default.
    """

    home: str | None = None
    database_url: str | None = None
    client_management_enabled: bool = True
    allow_user_clients: bool = False
    administrator_contact: str | None = None
    public_url: str | None = None
    catalog_paths: tuple[str, ...] = ()
    config_files: tuple[str, ...] = ()
    device_flow_enabled: bool = True
    interaction: Interaction = Interaction.AUTO
    allowed_private_hosts: tuple[str, ...] = ()
    ca_bundle: str | None = None
    proxy: str | None = None
    authorization_lifetime: timedelta = timedelta(minutes=10)
    refresh_margin: timedelta = timedelta(minutes=5)
    audit_retention: timedelta = timedelta(days=90)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

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
        given = {
            one.name: (environ[variable], variable)
            for one in setting_fields()
            if environ.get(variable := PREFIX + one.name.upper(), "").strip()
        }
        return self._with(given)

    def configured(self, given: Mapping[str, object]) -> Settings:
        """These with those that a server's configuration gives, in its types or as text.

        Raises:
            InvalidParameterError: a value cannot be read; names the trait.
        """
        return self._with({name: (value, f"OAuthConn.{name}") for name, value in given.items()})

    def changed(self, stored: Mapping[str, str]) -> Settings:
        """These with those that an administrator changed at run time, as texts; what configuration
        or environment say wins.

        Raises:
            InvalidParameterError: a value cannot be read.
        """
        free = {one.name for one in self.in_force() if one.changeable}
        return self._with(
            {name: (value, CHANGED_HERE) for name, value in stored.items() if name in free}
        )

    def in_force(self) -> list[SettingInForce]:
        """Each with its value as text, where that comes from, and whether it may be changed."""
        listing = []
        for one in setting_fields():
            value = getattr(self, one.name)
            origin = self.origins.get(one.name, DEFAULT if value == one.default else GIVEN)
            free = one.name in CHANGEABLE and origin in {DEFAULT, CHANGED_HERE}
            listing.append(
                SettingInForce(
                    name=one.name, value=_shown(one.name, value), origin=origin, changeable=free
                )
            )
        return listing

    def _with(self, given: Mapping[str, tuple[object, str]]) -> Settings:
        """Each value with the origin that errors name, too; a blank text is none."""
        by_name = {one.name: one for one in setting_fields()}
        found: dict[str, Any] = {
            name: _read(by_name[name], value, name if origin == CHANGED_HERE else origin)
            for name, (value, origin) in given.items()
            if name in by_name and not (isinstance(value, str) and not value.strip())
        }
        origins = {**self.origins, **{name: given[name][1] for name in found}}
        return replace(self, **found, origins=origins)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInForce:
    """A setting as people read it.

    Attributes:
        value: as text, durations in seconds, without passwords; empty: nothing.
        origin: `default`, the environment variable, the trait, or `administration page`.
        changeable: an administrator may change it while the service runs.
    """

    name: str
    value: str
    origin: str
    changeable: bool


def setting_fields() -> list[Field[Any]]:
    """The fields of `Settings` that are settings."""
    return [one for one in fields(Settings) if one.name != "origins"]


DEFAULT = "default"
GIVEN = "the program that opened the service"
CHANGED_HERE = "administration page"
#: What may be changed while the service runs, in the order of a page; and what it says.
CHANGEABLE: Mapping[str, str] = {
    "client_management_enabled": "May administrators register and change OAuth clients here? "
    "Switched off, everything that exists goes on.",
    "allow_user_clients": "May other people register OAuth clients for themselves alone?",
    "administrator_contact": "Whom people ask for an OAuth client: a name or an address.",
    "device_flow_enabled": "May people sign in with a code on another device? Somebody could be "
    "talked into entering another person's code.",
    "authorization_lifetime": "How long a sign-in may take, in seconds.",
    "refresh_margin": "How long before its end a token is renewed, at most, in seconds.",
    "audit_retention": "How long the history is kept, in seconds.",
}
#: Addresses that may hold a user name and password.
_ADDRESSES = frozenset({"database_url", "proxy"})


def _shown(name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f"{value.total_seconds():.15g}"
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return _without_password(str(value)) if name in _ADDRESSES else str(value)


def _without_password(address: str) -> str:
    """Scheme and place: a password may hold every sign, and drivers take one in the query, too."""
    scheme, sign, rest = address.partition("://")
    if not sign:
        scheme, rest = "", address
    hidden, at, place = rest.rpartition("@")
    if "?" in hidden:
        place = ""  # nobody can tell whether the @ is the user's or the query's
    return f"{scheme}{sign}{'…@' if at else ''}{place.partition('?')[0]}"


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
    if not 1 <= number <= _LONGEST_SECONDS:  # also refuses nan
        raise ValueError
    return timedelta(seconds=number)


def _texts(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise TypeError
    return tuple(text for part in parts if (text := _text(part)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.strip()


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
    timedelta: "Give a number of seconds, at least 1 and at most ten years.",
    tuple: "Give a list of texts, in the environment with commas between them.",
    type(None): "Give a text.",
}
