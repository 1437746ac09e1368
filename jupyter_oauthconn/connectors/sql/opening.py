"""Opens a connection with a fresh token; a database that refuses it is asked once more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from jupyter_oauthconn.connectors.frames import without_frames
from jupyter_oauthconn.model import AccessToken

T = TypeVar("T")

#: SQLSTATE of a refused sign-in: invalid_authorization_specification, invalid_password.
_SQLSTATES = frozenset({"28000", "28P01"})
#: PostgreSQL says it in these words where a driver keeps no SQLSTATE of a failed connect.
_WORDS = ("authentication failed for user",)
#: Where drivers keep their codes.
_ATTRIBUTES = ("sqlstate", "pgcode", "errno", "code")


def connect_fresh(
    ask: Callable[[AccessToken | None], AccessToken],
    attempt: Callable[[AccessToken], T],
    refused: Callable[[Exception], bool],
) -> tuple[T, AccessToken]:
    """What `attempt` opened, and the token that it was opened with.

    A token that is refused is renewed once, and tried once more if another one came back. What
    fails is raised without the driver's frames: they hold the token.

    Args:
        ask: for a token; its argument is one that was refused.
        refused: whether an error says that the token was refused.
    """
    token = ask(None)
    made, failure = _attempt(attempt, token)
    if isinstance(failure, Exception) and refused(failure):
        newer = ask(token)
        if newer.generation != token.generation:
            token = newer
            made, failure = _attempt(attempt, token)
    if failure is None:
        return made, token
    try:
        raise failure
    finally:
        del failure  # its traceback holds this frame


def is_refusal(error: Exception, codes: Iterable[str]) -> bool:
    """Whether a driver's error says that the token was refused.

    Args:
        codes: the provider's own, as an attribute of the error or in its text; a number is not
            looked for within a longer one.
    """
    states = {str(getattr(error, name, "")) for name in _ATTRIBUTES}
    states |= {str(one.get("C", "")) for one in error.args if isinstance(one, dict)}  # pg8000
    if states & _SQLSTATES or getattr(_status(error), "name", "") == "UNAUTHENTICATED":
        return True
    text = str(error)
    return any(one in text for one in _WORDS) or any(
        one in states or _says(text, one) for one in codes
    )


def _says(text: str, code: str) -> bool:
    if code.isdigit():
        return re.search(rf"(?<!\w){code}(?!\w)", text, re.ASCII) is not None
    return code in text


def _status(error: Exception) -> Any:
    return getattr(error, "status_code", None)  # ADBC


def _attempt(attempt: Callable[[AccessToken], Any], token: AccessToken) -> tuple[Any, Any]:
    try:
        return attempt(token), None
    except BaseException as error:  # noqa: BLE001 - an interrupt has the driver's frames, too
        if getattr(error, "_pgconn", None) is not None:
            # psycopg's error keeps the failed connection's arguments, the password among them
            error._pgconn = None  # type: ignore[attr-defined] # of psycopg's errors alone
        return None, without_frames(error)
