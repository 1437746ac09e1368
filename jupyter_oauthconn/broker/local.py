"""The verbs, answered in this process: for scripts, terminals, notebooks without a server."""

from __future__ import annotations

import atexit
import getpass
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import AccessDeniedError, InteractionRequiredError
from jupyter_oauthconn.model import (
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    Authorization,
    AuthorizationState,
    Check,
    ClientDraft,
    ClientRegistration,
    Connection,
    ConnectionDraft,
    Endurance,
    Event,
    Flow,
    Revocation,
    Secret,
    Settings,
)
from jupyter_oauthconn.service.token_service import TokenService

from .flows import Flows

_POLL_SECONDS = 0.1


class LocalBroker:
    """`Broker` and `Registry` over a token service of its own; the owner is the OS user.

    Raises:
        StorageError, MissingKeyError: the service cannot be opened.
    """

    def __init__(self, settings: Settings, home: Path) -> None:
        self._service = TokenService.open(settings, home)
        self._user = _user_name()
        self._owner = self._service.owner("os", str(os.getuid()), self._user)
        self._flows = Flows(self._service, self._owner)
        self._process = os.getpid()
        atexit.register(self.close)
        _open_brokers.add(self)

    def close(self) -> None:
        """Ends the sign-ins that wait here and saves whatever is under way."""
        atexit.unregister(self.close)
        if os.getpid() != self._process:
            return
        self._flows.close()
        self._service.close()

    def after_fork(self) -> None:
        """In a forked child: neither threads nor database connections came along."""
        self._process = os.getpid()
        self._service.store.after_fork()
        self._service = TokenService(
            self._service.settings, self._service.store, self._service.catalog
        )
        self._flows = Flows(self._service, self._owner)

    # --- Broker

    def connections(self) -> Sequence[Connection]:
        return self._service.connections.all(self._owner)

    def connection(self, name: str) -> Connection:
        return self._service.connections.seen(self._owner, name)

    def access_token(
        self,
        name: str,
        *,
        min_validity: timedelta = DEFAULT_MIN_VALIDITY,
        exact: bool = False,
        rejected_generation: int | None = None,
        interactive: bool = False,
    ) -> AccessToken:
        connection = self._service.connections.get(self._owner, name)
        try:
            return self._service.tokens.access_token(
                self._owner,
                connection,
                min_validity=min_validity,
                exact=exact,
                rejected_generation=rejected_generation,
            )
        except InteractionRequiredError as error:
            if interactive:
                error.authorization = self._flows.start(connection, None)
            raise

    def authorize(self, name: str, *, flow: Flow | None = None) -> Authorization:
        connection = self._service.connections.get(self._owner, name)
        return self._flows.start(connection, flow)

    def authorization(self, id: UUID, *, wait: timedelta = timedelta(0)) -> Authorization:
        deadline = time.monotonic() + wait.total_seconds()
        while True:
            authorization = self._service.sign_ins.read(self._owner, id)
            over = authorization.state is not AuthorizationState.PENDING or authorization.confirm
            left = deadline - time.monotonic()
            if over or left <= 0:
                return authorization
            # a sleep, not a lock: Ctrl-C ends it at once on every platform
            time.sleep(min(_POLL_SECONDS, left))

    def finish_by_paste(self, id: UUID, address: Secret) -> Authorization:
        return self._flows.finish_by_paste(id, address)

    def confirm(self, id: UUID) -> Authorization:
        return self._service.sign_ins.confirm(self._owner, id)

    def cancel(self, id: UUID) -> None:
        sign_ins = self._service.sign_ins
        if sign_ins.read(self._owner, id).confirm:
            sign_ins.keep_account(self._owner, id)
        sign_ins.cancel(self._owner, id, AccessDeniedError("The sign-in was given up."))

    def test(self, name: str) -> Sequence[Check]:
        connection = self._service.connections.get(self._owner, name)
        return self._service.checks.of_connection(self._owner, connection)

    def ensure(self, name: str, lasts: timedelta) -> Endurance:
        connection = self._service.connections.get(self._owner, name)
        return self._service.tokens.ensure(self._owner, connection, lasts)

    def revoke(self, name: str) -> Revocation:
        connection = self._service.connections.get(self._owner, name)
        return self._service.connections.revoke(self._owner, connection, actor=self._user)

    def doctor(self, name: str | None = None) -> Sequence[Check]:
        return self._service.checks.doctor(self._owner, name)

    # --- Registry

    def providers(self) -> Sequence[ProviderEntry]:
        return self._service.catalog.entries()

    def provider(self, key: str) -> ProviderEntry:
        return self._service.catalog.entry(key)

    def clients(self) -> Sequence[ClientRegistration]:
        return self._service.clients.all()

    def client(self, name: str) -> ClientRegistration:
        return self._service.clients.get(name)

    def add_client(self, draft: ClientDraft) -> ClientRegistration:
        return self._service.clients.add(draft, actor=self._user)

    def edit_client(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> ClientRegistration:
        return self._service.clients.edit(name, changes, version=version, actor=self._user)

    def add_client_secret(self, name: str, secret: Secret) -> ClientRegistration:
        return self._service.clients.add_secret(name, secret, actor=self._user)

    def remove_client(self, name: str, *, force: bool = False) -> None:
        if force:
            for one in self.connections():
                if one.client == name:
                    self.remove_connection(one.name)
        self._service.clients.remove(name, actor=self._user)

    def test_client(self, name: str) -> Sequence[Check]:
        return self._service.checks.of_client(self._service.clients.get(name))

    def add_connection(self, draft: ConnectionDraft) -> Connection:
        return self._service.connections.add(self._owner, draft, actor=self._user)

    def edit_connection(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Connection:
        return self._service.connections.edit(
            self._owner, name, changes, version=version, actor=self._user
        )

    def remove_connection(self, name: str) -> None:
        self._service.connections.remove(self._owner, name, actor=self._user)

    def events(self, *, limit: int = 50) -> Sequence[Event]:
        return self._service.store.journal.events(None, limit)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # a container may run as a user that nobody has named


_open_brokers: weakref.WeakSet[LocalBroker] = weakref.WeakSet()


def _renew_in_child() -> None:
    for broker in list(_open_brokers):
        broker.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
