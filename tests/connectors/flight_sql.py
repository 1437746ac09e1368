"""A Flight SQL server (Arrow's own Flight stack, DuckDB behind it) that checks every call's token.

It knows the three messages that a query takes; the client is the real ADBC driver, the one for
Dremio, InfluxDB 3 and others.
"""

from __future__ import annotations

import threading
from typing import Any

import duckdb
from issuer import USER, Issuer
from pyarrow import flight

_NAMES = "type.googleapis.com/arrow.flight.protocol.sql."


class FlightSql:
    """A running server. `calls` holds the token of each call."""

    def __init__(self, issuer: Issuer) -> None:
        self.calls: list[str] = []
        self._server = _Server(_TokenCheck(issuer, self.calls))
        self.url = f"grpc://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()

    def read(self, token: str) -> list[tuple[Any, ...]]:
        """The table, by the bare ADBC driver. Raises its `ProgrammingError` or the like."""
        from adbc_driver_flightsql import DatabaseOptions, dbapi

        options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}
        with (
            dbapi.connect(self.url, db_kwargs=options, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("select * from numbers")
            return cursor.fetchall()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


class _TokenCheck(flight.ServerMiddlewareFactory):
    def __init__(self, issuer: Issuer, calls: list[str]) -> None:
        super().__init__()
        self._issuer = issuer
        self._calls = calls

    def start_call(self, info: Any, headers: dict[str, list[str]]) -> None:
        given = {name.lower(): values for name, values in headers.items()}
        scheme, _, token = (given.get("authorization") or [""])[0].partition(" ")
        self._calls.append(token)
        if scheme != "Bearer" or not self._issuer.accepts(token, USER):
            raise flight.FlightUnauthenticatedError("the access token is not accepted")


class _Server(flight.FlightServerBase):
    def __init__(self, check: _TokenCheck) -> None:
        super().__init__("grpc://127.0.0.1:0", middleware={"token": check})
        self._lock = threading.Lock()
        self._database = duckdb.connect()
        self._database.execute(
            "create table numbers as select * from "
            "(values (1, 'one'), (2, 'two'), (3, 'three')) as v (number, name)"
        )

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        kind, body = _unpacked(descriptor.command)
        if kind != "CommandStatementQuery":
            raise NotImplementedError(kind)
        query = _fields(body)[1]
        schema = self._run(f"select * from ({query.decode()}) limit 0").schema
        ticket = flight.Ticket(_packed("TicketStatementQuery", _field(1, query)))
        endpoints = [flight.FlightEndpoint(ticket, [])]
        return flight.FlightInfo(schema, descriptor, endpoints, -1, -1)

    def do_get(self, context: Any, ticket: Any) -> Any:
        _, body = _unpacked(ticket.ticket)
        return flight.RecordBatchStream(self._run(_fields(body)[1].decode()))

    def do_action(self, context: Any, action: Any) -> Any:
        raise NotImplementedError(action.type)

    def _run(self, query: str) -> Any:
        with self._lock:
            return self._database.cursor().execute(query).to_arrow_table()


def _packed(name: str, body: bytes) -> bytes:
    """A protobuf `Any`: field 1 names the type, field 2 is the message."""
    return _field(1, (_NAMES + name).encode()) + _field(2, body)


def _unpacked(message: bytes) -> tuple[str, bytes]:
    fields = _fields(message)
    return fields[1].decode().removeprefix(_NAMES), fields.get(2, b"")


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low]) if rest == 0 else bytes([low | 0x80]) + _varint(rest)


def _fields(message: bytes) -> dict[int, bytes]:
    """The length-delimited fields of a protobuf message; others are left out."""
    found: dict[int, bytes] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = number()
        size = number()
        if key & 7 == 2:
            found[key >> 3] = message[at : at + size]
            at += size
    return found
