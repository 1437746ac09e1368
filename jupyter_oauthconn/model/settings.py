"""Everything that can be set, with the names of the traits and of `JUPYTER_OAUTHCONN_*`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any

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

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Reads `JUPYTER_OAUTHCONN_<NAME>`; durations are seconds, lists separated by commas.

        Raises:
            InvalidParameterError: a value cannot be read; names the variable.
        """
        found: dict[str, Any] = {}
        for one in fields(cls):
            text = environ.get(PREFIX + one.name.upper())
            if text:
                found[one.name] = _read(one.name, text, one.default)
        return cls(**found)


def _read(name: str, text: str, default: object) -> object:
    try:
        match default:
            case bool():
                return _BOOLEANS[text.lower()]
            case Interaction():
                return Interaction(text)
            case timedelta():
                return _duration(float(text))
            case tuple():
                return tuple(part.strip() for part in text.split(",") if part.strip())
            case _:
                return text
    except (KeyError, ValueError):
        raise InvalidParameterError(
            f"{PREFIX}{name.upper()}={text!r} cannot be read.",
            hint=_EXPECTED.get(type(default), "See the README's table of settings."),
            parameter=name,
        ) from None


def _duration(seconds: float) -> timedelta:
    if not 0 < seconds <= _LONGEST_SECONDS:  # also refuses nan
        raise ValueError
    return timedelta(seconds=seconds)


_LONGEST_SECONDS = 10 * 366 * 86_400.0
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_EXPECTED: dict[type, str] = {
    bool: "Use true or false.",
    Interaction: "Use auto, wait, fail or practice.",
    timedelta: "Give a number of seconds, more than 0 and at most ten years.",
}
