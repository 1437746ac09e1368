"""Which names clients and connections may have, and how scopes and templates are read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jupyter_oauthconn.errors import InvalidNameError, InvalidParameterError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

#: Verbs of `%connect`, today's and tomorrow's: a connection of that name could not be reached.
RESERVED = frozenset({
    "list", "help", "add", "new", "edit", "login", "logout", "auth", "reauth", "authorize",
    "authenticate", "status", "test", "check", "ensure", "revoke", "rm", "share", "use", "doctor",
    "history", "events", "scan", "run", "export", "import", "practice",
})  # fmt: skip


def check_name(name: str, kind: str) -> str:
    """Returns `name` if it may name a `kind` ("connection" or "OAuth client").

    Raises:
        InvalidNameError: malformed, or reserved (connections only).
    """
    if not is_name(name):
        raise InvalidNameError(
            f"{name!r} cannot name {_article(kind)}.",
            hint="Use 1 to 40 of a-z, 0-9, _ and -, beginning with a letter or digit.",
        )
    if kind == "connection" and name in RESERVED:
        raise InvalidNameError(
            f"{name!r} is a verb of %connect and cannot name a connection.",
            hint=f"Choose another name, for example {name}-data.",
        )
    return name


def is_name(name: object) -> bool:
    """Whether a client or connection can have that name at all."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def check_text(field: str, value: object) -> None:
    """Refuses what nobody can read or type: control and direction characters, endless text.

    Args:
        value: a text, or a collection of texts; anything else is somebody else's to check.

    Raises:
        InvalidParameterError: names the field, not the value.
    """
    if isinstance(value, Mapping):
        value = (*value, *value.values())
    for one in (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ():
        if isinstance(one, str) and (len(one) > _LONGEST_TEXT or not one.isprintable()):
            raise InvalidParameterError(
                f"{field.replace('_', ' ')} holds characters that cannot be shown, or is longer "
                f"than {_LONGEST_TEXT} characters.",
                hint="Type it again; something else may have been pasted.",
                parameter=field,
            )


_LONGEST_TEXT = 2000


def _article(kind: str) -> str:
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def scope_set(scope: str) -> frozenset[str]:
    """The scope tokens of a space-separated scope string (RFC 6749 §3.3)."""
    return frozenset(scope.split())
