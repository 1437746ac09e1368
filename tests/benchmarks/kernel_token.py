"""What a fresh token costs in the kernel, as a ratio to its floor, both measured in this run.

    python tests/benchmarks/kernel_token.py

Floor: a dict lookup and a comparison with `time.time()`. Goal of the inner function: 3.5.
"""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

from fake_broker import FakeBroker

import jupyter_oauthconn as oc
from jupyter_oauthconn.kernel import current

ROUNDS = 15
CALLS = 100_000


def measure(subjects: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The least time of one call in nanoseconds; subjects take turns within each round."""
    best = dict.fromkeys(subjects, float("inf"))
    for _ in range(ROUNDS):
        for name, subject in subjects.items():
            took = timeit.timeit(subject, number=CALLS) / CALLS * 1e9
            best[name] = min(best[name], took)
    return best


def main() -> int:
    broker = FakeBroker("sales")
    broker.sign_in("sales")
    oc.use(broker)
    conn = oc.connect("sales")
    kept = {"sales": (conn.token(), (datetime.now(UTC) + timedelta(hours=1)).timestamp())}
    clock = time.time

    def floor() -> object:
        token, until = kept["sales"]
        return token if clock() < until else None

    tokens, key = current.place().tokens, "sales"
    found = measure(
        {
            "floor": floor,
            "inner function": lambda: tokens.fresh(key),
            "conn.token()": conn.token,
            "conn.headers()": conn.headers,
        }
    )
    print(f"Python {sys.version.split()[0]}, least of {ROUNDS} rounds of {CALLS:,} calls")
    for name, took in found.items():
        print(f"{name:<16}{took:>8.0f} ns{took / found['floor']:>8.1f} x floor")
    return 0 if found["inner function"] <= 3.5 * found["floor"] else 1


if __name__ == "__main__":
    sys.exit(main())
