"""A string that does not print itself."""

from __future__ import annotations

import hmac
from typing import NoReturn

_MASK = "********"


class Secret:
    """Holds one secret string; only `reveal()` gives it back.

    Masked in `repr`, `str` and rich display, refused by `format` and `pickle`, so that neither a
    log line nor a traceback nor a child process's arguments can carry it by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself. Searching for `.reveal(` finds every place that sees one."""
        return self._value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_MASK!r})"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("A secret is not formatted into text; use .reveal() where it is needed.")

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)
