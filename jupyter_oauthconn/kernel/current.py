"""Which token service this process talks to, and the tokens it has from it."""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from jupyter_oauthconn.model import AccessToken, Settings

if TYPE_CHECKING:
    from jupyter_oauthconn.broker import TokenServiceBroker

#: Kernels that got the same token ask again spread over this share of what is left of its life.
_JITTER_SHARE = 0.1
_LARGEST_JITTER = 10.0
#: The same clamp as `AccessToken.valid_for`, in seconds since the epoch for the hot path.
_LARGEST_SHARE = 0.2
_NEVER = float("inf")


class _Kept(NamedTuple):
    token: AccessToken
    ask_at: float
    expires_at: float
    largest_validity: float


class TokenCache:
    """Access tokens in memory. Reading takes no lock: one dict lookup sees old or new, whole.

    Compared with the wall clock: a monotonic one stops while a laptop sleeps, and would call a
    dead token fresh.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # by name; what is for another resource than the sign-in's, by name and resource
        self._kept: dict[str | tuple[str, str], _Kept] = {}
        self._jitter = random.random()  # noqa: S311 - spreads load, hides nothing

    def fresh(
        self,
        name: str,
        validity: float = 60.0,
        exact: bool = False,
        resource: str | None = None,
    ) -> AccessToken | None:
        """The kept token if it need not be renewed yet and lives `validity` seconds longer."""
        kept = self._kept.get(name if resource is None else (name, resource))
        if kept is None:
            return None
        token, ask_at, expires_at, largest = kept
        if validity > largest and not exact:
            validity = largest
        now = self._clock()
        return token if now < ask_at and now + validity < expires_at else None

    def keep(self, name: str, token: AccessToken, resource: str | None = None) -> None:
        """An unknown end counts as living: such a token serves until a resource rejects it."""
        ask_at = expires_at = largest = _NEVER
        if token.expires_at is not None:
            expires_at = token.expires_at.timestamp()
            if token.issued_at is not None:
                largest = (expires_at - token.issued_at.timestamp()) * _LARGEST_SHARE
        if token.refresh_at is not None:
            ask_at = token.refresh_at.timestamp()
            if expires_at != _NEVER:
                left = max(0.0, expires_at - ask_at)
                ask_at += min(_LARGEST_JITTER, left * _JITTER_SHARE) * self._jitter
        key = name if resource is None else (name, resource)
        self._kept[key] = _Kept(token, ask_at, expires_at, largest)

    def forget(self, name: str) -> None:
        """Drops the tokens of a connection: what they were issued for may have changed."""
        self._kept.pop(name, None)
        for key in list(self._kept):
            if isinstance(key, tuple) and key[0] == name:
                self._kept.pop(key, None)


class Names:
    """Names that the service told last, for Tab: completion asks neither network nor database."""

    def __init__(self) -> None:
        self.connections: set[str] = set()
        self.clients: set[str] = set()
        self.providers: set[str] = set()


class Place:
    """One token service as this process uses it: broker, settings, tokens, pending displays.

    The broker is made at the first use. After a fork the child gets a new one: neither a database
    connection nor a lock survives a fork.
    """

    def __init__(
        self, make: Callable[[], TokenServiceBroker], settings: Settings | None = None
    ) -> None:
        self._make = make
        self._settings = settings
        self.forked = False
        self._empty()
        _places.add(self)

    def _empty(self) -> None:
        self._lock = threading.Lock()
        self._broker: TokenServiceBroker | None = None
        self._displayed: dict[UUID, threading.Event] = {}
        self.tokens = TokenCache()
        self.names = Names()

    @property
    def broker(self) -> TokenServiceBroker:
        broker = self._broker
        if broker is None:
            with self._lock:
                broker = self._broker = self._broker or self._make()
        return broker

    @property
    def settings(self) -> Settings:
        """Read at each use, so that `%env JUPYTER_OAUTHCONN_INTERACTION=fail` has its effect."""
        return self._settings or Settings.from_environ(os.environ)

    def claim_display(self, id: UUID, stop: threading.Event) -> bool:
        """True for the one wait that shows a pending sign-in; others only wait with it.

        A wait that was told to stop has lost its claim, even before its thread has seen it.
        """
        with self._lock:
            holder = self._displayed.get(id)
            if holder is not None and not holder.is_set():
                return False
            self._displayed[id] = stop
            return True

    def release_display(self, id: UUID, stop: threading.Event) -> None:
        with self._lock:
            if self._displayed.get(id) is stop:
                del self._displayed[id]

    def close(self) -> None:
        """Closes the broker; one that is used after all is made anew."""
        with self._lock:
            broker, self._broker = self._broker, None
        if broker is not None:
            broker.close()

    def after_fork(self) -> None:
        self.forked = True
        self._empty()


_places: weakref.WeakSet[Place] = weakref.WeakSet()


def _choose() -> TokenServiceBroker:
    from jupyter_oauthconn.broker.choice import choose

    return choose()


_current = Place(_choose)


def place() -> Place:
    """The token service in force: what `use` said, else what this process finds."""
    return _current


class use:  # noqa: N801 - called like a function, and a context manager beside it
    """Chooses the token service for this process; as a context manager, for the block only.

    Args:
        where: the address of a Jupyter server of yours that runs, `Settings` of a local service,
            or a broker.

    Raises:
        ServiceUnreachableError: no server of yours with a token service runs at that address.
    """

    def __init__(self, where: str | Settings | TokenServiceBroker) -> None:
        global _current  # noqa: PLW0603 - one process, one service
        self._before = _current
        _current = _place_at(where)
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        global _current
        ended, _current = _current, self._before
        if isinstance(self._where, Settings | str):
            ended.close()

    def __repr__(self) -> str:
        return f"<tokens are kept by {_words(self._where)}>"


def _place_at(where: str | Settings | TokenServiceBroker) -> Place:
    if isinstance(where, str | Settings):
        from jupyter_oauthconn.broker import choice

        chosen = where
        if isinstance(chosen, str):
            choice.server_at(chosen)  # said here when there is none, and not at the first use
        settings = chosen if isinstance(chosen, Settings) else None
        return Place(lambda: choice.choose(chosen), settings)
    broker = where
    return Place(lambda: broker)


def _words(where: str | Settings | TokenServiceBroker) -> str:
    if isinstance(where, str):
        return "that Jupyter server"
    if not isinstance(where, Settings):
        return f"the given {type(where).__name__}"
    if where.database_url is not None:
        return "this process, in the database that its settings name"
    from jupyter_oauthconn.broker.choice import data_home

    return f"this process, in {data_home(where)}"


def seconds(duration: float | timedelta) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else duration


def _renew(places: Iterable[Place]) -> None:
    for one in list(places):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _renew(_places))
