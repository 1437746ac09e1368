"""A broker at work, and the person with a browser who signs in for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urljoin

import httpx2

from jupyter_oauthconn.broker import TokenServiceBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.kernel.practice import _Form
from jupyter_oauthconn.model import Authorization, ClientDraft

from ..jupyter import JupyterServer


class Person:
    """Somebody with a browser, signed in at the Jupyter server where there is one."""

    def __init__(self, jupyter: JupyterServer | None) -> None:
        # a fault would show as a redirect without an end or an error page, not as a long wait
        self._browser = httpx2.Client(follow_redirects=True, trust_env=False, timeout=20)
        if jupyter is not None:
            self._browser.get(jupyter.url, params={"token": jupyter.token}).raise_for_status()

    def __call__(
        self,
        authorization: Authorization,
        *,
        account: str = "analyst@example.com",
        allow: bool = True,
    ) -> str:
        """Opens the link, presses the button, chooses an account; returns the last page."""
        assert authorization.public_url is not None
        question = self.press(self.open(authorization.public_url))
        choice = {"account": account}
        return self.press(question, choice, "allow" if allow else "deny").text

    def open(self, address: str) -> httpx2.Response:
        return self._browser.get(address)

    def press(
        self,
        page: httpx2.Response,
        chosen: Mapping[str, str] = MappingProxyType({}),
        value: str | None = None,
    ) -> httpx2.Response:
        """Submits the page's one form by its first button, or the one with that value."""
        form = _Form()
        form.feed(page.text)
        assert form.count == 1, f"{page.url} {page.status_code} {page.text[-2000:]}"
        name, pressed = next(one for one in form.buttons if value in {None, one[1]})
        fields = form.hidden | dict(chosen) | ({name: pressed} if name else {})
        action = urljoin(str(page.url), form.action)
        origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
        return self._browser.post(action, data=fields, headers={"Origin": origin})

    def close(self) -> None:
        self._browser.close()


@dataclass
class Desk:
    """A broker at work: what it talks to, and the person who signs in.

    Attributes:
        other: makes a second broker of the same owner and service.
    """

    broker: TokenServiceBroker
    server: PracticeServer
    person: Person
    other: Callable[[], TokenServiceBroker]


def practice_client(server: PracticeServer) -> ClientDraft:
    return ClientDraft(
        name="practice",
        provider="practice",
        client_id="notebook",
        issuer=server.issuer,
        loopback_port="any",
    )
