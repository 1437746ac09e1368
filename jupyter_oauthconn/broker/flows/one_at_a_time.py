"""At most one sign-in is pending for an owner and connection: a start joins it or replaces it."""

from __future__ import annotations

import contextlib
import threading
from uuid import UUID

from jupyter_oauthconn.errors import AccessDeniedError, AuthorizationExpiredError, OAuthConnError
from jupyter_oauthconn.model import Authorization, Connection, Flow, Owner
from jupyter_oauthconn.service.sign_in.device import DeviceSignIn
from jupyter_oauthconn.service.token_service import TokenService
from jupyter_oauthconn.storage import AuthorizationRow


class OneAtATime:
    """The sign-ins of one owner. A subclass says which pending ones it can show."""

    def __init__(self, service: TokenService, owner: Owner) -> None:
        self._service = service
        self._person = owner
        self._owner = owner.id
        self._lock = threading.Lock()
        self._devices: dict[UUID, DeviceSignIn] = {}

    def close(self) -> None:
        """Ends what waits in this process; a sign-in that is served here cannot end elsewhere."""
        with self._lock:
            self._end(*self._devices)
            for device in self._devices.values():
                device.close()

    def _join(self, connection: Connection, flow: Flow | None) -> Authorization | None:
        row = self._service.store.authorizations.pending(self._owner, connection.id)
        if row is None:
            return None
        pending = row.authorization
        if flow in {None, pending.flow}:
            shown = self._shown(row, connection)
            if shown is not None:
                return shown
        # another way was asked for, the process that serves it is dead, or what its person must
        # see is known to another process only
        with contextlib.suppress(OAuthConnError):
            self._service.sign_ins.cancel(
                self._owner, pending.id, AccessDeniedError("Another sign-in was started instead.")
            )
        return None

    def _shown(self, row: AuthorizationRow, connection: Connection) -> Authorization | None:
        """A pending sign-in as its person can go on with it from here; None: she cannot."""
        device = self._devices.get(row.authorization.id)
        return None if device is None else device.authorization

    def _start_device(self, connection: Connection) -> Authorization:
        """Raises `NotAllowedError`, `ConfigurationError`."""
        device = DeviceSignIn.start(self._service, self._owner, connection)
        self._devices[device.authorization.id] = device
        return device.authorization

    def _end(self, *ids: UUID) -> None:
        ended = AuthorizationExpiredError("The process that served this sign-in has ended.")
        for id in ids:
            with contextlib.suppress(OAuthConnError):
                self._service.sign_ins.cancel(self._owner, id, ended)
