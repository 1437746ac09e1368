"""The authorization endpoint (RFC 6749 §4.1.1, RFC 7636) and its answer (RFC 9207)."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

from jupyter_oauthconn.errors import (
    AccessDeniedError,
    CallbackMismatchError,
    InvalidParameterError,
    ProviderProtocolError,
    ProviderRejectedError,
)
from jupyter_oauthconn.model import Secret

from .answers import Fields, described, one_line, showable_code
from .transport import HttpRequest

#: What only this module may set.
_OURS = frozenset(
    {"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce",
     "code_challenge", "code_challenge_method", "request", "request_uri", "uri"}
)  # fmt: skip
_EXPECTED = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri",
     "session_state", "scope", "authuser", "hd", "prompt"}
)  # fmt: skip
_LONGEST_VALUE = 4096
_MOST_PARAMETERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """Where to send the browser, and what to keep until it comes back.

    Attributes:
        url: holds the state and the challenge; for the browser of the person who signs in only.
        state: 256 random bits; keep its hash.
        code_verifier: RFC 7636 §4.1, 64 characters.
        nonce: for the ID token; sent with `openid` only.
    """

    url: Secret
    state: Secret
    code_verifier: Secret
    nonce: Secret


def authorization_request(
    *,
    endpoint: str,
    client_id: str,
    redirect_uri: str,
    scope: str,
    extra: Mapping[str, str],
    openid: bool,
) -> AuthorizationRequest:
    """Builds a request for an authorization code, always with state and PKCE S256.

    Args:
        endpoint: may have a query of its own (Azure B2C); its parameters stay.
        extra: further parameters of the provider, e.g. `access_type`.
        openid: an ID token is wanted: sends a nonce.

    Raises:
        InvalidParameterError: `extra` or the endpoint's query sets a parameter of the protocol.
    """
    from authlib.oauth2.rfc6749.parameters import (  # type: ignore[import-untyped]
        prepare_grant_uri,
    )
    from authlib.oauth2.rfc7636 import (  # type: ignore[import-untyped]
        create_s256_code_challenge,
    )

    _check_extra(endpoint, extra)
    state, verifier, nonce = (Secret(secrets.token_urlsafe(size)) for size in (32, 48, 32))
    url = prepare_grant_uri(
        endpoint,
        client_id,
        "code",
        redirect_uri=redirect_uri,
        scope=scope,
        state=state.reveal(),
        **extra,
        **({"nonce": nonce.reveal()} if openid else {}),
        code_challenge=create_s256_code_challenge(verifier.reveal()),
        code_challenge_method="S256",
    )
    sent = parse_qs(urlsplit(url).query)
    if sent.get("code_challenge_method") != ["S256"] or len(sent.get("code_challenge", ())) != 1:
        # never without PKCE, whatever becomes of the builder (RFC 9700 §2.1.1)
        raise ProviderProtocolError("The authorization request has no code challenge.")
    return AuthorizationRequest(url=Secret(url), state=state, code_verifier=verifier, nonce=nonce)


def redirect_probe(*, endpoint: str, client_id: str, redirect_uri: str, scope: str) -> HttpRequest:
    """The same request without anybody who could sign in: a server that takes the redirect URI
    sends back to it at once, with an error (OpenID Connect Core §3.1.2.1, `prompt=none`).

    It can lead to nothing: state and verifier are thrown away.

    Raises:
        InvalidParameterError: as `authorization_request`.
    """
    request = authorization_request(
        endpoint=endpoint,
        client_id=client_id,
        redirect_uri=redirect_uri,
        scope=scope,
        extra={"prompt": "none"},
        openid=True,
    )
    return HttpRequest(method="GET", url=request.url.reveal(), secrets=(request.state,))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAnswer:
    """An authorization code, and the parameters that the catalog entry keeps."""

    code: Secret
    extra: Mapping[str, str] = field(default_factory=dict)


def validate_callback(
    parameters: Sequence[tuple[str, str]],
    *,
    issuer: str | None,
    iss_required: bool,
    keep: tuple[str, ...] = (),
) -> CallbackAnswer:
    """Reads what the browser brought back. The caller has already used up the state.

    Parameters that nobody asked for are ignored (RFC 6749 §4.1.2), the others must come once.

    Args:
        issuer: of the authorization server that the person was sent to; None: not known.
        iss_required: its metadata says that it sends `iss` (RFC 9207 §2.4).
        keep: further parameters to return.

    Raises:
        CallbackMismatchError: the answer is from another issuer.
        AccessDeniedError: the person or the provider refused.
        ProviderRejectedError: another error of RFC 6749 §4.1.2.1.
        ProviderProtocolError: doubled, oversized or missing parameters.
    """
    fault = _fault(parameters, _EXPECTED.union(keep))
    given = Fields(dict(parameters))
    del parameters  # a traceback may print it
    if fault is not None:
        raise ProviderProtocolError(
            f"The provider's answer is malformed ({fault}).", hint="Start the sign-in again."
        )
    # before the error too: another server could end this sign-in (RFC 9207 §2.4)
    _check_issuer(given.get("iss"), issuer=issuer, required=iss_required)
    if given.get("error") is not None:
        _raise_refusal(given)
    code = given.text("code")
    if code is None:
        raise ProviderProtocolError(
            "The provider's answer holds no authorization code.",
            hint="Start again; if it repeats, check that the client is one for the "
            "authorization code flow.",
        )
    kept = {name: text for name in keep if (text := given.text(name)) and name not in _SECRET}
    return CallbackAnswer(code=Secret(code), extra=kept)


_SECRET = frozenset({"code", "state"})


def _check_extra(endpoint: str, extra: Mapping[str, str]) -> None:
    own = parse_qs(urlsplit(endpoint).query, keep_blank_values=True)
    taken = sorted(_OURS.intersection(extra).union(_OURS.intersection(own)))
    if taken:
        raise InvalidParameterError(
            f"The authorization parameter {taken[0]!r} is set by the protocol.",
            hint="Remove it from the extra parameters and from the endpoint's address.",
            parameter=taken[0],
        )


def _fault(parameters: Sequence[tuple[str, str]], names: frozenset[str]) -> str | None:
    """What is wrong with the form of the answer, in a word or two."""
    given = [(name, value) for name, value in parameters if name in names]
    # RFC 6749 §3.1: parameters must not be included more than once
    doubled = (name for name, count in Counter(name for name, _ in given).items() if count > 1)
    odd = (name for name, value in given if len(value) > _LONGEST_VALUE or "\x00" in value)
    if len(parameters) > _MOST_PARAMETERS:
        return "too many parameters"
    return next(doubled, None) or next(odd, None)


def _check_issuer(received: object, *, issuer: str | None, required: bool) -> None:
    if received is None and not required:
        return
    if received is not None and (issuer is None or received == issuer):
        return
    raise CallbackMismatchError(
        "The answer is not from the authorization server that you were sent to."
        if received is not None
        else "The answer does not say which authorization server it is from, as it must.",
        hint="Nothing was sent to anybody. Start again; tell an administrator if it repeats.",
        expected=issuer or "",
        received=one_line(str(received or "")),
    )


def _raise_refusal(given: Fields) -> NoReturn:
    hidden = tuple(secret for secret in map(given.secret, _SECRET) if secret is not None)
    error = showable_code(given.text("error") or "", hidden)
    words = described(given.text("error_description") or "", hidden)
    told = f": {words}." if words else "."
    if error == "access_denied":
        raise AccessDeniedError(
            f"The sign-in was refused{told}",
            hint="Sign in again and agree, or ask an administrator of the provider for access.",
        )
    raise ProviderRejectedError(
        f"The provider answered {error}{told}",
        hint="The provider's documentation says what this error means.",
        error=error,
    )
