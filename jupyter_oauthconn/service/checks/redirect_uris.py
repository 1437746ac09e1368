"""Whether a sign-in comes back to where this service runs."""

from __future__ import annotations

from jupyter_oauthconn.model import Check, ClientRegistration

from ..sign_in.redirect_uris import loopback_redirect_uris, misfit_of
from .findings import failed, ok

_CHECK = "redirect URIs"


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
