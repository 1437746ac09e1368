"""One finding, made in one line."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import Check, Outcome


def ok(check: str, detail: str) -> Check:
    return Check(check=check, outcome=Outcome.OK, detail=detail)


def failed(check: str, detail: str, next_step: str) -> Check:
    return Check(check=check, outcome=Outcome.FAILED, detail=detail, next_step=next_step)


def unknown(check: str, detail: str, next_step: str = "") -> Check:
    return Check(check=check, outcome=Outcome.UNKNOWN, detail=detail, next_step=next_step)


def tried(check: str, act: Callable[[], str]) -> Check:
    """What `act` says, or the error that it ends with."""
    try:
        return ok(check, act())
    except OAuthConnError as error:
        return failed(check, error.message, error.hint)
