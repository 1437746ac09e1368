"""How a person gets to the provider and back when no server is there to come back to."""

from __future__ import annotations

import secrets
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit
from uuid import UUID, uuid4

from jupyter_core.paths import jupyter_runtime_dir

from jupyter_oauthconn.errors import (
    InvalidParameterError,
    UnknownAuthorizationError,
)
from jupyter_oauthconn.model import (
    Authorization,
    AuthorizationState,
    ClientRegistration,
    Connection,
    Flow,
    Interaction,
    Owner,
    Secret,
)
from jupyter_oauthconn.service.sign_in.redirect_uris import loopback_redirect_uris, misfit_of
from jupyter_oauthconn.service.token_service import TokenService
from jupyter_oauthconn.storage import AuthorizationRow

from ..loopback import Hosted, LoopbackSite, bind, host_of, loopback_uris, no_loopback_uri
from ..running import process_is_alive, running, store_fingerprint
from .one_at_a_time import OneAtATime


class Flows(OneAtATime):
    """Starts sign-ins of one owner, joins pending ones, hosts their pages in this process."""

    def __init__(self, service: TokenService, owner: Owner) -> None:
        super().__init__(service, owner)
        self._sites: dict[int, LoopbackSite] = {}
        # flow `paste` has no browser of ours: its binding stays in this process
        self._pasted: dict[UUID, tuple[Secret, ClientRegistration, Authorization]] = {}

    def start(self, connection: Connection, flow: Flow | None) -> Authorization:
        """The pending sign-in of the connection, or a new one; `flow` None: what fits here.

        Raises:
            ConfigurationError: this client cannot sign in here that way; says what would work.
        """
        client = self._service.profiles.enabled_client_of(connection)
        with self._lock:
            joined = self._join(connection, flow)
            if joined is not None:
                return joined
            match flow or self._usual_flow(client, connection):
                case Flow.PASTE:
                    return self._start_paste(client, connection)
                case Flow.DEVICE:
                    return self._start_device(connection)
                case Flow.LOOPBACK:
                    return self._start_loopback(client, connection)
                case Flow.CALLBACK:
                    return self._start_at_server(client, connection)

    def finish_by_paste(self, id: UUID, address: Secret) -> Authorization:
        """Takes the answer out of the address of the page that did not load.

        Raises:
            UnknownAuthorizationError: not a pending sign-in of flow `paste` of this process.
            InvalidParameterError: the address is not the redirect URI's.
        """
        with self._lock:
            browser, client, _ = self._pasted.get(id) or (None, None, None)
        if browser is None or client is None:
            raise UnknownAuthorizationError(str(id))
        parts = _split(address)
        if parts is None or not parts.query or not _is_redirect_uri(client, parts):
            raise InvalidParameterError(
                "That is not the address of the page that did not load.",
                hint=f"It begins with {' or '.join(client.redirect_uris)} and holds ?code=…; "
                "copy all of it from the browser's address bar.",
                parameter="address",
            )
        parameters = parse_qsl(parts.query, keep_blank_values=True)
        try:
            return self._service.sign_ins.callback(
                self._owner, client.name, parameters, browser=browser
            )
        finally:
            # after an address of an earlier sign-in this one still waits for its own
            if self._service.sign_ins.read(self._owner, id).state is not AuthorizationState.PENDING:
                with self._lock:
                    self._pasted.pop(id, None)

    def close(self) -> None:
        """Ends everything that waits in this process; a sign-in without its page cannot end."""
        with self._lock:
            self._end(
                *self._pasted, *(id for site in self._sites.values() for id in site.hosted_ids())
            )
            for site in self._sites.values():
                site.close()
        super().close()

    def _shown(self, row: AuthorizationRow, connection: Connection) -> Authorization | None:
        pending = row.authorization
        if pending.flow is Flow.LOOPBACK and _may_be_alive(row.holder):
            return pending
        if pending.id in self._pasted:
            return self._pasted[pending.id][2]
        if pending.flow is Flow.CALLBACK:
            client = self._service.profiles.enabled_client_of(connection)
            page = self._server_page(client, connection)
            return None if page is None else replace(pending, public_url=page)
        return super()._shown(row, connection)

    def _usual_flow(self, client: ClientRegistration, connection: Connection) -> Flow:
        # the port of a redirect URI may be the server's: then nobody else can listen there
        if self._server_page(client, connection) is not None:
            return Flow.CALLBACK
        if loopback_redirect_uris(client):
            return Flow.LOOPBACK
        profile = self._service.profiles.of(connection)
        if (
            self._service.settings.now().device_flow_enabled
            and profile.endpoints.device_authorization
        ):
            return Flow.DEVICE
        raise no_loopback_uri(client)

    def _server_page(self, client: ClientRegistration, connection: Connection) -> str | None:
        """The start page at a running server that keeps its things in this very store."""
        settings = self._service.configured
        if settings.interaction is Interaction.PRACTICE:
            return None  # the robot has no session at a server
        store = store_fingerprint(self._service.store.home, settings.database_url)
        for server in running(Path(jupyter_runtime_dir())):
            callback = f"{server.url}callback/{client.name}"
            if server.store == store and misfit_of(client, callback) is None:
                return f"{server.url}connect/{connection.name}"
        return None

    def _start_at_server(self, client: ClientRegistration, connection: Connection) -> Authorization:
        page = self._server_page(client, connection)
        if page is None:
            raise InvalidParameterError(
                "The flow 'callback' needs a Jupyter server to come back to, and none with these "
                f"connections runs where the OAuth client {client.name!r} is registered.",
                hint="Here use --flow loopback, paste or device.",
                parameter="flow",
            )
        authorization, _ = self._service.sign_ins.start(
            self._owner, connection, flow=Flow.CALLBACK, public_url=page
        )
        return authorization

    def _start_loopback(self, client: ClientRegistration, connection: Connection) -> Authorization:
        site, uri = self._site_for(client)
        key = uuid4().hex
        authorization, started = self._service.sign_ins.start(
            self._owner,
            connection,
            flow=Flow.LOOPBACK,
            public_url=site.public_url(connection.name, key),
        )
        if started:
            site.add(
                Hosted(
                    key=key,
                    id=authorization.id,
                    connection=connection.name,
                    client=client.name,
                    callback_path=uri.path,
                )
            )
            # at once: if this process dies now, the next one need not wait for the sign-in's end
            self._service.sign_ins.hold(self._owner, authorization.id)
        return authorization

    def _site_for(self, client: ClientRegistration) -> tuple[LoopbackSite, SplitResult]:
        """A site of this process on the client's port, or a new one."""
        self._sites = {port: one for port, one in self._sites.items() if one.alive}
        for uri in loopback_uris(client):
            for port, site in self._sites.items():
                fits = client.loopback_port == "any" or port == (uri.port or 80)
                if fits and site.origin == f"http://{host_of(uri)}:{port}":
                    return site, uri
        sockets, uri, host = bind(client)
        site = LoopbackSite(self._service, self._person, sockets, host)
        site.start()
        self._sites[site.port] = site
        return site, uri

    def _start_paste(self, client: ClientRegistration, connection: Connection) -> Authorization:
        uri = loopback_uris(client)[0]
        authorization, _ = self._service.sign_ins.start(
            self._owner, connection, flow=Flow.PASTE, public_url=None
        )
        browser = Secret(secrets.token_urlsafe(32))
        address = self._service.sign_ins.press(
            self._owner,
            authorization.id,
            connection,
            callback=uri.geturl(),
            browser=browser,
        )
        # the one flow whose page is the provider's own: on demand, with a warning
        shown = replace(authorization, verification_uri=address.reveal())
        self._pasted[authorization.id] = (browser, client, shown)
        return shown


def _may_be_alive(holder: str) -> bool:
    """False when the process that started a sign-in was on this machine and is no more."""
    host, _, process = holder.rpartition(":")
    return host != socket.gethostname() or process_is_alive(int(process))


def _split(address: Secret) -> SplitResult | None:
    try:
        return urlsplit(address.reveal().strip())
    except ValueError:
        return None


def _is_redirect_uri(client: ClientRegistration, parts: SplitResult) -> bool:
    return f"{parts.scheme}://{parts.netloc}{parts.path}" in client.redirect_uris
