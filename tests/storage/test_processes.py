"""Several processes on one store: first start, fork."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPEN = """
import sys, pathlib
from jupyter_oauthconn.storage import Store
store = Store.open(home=pathlib.Path(sys.argv[1]), database_url=sys.argv[2] or None)
store.owners.ensure("os", "1000", "ana")
print(store.keys.active)
store.close()
"""

FORK = """
import os, sys, pathlib
from jupyter_oauthconn.model import ALL_EVENTS, Event
from jupyter_oauthconn.storage import Store
store = Store.open(home=pathlib.Path(sys.argv[1]), database_url=sys.argv[2] or None)
store.journal.add(Event(kind="parent before"))
child = os.fork()
if child == 0:
    store.after_fork()
    store.journal.add(Event(kind="child"))
    store.close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0, "the child failed"
store.journal.add(Event(kind="parent after"))
print(*(one.kind for one in store.journal.events(ALL_EVENTS, 9)), sep=",")
store.close()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return ""
    server = request.getfixturevalue("postgres")
    return server.create_database(f"processes_{request.node.originalname}"[:60])


def run(script: str, home, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # a child keeps the parent's connections open on purpose, to its end
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore::ResourceWarning",
            "-c",
            script,
            str(home),
            url,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_four_first_starts_at_once_make_one_database_and_one_key(home, url):
    processes = [run(OPEN, home, url) for _ in range(4)]
    outputs = [one.communicate(timeout=60) for one in processes]
    assert [errors for _, errors in outputs] == [""] * 4
    assert len({key for key, _ in outputs}) == 1
    assert outputs[0][0].strip()


def test_a_forked_child_and_its_parent_both_go_on(home, url):
    process = run(FORK, home, url)
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert output.strip() == "parent after,child,parent before"
