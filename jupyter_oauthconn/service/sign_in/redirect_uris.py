"""Redirect URIs are data of an OAuth client: stored at registration, compared exactly."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import CallbackMismatchError, InvalidParameterError
from jupyter_oauthconn.model import ClientRegistration

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: Jupyter's usual port: the same registration serves a laptop with and without a server.
_USUAL_PORT = 8888


def usual_redirect_uris(
    client_name: str, entry: ProviderEntry, public_url: str | None
) -> tuple[str, ...]:
    """What is registered when nobody names a redirect URI."""
    if public_url is not None:
        return (f"{public_url.rstrip('/')}/oauthconn/callback/{client_name}",)
    return tuple(
        f"http://{host}:{_USUAL_PORT}/oauthconn/callback/{client_name}"
        for host in entry.loopback_hosts
    )


def check_redirect_uri(uri: str) -> str:
    """Returns an acceptable redirect URI unchanged.

    Raises:
        InvalidParameterError: not absolute, with a fragment (RFC 6749 §3.1.2), or http on
            another host than loopback (RFC 8252 §7.3, RFC 9700 §2.1).
    """
    parts = _split(uri)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        reason = "is not an absolute http(s) address without a fragment"
    elif parts.username is not None or parts.password is not None:
        reason = "contains a user name"
    elif parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        reason = "uses http on a host that is not loopback, where a code could be read on its way"
    else:
        return uri
    raise InvalidParameterError(
        f"The redirect URI {uri!r} {reason}.",
        hint="Use https, or http on localhost, 127.0.0.1 or [::1].",
        parameter="redirect_uri",
    )


def loopback_redirect_uris(client: ClientRegistration) -> list[SplitResult]:
    """Those that a listener on this machine can serve."""
    parts = [urlsplit(uri) for uri in client.redirect_uris]
    return [one for one in parts if one.scheme == "http" and one.hostname in _LOOPBACK]


def redirect_uri_for(client: ClientRegistration, origin: str) -> str:
    """The stored redirect URI whose origin is the start page's (any port for native apps).

    Raises:
        CallbackMismatchError: none fits, so nothing may be sent to the provider.
    """
    wanted = urlsplit(origin)
    for uri in client.redirect_uris:
        parts = urlsplit(uri)
        if (parts.scheme, parts.netloc) == (wanted.scheme, wanted.netloc):
            return uri
        # RFC 8252 §7.3: native apps may use any loopback port; localhost and 127.0.0.1 differ
        any_port = client.loopback_port == "any" and parts.hostname in _LOOPBACK
        if any_port and (parts.scheme, parts.hostname) == (wanted.scheme, wanted.hostname):
            return urlunsplit(parts._replace(netloc=wanted.netloc))
    registered = " or ".join(client.redirect_uris) or "none"
    raise CallbackMismatchError(
        f"The OAuth client {client.name!r} is registered for {registered}, but this page is at "
        f"{origin}.",
        hint="Open the page under the registered address, or add this one's redirect URI at the "
        f"provider and here: `%oauthclient edit {client.name} --redirect-uri URI …`.",
        expected=registered,
        received=origin,
    )


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
