"""The one mount of a Jupyter server: its token service, its owner, its kernel credential."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import MissingKeyError, OAuthConnError, StorageError
from jupyter_oauthconn.model import Owner, Secret, Settings
from jupyter_oauthconn.web.host import Caller, Kind

if TYPE_CHECKING:
    from uuid import UUID

    from tornado.web import RequestHandler

    from jupyter_oauthconn.broker.owned import OwnedBroker
    from jupyter_oauthconn.service.token_service import TokenService

    OwnerResolver = Callable[[TokenService], Owner]

_CREDENTIAL_BYTES = 32


class ServerHost:
    """Implements `web.host.Host`; `service` and `owner` are there once `ready` has returned.

    Args:
        home: folder of database and keys.
        mount: see `Host`.
        environ: where references to secrets in configuration files look.
        problem: why there can be no token service, e.g. a setting that cannot be read.
        resolve: whose everything is. Never Jupyter's current user: with its token each request is
            a new anonymous one.
        report: called in a thread after each try to open the service.
    """

    where = "server"
    service: TokenService
    owner: Owner

    def __init__(
        self,
        settings: Settings,
        home: Path,
        mount: str,
        *,
        problem: OAuthConnError | None = None,
        environ: Mapping[str, str] | None = None,
        resolve: OwnerResolver | None = None,
        report: Callable[[Future[None]], None],
    ) -> None:
        self.mount = mount
        #: the mount as browsers reach it; without a setting known when the server has its port
        self.public_mount = mount
        if settings.public_url is not None:
            self.public_mount = f"{settings.public_url.rstrip('/')}/oauthconn/"
        self._settings = settings
        self._home = home
        self._problem = problem
        self._environ = environ
        self._resolve = resolve
        self._report = report
        self._credential_hash = b""
        self._brokers: dict[UUID, OwnedBroker] = {}
        self._lock = threading.Lock()
        self._draining = False
        self._opening: Future[None] | None = None

    # --- for `web`

    def broker(self, owner: Owner, *, administrator: bool) -> OwnedBroker:
        """The same for every caller: the server's one owner is its administrator."""
        from jupyter_oauthconn.broker.hosted_flows import HostedFlows
        from jupyter_oauthconn.broker.owned import OwnedBroker

        with self._lock:
            if owner.id not in self._brokers:
                flows = HostedFlows(self.service, owner, self.public_mount)
                self._brokers[owner.id] = OwnedBroker(self.service, owner, flows)
            return self._brokers[owner.id]

    def kernel_caller(self, authorization: str) -> Caller | None:
        if not self.is_kernel(authorization):
            return None
        return Caller(owner=self.owner, kind=Kind.KERNEL, administrator=True)

    def origin(self, handler: RequestHandler) -> str:
        if self._settings.public_url is not None:
            parts = urlsplit(self._settings.public_url)
            return f"{parts.scheme}://{parts.netloc}"
        return f"{handler.request.protocol}://{handler.request.host}"

    # --- for the extension

    def reached_at(self, mount: str) -> None:
        """Where programs of this machine find the mount: for links, if no setting says more."""
        if self._settings.public_url is None:
            self.public_mount = mount

    def is_kernel(self, authorization: str) -> bool:
        """Whether the header shows the kernel credential; compares in constant time."""
        scheme, _, credential = authorization.partition(" ")
        given = sha256(credential.strip().encode()).digest()
        return hmac.compare_digest(given, self._credential_hash) and scheme.lower() == "bearer"

    def new_credential(self) -> Secret:
        """What kernels prove themselves with from now on; kept here as its hash only."""
        credential = secrets.token_urlsafe(_CREDENTIAL_BYTES)
        self._credential_hash = sha256(credential.encode()).digest()
        return Secret(credential)

    def open(self) -> None:
        """Starts to open the token service in a thread, unless that was done: its libraries alone
        take 0.2 s. A failure is tried again. In the event loop only."""
        opening = self._opening
        failed = opening is not None and opening.done() and opening.exception() is not None
        if self._draining or (opening is not None and not failed):
            return
        opener = ThreadPoolExecutor(1, thread_name_prefix="oauthconn-open")
        self._opening = opener.submit(self._open)
        self._opening.add_done_callback(self._report)
        opener.shutdown(wait=False)

    async def ready(self) -> None:
        """Returns once requests can be answered; what has failed is tried again.

        Raises:
            OAuthConnError: the service cannot be opened, or the server is stopping.
        """
        if self._draining:
            raise OAuthConnError(
                "The Jupyter server is stopping.",
                hint="Run the line again when it is back.",
                code="draining",
            )
        self.open()
        opening = self._opening
        assert opening is not None
        if not opening.done():
            # shielded: one caller who goes away must not end it for the others
            await asyncio.shield(asyncio.wrap_future(opening))
        opening.result()

    def drain(self) -> None:
        """From now on requests are refused; those that are being answered go on."""
        self._draining = True

    def close(self) -> None:
        """Finishes what is under way, refreshes first of all; returns when all is written."""
        self.drain()
        with self._lock:
            opening, self._opening = self._opening, None
        if opening is None or opening.exception() is not None:
            return
        for broker in self._brokers.values():
            broker.close()
        self.service.close()

    def _open(self) -> None:
        from jupyter_oauthconn.broker.local import system_owner
        from jupyter_oauthconn.service.token_service import TokenService

        if self._problem is not None:
            raise _not_started(self._problem)
        try:
            service = TokenService.open(
                self._settings, self._home, mount_path=self.mount, environ=self._environ
            )
            self.owner = (self._resolve or system_owner)(service)
        except OAuthConnError as error:
            raise _not_started(error) from None
        if "://" in self.public_mount:  # a server on a Unix socket knows no address of its own
            service.checks.address = self.public_mount
        self.service = service


def _not_started(error: OAuthConnError) -> OAuthConnError:
    """The same for a caller, who has done nothing wrong: a matter of the server (503)."""
    if isinstance(error, MissingKeyError | StorageError):
        return error
    return StorageError(f"The token service has not started. {error.message}", hint=error.hint)
