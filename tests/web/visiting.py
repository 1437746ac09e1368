"""A browser at the pages of a sign-in: with somebody's session, or with nobody's."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import httpx2
from two_users import SESSION, XSRF, Person, TwoUsers

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import Authorization, State

from ..interop.visitor import Forms, Visitor

ANALYST, GUEST = "analyst@example.com", "guest@example.com"


class PersonsBrowser(Visitor):
    """Follows links and presses buttons; `SameSite` is for real browsers."""

    def __init__(self, users: TwoUsers, person: Person | None) -> None:
        super().__init__()
        self.users = users
        if person is not None:
            self.log_in_as(person)

    def log_in_as(self, person: Person) -> None:
        self.log_out()
        for name, value in ((SESSION, person.session), (XSRF, person.xsrf)):
            self.http.cookies.set(name, value, domain="127.0.0.1", path="/")

    def log_out(self) -> None:
        for name in (SESSION, XSRF):
            if name in self.http.cookies:
                self.http.cookies.delete(name)

    def see(self, path: str = "connect/sales") -> httpx2.Response:
        """A page below the mount, at the end of the redirects."""
        self.open(self.users.url + path)
        return self.page

    def press(self, do: str = "authenticate") -> str:
        """A button of the page that leads to the provider: to where."""
        return self.submit(do=do, stop_at="/authorize?")

    def consent_as(self, asked: str, account: str = ANALYST, *, allow: bool = True) -> str:
        """The provider's page: the callback's address, unopened."""
        self.open(asked)
        decision = "allow" if allow else "deny"
        return self.submit(account=account, decision=decision, stop_at="/callback/")

    def come_back(self, callback: str) -> httpx2.Response:
        """The last page."""
        self.open(callback)
        return self.page

    def begin(self, name: str = "sales", do: str = "authenticate", account: str = ANALYST) -> str:
        """From the start page to the callback's address, unopened."""
        self.see(f"connect/{name}")
        return self.consent_as(self.press(do), account)

    def sign_in_at(
        self, name: str = "sales", do: str = "authenticate", account: str = ANALYST
    ) -> httpx2.Response:
        """The whole way; the last page."""
        return self.come_back(self.begin(name, do, account))

    @property
    def page(self) -> httpx2.Response:
        assert self.at is not None
        return self.at

    @property
    def heading(self) -> str:
        return self.page.text.partition("<h1>")[2].partition("</h1>")[0]

    @property
    def flow_cookie(self) -> str | None:
        return self.http.cookies.get(f"oauthconn-flow-{self.users.port}")

    @property
    def buttons(self) -> list[str]:
        return [value for one in Forms(self.page.text).forms for _, value in one.buttons]

    @property
    def at_path(self) -> str:
        """Below the mount, without the query."""
        return urlsplit(str(self.page.url)).path.removeprefix(urlsplit(self.users.url).path)


MakeBrowser = Callable[..., PersonsBrowser]


def pending(person: Person, name: str = "sales") -> Authorization | None:
    """What waits, as stored."""
    connection = person.broker.connection(name)
    row = person.broker._service.store.authorizations.pending(person.owner.id, connection.id)
    return None if row is None else row.authorization


def state(person: Person, name: str = "sales") -> State:
    status = person.broker.connection(name).status
    assert status is not None
    return status.state


def identity(person: Person) -> str | None:
    status = person.broker.connection("sales").status
    assert status is not None
    return status.identity


def token_requests(server: PracticeServer) -> int:
    return len(server.provider.requests("token", grant_type="authorization_code"))
