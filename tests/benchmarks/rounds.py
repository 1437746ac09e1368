"""Cases measured in turns, so that noise on a shared machine hits all of them alike."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns


def microseconds(
    cases: dict[str, Callable[[], object]], *, rounds: int, calls: int
) -> dict[str, float]:
    """The smallest mean of a round, for each case."""
    smallest = dict.fromkeys(cases, float("inf"))
    for _ in range(rounds):
        for name, call in cases.items():
            started = perf_counter_ns()
            for _ in range(calls):
                call()
            smallest[name] = min(smallest[name], (perf_counter_ns() - started) / calls / 1000)
    return smallest
