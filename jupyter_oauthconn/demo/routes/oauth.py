"""The endpoints for programs: metadata, keys, token, revocation, introspection, userinfo."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

from ..provider import SCOPES, PracticeProvider, Reply, Token, fingerprint
from .answering import EndpointHandler

_CLIENT_AUTHENTICATION = ["none", "client_secret_basic", "client_secret_post"]


class MetadataHandler(EndpointHandler):
    """RFC 8414 and OpenID Connect Discovery."""

    async def get(self) -> None:
        await self.answer("metadata", lambda: Reply(HTTPStatus.OK, _metadata(self.provider.issuer)))


class KeysHandler(EndpointHandler):
    """The keys of ID tokens (RFC 7517 §5)."""

    async def get(self) -> None:
        await self.answer("jwks", lambda: Reply(HTTPStatus.OK, _keys(self.provider)))


class TokenHandler(EndpointHandler):
    """RFC 6749 §3.2."""

    async def post(self) -> None:
        form = self.parameters(self.request.body_arguments)
        refresh_token = form.get("refresh_token", [""])[0]
        await self.answer(
            "token",
            lambda: self.oauth.token(self.request.headers, form),
            client=_client_of(self, form),
            grant_type=form.get("grant_type", [None])[0],
            token=fingerprint(refresh_token) if refresh_token else None,
        )


class ClientEndpointHandler(EndpointHandler):
    """`revocation`, `introspection`, `device_authorization`."""

    async def post(self, name: str) -> None:
        form = self.parameters(self.request.body_arguments)
        token = form.get("token", [""])[0]
        await self.answer(
            name,
            lambda: self.oauth.endpoint(name, self.request.headers, form),
            client=_client_of(self, form),
            token=fingerprint(token) if token else None,
        )


class ResourceHandler(EndpointHandler):
    """A resource behind a bearer token (RFC 6750)."""

    async def serve(self, endpoint: str, scope: str, give: Callable[[Token], Reply]) -> None:
        """Answers with what `give` makes of a living token of that scope."""
        kind, _, value = self.request.headers.get("Authorization", "").partition(" ")
        value = value.strip() if kind.lower() == "bearer" else ""
        token = self.provider.bearer(value)
        await self.answer(
            endpoint,
            lambda: _guarded(value, token, scope, give),
            client=token.grant.client_id if token else None,
            token=fingerprint(value) if value else None,
        )


class UserinfoHandler(ResourceHandler):
    """OpenID Connect Core §5.3."""

    async def get(self) -> None:
        await self.serve(
            "userinfo",
            "openid",
            lambda token: Reply(HTTPStatus.OK, token.grant.account.claims(token.scope)),
        )

    post = get


def _guarded(value: str, token: Token | None, scope: str, give: Callable[[Token], Reply]) -> Reply:
    if not value:
        # RFC 6750 §3.1: no error code where no authentication was tried
        return _refused(HTTPStatus.UNAUTHORIZED, "", "This needs an access token.")
    if token is None:
        return _refused(
            HTTPStatus.UNAUTHORIZED, "invalid_token", "The access token expired or was revoked."
        )
    if scope not in token.scope.split():
        return _refused(
            HTTPStatus.FORBIDDEN, "insufficient_scope", f"This needs the scope {scope}.", scope
        )
    return give(token)


def _refused(status: HTTPStatus, error: str, text: str, scope: str = "") -> Reply:
    challenge = 'Bearer realm="practice"'
    if error:
        challenge += f', error="{error}", error_description="{text}"'
    if scope:
        challenge += f', scope="{scope}"'
    return Reply(
        status,
        {"error": error or "unauthorized", "error_description": text},
        {"WWW-Authenticate": challenge},
        outcome=error or "unauthorized",
    )


def _client_of(handler: EndpointHandler, form: dict[str, list[str]]) -> str | None:
    """Who says to be asking, for the log; the grants check it."""
    kind, _, value = handler.request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            pair = base64.b64decode(value).decode("utf-8", "replace")
        except binascii.Error:
            return None
        return unquote(pair.partition(":")[0])
    return form.get("client_id", [None])[0]


def _keys(provider: PracticeProvider) -> dict[str, object]:
    return {"keys": [provider.key.as_dict(private=False)]}


def _metadata(issuer: str) -> dict[str, object]:
    return {
        "issuer": issuer,
        "practice": True,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revocation",
        "introspection_endpoint": f"{issuer}/introspection",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "revocation_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "introspection_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["sub", "email", "email_verified", "name"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    }
