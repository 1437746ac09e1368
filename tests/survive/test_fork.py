"""Processes that a notebook forks: children get tokens, and both sides go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import World

HERE = Path(__file__).parent


@pytest.mark.parametrize("way", ["fork", "loky", "multiprocessing"])
def test_children_get_tokens_and_the_parent_goes_on(world: World, way: str) -> None:
    world.add("sales")
    environment = {
        **os.environ,
        "JUPYTER_OAUTHCONN_HOME": str(world.home),
        "JUPYTER_OAUTHCONN_DATABASE_URL": world.url,
        "JUPYTER_OAUTHCONN_INTERACTION": "fail",
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "forks.py"), way],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["children"] >= 1
    assert set(told["before"]) == {told["first"]} == {1}
    # all children report the first token as rejected
    assert set(told["during"]) == {told["after"]} == {2}
    assert told["renewed"] == 3
    assert world.refreshes() == world.refreshes(outcome="ok") == 2
    assert world.lost(["sales"]) == []


def test_a_child_that_outlives_its_parent_loses_nothing(world: World) -> None:
    world.add("sales")
    world.broker.close()  # nobody but the child has the database open when its parent has gone
    child = subprocess.Popen(
        [sys.executable, str(HERE / "outlive.py"), str(world.home), world.url, str(world.catalog)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert [child.stdout.readline() for _ in range(2)] == ["2\n", "3\n"]
        (other,) = world.fleet(1)
        assert other.tell("ask_and_answer", name="sales")["generation"] == 3
        other.end()
        child.stdin.close()
        assert child.stdout.readline() == "4\n"
    (next_one,) = world.fleet(1)
    assert next_one.tell("ask_and_answer", name="sales")["generation"] == 4
    assert next_one.tell("ask_and_answer", name="sales", rejected=4)["generation"] == 5
    assert world.refreshes() == world.refreshes(outcome="ok") == 4
