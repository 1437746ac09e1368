"""Authorization server metadata (RFC 8414, OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jupyter_oauthconn.errors import (
    InvalidParameterError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
)

from .addresses import same_origin
from .answers import Fields, may_pass, read_object, refuse
from .transport import HttpAnswer, HttpRequest, Transport

_LIMIT = 256 * 1024
#: Names of Entra's addresses that stand for many tenants; see `issuer_named_by`.
_TENANTS = ("common", "organizations", "consumers")
TENANT_PLACEHOLDER = "{tenantid}"
#: Opened by the person's browser, never by us, so it may be anywhere.
_FOR_BROWSERS = "authorization_endpoint"
_ADDRESSES = (
    _FOR_BROWSERS,
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "device_authorization_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    """What an authorization server says of itself: the known fields and nothing else.

    Attributes:
        issuer: as the server writes it; with `{tenantid}` for Entra's multi-tenant addresses.
        practice: it is the practice provider of this project.
    """

    issuer: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    revocation_endpoint: str | None = None
    introspection_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    jwks_uri: str | None = None
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    scopes_supported: tuple[str, ...] = ()
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    practice: bool = False


def discover(transport: Transport, issuer: str, *, typed_host: bool = False) -> ServerMetadata:
    """Fetches and checks the metadata of `issuer`: OpenID Connect's place first, then RFC 8414's.

    Args:
        typed_host: an administrator wrote the issuer by hand; endpoints of the same origin are
            trusted alike, others are judged.

    Raises:
        InvalidParameterError: the issuer is no issuer's address.
        ProviderUnavailableError: no answer for now.
        ProviderProtocolError: no metadata, or somebody else's.
    """
    urls = metadata_urls(issuer)
    transport.guard.check_url(issuer, typed=typed_host, parameter="issuer")
    refusals: list[str] = []
    for url in urls:
        answer = transport.send(metadata_request(url), limit=_LIMIT, typed_host=typed_host)
        try:
            fields = read_document(answer, url)
        except ProviderProtocolError as error:
            refusals.append(error.message)
            continue
        return _validated(transport, fields, issuer, typed_host)
    raise ProviderProtocolError(
        f"{issuer} publishes no metadata. {' '.join(refusals)}",
        hint="Check the issuer's spelling, or register the endpoints by hand.",
    )


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where the metadata of `issuer` may be, the likelier place first.

    Raises:
        InvalidParameterError: an issuer has no query and no fragment (RFC 8414 §2).
    """
    from authlib.oauth2.rfc8414 import (  # type: ignore[import-untyped]
        get_well_known_url,
    )

    if "?" in issuer or "#" in issuer:
        raise InvalidParameterError(
            "An issuer has neither query nor fragment.",
            hint="Give it as the provider's metadata has it.",
            parameter="issuer",
        )
    stem = issuer.rstrip("/")  # RFC 8414 §3.1 and OpenID Connect Discovery §4.1
    return (
        f"{stem}/.well-known/openid-configuration",
        get_well_known_url(stem, external=True),
    )


def metadata_request(url: str) -> HttpRequest:
    return HttpRequest(method="GET", url=url, headers={"Accept": "application/json"})


def read_document(answer: HttpAnswer, url: str) -> Fields:
    """The fields of a published document, which is there or not; nobody is refused.

    Raises:
        ProviderUnavailableError: it may pass.
        ProviderProtocolError: there is no such document.
    """
    if may_pass(answer):
        refuse(answer, endpoint=url)
    try:
        return read_object(answer, endpoint=url)
    except (ProviderRejectedError, ProviderUnavailableError):
        # what would be a refusal or a fault elsewhere is here how a server says "not found"
        pass
    raise ProviderProtocolError(
        f"{url} is not there (status {answer.status}).", hint="Check the issuer."
    )


def issuer_named_by(document: str, asked: str) -> bool:
    """Whether metadata with the issuer `document` answers the question for `asked`.

    Exactly equal (RFC 8414 §3.3), but for Entra: the metadata of its addresses for many tenants
    names `{tenantid}` where the address has `common`.
    """
    return document == asked or any(
        document.replace(TENANT_PLACEHOLDER, tenant, 1) == asked for tenant in _TENANTS
    )


def _validated(
    transport: Transport, fields: Fields, issuer: str, typed_host: bool
) -> ServerMetadata:
    named = fields.text("issuer")
    if named is None or not issuer_named_by(named, issuer):
        raise ProviderProtocolError(
            f"The metadata at {issuer} is that of another issuer{_shown(named)}.",
            hint="Write the issuer exactly as its metadata does; a slash at the end counts.",
        )
    addresses = {}
    for name in _ADDRESSES:
        address = fields.text(name)
        if address is not None:
            typed = name == _FOR_BROWSERS or (typed_host and same_origin(address, issuer))
            _check(transport, name, address, typed)
        addresses[name] = address
    return ServerMetadata(
        issuer=named,
        **addresses,
        token_endpoint_auth_methods_supported=fields.texts("token_endpoint_auth_methods_supported"),
        code_challenge_methods_supported=fields.texts("code_challenge_methods_supported"),
        authorization_response_iss_parameter_supported=fields.get(
            "authorization_response_iss_parameter_supported"
        )
        is True,
        scopes_supported=fields.texts("scopes_supported"),
        id_token_signing_alg_values_supported=fields.texts("id_token_signing_alg_values_supported"),
        practice=fields.get("practice") is True,
    )


def _shown(issuer: str | None) -> str:
    """An issuer that the server names, for a person to compare; nothing else gets through."""
    if issuer is None or not _PLAIN_ADDRESS.fullmatch(issuer):
        return ""
    return f": {issuer}"


#: Of an address in a sentence: no control character, blank or quote, and not without end.
_PLAIN_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/%\[\]-]{1,200}")


def _check(transport: Transport, name: str, address: str, typed: bool) -> None:
    try:
        transport.guard.check_url(address, typed=typed, parameter=name)
    except InvalidParameterError as error:
        raise ProviderProtocolError(
            f"The provider's metadata cannot be used. {error.message}",
            hint="If this provider lives in your own network, an administrator can add its host "
            "to allowed_private_hosts.",
        ) from None
