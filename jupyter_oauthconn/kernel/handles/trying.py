"""A real, cheap call through a handle, and what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from inspect import isawaitable
from typing import Any

from jupyter_oauthconn.connectors import Access, Remembered, TokenSource, connector
from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError
from jupyter_oauthconn.model import Check, Outcome

from ..current import Place
from .opening import access_of, default_kind, spelled

#: The first of them that a handle has ends it.
_CLOSING = ("aclose", "close", "dispose")


def try_handle(
    place: Place,
    source: TokenSource,
    kind: str | None,
    *,
    probe: str = "",
    options: dict[str, Any] | None = None,
) -> Sequence[Check]:
    """Opens a handle, makes the connector's cheap call, and closes the handle.

    Args:
        kind: None: the connection's usual one.
        probe: what to ask for, in place of the entry's.

    Raises:
        InteractionRequiredError: a person must act, and nobody is there.
    """
    options = options or {}
    kind = spelled(kind or default_kind(place, source.name))
    url = str(options.get("url") or options.get("address") or "")
    check = Check(check=kind, outcome=Outcome.FAILED, detail="")
    try:
        access = access_of(place, source, kind, url=url, probe=probe)
        detail = _called(kind, access, options)
    except InvalidParameterError as error:
        if error.parameter != "probe":
            return [replace(check, detail=error.message, next_step=error.hint)]
        # nothing failed: nobody knows what to call
        return [replace(check, outcome=Outcome.UNKNOWN, detail=error.message,
                        next_step=error.hint)]  # fmt: skip
    except ConfigurationError as error:
        return [replace(check, detail=error.message, next_step=error.hint)]
    return [detail if isinstance(detail, Check) else replace(check, outcome=Outcome.OK,
                                                              detail=detail)]  # fmt: skip


def _called(kind: str, access: Access, options: dict[str, Any]) -> str | Check:
    made = connector(kind)
    access.source.token()  # whoever must sign in does it here, and not in a vendor's thread
    source = Remembered(access.source)
    access = replace(access, source=source)
    handle = made.open(access, **options)
    with _Loop() as loop:
        try:
            with _entered(handle):
                seen = made.check(handle, access)
                return loop.run(seen) if isawaitable(seen) else seen
        except (ConfigurationError, InvalidParameterError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever the vendor's library raises is the answer
            # the first line: a library may put what it sent into it
            line = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            return Check(
                check=kind,
                outcome=Outcome.FAILED,
                detail=source.masked(line),
                next_step=f"`%connect doctor {source.name}` looks at the sign-in.",
            )
        finally:
            _close(handle, loop)


class _Loop:
    """An event loop in a thread of its own: the notebook's is busy with the cell that asks.

    One for all of a test: an asynchronous handle is closed in the loop that it was used in.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="test of a handle")

    def run(self, awaitable: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await awaitable

        return self._thread.submit(lambda: self._runner.run(awaited())).result()

    def __enter__(self) -> _Loop:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()


def _entered(handle: Any) -> AbstractContextManager[Any]:
    """What can only be closed by leaving it is there only within `with`."""
    if hasattr(type(handle), "__enter__") and not hasattr(type(handle), "close"):
        entered: AbstractContextManager[Any] = handle
        return entered
    return nullcontext()


def _close(handle: Any, loop: _Loop) -> None:
    with suppress(Exception):  # the call was made, and its answer counts
        for name in _CLOSING:
            close = getattr(handle, name, None)
            if callable(close):
                closed = close()
                if isawaitable(closed):
                    loop.run(closed)
                return
