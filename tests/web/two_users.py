"""A host of two people around `web/`, on a real port: what a Hub will be, in a hundred lines.

Each has a session (a cookie, SameSite=Strict, with Tornado's XSRF), a server token and a kernel
credential of her own. `admin` is an administrator, `other` is not. A callback needs the session
of the person who began, as on a Hub.
"""

from __future__ import annotations

import asyncio
import hmac
import http.client
import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from jupyter_oauthconn.broker.flows import Flows
from jupyter_oauthconn.broker.hosted_flows import HostedFlows
from jupyter_oauthconn.broker.owned import OwnedBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import NotSignedInError
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import ClientDraft, ConnectionDraft, Owner, Settings
from jupyter_oauthconn.service.token_service import TokenService
from jupyter_oauthconn.web import handlers
from jupyter_oauthconn.web.host import Caller, Kind, PersonHandler

#: escaped as a browser sends it; names of people may look like this on a Hub
MOUNT = "/a%40b/oauthconn/"
SESSION, XSRF = "session", "_xsrf"
CLIENT_ID = "two-users"
#: Which `other` is in.
GROUP = "analysts"


@dataclass(kw_only=True)
class Person:
    """Somebody with everything that proves who she is."""

    owner: Owner
    broker: OwnedBroker
    #: what she gets where she does not administrate
    as_user: OwnedBroker
    administrator: bool
    session: str = field(default_factory=secrets.token_urlsafe)
    server_token: str = field(default_factory=secrets.token_urlsafe)
    kernel_credential: str = field(default_factory=secrets.token_urlsafe)
    xsrf: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def kernel(self) -> dict[str, str]:
        """Headers of her kernels."""
        return {"Authorization": f"Bearer {self.kernel_credential}"}

    @property
    def program(self) -> dict[str, str]:
        """Headers with the token of her server."""
        return {"Authorization": f"token {self.server_token}"}

    @property
    def browser(self) -> dict[str, str]:
        """Headers of a page of ours in her browser."""
        return {**self.cookies, "X-XSRFToken": self.xsrf}

    @property
    def cookies(self) -> dict[str, str]:
        """Headers of any page in her browser."""
        return {"Cookie": f"{SESSION}={self.session}; {XSRF}={self.xsrf}"}


class TwoUserHost:
    """Implements `web.host.Host`."""

    mount = MOUNT
    where = "hub"

    def __init__(self, service: TokenService, url: str) -> None:
        self.service = service
        self.url = url
        self.admin = self._person("admin", administrator=True)
        self.other = self._person("other", administrator=False)

    @property
    def people(self) -> tuple[Person, Person]:
        return self.admin, self.other

    def broker(self, owner: Owner, *, administrator: bool) -> OwnedBroker:
        person = next(one for one in self.people if one.owner == owner)
        return person.broker if administrator or not person.administrator else person.as_user

    def kernel_caller(self, authorization: str) -> Caller | None:
        return self.caller_by("Bearer", authorization, "kernel_credential", Kind.KERNEL)

    def caller_by(self, scheme: str, given: str, name: str, kind: Kind) -> Caller | None:
        """Who shows the right secret of that `name`."""
        found = None
        for one in self.people:
            if hmac.compare_digest(f"{scheme} {getattr(one, name)}".encode(), given.encode()):
                found = Caller(owner=one.owner, kind=kind, administrator=one.administrator)
        return found

    def origin(self, handler: RequestHandler) -> str:
        return f"{handler.request.protocol}://{handler.request.host}"

    def _person(self, name: str, *, administrator: bool) -> Person:
        owner = Owner(
            id=self.service.owner("test", name, name),
            name=name,
            groups=frozenset({GROUP} if not administrator else ()),
            administrator=administrator,
        )
        flows = HostedFlows(self.service, owner, f"{self.url}{self.mount}")
        return Person(
            owner=owner,
            broker=OwnedBroker(self.service, owner, flows, administrator=administrator),
            as_user=OwnedBroker(self.service, owner, flows, administrator=False),
            administrator=administrator,
        )


class TwoUserPerson(PersonHandler):
    """Knows people by session or server token."""

    host: TwoUserHost

    async def prepare(self) -> None:
        # as Jupyter does for requests with its token; it must not leave
        self.set_header("Access-Control-Allow-Origin", self.request.headers.get("Origin", "*"))

    def check_xsrf_cookie(self) -> None:
        if self._by_token() is None:
            super().check_xsrf_cookie()

    async def caller(self) -> Caller:
        kernel = self.host.kernel_caller(self.request.headers.get("Authorization", ""))
        caller = kernel or self._by_token() or self._by_session()
        if caller is None:
            raise NotSignedInError("Nobody is signed in here.")
        return caller

    async def callback_owner(self) -> Owner:
        caller = self._by_session()
        if caller is None:
            raise NotSignedInError("Nobody is signed in here.")
        return caller.owner

    def go_to_login(self) -> None:
        self.redirect(f"/login?next={self.request.path}")

    def _by_token(self) -> Caller | None:
        given = self.request.headers.get("Authorization", "")
        return self.host.caller_by("token", given, "server_token", Kind.SERVER_TOKEN)

    def _by_session(self) -> Caller | None:
        given = self.get_cookie(SESSION, "")
        return self.host.caller_by("cookie", f"cookie {given}", "session", Kind.BROWSER)


class LoginHandler(RequestHandler):
    """Signs a browser in that knows a person's session; the page of a real host asks more."""

    def get(self) -> None:
        given = self.get_argument("session", "")
        if given:
            self.set_cookie(SESSION, given, httponly=True, samesite="Strict")
        self.finish("<!doctype html><title>Login</title>" + self.xsrf_form_html())


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class TwoUsers:
    """The running host."""

    host: TwoUserHost
    port: int

    @property
    def admin(self) -> Person:
        return self.host.admin

    @property
    def other(self) -> Person:
        return self.host.other

    @property
    def url(self) -> str:
        """The mount as a browser reaches it."""
        return f"{self.host.url}{self.host.mount}"

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = {},
        body: object = None,
        *,
        timeout: float = 30,
    ) -> Answer:
        """One request below the mount, nothing followed; `body` that is not bytes goes as JSON."""
        sent = dict(headers)
        if body is not None and not isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, self.host.mount + path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def sign_in(self, person: Person, name: str, *, account: str = "analyst@example.com") -> None:
        """Signs the person in, by a loopback page beside the host."""
        flows = Flows(self.host.service, person.owner)
        beside = OwnedBroker(self.host.service, person.owner, flows)
        authorization = beside.authorize(name)
        assert authorization.public_url is not None
        consent(authorization.public_url, account=account)
        beside.close()


def practice_client(issuer: str, url: str, name: str = "practice") -> ClientDraft:
    """The practice provider's public client, which may come back to the host and to loopback."""
    return ClientDraft(
        name=name,
        provider="practice",
        client_id=CLIENT_ID,
        issuer=issuer,
        loopback_port="any",
        redirect_uris=(f"{url}callback/{name}",),
        allowed_users=("*",),
    )


@contextmanager
def two_users(
    home: Path,
    server: PracticeServer,
    *,
    beside: Sequence[tuple[str, type[RequestHandler]]] = (),
    application: Mapping[str, Any] = {},
    **settings: Any,
) -> Iterator[TwoUsers]:
    """Runs the host. Both have a connection `sales` of the OAuth client `practice`, `admin` also
    one named `budget`; nobody has signed in.

    Args:
        beside: further handlers; `application`: further settings of Tornado's application.
        settings: of the token service.
    """
    callbacks = [f"http://{one}{MOUNT}callback/*" for one in ("127.0.0.1", "localhost")]
    server.provider.register(CLIENT_ID, callbacks, any_loopback_port=True)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    service = TokenService.open(Settings(**settings), home, mount_path=MOUNT)
    host = TwoUserHost(service, f"http://127.0.0.1:{port}")
    running = TwoUsers(host, port)
    host.admin.broker.add_client(practice_client(server.issuer, running.url))
    for person in host.people:
        person.broker.add_connection(ConnectionDraft(name="sales", client="practice"))
    host.admin.broker.add_connection(ConnectionDraft(name="budget", client="practice"))
    served = Application(
        [("/login", LoginHandler), *beside, *handlers(host, TwoUserPerson)],
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"samesite": "Strict"},
        # the harshest place for errors: Tornado would show tracebacks
        serve_traceback=True,
        **application,
    )
    stop = _serve(served, listening)
    try:
        yield running
    finally:
        stop()
        for person in host.people:
            person.broker.close()
        service.close()


def _serve(application: Application, listening: socket.socket) -> Callable[[], None]:
    """Serves in a thread; returns what ends it."""
    listening.setblocking(False)
    started = threading.Event()
    ended: asyncio.Event
    loop: asyncio.AbstractEventLoop

    async def run() -> None:
        nonlocal ended, loop
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        server = HTTPServer(application)
        server.add_socket(listening)
        started.set()
        await ended.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="two-users", daemon=True)
    thread.start()
    started.wait()

    def stop() -> None:
        loop.call_soon_threadsafe(ended.set)
        thread.join()

    return stop
