"""Errors in a cell: the sentence and the next step. The cell still fails.

IPython asks an exception for `_render_traceback_` before it renders one itself, in terminals and
kernels alike; `set_custom_exc` has room for one handler only, and that is the user's.
"""

from __future__ import annotations

from jupyter_oauthconn.errors import OAuthConnError


def lines_of(error: OAuthConnError) -> list[str]:
    lines = [f"{type(error).__name__}: {error.message}"]
    return [*lines, error.hint] if error.hint else lines


def install() -> None:
    OAuthConnError._render_traceback_ = lines_of  # type: ignore[attr-defined]


def uninstall() -> None:
    if "_render_traceback_" in vars(OAuthConnError):
        del OAuthConnError._render_traceback_  # type: ignore[attr-defined]
