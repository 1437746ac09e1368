"""Sign-ins whose pages a server hosts: the person comes back to where the service runs."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from jupyter_oauthconn.errors import InvalidParameterError, UnknownAuthorizationError
from jupyter_oauthconn.model import Authorization, Connection, Flow, Owner, Secret
from jupyter_oauthconn.service.token_service import TokenService
from jupyter_oauthconn.storage import AuthorizationRow

from .flows.one_at_a_time import OneAtATime


class HostedFlows(OneAtATime):
    """Starts sign-ins of one owner and joins pending ones; the pages are the server's.

    Args:
        public_url: the mount as browsers reach it, with its slash at the end.
    """

    def __init__(self, service: TokenService, owner: Owner, public_url: str) -> None:
        super().__init__(service, owner)
        self._public_url = public_url

    def start(self, connection: Connection, flow: Flow | None) -> Authorization:
        """The pending sign-in of the connection, or a new one; `flow` None: the server's pages.

        Raises:
            InvalidParameterError: the flow belongs to a process without a server.
            NotAllowedError, ConfigurationError: no sign-in on another device here.
        """
        if flow in {Flow.LOOPBACK, Flow.PASTE}:
            raise InvalidParameterError(
                f"The flow {flow.value!r} comes back to the machine of a local token service, and "
                "this one runs in a server.",
                hint="Leave the flow out: the server shows the pages of the sign-in itself.",
                parameter="flow",
            )
        self._service.profiles.enabled_client_of(connection)
        with self._lock:
            joined = self._join(connection, flow)
            if joined is not None:
                return joined
            if flow is Flow.DEVICE:
                return self._start_device(connection)
            # another thread or server may have been faster: then its sign-in, with our address
            authorization, _ = self._service.sign_ins.start(
                self._owner,
                connection,
                flow=Flow.CALLBACK,
                public_url=f"{self._public_url}connect/{connection.name}",
            )
            return self._on_our_page(authorization)

    def finish_by_paste(self, id: UUID, address: Secret) -> Authorization:
        """Raises `UnknownAuthorizationError`: no sign-in of that flow starts in a server."""
        raise UnknownAuthorizationError(str(id))

    def _shown(self, row: AuthorizationRow, connection: Connection) -> Authorization | None:
        if row.authorization.flow is Flow.CALLBACK:
            return self._on_our_page(row.authorization)
        return super()._shown(row, connection)

    def _on_our_page(self, pending: Authorization) -> Authorization:
        """Every server of a store shows the page of what is pending there, whoever started it;
        the one that did may have ended."""
        if pending.flow is not Flow.CALLBACK:
            return pending
        return replace(pending, public_url=self._public_url + pending.path)
