"""ID tokens (OpenID Connect Core §3.1.3.7): each check by a token that fails it alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from jupyter_oauthconn.errors import (
    InvalidIDTokenError,
    ProviderProtocolError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import Secret
from jupyter_oauthconn.protocol import (
    Identity,
    ServerMetadata,
    Transport,
    identify,
    validate_id_token,
)

from .conftest import Server, says

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ISSUER, CLIENT, NONCE = "https://provider.example", "client", "n-0S6_WzA2Mj"
CLIENT_SECRET = "a client secret of 32 and more bytes"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
KEYS = tuple(key.as_dict(private=False) for key in (EC, RSA, ED))
CLAIMS: dict[str, object] = {
    "iss": ISSUER,
    "sub": "248289761001",
    "aud": CLIENT,
    "nonce": NONCE,
    "exp": int(NOW.timestamp()) + 600,
    "iat": int(NOW.timestamp()),
    "email": "you@example.com",
}
ABSENT = object()


def signed(
    key: RSAKey | ECKey | OKPKey | OctKey = RSA,
    alg: str = "RS256",
    header: dict[str, object] | None = None,
    **changes: object,
) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ABSENT}
    named = {} if key.kid is None else {"kid": key.kid}
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jwt.encode({"alg": alg, **named, **(header or {})}, claims, key, registry=registry)


def check(
    token: str,
    *,
    keys: tuple[object, ...] = KEYS,
    issuer: str = ISSUER,
    nonce: str | None = NONCE,
    secret: str | None = CLIENT_SECRET,
    algorithms: tuple[str, ...] = ("RS256", "ES256", "Ed25519", "HS256"),
) -> Identity:
    return validate_id_token(
        Secret(token),
        keys=keys,  # type: ignore[arg-type]
        issuer=issuer,
        client_id=CLIENT,
        nonce=None if nonce is None else Secret(nonce),
        secret=None if secret is None else Secret(secret),
        algorithms=algorithms,
        now=NOW,
    )


YOU = Identity(subject="248289761001", label="you@example.com", issuer=ISSUER)


@pytest.mark.parametrize(
    "token",
    [
        signed(),
        signed(EC, "ES256"),
        signed(ED, "Ed25519"),
        signed(OctKey.import_key(CLIENT_SECRET), "HS256"),
        signed(aud=[CLIENT]),
        signed(aud=[CLIENT, "other"], azp=CLIENT),
        signed(azp=CLIENT),
        signed(exp=int(NOW.timestamp()) - 59),
        signed(iat=int(NOW.timestamp()) + 59),
        signed(nbf=int(NOW.timestamp()) + 59),
        signed(header={"x5t": "abc", "private-extra": 1}),
    ],
)
def test_good_tokens(token: str) -> None:
    assert check(token) == YOU


def unsigned(header: dict[str, object], claims: dict[str, object]) -> str:
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def with_public_key_as_secret() -> str:
    """The classic confusion: HS256 with the public key's PEM as the shared secret."""
    import hashlib
    import hmac

    head = unsigned({"alg": "HS256", "kid": "rsa"}, CLAIMS).rstrip(".")
    mac = hmac.new(RSA.as_pem(private=False), head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (unsigned({"alg": "none"}, CLAIMS), "algorithm"),
        (unsigned({"alg": "None"}, CLAIMS), "algorithm"),
        (unsigned({}, CLAIMS), "algorithm"),
        (unsigned({"alg": ["RS256"]}, CLAIMS), "algorithm"),
        (signed(RSA, "PS256"), "algorithm"),
        (with_public_key_as_secret(), "signature"),
        (signed(OTHER_RSA), "signature"),
        (signed(header={"kid": "unknown"}), "signature"),
        (signed()[:-8] + "AAAAAAAA", "signature"),
        (signed(header={"crit": ["b64"], "b64": True}), "known form"),
        ("a.b.c.d.e", "known form"),
        ("", "known form"),
        ("é.é.é", "known form"),
        (signed(iss="https://evil.example"), "iss"),
        (signed(iss=ISSUER + "/"), "iss"),
        (signed(iss=ABSENT), "iss"),
        (signed(aud="other", azp=CLIENT), "aud"),
        (signed(aud=["other"], azp=CLIENT), "aud"),
        (signed(aud=ABSENT), "aud"),
        (signed(aud={CLIENT: 1}), "aud"),
        (signed(aud="clients"), "aud"),
        (signed(aud=[CLIENT, "other"]), "azp"),
        (signed(azp="other"), "azp"),
        (signed(exp=int(NOW.timestamp()) - 61), "exp"),
        (signed(exp=ABSENT), "exp"),
        (signed(exp="9999999999"), "exp"),
        (signed(exp=True), "exp"),
        (signed(iat=int(NOW.timestamp()) + 61), "iat"),
        (signed(iat=ABSENT), "iat"),
        (signed(iat=True), "iat"),
        (signed(nbf=int(NOW.timestamp()) + 61), "nbf"),
        (signed(nonce="another"), "nonce"),
        (signed(nonce=ABSENT), "nonce"),
        (signed(nonce=""), "nonce"),
        (signed(sub=ABSENT), "sub"),
        (signed(sub=""), "sub"),
        (signed(sub=7), "sub"),
        (signed(sub="x" * 256), "sub"),
    ],
)
def test_sec_14_refused_tokens(token: str, reason: str) -> None:
    with pytest.raises(InvalidIDTokenError, match=reason) as caught:
        check(token)
    assert "248289761001" not in caught.value.message


def test_sec_14_hmac_needs_the_secret_and_an_allowed_algorithm() -> None:
    token = signed(OctKey.import_key(CLIENT_SECRET), "HS256")
    for secret, algorithms in (
        (None, ("HS256",)),
        (CLIENT_SECRET, ("RS256",)),
        (CLIENT_SECRET, ()),
    ):
        with pytest.raises(InvalidIDTokenError):
            check(token, secret=secret, algorithms=algorithms)
    # a symmetric key that the issuer publishes is nobody's secret
    published = OctKey.import_key("published symmetric key of the issuer").as_dict(private=True)
    forged = signed(OctKey.import_key("published symmetric key of the issuer"), "HS256")
    with pytest.raises(InvalidIDTokenError):
        check(forged, keys=(published,), secret=None)


def test_sec_14_none_is_refused_even_when_metadata_lists_it() -> None:
    with pytest.raises(InvalidIDTokenError):
        check(unsigned({"alg": "none"}, CLAIMS), algorithms=("none",))


def test_rs256_is_what_holds_without_a_list() -> None:
    assert check(signed(), algorithms=()) == YOU
    with pytest.raises(InvalidIDTokenError):
        check(signed(EC, "ES256"), algorithms=())


def test_short_and_foreign_keys_are_left_out() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = RSAKey.generate_key(1024, {"kid": "rsa"})
        token = signed(short)
    with pytest.raises(InvalidIDTokenError):
        check(token, keys=(short.as_dict(private=False),))
    unknown = {"kty": "future", "kid": "rsa"}
    encryption = {**OTHER_RSA.as_dict(private=False), "use": "enc"}
    assert check(signed(), keys=(unknown, encryption, *KEYS)) == YOU
    with pytest.raises(InvalidIDTokenError):
        check(signed(OTHER_RSA), keys=(encryption,))


def test_token_without_a_key_id() -> None:
    bare = RSAKey.import_key(RSA.as_pem(private=True))
    token = jwt.encode({"alg": "RS256"}, dict(CLAIMS), bare, algorithms=["RS256"])
    several = (OTHER_RSA.as_dict(private=False), RSA.as_dict(private=False))
    assert check(token, keys=several) == YOU


def test_malformed_key() -> None:
    with pytest.raises(InvalidIDTokenError):
        check(signed(), keys=({"kty": "RSA", "kid": "rsa", "n": "A" * 400, "e": 7},))


def test_nonce_is_not_asked_for_after_a_refresh() -> None:
    assert check(signed(nonce=ABSENT), nonce=None) == YOU


def test_entra_tenants() -> None:
    template = "https://login.microsoftonline.com/{tenantid}/v2.0"
    named = template.replace("{tenantid}", TENANT)
    assert check(signed(iss=named, tid=TENANT), issuer=template).issuer == named
    other = TENANT.replace("7", "8")
    for issuer, tenant in ((named, other), (named, ABSENT), (template, "{tenantid}"), (named, "")):
        with pytest.raises(InvalidIDTokenError, match="iss"):
            check(signed(iss=issuer, tid=tenant), issuer=template)


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "you@example.com"),
        ({"email": ABSENT, "preferred_username": "you"}, "you"),
        ({"email": "", "upn": "you@corp"}, "you@corp"),
        ({"email": 7, "name": "You\u202e\nAgain"}, "You Again"),
        ({"email": ABSENT}, "248289761001"),
        ({"email": "x" * 500}, "x" * 200 + "…"),
    ],
)
def test_labels(changes: dict[str, object], label: str) -> None:
    assert check(signed(**changes)).label == label  # type: ignore[arg-type]


Serve = Callable[..., Server]


def metadata(jwks_uri: str | None, *algorithms: str) -> ServerMetadata:
    return ServerMetadata(
        issuer=ISSUER, jwks_uri=jwks_uri, id_token_signing_alg_values_supported=algorithms
    )


def identified(transport: Transport, token: str, found: ServerMetadata) -> Identity:
    return identify(
        transport,
        Secret(token),
        metadata=found,
        client_id=CLIENT,
        nonce=Secret(NONCE),
        secret=Secret(CLIENT_SECRET),
        now=NOW + timedelta(seconds=1),
    )


def test_keys_are_fetched_at_each_sign_in(serve: Serve, transport: Transport) -> None:
    """A rotated key is known at once."""
    server = serve(
        says("200 OK", json.dumps({"keys": [OTHER_RSA.as_dict(private=False)]}).encode())
    )
    found = metadata(server.url("/keys"))
    with pytest.raises(InvalidIDTokenError):
        identified(transport, signed(), found)
    server.behaviour = says(
        "200 OK", json.dumps({"keys": KEYS}).encode(), "Content-Type: application/jwk-set+json"
    )
    assert identified(transport, signed(), found) == YOU
    assert server.connections == 2


def test_hmac_needs_no_keys(transport: Transport) -> None:
    token = signed(OctKey.import_key(CLIENT_SECRET), "HS256")
    assert identified(transport, token, metadata(None, "HS256")) == YOU


def test_keys_that_cannot_be_had(serve: Serve, transport: Transport) -> None:
    with pytest.raises(InvalidIDTokenError, match="names no keys"):
        identified(transport, signed(), metadata(None))
    for behaviour, expected in (
        (says("503 Unavailable"), ProviderUnavailableError),
        (says("401 Unauthorized", b'{"error":"invalid_client"}'), ProviderProtocolError),
        (says("200 OK", b'{"keys":7}'), ProviderProtocolError),
        (says("200 OK", b"<html>", "Content-Type: text/html"), ProviderProtocolError),
    ):
        with pytest.raises(expected) as caught:
            identified(transport, signed(), metadata(serve(behaviour).url("/keys")))
        assert type(caught.value) is expected
