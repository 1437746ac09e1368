"""A real, cheap call through a handle, and what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from jupyter_oauthconn.connectors import Access, TokenSource, connector
from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError
from jupyter_oauthconn.model import Check, Outcome

from ..current import Place
from .opening import access_of, default_kind, spelled

_MASK = "********"


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
    handle = made.open(access, **options)
    try:
        return made.check(handle, access)
    except (ConfigurationError, InvalidParameterError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the vendor's library raises is the answer
        return Check(
            check=kind,
            outcome=Outcome.FAILED,
            detail=_without_token(f"{type(error).__name__}: {error}", access.source),
            next_step=f"`%connect doctor {access.source.name}` looks at the sign-in.",
        )
    finally:
        _close(handle)


def _without_token(text: str, source: TokenSource) -> str:
    """The first line of a foreign message; a library may put what it sent into it."""
    line = text.strip().splitlines()[0]
    return line.replace(source.token().reveal(), _MASK)


def _close(handle: Any) -> None:
    close = getattr(handle, "close", None) or getattr(handle, "dispose", None)
    if callable(close):
        with suppress(Exception):  # the call was made, and its answer counts
            close()
