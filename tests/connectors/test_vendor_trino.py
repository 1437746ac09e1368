"""The real Trino client behind SQLAlchemy, against a recorder with TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from counted import MARKER, MINUTE, Connected, CountedTokens, bearer
from later import Later
from leaks import shown
from recorder import Answer, Recorder, Reply, Seen, recorder

from jupyter_oauthconn.catalog import Placement, TokenPlacement
from jupyter_oauthconn.connectors.connector import connector


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    pytest.importorskip("trino.sqlalchemy", reason='`pip install "trino[sqlalchemy]"`')
    with recorder(tls=True) as made:
        made.trusted_alone(monkeypatch)
        made.answer = as_trino(made)
        yield made


def as_trino(made: Recorder) -> Answer:
    def answer(seen: Seen) -> Reply:
        begun = {"id": "q", "infoUri": made.url, "stats": {"state": "RUNNING"}}
        if seen.path == "/v1/statement":
            return Reply({**begun, "nextUri": f"{made.url}/v1/next/1"})
        columns = [
            {
                "name": "a",
                "type": "integer",
                "typeSignature": {"rawType": "integer", "arguments": []},
            }
        ]
        return Reply({**begun, "columns": columns, "data": [[1]], "stats": {"state": "FINISHED"}})

    return answer


def opened(vendor: Recorder, source: CountedTokens, kind: str = "engine") -> Any:
    access = Connected(source).access(
        kind,
        url=f"trino://ada@127.0.0.1:{vendor.port}/hive",
        connect_args={"http_scheme": "https", "verify": vendor.ca},
        token=TokenPlacement(placement=Placement.REQUESTS_AUTH, name="auth"),
    )
    return connector(kind).open(access)


def test_each_request_gets_a_fresh_token(vendor: Recorder, later: Later) -> None:
    engine = opened(vendor, CountedTokens(life=MINUTE))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select 1").fetchall() == [(1,)]
        assert set(vendor.tokens) == {bearer(1)}
        later(MINUTE)
        vendor.seen.clear()
        assert connection.exec_driver_sql("select 1").fetchall() == [(1,)]
        assert set(vendor.tokens) == {bearer(2)}
        assert MARKER not in shown(engine, connection.connection.driver_connection)
    engine.dispose()


def test_a_refused_token_is_renewed_and_tried_once_more(vendor: Recorder) -> None:
    vendor.refused = {bearer(1)}
    source = CountedTokens()
    engine = opened(vendor, source)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select 1").fetchall() == [(1,)]
    assert vendor.tokens[:2] == [bearer(1), bearer(2)]
    assert source.forced == 1
    engine.dispose()
