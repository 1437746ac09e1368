"""A practice provider with a clock of its own, and a client that shares no code with it."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.demo.provider import PracticeProvider

MARKER = "CANARY-"
REDIRECT_URI = "http://127.0.0.1:8888/oauthconn/callback/practice"
SCOPE = "openid email offline_access sales.read"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class App:
    """A client app and the person before its browser."""

    server: PracticeServer
    http: httpx2.Client
    client_id: str = "notebook"
    redirect_uri: str = REDIRECT_URI
    secret: str | None = None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def provider(self) -> PracticeProvider:
        return self.server.provider

    def question(self, **changes: str | None) -> httpx2.Response:
        """The authorization request; a parameter of None is left out."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": "state-1",
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        } | changes
        given = {name: value for name, value in asked.items() if value is not None}
        return self.http.get(f"{self.server.issuer}/authorize", params=given)

    def answer(
        self,
        page: httpx2.Response,
        *,
        decision: str = "allow",
        account: str = "analyst@example.com",
        http: httpx2.Client | None = None,
    ) -> httpx2.Response:
        """Presses a button of the consent page."""
        key = re.search(r'name="request" value="([^"]+)"', page.text)
        assert key, page.text
        action = re.search(r'action="([^"]+)"', page.text)
        assert action
        fields = {"request": key[1], "account": account, "decision": decision}
        return (http or self.http).post(page.url.join(action[1]), data=fields)

    def callback(self, **changes: str | None) -> dict[str, str]:
        """What comes back to the app when a person allows."""
        return returned(self.answer(self.question(**changes)))

    def exchange(self, code: str, **changes: str | None) -> httpx2.Response:
        return self.token(
            grant_type="authorization_code",
            code=code,
            **{"redirect_uri": self.redirect_uri, "code_verifier": self.verifier} | changes,
        )

    def sign_in(self, **changes: str | None) -> dict[str, str]:
        """The token answer of a whole sign-in."""
        answer = self.exchange(self.callback(**changes)["code"])
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refresh(self, refresh_token: str, **more: str) -> httpx2.Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **more)

    def token(self, **form: str | None) -> httpx2.Response:
        return self.call("token", **form)

    def call(self, endpoint: str, **form: str | None) -> httpx2.Response:
        form = {"client_id": self.client_id, "client_secret": self.secret} | form
        given = {name: value for name, value in form.items() if value is not None}
        return self.http.post(f"{self.server.issuer}/{endpoint}", data=given)

    def data(self, path: str, token: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.get(f"{self.server.data_url}/{path}", headers=headers)


def returned(response: httpx2.Response) -> dict[str, str]:
    """The parameters of the redirect to the app."""
    assert response.status_code == 303, response.text
    parts = urlsplit(response.headers["Location"])
    assert parts._replace(query="").geturl() == REDIRECT_URI
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[PracticeServer]:
    with PracticeServer(marker=MARKER, clock=clock) as running:
        yield running


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def app(server: PracticeServer, http: httpx2.Client) -> App:
    """The public client app `notebook`."""
    return App(server, http)


@pytest.fixture
def confidential(server: PracticeServer, http: httpx2.Client) -> App:
    return App(
        server,
        http,
        client_id="confidential-notebook",
        secret=server.provider.confidential_secret.reveal(),
    )
