"""How a person gets to the provider and back when no server is there to come back to."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
from dataclasses import replace
from urllib.parse import SplitResult, parse_qsl, urlsplit
from uuid import UUID, uuid4

from jupyter_oauthconn.errors import (
    AccessDeniedError,
    AuthorizationExpiredError,
    InvalidParameterError,
    OAuthConnError,
    UnknownAuthorizationError,
)
from jupyter_oauthconn.model import (
    Authorization,
    AuthorizationState,
    ClientRegistration,
    Connection,
    Flow,
    Secret,
)
from jupyter_oauthconn.service.sign_in import loopback_redirect_uris
from jupyter_oauthconn.service.sign_in.device import DeviceSignIn
from jupyter_oauthconn.service.token_service import TokenService

from .loopback import Hosted, LoopbackSite, bind, host_of, loopback_uris, no_loopback_uri


class Flows:
    """Starts sign-ins of one owner, joins pending ones, hosts their pages in this process."""

    def __init__(self, service: TokenService, owner_id: UUID) -> None:
        self._service = service
        self._owner = owner_id
        self._lock = threading.Lock()
        self._sites: dict[int, LoopbackSite] = {}
        self._devices: dict[UUID, DeviceSignIn] = {}
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
        raise InvalidParameterError(
            "The flow 'callback' needs a Jupyter server or Hub service to come back to.",
            hint="Here use --flow loopback, paste or device.",
            parameter="flow",
        )

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
        ended = AuthorizationExpiredError("The process that served this sign-in has ended.")
        with self._lock:
            ids = [*self._devices, *self._pasted]
            for site in self._sites.values():
                ids += site.hosted_ids()
            for id in ids:
                with contextlib.suppress(OAuthConnError):
                    self._service.sign_ins.cancel(self._owner, id, ended)
            for site in self._sites.values():
                site.close()
            for device in self._devices.values():
                device.close()

    def _join(self, connection: Connection, flow: Flow | None) -> Authorization | None:
        row = self._service.store.authorizations.pending(self._owner, connection.id)
        if row is None:
            return None
        pending = row.authorization
        if flow in {None, pending.flow}:
            if pending.flow is Flow.LOOPBACK and _may_be_alive(row.holder):
                return pending
            if pending.id in self._devices:
                return self._devices[pending.id].authorization
            if pending.id in self._pasted:
                return self._pasted[pending.id][2]
        # another way was asked for, the process that serves it is dead, or what its person must
        # see is known to another process only
        with contextlib.suppress(OAuthConnError):
            self._service.sign_ins.cancel(
                self._owner, pending.id, AccessDeniedError("Another sign-in was started instead.")
            )
        return None

    def _usual_flow(self, client: ClientRegistration, connection: Connection) -> Flow:
        if loopback_redirect_uris(client):
            return Flow.LOOPBACK
        profile = self._service.profiles.of(connection)
        if self._service.settings.device_flow_enabled and profile.endpoints.device_authorization:
            return Flow.DEVICE
        raise no_loopback_uri(client)

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
        site = LoopbackSite(self._service, self._owner, sockets, host)
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
            origin=f"http://{uri.netloc}",
            browser=browser,
        )
        # the one flow whose page is the provider's own: on demand, with a warning
        shown = replace(authorization, verification_uri=address.reveal())
        self._pasted[authorization.id] = (browser, client, shown)
        return shown

    def _start_device(self, connection: Connection) -> Authorization:
        device = DeviceSignIn.start(self._service, self._owner, connection)
        self._devices[device.authorization.id] = device
        return device.authorization


def _may_be_alive(holder: str) -> bool:
    """False when the process that started a sign-in was on this machine and is no more."""
    host, _, process = holder.rpartition(":")
    if host != socket.gethostname() or os.name == "nt":
        return True
    try:
        os.kill(int(process), 0)  # asks only
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _split(address: Secret) -> SplitResult | None:
    try:
        return urlsplit(address.reveal().strip())
    except ValueError:
        return None


def _is_redirect_uri(client: ClientRegistration, parts: SplitResult) -> bool:
    return f"{parts.scheme}://{parts.netloc}{parts.path}" in client.redirect_uris
