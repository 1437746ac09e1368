"""One flight for each grant in this process, one lease among all processes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from jupyter_oauthconn.errors import ProviderUnavailableError
from jupyter_oauthconn.model import AccessToken, Attempt, Connection, Grant, GrantState
from jupyter_oauthconn.storage import Store

from .exchange import Exchange
from .failures import client_refused, gone, reauthorization_required
from .kept_answers import KeptAnswers
from .lifetimes import saved_token

#: Longer than the time-out of a provider call, so that a lease never ends under a live request.
LEASE = timedelta(seconds=45)
#: How long a caller waits for a refresh that somebody else does.
_PATIENCE_SECONDS = 60.0
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.2
#: Providers asked at one time by this process.
_FLIGHTS = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token for another resource, newer than the generation `after` (0: none is there)."""

    resource: str
    after: int


def _is_another(token: AccessToken, seen: AccessToken) -> bool:
    return (token.value, token.expires_at, token.issued_at) != (
        seen.value, seen.expires_at, seen.issued_at,
    )  # fmt: skip


class Refresher:
    """Renews grants; thread-safe. A forked child needs one of its own."""

    def __init__(self, store: Store, exchange: Exchange, kept: KeptAnswers) -> None:
        self._store = store
        self._exchange = exchange
        self._kept = kept
        self._pool = ThreadPoolExecutor(_FLIGHTS, thread_name_prefix="oauthconn-refresh")
        self._flights: dict[tuple[UUID, str], Future[AccessToken]] = {}
        # reentrant: a flight that lands at once calls back in the thread that started it
        self._lock = threading.RLock()

    def refresh(
        self,
        connection: Connection,
        grant: Grant,
        *,
        spare: bool = True,
        although_backing_off: bool = False,
        wanted: Wanted | None = None,
    ) -> AccessToken:
        """A token newer than `grant`'s; joins the flight that is under way.

        The flight belongs to the service: a caller that is interrupted leaves it running.

        Args:
            spare: see `Exchange.renew`; False when a resource has rejected the old token.
            although_backing_off: a person asks, so the provider is asked again at once.
            wanted: a token for another resource, by the refresh token of `grant`.

        Raises:
            ReauthorizationRequiredError, ProviderError, StorageError
        """
        flight = self._fly(
            connection, grant, spare=spare, although_backing_off=although_backing_off, wanted=wanted
        )
        wait([flight], timeout=_PATIENCE_SECONDS)
        if not flight.done():
            raise ProviderUnavailableError(
                f"{connection.name}: the refresh is still under way.",
                hint="Try again in a minute.",
            )
        return flight.result()

    def start_behind(
        self, connection: Connection, grant: Grant, wanted: Wanted | None = None
    ) -> None:
        """Starts a refresh that nobody waits for: the old token is still good."""
        if grant.not_before is None or grant.not_before <= self._store.now():
            self._fly(connection, grant, spare=True, although_backing_off=False, wanted=wanted)

    def close(self) -> None:
        """Waits for the answers that are on their way; starts nothing more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fly(
        self,
        connection: Connection,
        grant: Grant,
        *,
        spare: bool,
        although_backing_off: bool,
        wanted: Wanted | None,
    ) -> Future[AccessToken]:
        key = (grant.id, wanted.resource if wanted else "")
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._pool.submit(
                    self._renew,
                    connection,
                    grant,
                    spare=spare,
                    although_backing_off=although_backing_off,
                    wanted=wanted,
                )
                self._flights[key] = flight
                flight.add_done_callback(lambda _: self._land(key))
            return flight

    def _land(self, key: tuple[UUID, str]) -> None:
        with self._lock:
            self._flights.pop(key, None)

    def _renew(
        self,
        connection: Connection,
        seen: Grant,
        *,
        spare: bool,
        although_backing_off: bool,
        wanted: Wanted | None,
    ) -> AccessToken:
        pause = _FIRST_PAUSE
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            unsaved = self._kept.in_memory(seen.id)
            if unsaved is not None and wanted is None:
                return saved_token(*unsaved)
            grant = self._current(connection, seen)
            newer = self._newer(grant, seen, wanted)
            if newer is not None:
                return newer
            if grant.attempt is Attempt.SENT and self._store.grants.replay_spool():
                continue  # the process that had asked left the answer there at its end
            self._check_renewable(connection, grant, although_backing_off)
            claim = self._store.grants.claim(
                grant.id,
                generation=grant.generation,
                lease=LEASE,
                although_backing_off=although_backing_off,
            )
            if claim is not None:
                resource = wanted.resource if wanted else ""
                return self._exchange.renew(connection, claim, spare=spare, resource=resource)
            if time.monotonic() > deadline:
                raise ProviderUnavailableError(
                    f"{connection.name}: another process has been refreshing for a minute.",
                    hint="Try again in a minute.",
                )
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _newer(self, grant: Grant, seen: Grant, wanted: Wanted | None) -> AccessToken | None:
        """What somebody else has brought meanwhile."""
        if wanted is None:
            # a refresh for another resource counts on, and leaves the grant's own token
            return grant.token if _is_another(grant.token, seen.token) else None
        kept = self._store.grants.read(seen.owner_id, seen.connection_id, wanted.resource)
        return kept.token if kept is not None and kept.generation > wanted.after else None

    def _current(self, connection: Connection, seen: Grant) -> Grant:
        grant = self._store.grants.read(seen.owner_id, connection.id, seen.resource)
        if grant is None or grant.id != seen.id:
            raise gone(connection)
        return grant

    def _check_renewable(
        self, connection: Connection, grant: Grant, although_backing_off: bool
    ) -> None:
        if grant.state is GrantState.REAUTH_REQUIRED:
            raise reauthorization_required(connection, grant)
        if grant.state is GrantState.SUSPENDED:
            raise client_refused(connection, grant)
        now = self._store.now()
        if not although_backing_off and grant.not_before is not None and grant.not_before > now:
            error = grant.last_error.message if grant.last_error else "the last refresh failed"
            seconds = (grant.not_before - now).total_seconds()
            raise ProviderUnavailableError(
                f"{connection.name}: {error}",
                hint=f"The provider is asked again in {seconds:.0f} seconds; "
                f"`%connect ensure {connection.name} --for 1m` asks now.",
                retry_after_seconds=seconds,
                request_sent=False,
            )
