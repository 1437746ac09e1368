"""Sign-ins on this machine: start page and callback on a loopback port (RFC 8252 §7.3).

One site for each port serves every sign-in that is pending there; it lives as long as they do. A
start page opens only with the key that is part of the link printed to the person, because other
users of the machine reach the port too. What the pages are and do is in `visits`.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from urllib.parse import SplitResult, urlencode, urlsplit
from uuid import UUID, uuid4

from jupyter_oauthconn.errors import ConfigurationError, StorageError, UnknownAuthorizationError
from jupyter_oauthconn.model import Authorization, ClientRegistration, Flow, Owner
from jupyter_oauthconn.service.sign_in import loopback_redirect_uris
from jupyter_oauthconn.service.token_service import TokenService

from . import pages

#: A browser follows a redirect at once, if at all.
_LAST_PAGE_SECONDS = 2.0
#: The site stays a moment after the last sign-in, for the page that says how it ended.
_LINGER_SECONDS = 5.0
_ENDED_KEPT = 20


@dataclass(frozen=True, slots=True)
class Hosted:
    """A sign-in that a site serves."""

    key: str
    id: UUID
    connection: str
    client: str
    callback_path: str


class LoopbackSite:
    """The pages of one port, a `visits.Site`. Other threads add sign-ins while it serves."""

    flow = Flow.LOOPBACK
    owner_name: str | None = None

    def __init__(
        self, service: TokenService, owner: Owner, sockets: tuple[socket.socket, ...], host: str
    ) -> None:
        from .loopback_handler import handler_for

        self.service = service
        self.owner = owner
        self.port: int = sockets[0].getsockname()[1]
        self.origin = f"http://{host}:{self.port}"
        self._hosted: dict[str, Hosted] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        #: clear while a browser that came back from the provider is on its way to the last page
        self._page_shown = threading.Event()
        self._page_shown.set()
        handler = handler_for(self)
        self._servers = [_Server(one, handler) for one in sockets]
        self._threads = [
            threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True)
            for one in self._servers
        ]
        self._threads.append(threading.Thread(target=self._keep, daemon=True))

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def start(self) -> None:
        """Serves from now on, in threads of its own."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends it, after a browser that is on its way to the last page has got it."""
        self._page_shown.wait(_LAST_PAGE_SECONDS)
        self._ended.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def expect_browser(self) -> None:
        """The provider's answer has come, and its browser is sent on to a page of ours."""
        self._page_shown.clear()

    def page_was_shown(self) -> None:
        """It has got there."""
        self._page_shown.set()

    def public_url(self, connection: str, key: str) -> str:
        """The link for the person."""
        return f"{self.origin}/oauthconn/connect/{connection}?{urlencode({'start': key})}"

    def add(self, hosted: Hosted) -> None:
        with self._lock:
            self._hosted[hosted.key] = hosted

    def hosted_ids(self) -> list[UUID]:
        with self._lock:
            return [one.id for one in self._hosted.values()]

    def by_key(self, key: str) -> Hosted | None:
        with self._lock:
            return self._hosted.get(key)

    def client_at(self, path: str) -> str | None:
        """The OAuth client whose redirect URI has that path."""
        with self._lock:
            return next(
                (one.client for one in self._hosted.values() if one.callback_path == path), None
            )

    def callback(self, client: str) -> str:
        with self._lock:
            hosted = next(one for one in self._hosted.values() if one.client == client)
        return f"{self.origin}{hosted.callback_path}"

    def page_at(self, connection: str, origin: str) -> str:
        return f"{origin}/oauthconn/connect/{connection}"

    def form(self, connection: str, id: UUID | None) -> pages.Form:
        hosted = self._by_id(id)
        # no page is shown but to who has its key
        assert hosted is not None
        action = f"/oauthconn/connect/{connection}"
        return pages.Form(action=action, fields={"start": hosted.key})

    def outcome(self, authorization: Authorization) -> str:
        hosted = self._by_id(authorization.id)
        if hosted is None:
            hosted = self._adopt(authorization)
        return self.public_url(authorization.connection, hosted.key)

    def refused(self, code: str) -> str:
        return f"{self.origin}/oauthconn/refused?{urlencode({'why': code})}"

    def start_page(self, connection: str) -> str | None:
        """None: only the notebook can."""
        return None

    def _by_id(self, id: UUID | None) -> Hosted | None:
        with self._lock:
            return next((one for one in self._hosted.values() if one.id == id), None)

    def _adopt(self, authorization: Authorization) -> Hosted:
        """A sign-in that came back here, begun by a process on this port that has ended since."""
        connection = self.service.connections.get(self.owner, authorization.connection)
        hosted = Hosted(
            key=uuid4().hex,
            id=authorization.id,
            connection=connection.name,
            client=connection.client,
            callback_path=urlsplit(authorization.redirect_uri or "").path,
        )
        self.add(hosted)
        return hosted

    def _keep(self) -> None:
        """Renews the hold on pending sign-ins, and ends the site after the last of them."""
        quiet_since = time.monotonic()
        while not self._ended.wait(0.5):
            with self._lock:
                hosted = list(self._hosted.values())
            try:
                pending = [self._hold(one) for one in hosted]
            except StorageError:
                # a database that is away for a while does not say that none is pending
                quiet_since = time.monotonic()
                continue
            if any(pending):
                quiet_since = time.monotonic()
            self._forget(one for one, alive in zip(hosted, pending, strict=True) if not alive)
            if time.monotonic() - quiet_since > _LINGER_SECONDS:
                self.close()

    def _hold(self, hosted: Hosted) -> bool:
        """Whether it is still pending."""
        try:
            return self.service.sign_ins.hold(self.owner.id, hosted.id)
        except UnknownAuthorizationError:
            return False  # gone with its connection

    def _forget(self, ended: Iterable[Hosted]) -> None:
        """All but the last ended ones: somebody may still look at their pages."""
        with self._lock:
            for one in list(ended)[:-_ENDED_KEPT]:
                self._hosted.pop(one.key, None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, handler: type) -> None:
        super().__init__(listening.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no error; a traceback might hold what it had sent."""


def bind(client: ClientRegistration) -> tuple[tuple[socket.socket, ...], SplitResult, str]:
    """Sockets, the redirect URI they serve, and the host name of the pages.

    Raises:
        ConfigurationError: no stored redirect URI is on this machine, or each port is taken.
    """
    uris = loopback_uris(client)
    for uri in uris:
        sockets = _bind_both(0 if client.loopback_port == "any" else uri.port or 80)
        if sockets:
            return sockets, uri, host_of(uri)
    ports = " and ".join(sorted({str(uri.port or 80) for uri in uris}))
    raise ConfigurationError(
        f"Port {ports}, where the OAuth client {client.name!r} is registered to answer, is in use "
        "by another program.",
        hint="Stop that program (often a Jupyter server), register a redirect URI with another "
        "port at the provider and here, or sign in with `--flow paste`.",
    )


def loopback_uris(client: ClientRegistration) -> list[SplitResult]:
    """The client's redirect URIs on this machine; raises `ConfigurationError` without one."""
    uris = loopback_redirect_uris(client)
    if not uris:
        raise no_loopback_uri(client)
    return uris


def no_loopback_uri(client: ClientRegistration) -> ConfigurationError:
    """Says which redirect URI is missing for a sign-in on this machine."""
    return ConfigurationError(
        f"The OAuth client {client.name!r} has no redirect URI on this machine, only "
        f"{' and '.join(client.redirect_uris) or 'none'}.",
        hint="Add a loopback one at the provider and here: `%oauthclient edit "
        f"{client.name} --redirect-uri http://localhost:8888/oauthconn/callback/"
        f"{client.name}`.",
    )


def host_of(uri: SplitResult) -> str:
    host = uri.hostname or ""
    return f"[{host}]" if ":" in host else host


def _bind_both(port: int) -> tuple[socket.socket, ...]:
    """127.0.0.1 and ::1, because browsers resolve `localhost` to either; empty if it is taken."""
    try:
        first = socket.create_server(("127.0.0.1", port))
    except OSError:
        return ()
    try:
        second = socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return (first,)  # a machine without IPv6
        first.close()
        return ()
    return first, second
