"""What a fresh token costs in process: `python tests/benchmarks/warm_token.py`.

`LocalBroker.access_token` against one plain `SELECT` of the sealed token by its key, on the same
SQLite file, in alternating rounds; the smallest of all rounds counts, and only as a ratio. Also
how many statements a warm read runs.
"""

from __future__ import annotations

import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from rounds import microseconds

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import ClientDraft, ConnectionDraft, Settings

ROUNDS, CALLS = 25, 200


def signed_in(home: Path, server: PracticeServer) -> LocalBroker:
    broker = LocalBroker(Settings(), home)
    broker.add_client(
        ClientDraft(
            name="practice",
            provider="practice",
            client_id="notebook",
            issuer=server.issuer,
            loopback_port="any",
        )
    )
    broker.add_connection(ConnectionDraft(name="sales", client="practice"))
    authorization = broker.authorize("sales")
    assert authorization.public_url is not None
    consent(authorization.public_url)
    broker.access_token("sales")
    return broker


def plain_select(home: Path) -> Callable[[], object]:
    connection = sqlite3.connect(home / "oauthconn.db", isolation_level=None)
    ((key,),) = connection.execute("SELECT id FROM grants").fetchall()
    query = "SELECT access_sealed, expires_at FROM grants WHERE id = ?"
    return lambda: connection.execute(query, (key,)).fetchone()


def statements(broker: LocalBroker) -> int:
    """SQL statements of one warm read, transactions' bounds included."""
    seen: list[str] = []
    engine = broker._service.store.database._engine

    def note(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    sa.event.listen(engine, "before_cursor_execute", note)
    broker.access_token("sales")
    sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def main() -> int:
    print(f"Python {platform.python_version()}, SQLAlchemy {sa.__version__}")
    with tempfile.TemporaryDirectory() as folder, PracticeServer() as server:
        home = Path(folder) / "home"
        broker = signed_in(home, server)
        before = len(server.provider.requests())
        took = microseconds(
            {
                "plain SELECT": plain_select(home),
                "access_token, warm": lambda: broker.access_token("sales"),
            },
            rounds=ROUNDS,
            calls=CALLS,
        )
        assert len(server.provider.requests()) == before, "a warm read asks nobody"
        count = statements(broker)
        broker.close()
    for name, each in took.items():
        print(f"{name:20} {each:7.1f} µs")
    ratio = took["access_token, warm"] / took["plain SELECT"]
    print(f"access_token / SELECT: {ratio:.1f}, in {count} statements")
    return 0


if __name__ == "__main__":
    sys.exit(main())
