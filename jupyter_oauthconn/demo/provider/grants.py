"""The grants and endpoints of the practice provider: Authlib's, with memory and stricter."""

# Authlib has no types, so every class below has a base that mypy does not know
# mypy: disable-error-code="misc, import-untyped"

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant
from authlib.oidc.core import OpenIDCode, OpenIDToken

from .state import Account, Code, DeviceRequest, Grant, Token

if TYPE_CHECKING:
    from .practice_provider import PracticeProvider

_ANY_CLIENT = ["client_secret_basic", "client_secret_post", "none"]

# Authlib writes issued tokens at DEBUG; in a notebook's process that would be a leak
for _name in ("rfc6749.grants.authorization_code", "rfc6749.grants.refresh_token",
              "rfc8628.device_code"):  # fmt: skip
    logging.getLogger(f"authlib.oauth2.{_name}").setLevel(logging.INFO)


class ReusedError(InvalidGrantError):
    """A code or refresh token came a second time; `outcome` is for the log."""

    def __init__(self, outcome: str, description: str) -> None:
        super().__init__(description)
        self.outcome = outcome


class CodeGrant(AuthorizationCodeGrant):
    """RFC 6749 §4.1."""

    TOKEN_ENDPOINT_AUTH_METHODS = _ANY_CLIENT

    def generate_authorization_code(self) -> str:
        asked = self.request.payload.data
        code = self._provider.new_code(
            self.request.client.client_id,
            self.request.user,
            redirect_uri=asked["redirect_uri"],
            scope=self.request.scope,
            code_challenge=asked["code_challenge"],
            code_challenge_method=asked["code_challenge_method"],
            **({"nonce": asked["nonce"]} if asked.get("nonce") else {}),
        )
        return code.value

    def save_authorization_code(self, code: str, request: object) -> None:
        """Already kept by `generate_authorization_code`."""

    def query_authorization_code(self, code: str, client: Any) -> Code | None:
        known = self._provider.codes.get(code)
        if known is None or known.client_id != client.client_id:
            return None
        if known.grant is not None:
            # RFC 6749 §4.1.2: what came of a code that is used twice is revoked
            known.grant.revoked = True
            raise ReusedError("code_reused", "This code was used before.")
        return known if known.expires_at > self._provider.clock() else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Kept, so that its reuse is noticed; saving the token has marked it as used."""

    def authenticate_user(self, authorization_code: Code) -> Account:
        return authorization_code.account

    @property
    def _provider(self) -> PracticeProvider:
        provider: PracticeProvider = self.server.provider
        return provider


class Pkce(CodeChallenge):
    """RFC 7636 for every client, S256 only (RFC 9700 §2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with code_challenge_method=S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


class RefreshGrant(RefreshTokenGrant):
    """RFC 6749 §6 with rotation and reuse detection (RFC 9700 §4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = _ANY_CLIENT

    @property
    def INCLUDE_NEW_REFRESH_TOKEN(self) -> bool:  # noqa: N802  # Authlib's name
        return bool(self.server.provider.dials.rotate)

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        provider: PracticeProvider = self.server.provider
        token = provider.tokens.get(refresh_token)
        if token is None or token.kind != "refresh_token":
            return None
        if not token.check_client(self.request.client) or token.grant.revoked:
            return None
        if token.used_at is not None:
            # strictly less, so that a grace of zero allows no reuse even at the same moment
            if provider.clock() - token.used_at < provider.dials.refresh_grace_seconds:
                return token
            token.grant.revoked = True
            raise ReusedError(
                "refresh_token_reused", "This refresh token was used before; its grant is revoked."
            )
        return None if token.revoked else token

    def authenticate_user(self, refresh_token: Token) -> Account:
        return refresh_token.grant.account

    def revoke_old_credential(self, refresh_token: Token) -> None:
        if self.server.provider.dials.rotate and refresh_token.used_at is None:
            refresh_token.used_at = self.server.provider.clock()


class DeviceGrant(DeviceCodeGrant):
    """RFC 8628 §3.4."""

    def query_device_credential(self, device_code: str) -> DeviceRequest:
        known: DeviceRequest | None = self.server.provider.devices.get(device_code)
        if known is None or known.consumed:
            raise InvalidGrantError("This device code is unknown or was used before.")
        return known

    def validate_device_credential(self, credential: DeviceRequest) -> Account:
        from authlib.oauth2.rfc8628.errors import ExpiredTokenError

        if credential.expires_at <= self.server.provider.clock():
            raise ExpiredTokenError
        # Authlib asks the clock of the machine; ours was asked above
        account: Account = super().validate_device_credential(_Unexpired(credential))
        return account

    def query_user_grant(self, user_code: str) -> tuple[Account | None, bool] | None:
        for one in self.server.provider.devices.values():
            if one.user_code == user_code and (one.account is not None or one.denied):
                return one.account, not one.denied
        return None

    def should_slow_down(self, credential: _Unexpired) -> bool:
        request, now = credential.request, self.server.provider.clock()
        early = request.polled_at is not None and now - request.polled_at < request.interval
        request.polled_at = now
        if early:
            request.interval += 5  # RFC 8628 §3.5
        return early


class _Unexpired:
    def __init__(self, request: DeviceRequest) -> None:
        self.request = request

    def is_expired(self) -> bool:
        return False

    def get_user_code(self) -> str:
        return self.request.user_code


class IDToken(OpenIDToken):
    """OpenID Connect Core §2."""

    def __init__(self, provider: PracticeProvider) -> None:
        self._of = provider

    def resolve_client_private_key(self, client: object) -> object:
        return self._of.key

    def get_encode_header(self, client: object) -> dict[str, str | None]:
        return {"alg": "RS256", "kid": self._of.key.kid}

    def get_client_claims(self, client: Any) -> dict[str, object]:
        now = int(self._of.clock())
        marker = {"practice_marker": self._of.marker} if self._of.marker else {}
        audience = [client.get_client_id()]
        return {"iss": self._of.issuer, "aud": audience, "iat": now, "exp": now + 3600, **marker}

    def generate_user_info(self, user: Account, scope: str) -> dict[str, object]:
        return user.claims(scope)


class CodeIDToken(IDToken, OpenIDCode):
    """The same for the code grant, whose request may hold a nonce."""

    require_nonce = False

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        client_id = request.payload.client_id
        return any(
            code.nonce == nonce and code.client_id == client_id for code in self._of.codes.values()
        )


class Revocation(RevocationEndpoint):
    """RFC 7009: a refresh token takes its grant with it, an access token goes alone."""

    CLIENT_AUTH_METHODS = _ANY_CLIENT

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        token: Token | None = self.server.provider.tokens.get(token_string)
        return token

    def revoke_token(self, token: Token, request: object) -> None:
        token.revoked = True
        if token.kind == "refresh_token":
            token.grant.revoked = True


class Introspection(IntrospectionEndpoint):
    """RFC 7662, each client for its own tokens."""

    CLIENT_AUTH_METHODS = _ANY_CLIENT

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        token: Token | None = self.server.provider.tokens.get(token_string)
        return token if token and token.alive(self.server.provider.clock()) else None

    def check_permission(self, token: Token, client: object, request: object) -> bool:
        return token.check_client(client)

    def create_introspection_payload(self, token: Token | None) -> dict[str, object]:
        return self.introspect_token(token) if token else {"active": False}

    def introspect_token(self, token: Token) -> dict[str, object]:
        ends = {} if token.expires_at is None else {"exp": int(token.expires_at)}
        return {
            "active": True,
            "client_id": token.grant.client_id,
            "username": token.grant.account.email,
            "sub": token.grant.account.sub,
            "scope": token.scope,
            "token_type": "Bearer" if token.kind == "access_token" else token.kind,
            "iss": self.server.provider.issuer,
            "iat": int(token.issued_at),
            **ends,
        }


class DeviceAuthorization(DeviceAuthorizationEndpoint):
    """RFC 8628 §3.1."""

    @property
    def INTERVAL(self) -> int:  # noqa: N802  # Authlib's name
        return int(self.server.provider.dials.device_interval_seconds)

    def generate_device_code(self) -> str:
        value: str = self.server.provider.new_value("device")
        return value

    def get_verification_uri(self) -> str:
        return f"{self.server.provider.issuer}/device"

    def save_device_credential(
        self, client_id: str, scope: str | None, data: dict[str, Any]
    ) -> None:
        provider: PracticeProvider = self.server.provider
        allowed = provider.clients[client_id].get_allowed_scope(scope)
        provider.new_device(data["device_code"], data["user_code"], client_id, allowed)


def grant_of(request: Any) -> Grant:
    """The grant that a token request belongs to; a code or device request begins one."""
    if request.refresh_token is not None:
        grant: Grant = request.refresh_token.grant
        return grant
    grant = Grant(request.client.client_id, request.user)
    if request.authorization_code is not None:
        request.authorization_code.grant = grant
    if request.credential is not None:
        request.credential.consumed = True
    return grant
