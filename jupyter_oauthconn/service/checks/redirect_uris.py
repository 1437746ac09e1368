"""Whether a sign-in comes back to where this service runs, and whether the provider lets it."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import parse_qs

from jupyter_oauthconn.errors import ConfigurationError, ProviderError
from jupyter_oauthconn.model import Check, ClientRegistration
from jupyter_oauthconn.protocol import Transport, redirect_probe

from ..profile import Profile
from ..sign_in.redirect_uris import loopback_redirect_uris, misfit_of
from .findings import failed, ok, unknown

_CHECK = "redirect URIs"
_PROBE = "redirect URI"
#: Of a sign-in page, whose content is not looked at.
_LARGEST_PAGE = 4 * 1024 * 1024
#: Each is a request to the provider, while somebody waits.
_MOST_PROBES = 5


class RedirectURIProbe:
    """Asks the authorization endpoint without anybody who could sign in (`prompt=none`)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def findings(self, profile: Profile) -> Iterator[Check]:
        """One for each of the first redirect URIs. A server must not send anybody to one that it
        does not know (RFC 6749 §4.1.2.1), so coming back with an error is proof that it does."""
        uris = profile.client.redirect_uris
        for uri in uris[:_MOST_PROBES]:
            request = redirect_probe(
                endpoint=profile.authorization_endpoint,
                client_id=profile.client.client_id,
                redirect_uri=uri,
                scope=profile.scope,
            )
            try:
                answer = self._transport.send(
                    request,
                    limit=_LARGEST_PAGE,
                    typed_host=profile.is_typed(profile.authorization_endpoint),
                )
            except (ConfigurationError, ProviderError) as error:
                yield unknown(_PROBE, f"{uri} cannot be told: {error.message}")
                return
            yield _judged(uri, answer.status, answer.headers.get("location"), profile)
        if rest := uris[_MOST_PROBES:]:
            yield unknown(_PROBE, f"Only {_MOST_PROBES} are asked about, and not "
                          f"{', '.join(rest)}.", "A sign-in tells it.")  # fmt: skip


def _judged(uri: str, status: int, location: str | None, profile: Profile) -> Check:
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    back, _, query = (location or "").partition("?")
    told = parse_qs(query.partition("#")[0])
    # RFC 6749 §4.1.2 and §4.1.2.1: a redirect that brings one of the two
    if redirected and back == uri and not told.keys().isdisjoint({"error", "code"}):
        if "unauthorized_client" in told.get("error", ()):
            return failed(
                _PROBE,
                f"{profile.called} knows {uri}, but does not let this client app use the "
                "authorization code flow.",
                "Allow that flow for the client app at the provider.",
            )
        return ok(_PROBE, f"{profile.called} accepts {uri}.")
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return failed(
            _PROBE,
            f"{profile.called} refuses the client ID together with {uri}.",
            f"Enter {uri} at the provider, exactly so, and compare the client ID.",
        )
    return unknown(
        _PROBE,
        f"{profile.called} shows its own page instead of telling whether it accepts {uri}.",
        "A sign-in tells it.",
    )


def redirect_uris(client: ClientRegistration, address: str | None) -> Check:
    """The stored redirect URIs against this service's address.

    Args:
        address: origin and mount, with the slash at the end; None: no server, sign-ins come back
            to a page of the process that started them.
    """
    if address is None:
        return _on_this_machine(client)
    misfit = misfit_of(client, f"{address}callback/{client.name}")
    if misfit is None:
        return ok(_CHECK, f"A sign-in comes back to {address}.")
    if misfit.other_origin is not None:
        # the same server under its other loopback name, which the start page leads to
        return ok(_CHECK, f"A sign-in comes back to this server as {misfit.other_origin}.")
    return failed(_CHECK, misfit.error().message, " Or: ".join(misfit.remedies))


def _on_this_machine(client: ClientRegistration) -> Check:
    here = loopback_redirect_uris(client)
    if here:
        port = "any port" if client.loopback_port == "any" else f"port {here[0].port or 80}"
        return ok(_CHECK, f"A sign-in comes back to this machine, {port}.")
    wanted = f"http://localhost:8888/oauthconn/callback/{client.name}"
    # the option replaces the list, so those that are there are named, too
    options = " ".join(f"--redirect-uri {one}" for one in (*client.redirect_uris, wanted))
    return failed(
        _CHECK,
        f"A sign-in comes back to {' or '.join(client.redirect_uris) or 'nowhere'}, which is not "
        "on this machine.",
        f"Add {wanted} at the provider and here: `%oauthclient edit {client.name} {options}`.",
    )
