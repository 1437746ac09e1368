"""The ID token (OpenID Connect Core 1.0 §2): whose account signed in. A label, never a login."""

from __future__ import annotations

import hmac
import json
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jupyter_oauthconn.errors import InvalidIDTokenError, ProviderProtocolError
from jupyter_oauthconn.model import Secret

from .answers import Fields, one_line
from .metadata import TENANT_PLACEHOLDER, ServerMetadata, metadata_request, read_document
from .transport import Transport

if TYPE_CHECKING:
    from joserfc.jwk import Key

_KEYS_LIMIT = 256 * 1024
#: Which keys an algorithm takes. What is not here is never accepted, `none` least of all.
_KEY_TYPES = {
    **{f"{family}{size}": "RSA" for family in ("RS", "PS") for size in (256, 384, 512)},
    **{f"ES{size}": "EC" for size in (256, 384, 512)},
    **{f"HS{size}": "oct" for size in (256, 384, 512)},
    "Ed25519": "OKP",
}
#: OpenID Connect Core §3.1.3.7 no. 7: unless something else was agreed.
_DEFAULT_ALGORITHMS = ("RS256",)
_LEEWAY = timedelta(seconds=60)
_LONGEST_SUBJECT = 255
_LABELS = ("email", "preferred_username", "upn", "name", "sub")
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: RSA moduli below 2048 bits (RFC 7518 §3.3) are shorter than this in base64url.
_SHORTEST_MODULUS = 342


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An account at a provider: `issuer` and `subject` are its key, `label` is for people."""

    subject: str
    label: str
    issuer: str


def identify(
    transport: Transport,
    id_token: Secret,
    *,
    metadata: ServerMetadata,
    client_id: str,
    nonce: Secret | None,
    secret: Secret | None,
    now: datetime,
    typed_host: bool = False,
) -> Identity:
    """Fetches the issuer's keys, always afresh since sign-ins are rare, and validates the token.

    Raises:
        InvalidIDTokenError: the token does not hold.
        ProviderUnavailableError, ProviderProtocolError: its keys cannot be had.
    """
    keys: tuple[Mapping[str, object], ...] = ()
    if _KEY_TYPES.get(_algorithm(id_token)) != "oct":
        if metadata.jwks_uri is None:
            raise InvalidIDTokenError(
                "The ID token cannot be checked: the provider's metadata names no keys.",
                hint="Leave the scope openid out for this client.",
            )
        keys = fetch_keys(transport, metadata.jwks_uri, typed_host=typed_host)
    return validate_id_token(
        id_token,
        keys=keys,
        issuer=metadata.issuer,
        client_id=client_id,
        nonce=nonce,
        secret=secret,
        algorithms=metadata.id_token_signing_alg_values_supported,
        now=now,
    )


def fetch_keys(
    transport: Transport, jwks_uri: str, *, typed_host: bool = False
) -> tuple[Mapping[str, object], ...]:
    """The issuer's public keys (RFC 7517 §5), unjudged.

    Raises:
        ProviderUnavailableError, ProviderProtocolError: no key set came.
    """
    answer = transport.send(metadata_request(jwks_uri), limit=_KEYS_LIMIT, typed_host=typed_host)
    keys = read_document(answer, jwks_uri).get("keys")
    if not isinstance(keys, list):
        raise ProviderProtocolError(
            f"{jwks_uri} holds no key set.", hint="Check the issuer's metadata."
        )
    return tuple(key for key in keys if isinstance(key, dict))


def validate_id_token(
    id_token: Secret,
    *,
    keys: Sequence[Mapping[str, object]],
    issuer: str,
    client_id: str,
    nonce: Secret | None,
    secret: Secret | None,
    algorithms: Sequence[str],
    now: datetime,
    leeway: timedelta = _LEEWAY,
) -> Identity:
    """Checks signature and claims (OpenID Connect Core §3.1.3.7).

    Args:
        keys: the issuer's key set.
        issuer: may hold Entra's `{tenantid}`, which the token's own `tid` fills.
        nonce: what the sign-in sent; None where it sent none, and after a refresh.
        secret: the client's; HS256 and its kin are accepted with it only.
        algorithms: allowed ones; empty: RS256.

    Raises:
        InvalidIDTokenError: any check fails.
    """
    claims = _verified(id_token, keys, secret, algorithms or _DEFAULT_ALGORITHMS)
    named = _check_issuer(claims, issuer)
    _check_audience(claims, client_id)
    _check_times(claims, now.timestamp(), leeway.total_seconds())
    if nonce is not None and not hmac.compare_digest(
        (claims.text("nonce") or "").encode(), nonce.reveal().encode()
    ):
        raise _invalid("it belongs to another sign-in (nonce)")
    subject = claims.text("sub")
    if subject is None or len(subject) > _LONGEST_SUBJECT or not subject.isprintable():
        raise _invalid("it names no account (sub)")
    return Identity(subject=subject, label=label_of(claims, subject), issuer=named)


def label_of(claims: Fields, subject: str) -> str:
    """What people call the account, as far as the claims tell; else its subject."""
    labels = (one_line(claims.text(name) or "") for name in _LABELS)
    return next((one for one in labels if one), subject)


def _verified(
    id_token: Secret,
    keys: Sequence[Mapping[str, object]],
    secret: Secret | None,
    algorithms: Sequence[str],
) -> Fields:
    """The claims, once the signature holds under a key that fits the algorithm."""
    from joserfc import jws
    from joserfc.errors import JoseError

    algorithm = _algorithm(id_token)
    key_type = _KEY_TYPES.get(algorithm)
    if key_type is None or algorithm not in algorithms:
        raise _invalid("its algorithm is not allowed")
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    for key in _candidates(id_token, key_type, keys, secret):
        try:
            signed = jws.deserialize_compact(id_token.reveal(), key, registry=registry)
            claims = json.loads(signed.payload or b"")
        except (JoseError, ValueError, RecursionError):
            continue
        if isinstance(claims, dict):
            return Fields(claims)
    raise _invalid("no key of the provider fits its signature")


def _candidates(
    id_token: Secret, key_type: str, keys: Sequence[Mapping[str, object]], secret: Secret | None
) -> list[Key]:
    """Keys to try: of the algorithm's type only, so that a public key is never an HMAC secret."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry, OctKey

    wanted = _header(id_token).text("kid")
    candidates: list[Key] = []
    try:
        if key_type == "oct":
            return [OctKey.import_key(secret.reveal())] if secret else []
        for one in keys:
            fits = one.get("kty") == key_type and one.get("use", "sig") == "sig"
            if fits and _long_enough(one) and wanted in (None, one.get("kid")):
                candidates.append(JWKRegistry.import_key(_public(one)))
    except (JoseError, ValueError, TypeError, KeyError):
        raise _invalid("the provider's key for it is malformed") from None
    return candidates


def _public(key: Mapping[str, object]) -> dict[str, str | list[str]]:
    wanted = ("kty", "n", "e", "crv", "x", "y")
    return {name: value for name in wanted if isinstance(value := key.get(name), str)}


def _long_enough(key: Mapping[str, object]) -> bool:
    return key.get("kty") != "RSA" or len(str(key.get("n", ""))) >= _SHORTEST_MODULUS


def _header(id_token: Secret) -> Fields:
    first = id_token.reveal().partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or "crit" in header:
        raise _invalid("it is not a signed token of a known form")
    return Fields(header)


def _algorithm(id_token: Secret) -> str:
    return _header(id_token).text("alg") or ""


def _check_issuer(claims: Fields, issuer: str) -> str:
    named = claims.text("iss")
    expected = issuer
    if TENANT_PLACEHOLDER in issuer:
        tenant = claims.text("tid") or ""
        expected = issuer.replace(TENANT_PLACEHOLDER, tenant) if _TENANT.fullmatch(tenant) else ""
    if named is None or named != expected:
        raise _invalid("it is from another issuer (iss)")
    return named


def _check_audience(claims: Fields, client_id: str) -> None:
    audience = claims.get("aud")
    names = [audience] if isinstance(audience, str) else audience
    if not isinstance(names, list) or client_id not in names:
        raise _invalid("it is for another client (aud)")
    party = claims.get("azp")
    # no. 4 and 5: several audiences need an authorized party, and it must be this client
    if (party is not None or len(names) > 1) and party != client_id:
        raise _invalid("it was issued to another client (azp)")


def _check_times(claims: Fields, now: float, leeway: float) -> None:
    expires, issued, starts = (_time(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or expires + leeway <= now:
        raise _invalid("it has expired (exp); check this machine's clock")
    if issued is None or issued - leeway > now:
        raise _invalid("it comes from the future (iat); check this machine's clock")
    if starts is not None and starts - leeway > now:
        raise _invalid("it is not valid yet (nbf); check this machine's clock")


def _time(claims: Fields, name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _invalid(reason: str) -> InvalidIDTokenError:
    return InvalidIDTokenError(
        f"The ID token is refused: {reason}.",
        hint="Sign in again; if it repeats, tell an administrator.",
    )
