"""What each kind of exchange sends, and what it makes of the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape

from jupyter_oauthconn.catalog import Exchange
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import AccessToken, Secret

from .post import Trade, post, read_object, unreadable

_LIFETIME = timedelta(hours=1)
_TABLEAU_LIFETIME = timedelta(hours=2)
_SESSION_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)
_SESSION_NAME_LENGTH = 64
#: Part of its life after which a credential is renewed; until its end the old one still serves.
LATE = 0.75
#: As the token service believes it: what says more says nothing.
_LONGEST_LIFETIME = timedelta(days=3660)
#: RFC 6749 appendix A.12, and RFC 9110 §11.1. Anything else would be an error of the HTTP library
#: later, which prints the header.
_VALUE = re.compile(r"[\x21-\x7e]+")
_SCHEME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CloudKey:
    """AWS's temporary credentials, masked when shown. `expires_at` is aware UTC."""

    access_key: str
    secret_key: Secret
    session_token: Secret
    issued_at: datetime
    expires_at: datetime

    def __repr__(self) -> str:
        return "CloudKey('********')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is the same at each exchange of a handle.

    Attributes:
        name: the connection's.
        identity: the account, as STS shall write it into its log.
        resource: RFC 8707 resource that the new token shall be for, or None.
    """

    name: str
    exchange: Exchange
    identity: str | None = None
    resource: str | None = None

    def parameter(self, name: str) -> str:
        """Raises `InvalidParameterError`: the entry's exchange has no such value."""
        value = self.exchange.parameters.get(name, "")
        if not value:
            raise InvalidParameterError(
                f"The exchange of {self.name!r} needs {name}.",
                hint=f"`%connect edit {self.name} --set {name}=…`",
                parameter=name,
            )
        return value


def web_identity(terms: Terms, token: AccessToken) -> CloudKey:
    """`AssumeRoleWithWebIdentity` of AWS STS and of those that speak like it.

    The bare request, not botocore's: that one writes its parameters, with the token, into its
    debug log.
    """
    parameters = terms.exchange.parameters
    trade = Trade(
        name=terms.name,
        url=terms.exchange.endpoint,
        token=token.value,
        fields={
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": terms.parameter("role_arn"),
            "RoleSessionName": _session_name(terms),
            "WebIdentityToken": token.value,
            "DurationSeconds": str(int((terms.exchange.lifetime or _LIFETIME).total_seconds())),
            **({"ProviderId": parameters["provider_id"]} if "provider_id" in parameters else {}),
            **({"Policy": parameters["policy"]} if "policy" in parameters else {}),
        },
    )
    issued_at = datetime.now(UTC)
    key = _cloud_key(post(trade), issued_at)
    if key is None:
        raise unreadable(trade, "temporary credentials")
    return key


def token_exchange(terms: Terms, token: AccessToken) -> AccessToken:
    """RFC 8693: the access token for one of another server."""
    fields: dict[str, str | Secret] = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        **terms.exchange.parameters,
        "subject_token": token.value,
    }
    if terms.resource is not None:
        fields["resource"] = terms.resource
    trade = Trade(name=terms.name, url=terms.exchange.endpoint, token=token.value, fields=fields)
    issued_at = datetime.now(UTC)
    answer = read_object(post(trade))
    value = answer.get("access_token")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise unreadable(trade, "an access_token")
    token_type = str(answer.get("token_type") or "Bearer")
    if not _SCHEME.fullmatch(token_type):
        raise unreadable(trade, "a token_type that is one")
    return _timed(
        value,
        issued_at,
        _lifetime(answer.get("expires_in")) or terms.exchange.lifetime,
        token_type=token_type,
        scope=str(answer.get("scope") or ""),
        resource=terms.resource,
    )


def tableau(terms: Terms, token: AccessToken) -> AccessToken:
    """Sign-in with a JWT at Tableau's REST interface; the token goes into `X-Tableau-Auth`."""
    site = {"contentUrl": terms.exchange.parameters.get("site", "")}
    trade = Trade(
        name=terms.name,
        url=terms.exchange.endpoint,
        token=token.value,
        document={"credentials": {"jwt": token.value, "site": site}},
    )
    issued_at = datetime.now(UTC)
    credentials = read_object(post(trade)).get("credentials")
    found: Mapping[str, object] = credentials if isinstance(credentials, dict) else {}
    value = found.get("token")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise unreadable(trade, "a token")
    extra = {
        f"{name}_id": str(one["id"])
        for name in ("site", "user")
        if isinstance(one := found.get(name), dict) and "id" in one
    }
    lifetime = terms.exchange.lifetime or _TABLEAU_LIFETIME
    return _timed(value, issued_at, lifetime, token_type="X-Tableau-Auth", extra=extra)  # noqa: S106 - a header


def _timed(
    value: str,
    issued_at: datetime,
    lifetime: timedelta | None,
    *,
    token_type: str,
    scope: str = "",
    resource: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> AccessToken:
    return AccessToken(
        value=Secret(value),
        generation=0,
        token_type=token_type,
        issued_at=issued_at,
        expires_at=issued_at + lifetime if lifetime else None,
        refresh_at=issued_at + lifetime * LATE if lifetime else None,
        scope=scope,
        resource=resource,
        extra=extra or {},
    )


def _session_name(terms: Terms) -> str:
    wanted = terms.exchange.parameters.get("role_session_name") or terms.identity or terms.name
    name = _SESSION_NAME.sub("-", wanted)[:_SESSION_NAME_LENGTH]
    return name if len(name) > 1 else f"jupyter-{name}"


def _cloud_key(body: bytes, issued_at: datetime) -> CloudKey | None:
    """None when something is missing. Four plain elements need no XML parser, which would have to
    be kept from expanding what a stranger wrote."""
    text = body.decode("utf-8", "replace")
    values: dict[str, str] = {}
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"):
        found = re.search(rf"<(?:\w+:)?{name}>\s*([^<\s]+)\s*</", text)
        if found is None:
            return None
        values[name] = unescape(found[1])
    try:
        expires_at = datetime.fromisoformat(values["Expiration"])
    except ValueError:
        return None
    return CloudKey(
        access_key=values["AccessKeyId"],
        secret_key=Secret(values["SecretAccessKey"]),
        session_token=Secret(values["SessionToken"]),
        issued_at=issued_at,
        expires_at=min(
            expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC),
            issued_at + _LONGEST_LIFETIME,
        ),
    )


def _lifetime(expires_in: object) -> timedelta | None:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return None
    try:
        seconds = float(expires_in)
    except (ValueError, OverflowError):
        return None
    longest = _LONGEST_LIFETIME.total_seconds()
    return timedelta(seconds=seconds) if 0 < seconds <= longest else None
