"""Real Jupyter servers with the extension, and browsers reduced to their cookies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import ClientDraft, ConnectionDraft, Settings

from ..jupyter import Answer, JupyterServer, jupyter_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """One server for the tests of a module that leave it as it was."""
    with jupyter_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@dataclass
class Browser:
    """Somebody's browser: it keeps cookies and sends them."""

    server: JupyterServer
    cookies: dict[str, str] = field(default_factory=dict)

    def sign_in(self, password: str) -> Answer:
        """By the login page; a token will do as password."""
        self.request("GET", "login", below=self.server.url)
        form = urlencode({"password": password, "_xsrf": self.cookies["_xsrf"]})
        return self.request("POST", "login", {}, form, below=self.server.url)

    @property
    def xsrf(self) -> dict[str, str]:
        return {"X-XSRFToken": self.cookies["_xsrf"]}

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: object = None,
        *,
        below: str | None = None,
    ) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**(headers or {}), **({"Cookie": cookies} if cookies else {})}
        answer = self.server.request(method, path, sent, body, below=below)
        self.cookies.update(answer.cookies())
        return answer


@pytest.fixture
def browser(server: JupyterServer) -> Browser:
    """The module's server in a browser that is signed in."""
    browser = Browser(server)
    assert browser.sign_in(server.token).status == 302
    return browser


@pytest.fixture
def provider() -> Iterator[PracticeServer]:
    # another host name than the server's: cookies ignore ports
    with PracticeServer(host="localhost") as server:
        yield server


@pytest.fixture
def signed_in(provider: PracticeServer, tmp_path: Path) -> Path:
    """A home with the connection `sales`, whose person has signed in."""
    home = tmp_path / "shared-home"
    broker = LocalBroker(Settings(), home)
    try:
        broker.add_client(
            ClientDraft(
                name="practice",
                provider="practice",
                client_id="notebook",
                issuer=provider.issuer,
                loopback_port="any",
            )
        )
        broker.add_connection(ConnectionDraft(name="sales", client="practice"))
        pending = broker.authorize("sales")
        assert pending.public_url is not None
        consent(pending.public_url, account="analyst@example.com")
    finally:
        broker.close()
    return home
