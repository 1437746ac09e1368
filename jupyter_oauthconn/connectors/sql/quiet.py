"""A connection of a driver that sends the token with each statement, such as Databricks'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from jupyter_oauthconn.connectors.frames import clear_frames


class Quiet:
    """A driver's connection or cursor (PEP 249), of which an error leaves empty frames behind:
    the driver's own hold the token."""

    def __init__(self, name: str, target: Any) -> None:
        self.__dict__.update(_name=name, _target=target)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._target, name)
        if not callable(found) or isinstance(found, type):
            return found

        def call(*args: Any, **options: Any) -> Any:
            return self._called(found, *args, **options)

        return call

    def _called(self, method: Any, *args: Any, **options: Any) -> Any:
        try:
            made = method(*args, **options)
        except BaseException as error:
            clear_frames(error)
            raise
        if made is self._target:
            return self
        return Quiet(self._name, made) if hasattr(made, "fetchone") else made

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)

    def __enter__(self) -> Quiet:
        self._called(self._target.__enter__)
        return self

    def __exit__(self, *raised: Any) -> Any:
        return self._called(self._target.__exit__, *raised)

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self._target)
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
