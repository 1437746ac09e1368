"""A database that asks for a token: SQLite behind a driver that notes how it was called.

`gate://user@host/` is its address for SQLAlchemy, once `register` was called.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, ClassVar

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL


class Refused(sqlite3.OperationalError):
    """What the server says to a token that it does not take."""

    def __init__(self, text: str = "no entry", **attributes: Any) -> None:
        super().__init__(text)
        for name, value in attributes.items():
            setattr(self, name, value)


class Gate:
    """The driver's module.

    Attributes:
        calls: the arguments of each `connect`.
        accepts: says whether those arguments let somebody in.
        refusal: what is raised if they do not.
    """

    Refused = Refused

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.positional: list[tuple[Any, ...]] = []
        self.accepts: Callable[[dict[str, Any]], bool] = lambda _: True
        self.refusal: Callable[[], BaseException] = lambda: Refused(sqlstate="28P01")

    def connect(self, *positional: Any, **named: Any) -> sqlite3.Connection:
        self.calls.append(named)
        self.positional.append(positional)
        # a driver's frames hold the token under some name
        password = dict(named)
        if not self.accepts(password):
            raise self.refusal()
        return sqlite3.connect(":memory:", check_same_thread=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)


class GateDialect(SQLiteDialect_pysqlite):
    name = "gate"
    driver = "gate"
    supports_statement_cache = True
    module: ClassVar[Gate] = Gate()

    @classmethod
    def import_dbapi(cls) -> Any:
        return cls.module

    @classmethod
    def get_pool_class(cls, url: URL) -> Any:
        from sqlalchemy.pool import QueuePool

        return QueuePool

    def create_connect_args(self, url: URL) -> Any:
        named = url.translate_connect_args(username="user")
        return [], {**named, **url.query}

    def on_connect(self) -> None:
        return None


def opened() -> Gate:
    """A new driver that the dialect uses from now on."""
    registry.register("gate", __name__, "GateDialect")
    GateDialect.module = Gate()
    return GateDialect.module
