"""A connection of a driver that sends the token with each statement, such as Databricks'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from jupyter_oauthconn.connectors.frames import empty_frames

#: Of a connection, of a cursor.
_INTERFACES = (("cursor", "commit"), ("execute", "fetchone"))


class Frameless:
    """A driver's connection (PEP 249), whose errors leave empty frames behind: the driver's own
    hold the token. Its cursors, and their connection, are wrapped, too; the error itself is the
    driver's."""

    def __init__(self, name: str, driver_s: Any) -> None:
        self._name = name
        self._driver_s = driver_s

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._driver_s, name)
        wrapped = self._wrapped(found)
        if wrapped is not found or not callable(found) or isinstance(found, type):
            return wrapped

        def call(*args: Any, **options: Any) -> Any:
            return self._called(found, *args, **options)

        return call

    def _called(self, method: Any, *args: Any, **options: Any) -> Any:
        try:
            result = method(*args, **options)
        except BaseException as error:
            empty_frames(error)
            raise
        return self._wrapped(result)

    def _wrapped(self, result: Any) -> Any:
        if result is self._driver_s:
            return self
        # a row may have a column of any name
        is_driver_s = any(all(hasattr(result, one) for one in both) for both in _INTERFACES)
        return Frameless(self._name, result) if is_driver_s else result

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            setattr(self._driver_s, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._driver_s)

    def __enter__(self) -> Any:
        return self._called(self._driver_s.__enter__)

    def __exit__(self, *raised: Any) -> Any:
        return self._called(self._driver_s.__exit__, *raised)

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self._driver_s)
        while True:
            try:
                row = self._called(next, rows)
            except StopIteration:
                return
            yield row

    def __repr__(self) -> str:
        return f"<Data of {self._name!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A connection to a database is not pickled: open one in the other process.")
