"""Authorization server metadata: where it is looked for, and what is believed of it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping

import pytest

from jupyter_oauthconn.errors import (
    InvalidParameterError,
    ProviderProtocolError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.protocol import AddressGuard, ServerMetadata, Transport, discover
from jupyter_oauthconn.protocol.metadata import issuer_named_by, metadata_urls

from .conftest import Server, says

Serve = Callable[..., Server]
OPENID, RFC8414 = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"


def publish(serve: Serve, places: Mapping[str, object], status: str = "404 Not Found") -> Server:
    """Serves documents at paths; `{base}` in them becomes the server's address."""

    def behaviour(connection: socket.socket, request: bytes) -> None:
        path = request.split(b" ")[1].decode()
        if path in places:
            body = json.dumps(places[path]).replace("{base}", server.url("")).encode()
            says("200 OK", body)(connection, request)
        else:
            says(status, b"<html>no</html>", "Content-Type: text/html")(connection, request)

    server = serve(behaviour)
    return server


def paths(server: Server) -> list[str]:
    return [one.split(b" ")[1].decode() for one in server.requests]


@pytest.mark.parametrize(
    ("issuer", "places"),
    [
        # RFC 8414 §3.1 and OpenID Connect Discovery §4.1, their own examples
        (
            "https://example.com",
            (f"https://example.com{OPENID}", f"https://example.com{RFC8414}"),
        ),
        (
            "https://example.com/issuer1",
            (f"https://example.com/issuer1{OPENID}", f"https://example.com{RFC8414}/issuer1"),
        ),
        (
            "https://example.com/a/b/",
            (f"https://example.com/a/b{OPENID}", f"https://example.com{RFC8414}/a/b"),
        ),
    ],
)
def test_well_known_places(issuer: str, places: tuple[str, ...]) -> None:
    assert metadata_urls(issuer) == places


def test_known_fields_of_the_right_types_are_kept(serve: Serve, transport: Transport) -> None:
    server = publish(
        serve,
        {
            OPENID: {
                "issuer": "{base}",
                "authorization_endpoint": "{base}/authorize",
                "token_endpoint": "{base}/token",
                "revocation_endpoint": 7,
                "jwks_uri": "{base}/keys",
                "scopes_supported": ["openid", 1, "data"],
                "code_challenge_methods_supported": "S256",
                "authorization_response_iss_parameter_supported": True,
                "practice": True,
                "verify": False,
                "proxy": "http://evil.example:3128",
            }
        },
    )
    base = server.url("")
    assert discover(transport, base) == ServerMetadata(
        issuer=base,
        authorization_endpoint=f"{base}/authorize",
        token_endpoint=f"{base}/token",
        jwks_uri=f"{base}/keys",
        scopes_supported=("openid", "data"),
        authorization_response_iss_parameter_supported=True,
        practice=True,
    )
    assert paths(server) == [OPENID]


@pytest.mark.parametrize("value", ["true", 1, [True], None])
def test_practice_and_iss_are_true_only_when_true(
    serve: Serve, transport: Transport, value: object
) -> None:
    server = publish(
        serve,
        {
            OPENID: {
                "issuer": "{base}",
                "practice": value,
                "authorization_response_iss_parameter_supported": value,
            }
        },
    )
    found = discover(transport, server.url(""))
    assert not found.practice
    assert not found.authorization_response_iss_parameter_supported


def test_rfc_8414_place_is_the_second(serve: Serve, transport: Transport) -> None:
    server = publish(serve, {f"{RFC8414}/tenant": {"issuer": "{base}/tenant"}})
    issuer = server.url("/tenant")
    assert discover(transport, issuer).issuer == issuer
    assert paths(server) == [f"/tenant{OPENID}", f"{RFC8414}/tenant"]


def test_no_metadata_at_all(serve: Serve, transport: Transport) -> None:
    server = publish(serve, {})
    with pytest.raises(ProviderProtocolError, match="publishes no metadata"):
        discover(transport, server.url(""))
    assert paths(server) == [OPENID, RFC8414]


def test_an_outage_is_not_taken_for_absence(serve: Serve, transport: Transport) -> None:
    server = publish(serve, {RFC8414: {"issuer": "{base}"}}, status="503 Unavailable")
    with pytest.raises(ProviderUnavailableError):
        discover(transport, server.url(""))
    assert paths(server) == [OPENID]


@pytest.mark.parametrize("named", ["{base}/", "{base}/other", "https://evil.example", "", None, 1])
def test_sec_22_another_issuer_is_refused(
    serve: Serve, transport: Transport, named: object
) -> None:
    document = {"issuer": named, "token_endpoint": "{base}/token"}
    server = publish(serve, {OPENID: document, RFC8414: {"issuer": "{base}"}})
    with pytest.raises(ProviderProtocolError, match="another issuer"):
        discover(transport, server.url(""))


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("token_endpoint", "http://provider.example/token"),
        ("token_endpoint", "https://169.254.169.254/latest"),
        ("jwks_uri", "https://10.0.0.1/keys"),
        ("userinfo_endpoint", "file:///etc/passwd"),
        ("revocation_endpoint", "https://user@provider.example/"),
        ("authorization_endpoint", "javascript:alert(1)"),
    ],
)
def test_sec_23_addresses_in_metadata_are_judged(
    serve: Serve, transport: Transport, field: str, address: str
) -> None:
    server = publish(serve, {OPENID: {"issuer": "{base}", field: address}})
    with pytest.raises(ProviderProtocolError, match=field):
        discover(transport, server.url(""), typed_host=True)


def test_sec_23_trust_in_a_typed_issuer_ends_at_its_origin(serve: Serve) -> None:
    other = serve(says("200 OK"))
    own = publish(serve, {OPENID: {"issuer": "{base}", "token_endpoint": "{base}/token"}})
    crossing = publish(serve, {OPENID: {"issuer": "{base}", "token_endpoint": other.url("/token")}})
    strict = Transport(guard=AddressGuard())
    found = discover(strict, own.url(""), typed_host=True)
    assert found.token_endpoint == own.url("/token")
    with pytest.raises(ProviderProtocolError, match="token_endpoint"):
        discover(strict, crossing.url(""), typed_host=True)
    with pytest.raises(InvalidParameterError, match="issuer"):
        discover(strict, own.url(""))


def test_sec_22_oversized_redirected_and_html_documents(serve: Serve, transport: Transport) -> None:
    evil = serve(says("200 OK"))
    for behaviour in (
        says("200 OK", b'{"issuer":"' + b"x" * 5_000_000 + b'"}'),
        says("302 Found", b"", f"Location: {evil.url()}"),
        says("200 OK", b"<html></html>", "Content-Type: text/html"),
        says("200 OK", b"{}", "Content-Type: text/plain"),
        says("200 OK", b"[" * 100_000),
        says("200 OK", b"\xff\xfe{}"),
    ):
        with pytest.raises(ProviderProtocolError):
            discover(transport, serve(behaviour).url(""))
    assert evil.connections == 0


@pytest.mark.parametrize(
    "issuer",
    ["http://provider.example", "https://provider.example?x=1", "https://provider.example/#x"],
)
def test_sec_22_what_is_no_issuer(transport: Transport, issuer: str) -> None:
    with pytest.raises(InvalidParameterError):
        discover(transport, issuer)


def test_entra_names_its_tenants_by_a_placeholder() -> None:
    document = "https://login.microsoftonline.com/{tenantid}/v2.0"
    assert issuer_named_by(document, "https://login.microsoftonline.com/common/v2.0")
    assert issuer_named_by(document, "https://login.microsoftonline.com/organizations/v2.0")
    assert not issuer_named_by(document, "https://login.microsoftonline.com/evil/v2.0")
    assert not issuer_named_by(document, "https://evil.example/common/v2.0")
