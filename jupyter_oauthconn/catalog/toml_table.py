"""Reads a TOML table strictly: every fault is a sentence that names file, table and key."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from jupyter_oauthconn.errors import ConfigurationError

_T = TypeVar("_T")


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(one) for one in value.values())
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return isinstance(value, str | int | float)  # a day or a time has no place in JSON


class Table:
    """One table of a catalog file. `close()` complains about keys that nobody asked for."""

    def __init__(self, content: Mapping[str, object], file: str, path: str = "") -> None:
        self._content = content
        self._asked: set[str] = set()
        self._file = file
        self._path = path

    @property
    def where(self) -> str:
        return f"{self._file} [{self._path}]" if self._path else self._file

    def text(self, key: str) -> str:
        """A text that must be there and not be empty."""
        if value := self.text_or_none(key):
            return value
        raise ConfigurationError(f"{self.where}: {key} is missing.", hint="Add it as a text.")

    def text_or_none(self, key: str) -> str | None:
        return self._get(key, str, "a text")

    def flag(self, key: str) -> bool:
        return self._get(key, bool, "true or false") or False

    def number(self, key: str) -> int | None:
        """A whole number above zero."""
        value = self._get(key, int, "a whole number")
        if value is not None and (isinstance(value, bool) or value <= 0):
            raise self.fault(key, "must be a whole number above zero")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(self._items(key, str, "texts"))

    def mapping(self, key: str) -> dict[str, str]:
        """A table of texts."""
        inner = self.table(key)
        return {name: inner.text(name) for name in inner.names()}

    def values(self, key: str) -> dict[str, object]:
        """A table of plain values: texts, numbers, flags, and lists and tables of them."""
        found = self._get(key, dict, "a table") or {}
        if not _is_plain(found):
            raise self.fault(key, "may hold texts, numbers, true, false, lists and tables")
        return dict(found)

    def table(self, key: str) -> Table:
        """An inner table; an absent one is empty."""
        found = self._get(key, dict, "a table")
        return Table(found or {}, self._file, f"{self._path}.{key}" if self._path else key)

    def tables(self, key: str) -> list[Table]:
        """An array of tables, `[[key]]`."""
        found = self._items(key, dict, "tables")
        return [Table(one, self._file, f"[{key}]") for one in found]

    def names(self) -> list[str]:
        return list(self._content)

    def close(self) -> None:
        """Raises `ConfigurationError` for the first key that is not known here."""
        for key in self._content:
            if key not in self._asked:
                near = get_close_matches(key, self._asked, n=1)
                hint = f"Did you mean {near[0]}?" if near else self._known()
                raise ConfigurationError(f"{self.where}: {key} is not known here.", hint=hint)

    def fault(self, key: str, reason: str) -> ConfigurationError:
        return ConfigurationError(f"{self.where}: {key} {reason}.", hint=f"Correct {key} there.")

    def _known(self) -> str:
        return f"Known here: {', '.join(sorted(self._asked)) or 'nothing'}."

    def _get(self, key: str, kind: type[_T], words: str) -> _T | None:
        self._asked.add(key)
        value = self._content.get(key)
        if value is None or isinstance(value, kind):
            return value
        raise self.fault(key, f"must be {words}")

    def _items(self, key: str, kind: type[_T], words: str) -> list[_T]:
        found = self._get(key, list, f"a list of {words}") or []
        for one in found:
            if not isinstance(one, kind):
                raise self.fault(key, f"must be a list of {words}")
        return found
