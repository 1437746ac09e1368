"""The rules that every connector keeps, run against one."""

from __future__ import annotations

import inspect
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_oauthconn.connectors import Access, Connector
from jupyter_oauthconn.errors import OAuthConnError, ReauthorizationRequiredError

from .store import ScriptedTokens, TokenStore

_THREADS = 2
_RENEWALS = 3
_ATTEMPTS = 2
#: How long one of the threads waits for the others.
_PATIENCE_SECONDS = 30.0

Use = Callable[[Any], object]


def check_connector(
    connector: Connector,
    access: Access,
    *,
    store: TokenStore | None = None,
    use: Use | None = None,
    retries: bool = True,
    thread_safe: bool = True,
    **options: Any,
) -> tuple[str, ...]:
    """Runs a connector through the life of a token; returns the names of the rules.

    A connector that speaks HTTP is tested against a store of the kit on loopback:

        def test_line():
            check_connector(LineConnector(), Access(source=ScriptedTokens(), reach=Reach(None),
                                                    handle=Handle(kind="line", probe="/")))

    One that speaks something else gets `store=TokenStore()`, and the test's own driver asks that
    store's `admits(token)` for each token that it is given.

    The rules:

    - fresh: a good token is shown, nothing is refreshed by force.
    - expiring: after the token has ended, the same handle shows the next one, and never the old.
    - rejected: a token that the store refuses is handed back as `rejected` once, and the call is
      made once more with what comes back.
    - revoked: when that is refused, too, the error is raised; a third token is never shown.
    - consent_lost: an error of the token source reaches the caller, as itself or as a cause.
    - threads: two threads share one refresh.
    - no_leak: no token in `repr`, `str`, pickle, in an error, or in the locals of its traceback.

    Args:
        access: as the connector gets it; its source is replaced by one of the kit, and an empty
            `handle.url` by the address of the kit's store.
        store: the store; None: one that speaks HTTP.
        use: makes one call through a handle, and raises if that fails; None: the connector's
            `check`.
        retries: False for a handle that leaves the second attempt to its caller, such as a
            credential: then a refused token may be an error, and `rejected` is not checked.
        thread_safe: False: each thread opens a handle of its own.
        options: for `connector.open`.

    Raises:
        AssertionError: what the connector does otherwise, one line for each rule.
    """
    with nullcontext(store) if store is not None else TokenStore() as place:
        runs = _Runs(connector=connector, access=access, store=place, use=use, options=options,
                     retries=retries, thread_safe=thread_safe)  # fmt: skip
        faults = runs.faults()
    if faults:
        raise AssertionError("\n".join(faults))
    return tuple(name for name, _ in runs.rules())


@dataclass(kw_only=True, repr=False)
class _Runs:
    connector: Connector
    access: Access
    store: TokenStore
    use: Use | None
    options: dict[str, Any]
    retries: bool
    thread_safe: bool
    opened: list[Any] = field(default_factory=list)

    def faults(self) -> list[str]:
        """What is wrong, with the rule's name in front."""
        try:
            return [f"{name}: {fault}" for name, rule in self.rules() for fault in rule()]
        finally:
            self.close()

    def rules(self) -> list[tuple[str, Callable[[], Iterator[str]]]]:
        found = [
            ("fresh", self._fresh),
            ("expiring", self._expiring),
            ("rejected", self._rejected),
            ("revoked", self._revoked),
            ("consent_lost", self._consent_lost),
            ("threads", self._threads),
            ("no_leak", self._no_leak),
        ]
        return found if self.retries else [one for one in found if one[0] != "rejected"]

    # --- the rules; each yields what is wrong

    def _fresh(self) -> Iterator[str]:
        tokens, access = self._begin()
        error = self._called(self._open(access), access)
        if error is not None:
            yield f"a good token did not lead to the data ({_named(error)})"
        elif not self.store.shown:
            yield "no token reached the store"
        if tokens.forced:
            yield "a good token was handed back as rejected"

    def _expiring(self) -> Iterator[str]:
        tokens, access = self._begin()
        handle = self._open(access)
        for renewal in range(_RENEWALS):
            self.store.shown.clear()
            error = self._called(handle, access)
            if error is not None:
                yield f"the handle stopped at renewal {renewal} ({_named(error)})"
                return
            if set(self.store.shown) - {tokens.issued[-1]}:
                yield "a token that had ended was shown to the store: ask the source at each use"
                return
            tokens.renew()

    def _rejected(self) -> Iterator[str]:
        tokens, access = self._begin()
        self.store.refuse(tokens.issued[-1])
        error = self._called(self._open_or_none(access), access)
        if tokens.forced != 1:
            yield f"a refused token was handed back as rejected {tokens.forced} times, not once"
        elif error is not None:
            yield f"the call was not made once more with the renewed token ({_named(error)})"

    def _revoked(self) -> Iterator[str]:
        tokens, access = self._begin()
        self.store.refuse()
        error = self._called(self._open_or_none(access), access)
        if error is None:
            yield "nothing was raised although the store refused every token"
        if tokens.forced > 1 or len(self.store.shown) > _ATTEMPTS:
            yield (
                f"the store was asked {len(self.store.shown)} times and the token refreshed "
                f"{tokens.forced} times: one retry, never two"
            )

    def _consent_lost(self) -> Iterator[str]:
        tokens, access = self._begin()
        lost = ReauthorizationRequiredError("The sign-in is over.", hint="Sign in again.")
        tokens.fail(lost)
        error = self._called(self._open_or_none(access), access)
        if error is None:
            yield "nothing was raised although there is no token any more"
        elif lost not in _chain(error):
            yield f"the source's error was hidden behind {_named(error)}"

    def _threads(self) -> Iterator[str]:
        tokens, access = self._begin()
        shared = self._open(access) if self.thread_safe else None
        if self.retries:
            self.store.refuse(tokens.issued[-1])
        else:
            tokens.renew()

        together = threading.Barrier(_THREADS)

        def call(_: int) -> BaseException | None:
            handle = self._open_or_none(access) if shared is None else shared
            together.wait(_PATIENCE_SECONDS)
            return self._called(handle, access)

        with ThreadPoolExecutor(_THREADS) as pool:
            errors = [one for one in pool.map(call, range(_THREADS)) if one is not None]
        if errors:
            yield f"a thread failed ({_named(errors[0])})"
        if tokens.forced > 1:
            yield f"{_THREADS} threads caused {tokens.forced} refreshes: hand back the very token"

    def _no_leak(self) -> Iterator[str]:
        tokens, access = self._begin()
        handle = self._open(access)
        self._called(handle, access)
        texts = {"repr": repr(handle), "str": str(handle), "pickle": _pickled(handle)}
        self.store.refuse()
        error = self._called(handle, access) or self._called(self._open_or_none(access), access)
        if error is not None:
            texts["traceback"] = "".join(_told(one) for one in _chain(error))
        for where, text in texts.items():
            if any(one in text for one in tokens.issued):
                yield f"a token shows in the {where}"

    # --- how they are run

    def _begin(self) -> tuple[ScriptedTokens, Access]:
        tokens = ScriptedTokens(self.access.source.name)
        self.store.begin(tokens)
        handle = self.access.handle
        if self.store.url and not handle.url:
            handle = replace(handle, url=self.store.url)
        return tokens, replace(self.access, source=tokens, handle=handle)

    def _open(self, access: Access) -> Any:
        handle = self.connector.open(access, **self.options)
        self.opened.append(handle)
        return handle

    def _open_or_none(self, access: Access) -> Any:
        """A handle, or the error of opening it: some connect at once."""
        try:
            return self._open(access)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is looked at
            return _Failed(error)

    def close(self) -> None:
        for handle in self.opened:
            with suppress(Exception):  # the rules have been looked at
                close = getattr(handle, "close", None) or getattr(handle, "dispose", None)
                if callable(close) and not inspect.iscoroutinefunction(close):
                    close()

    def _called(self, handle: Any, access: Access) -> BaseException | None:
        if isinstance(handle, _Failed):
            return handle.error
        try:
            if self.use is not None:
                self.use(handle)
            else:
                self.connector.check(handle, access)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is looked at
            return error
        return None


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        return "<a handle that did not open>"


def _named(error: BaseException) -> str:
    # no text of a library: it may hold what was sent
    return error.message if isinstance(error, OAuthConnError) else type(error).__name__


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        one = todo.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "orig", None)]
    return found


def _told(error: BaseException) -> str:
    made = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(made.format()) + repr(error.args)


def _pickled(handle: Any) -> str:
    # a handle that cannot be pickled leaks nothing
    with suppress(Exception):
        return pickle.dumps(handle).decode("latin-1")
    return ""
