"""What is in force, whom this machine trusts, and whether the public address leads back here."""

from __future__ import annotations

import shlex

from jupyter_oauthconn.errors import ProviderError
from jupyter_oauthconn.model import Check, Settings
from jupyter_oauthconn.model.settings import DEFAULT
from jupyter_oauthconn.protocol import HttpRequest, Transport

from .findings import failed, ok, unknown


def settings_check(settings: Settings) -> Check:
    """Each setting that is no default, and where it comes from."""
    told = [
        f"{one.name} = {one.value or 'nothing'} ({one.origin})"
        for one in settings.in_force()
        if one.origin != DEFAULT
    ]
    rest = "everything else is the default" if told else "Everything is the default"
    return ok("settings", f"{'; '.join((*told, rest))}.")


def tls_check(settings: Settings, transport: Transport) -> Check:
    """Which certification authorities are trusted; the file was read when the service started,
    and may have changed since then."""
    check = "TLS"
    authorities = transport.trusted_authorities()
    if settings.ca_bundle is None:
        return ok(check, f"{authorities} certification authorities of this system are trusted.")
    try:
        with open(settings.ca_bundle, encoding="ascii", errors="replace") as file:
            count = file.read().count("-----BEGIN CERTIFICATE-----")
    except OSError as error:
        return failed(check, f"ca_bundle {settings.ca_bundle} cannot be read: {error.strerror}.",
                      f"`ls -l {shlex.quote(settings.ca_bundle)}`")  # fmt: skip
    return ok(
        check,
        f"{authorities} certification authorities are trusted, {count} of them from "
        f"{settings.ca_bundle}.",
    )


def public_address_check(address: str, transport: Transport) -> Check:
    """Whether whoever comes from outside, through a proxy and its prefix, gets to this service."""
    check = "public address"
    request = HttpRequest(method="GET", url=f"{address}api/v1/health")
    mend = (
        "Compare public_url with the address bar of a browser that shows JupyterLab, and the "
        "proxy's rule for that path."
    )
    try:
        answer = transport.send(request, typed_host=True)
    except ProviderError as error:
        # this machine need not be let out to its own public name
        return unknown(check, f"{address} cannot be reached from here: {error.message}", mend)
    if answer.status == 200 and b'"wire_version"' in answer.body:  # noqa: PLR2004
        return ok(check, f"{address} leads to a token service.")
    return failed(check, f"What answers at {address} is no token service "
                  f"(status {answer.status}).", mend)  # fmt: skip
