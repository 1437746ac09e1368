"""Authlib's framework-neutral authorization server, put together for the practice provider."""

# Authlib has no types, so every class below has a base that mypy does not know
# mypy: disable-error-code="misc, import-untyped"

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidRequestError, UnsupportedResponseTypeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc9207 import IssuerParameter

from . import grants
from .practice_provider import PracticeProvider
from .state import SCOPES, Account, Client


@dataclass(slots=True)
class Reply:
    """An answer before it meets a web framework: JSON, or a text that is a page.

    `outcome` is for the log.
    """

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    outcome: str = "ok"

    @property
    def location(self) -> str | None:
        return self.headers.get("Location")

    @location.setter
    def location(self, address: str) -> None:
        self.headers["Location"] = address


class Question:
    """A checked authorization request that waits for a person's answer."""

    def __init__(self, request: OAuth2Request, client: Client, scope: str) -> None:
        self.request = request
        self.client = client
        self.scope = scope
        self.login_hint: str | None = request.payload.data.get("login_hint")


class UntrustedRequestError(Exception):
    """The request names no known client or no registered address: nobody may be sent there."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__(title)
        self.title = title
        self.text = text


class _Request(OAuth2Request):
    def __init__(
        self,
        method: str,
        uri: str,
        headers: Mapping[str, str],
        parameters: Mapping[str, list[str]],
    ) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = BasicOAuth2Payload({name: all[0] for name, all in parameters.items()})
        self.payload._datalist = parameters

    @property
    def form(self) -> dict[str, str]:
        data: dict[str, str] = self.payload.data
        return data


class _Issuer(IssuerParameter):
    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


class OAuthServer(AuthorizationServer):
    """Endpoints as functions: parameters in, `Reply` out."""

    def __init__(self, provider: PracticeProvider) -> None:
        super().__init__(scopes_supported=list(SCOPES))
        self.provider = provider
        self.register_token_generator("default", self._new_token)
        id_token = grants.CodeIDToken(provider)
        self.register_grant(grants.CodeGrant, [grants.Pkce(required=True), id_token])
        self.register_grant(grants.RefreshGrant)
        self.register_grant(grants.DeviceGrant, [grants.IDToken(provider)])
        for endpoint in (grants.Revocation, grants.Introspection, grants.DeviceAuthorization):
            self.register_endpoint(endpoint)
        self._issuer = _Issuer(provider.issuer)
        self.register_extension(self._issuer)

    def question(self, parameters: Mapping[str, list[str]]) -> Question | Reply:
        """Checks an authorization request; a `Reply` sends the browser back with an error.

        Raises:
            UntrustedRequestError: shown as a page, never a redirect (RFC 6749 §4.1.2.1).
        """
        client = self._client_of(parameters)
        request = _Request("GET", f"{self.provider.issuer}/authorize", {}, parameters)
        try:
            if parameters.get("response_type") != ["code"]:
                # Authlib would quote what was asked, and fail on characters it may not quote
                raise UnsupportedResponseTypeError("other than code", state=request.payload.state)
            self.get_consent_grant(request)
        except OAuth2Error as error:
            error.redirect_uri = request.payload.redirect_uri
            reply: Reply = self.handle_error_response(request, error)
            self._issuer.add_issuer_parameter(self, reply)
            return reply
        return Question(request, client, request.scope)

    def decide(self, question: Question, account: Account | None) -> Reply:
        """Ends an authorization request: `account` allows it, None denies."""
        grant = self.get_consent_grant(question.request, end_user=account)
        reply: Reply = self.create_authorization_response(question.request, account, grant)
        return reply

    def token(self, headers: Mapping[str, str], parameters: Mapping[str, list[str]]) -> Reply:
        request = _Request("POST", f"{self.provider.issuer}/token", headers, parameters)
        if any(len(all) > 1 for all in parameters.values()):
            # RFC 6749 §3.2
            error = InvalidRequestError("A parameter is there more than once.")
            return self.handle_error_response(request, error)
        reply: Reply = self.create_token_response(request)
        return reply

    def endpoint(
        self, name: str, headers: Mapping[str, str], parameters: Mapping[str, list[str]]
    ) -> Reply:
        """`revocation`, `introspection` or `device_authorization`."""
        request = _Request("POST", f"{self.provider.issuer}/{name}", headers, parameters)
        reply: Reply = self.create_endpoint_response(name, request)
        return reply

    # what Authlib asks of a framework

    def query_client(self, client_id: str) -> Client | None:
        return self.provider.clients.get(client_id)

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def save_token(self, token: Mapping[str, str], request: Any) -> None:
        grant = grants.grant_of(request)
        self.provider.keep("access_token", token["access_token"], grant, token["scope"])
        if "refresh_token" in token:
            # a refresh may ask for less; the new refresh token still stands for the whole grant
            whole = request.refresh_token.scope if request.refresh_token else token["scope"]
            self.provider.keep("refresh_token", token["refresh_token"], grant, whole)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def handle_response(
        self, status: int, body: dict[str, Any] | str, headers: list[tuple[str, str]]
    ) -> Reply:
        return Reply(status, body if isinstance(body, dict) else {}, dict(headers))

    def handle_error_response(self, request: object, error: OAuth2Error) -> Reply:
        reply: Reply = super().handle_error_response(request, error)
        reply.outcome = getattr(error, "outcome", error.error)
        return reply

    def _client_of(self, parameters: Mapping[str, list[str]]) -> Client:
        ids, addresses = parameters.get("client_id", []), parameters.get("redirect_uri", [])
        client = self.provider.clients.get(ids[0]) if len(ids) == 1 else None
        if client is None:
            raise UntrustedRequestError(
                "This app is not known here",
                f"No client app with the id “{', '.join(ids)}” is registered with the practice "
                f"provider. Registered: {', '.join(sorted(self.provider.clients))}.",
            )
        if len(addresses) != 1 or not client.accepts(addresses[0]):
            raise UntrustedRequestError(
                "The redirect URI is not registered",
                f"The app “{client.client_id}” asks to be called back at "
                f"“{', '.join(addresses) or 'no address'}”. Registered for it: "
                f"{', '.join(client.redirect_uris)}. The two must be the same, letter by letter"
                f"{', but for the port' if client.any_loopback_port else ''}.",
            )
        return client

    def _new_token(
        self, grant_type: str, scope: str, include_refresh_token: bool, **_: object
    ) -> dict[str, object]:
        dials = self.provider.dials
        token: dict[str, object] = {
            "token_type": "Bearer",
            "access_token": self.provider.new_value("at"),
            "scope": scope,
        }
        if dials.expires_in_answer:
            token["expires_in"] = int(dials.access_token_seconds)
        if include_refresh_token and (
            grant_type == "refresh_token" or "offline_access" in scope.split()
        ):
            token["refresh_token"] = self.provider.new_value("rt")
        return token
