"""Redirect URIs are data of an OAuth client: stored at registration, compared exactly."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import CallbackMismatchError, InvalidParameterError
from jupyter_oauthconn.model import ClientRegistration

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: Jupyter's usual port: the same registration serves a laptop with and without a server.
_USUAL_PORT = 8888
#: Where a token service is mounted below an address without a path.
USUAL_MOUNT = "/oauthconn/"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def usual_redirect_uris(
    client_name: str, entry: ProviderEntry, public_url: str | None, mount_path: str = USUAL_MOUNT
) -> tuple[str, ...]:
    """What is registered when nobody names a redirect URI.

    Args:
        mount_path: of the server that registers, e.g. `/base/oauthconn/`.
    """
    if public_url is not None:
        return (f"{public_url.rstrip('/')}{USUAL_MOUNT}callback/{client_name}",)
    return tuple(
        f"http://{host}:{_USUAL_PORT}{mount_path}callback/{client_name}"
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
    elif "*" in uri:
        # nobody comes back to it: it is compared letter by letter (RFC 9700 §4.1.3)
        reason = "contains `*`, and stands for itself alone"
    elif _is_readable_on_its_way(parts):
        reason = "uses http on a host that is not loopback, where a code could be read on its way"
    else:
        return uri
    raise InvalidParameterError(
        f"The redirect URI {uri!r} {reason}.",
        hint="Give one whole address, with https, or http on localhost, 127.0.0.1 or [::1].",
        parameter="redirect_uri",
    )


def loopback_redirect_uris(client: ClientRegistration) -> list[SplitResult]:
    """Those that a listener on this machine can serve."""
    parts = [urlsplit(uri) for uri in client.redirect_uris]
    return [one for one in parts if one.scheme == "http" and one.hostname in _LOOPBACK]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """The pages are at an address that the OAuth client is not registered for.

    Attributes:
        client: its name.
        registered: its redirect URIs.
        callback: the redirect URI that would fit.
        other_origin: where the same pages would fit: 127.0.0.1 instead of localhost, or the
            other way round.
        ports: a Jupyter server on one of these ports of this machine would fit.
    """

    client: str
    registered: tuple[str, ...]
    callback: str
    other_origin: str | None
    ports: tuple[int, ...]

    @property
    def remedies(self) -> list[str]:
        """Sentences; commands stand between backticks."""
        ways = [
            f"Start the Jupyter server on the registered port: `jupyter lab --port {port}`."
            for port in self.ports
        ]
        if _is_readable_on_its_way(_split(self.callback)):
            return [
                *ways,
                "Open this server through https, or through a tunnel as http://localhost:…: over "
                "plain http the provider's answer could be read on its way.",
            ]
        options = " ".join(f"--redirect-uri {uri}" for uri in (*self.registered, self.callback))
        return [
            *ways,
            f"Add `{self.callback}` to the redirect URIs at the provider, exactly so, and here: "
            f"`%oauthclient edit {self.client} {options}`.",
        ]

    def error(self) -> CallbackMismatchError:
        registered = " or ".join(self.registered) or "no redirect URI"
        return CallbackMismatchError(
            f"The OAuth client {self.client!r} is registered for {registered}, but this server's "
            f"redirect URI is {self.callback}.",
            hint=" Or: ".join(self.remedies),
            expected=registered,
            received=self.callback,
        )


def misfit_of(client: ClientRegistration, callback: str) -> Misfit | None:
    """None where a stored redirect URI leads to `callback`."""
    if _fitting(client, callback) is not None:
        return None
    wanted = _split(callback)
    near = [
        one
        for one in loopback_redirect_uris(client)
        if one.path == wanted.path and wanted.scheme == "http" and wanted.hostname in _LOOPBACK
    ]
    here = [one for one in near if client.loopback_port == "any" or _port(one) == _port(wanted)]
    other_origin = None
    if here:
        host = f"[{here[0].hostname}]" if ":" in (here[0].hostname or "") else here[0].hostname
        other_origin = f"http://{host}:{_port(wanted)}"
    return Misfit(
        client=client.name,
        registered=client.redirect_uris,
        callback=callback,
        other_origin=other_origin,
        ports=tuple(dict.fromkeys(_port(one) or 80 for one in near if one not in here)),
    )


def redirect_uri_for(client: ClientRegistration, callback: str) -> str:
    """The stored redirect URI that leads to `callback`, the address where our site would answer.

    Raises:
        CallbackMismatchError: none does, so nothing may be sent to the provider.
    """
    fitting = _fitting(client, callback)
    if fitting is not None:
        return fitting
    misfit = misfit_of(client, callback)
    assert misfit is not None
    raise misfit.error()


def _fitting(client: ClientRegistration, callback: str) -> str | None:
    wanted = _split(callback)
    for uri in client.redirect_uris:
        parts = urlsplit(uri)
        # localhost and 127.0.0.1 differ (RFC 8252 §7.3), and so do two paths of one server
        if (parts.scheme, parts.hostname, parts.path) != (
            wanted.scheme,
            wanted.hostname,
            wanted.path,
        ):
            continue
        if _port(parts) == _port(wanted):
            return uri
        # RFC 8252 §7.3: native apps may use any loopback port
        if client.loopback_port == "any" and parts.hostname in _LOOPBACK:
            return urlunsplit(parts._replace(netloc=wanted.netloc))
    return None


def _is_readable_on_its_way(parts: SplitResult) -> bool:
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def _port(parts: SplitResult) -> int | None:
    return parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
