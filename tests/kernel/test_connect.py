"""The connection object: tokens, masking, processes."""

from __future__ import annotations

import asyncio
import os
import pickle
import pprint
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import joblib
import pytest
import requests
from fake_broker import MARKER, FakeBroker
from joblib.externals.loky import get_reusable_executor

import jupyter_oauthconn as oc
from jupyter_oauthconn.kernel import current
from jupyter_oauthconn.model import AccessToken, Secret, State


def test_a_connection_comes_with_its_token(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    assert conn.token().reveal() == f"{MARKER}-sales-1"
    assert conn.headers() == {"Authorization": f"Bearer {MARKER}-sales-1"}
    assert broker.calls == ["access_token"]  # one request, and the cache for the rest


def test_what_it_is(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    assert conn.status is State.CONNECTED
    assert conn.status.words == "Authenticated"
    assert (conn.identity, conn.scope) == ("you@example.com", "read")


def test_min_validity_takes_seconds_and_timedelta(broker: FakeBroker) -> None:
    broker.life = timedelta(seconds=100)
    conn = oc.connect("sales")
    conn.token(timedelta(seconds=50))
    conn.token(50)
    assert broker.calls == ["access_token"]  # clamped to 20 s
    conn.token(101, exact=True)
    assert broker.calls == ["access_token"] * 2


def test_a_token_for_another_resource_is_kept_beside_the_usual_one(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    storage = conn.token(resource="https://storage.acme.example/")
    assert storage.resource == "https://storage.acme.example/"
    assert conn.token().resource is None
    broker.calls.clear()
    assert conn.token(resource="https://storage.acme.example/") is storage
    assert asyncio.run(conn.atoken(resource="https://storage.acme.example/")) is storage
    assert conn.token().resource is None
    assert broker.calls == []
    assert conn.token(resource="https://graph.acme.example/") != storage
    oc.edit("sales", scope="read")  # what they were issued for may have changed: all are dropped
    broker.calls.clear()
    conn.token(resource="https://storage.acme.example/")
    assert broker.calls == ["access_token"]


def test_a_rejected_token_is_renewed_once_for_all_threads(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    rejected = conn.token()
    assert conn.token(rejected=rejected).generation == rejected.generation + 1
    broker.calls.clear()
    assert conn.token(rejected=rejected).generation == rejected.generation + 1
    assert broker.calls == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_rejected_one_under_another_number_is_no_renewal(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, asynchronous: bool
) -> None:
    """A refresh for another resource counts on, and leaves the token."""
    conn = oc.connect("sales")
    rejected = conn.token()
    asked: list[int] = []

    def counted_on(name: str, **options: Any) -> AccessToken:
        asked.append(options["rejected_generation"])
        if len(asked) == 1:
            return replace(rejected, generation=2)
        return replace(rejected, generation=3, value=Secret("another"))

    monkeypatch.setattr(broker, "access_token", counted_on)
    if asynchronous:
        token = asyncio.run(conn.atoken(rejected=rejected))
    else:
        token = conn.token(rejected=rejected)
    assert token.reveal() == "another"
    assert asked == [1, 2]


def test_a_provider_that_gives_the_same_token_again_is_asked_once(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = oc.connect("sales")
    rejected = conn.token()
    assert rejected.issued_at is not None
    later = replace(rejected, generation=2, issued_at=rejected.issued_at + timedelta(minutes=1))
    asked: list[str] = []

    def the_same(name: str, **_: Any) -> AccessToken:
        asked.append(name)
        return later

    monkeypatch.setattr(broker, "access_token", the_same)
    assert conn.token(rejected=rejected).generation == 2
    assert len(asked) == 1


@pytest.mark.asyncio
async def test_async_token(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    current.place().tokens.forget("sales")
    token = await conn.atoken()
    assert token.reveal() == f"{MARKER}-sales-1"
    assert await conn.atoken() is token


def test_unknown_connection_names_similar_ones(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.UnknownConnectionError, match="'salse'") as caught:
        oc.connect("salse")
    assert "sales" in caught.value.hint


def test_scope_that_was_not_granted(broker: FakeBroker) -> None:
    oc.connect("sales", scope="read")
    with pytest.raises(oc.errors.ReauthorizationRequiredError, match="'write'") as caught:
        oc.connect("sales", scope="read write")
    assert '%connect edit sales --scope "read write"' in caught.value.hint
    assert "%connect auth sales --again" in caught.value.hint
    assert caught.value.reason == "scope_changed"


def test_nothing_shows_the_token(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    token, headers = conn.token(), conn.headers()
    shown = [repr(conn), str(conn), repr(token), str(token), repr(headers), str(headers)]
    shown += [f"{headers}", pprint.pformat({"headers": headers})]
    shown += [repr(conn.session().auth), repr(conn.httpx().auth)]
    try:
        raise oc.errors.OAuthConnError("stopped")
    except oc.errors.OAuthConnError as error:
        shown += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    assert MARKER not in "".join(shown)
    assert "********" in repr(headers)


def test_a_token_is_not_formatted_and_says_what_to_do(broker: FakeBroker) -> None:
    token = oc.connect("sales").token()
    with pytest.raises(TypeError, match=r"conn\.headers\(\).*\.reveal\(\)"):
        f"{token}"


def test_pickled_it_is_its_name(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    pickled = pickle.dumps(conn)
    assert MARKER.encode() not in pickled
    assert len(pickled) < 100
    assert pickle.loads(pickled) == conn
    for secret in (conn.token(), conn.headers()):
        with pytest.raises(TypeError, match="pass the connection"):
            pickle.dumps(secret)


def in_worker(conn: oc.Connection) -> str:
    # the worker has its own service: it finds the fake one as a user's script would set it up
    broker = FakeBroker("sales")
    broker.sign_in("sales")
    with oc.use(broker):
        return pickle.loads(pickle.dumps(conn)).token().reveal()


def test_joblib_gets_the_connection_not_the_token(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    try:
        found = joblib.Parallel(n_jobs=2)(joblib.delayed(in_worker)(conn) for _ in range(2))
    finally:
        get_reusable_executor().shutdown(wait=True, kill_workers=True)
    assert found == [f"{MARKER}-sales-1"] * 2


FORKING = """
import os
from fake_broker import FakeBroker
import jupyter_oauthconn as oc
from jupyter_oauthconn.kernel import current

made = []

def make():
    made.append(os.getpid())
    broker = FakeBroker("sales")
    broker.sign_in("sales")
    return broker

current._current = place = current.Place(make)
conn = oc.connect("sales")
place._lock.acquire()  # held while it forks: the child must have one of its own
child = os.fork()
if child == 0:
    empty = place.tokens.fresh("sales") is None
    token = conn.token().reveal()
    os._exit(0 if empty and place.forked and token and made[-1] == os.getpid() else 1)
_, status = os.waitpid(child, 0)
place._lock.release()
unchanged = made == [os.getpid()] and not place.forked and place.tokens.fresh("sales")
raise SystemExit(os.waitstatus_to_exitcode(status) or not unchanged)
"""


def test_a_forked_child_starts_empty() -> None:
    """In a process of its own: this one has threads, and their locks do not survive a fork."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", FORKING], env=environ, timeout=30, check=False)
    assert done.returncode == 0


def test_threads_share_the_cache(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: conn.token().reveal(), range(200)))
    assert tokens == {f"{MARKER}-sales-1"}
    assert broker.calls == ["access_token"]


def test_use_holds_for_its_block(broker: FakeBroker) -> None:
    other = FakeBroker("elsewhere")
    other.sign_in("elsewhere")
    with oc.use(other):
        conn = oc.connect("elsewhere")
    assert conn.token().reveal() == f"{MARKER}-elsewhere-1"  # stays with the service it is of
    with pytest.raises(oc.errors.UnknownConnectionError):
        oc.connect("elsewhere")


def test_use_of_an_address_where_no_server_of_mine_runs(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Said at once, and what was in force still is."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(oc.errors.ServiceUnreachableError, match=r"hub\.example") as caught:
        oc.use("https://hub.example/services/oauthconn/")
    assert "Start one" in caught.value.hint
    assert oc.connect("sales")


@pytest.mark.parametrize("spelling", [{"asynchronous": True}, {"async": True}])
def test_httpx_async(broker: FakeBroker, spelling: dict[str, bool]) -> None:
    import httpx2

    made = oc.connect("sales").httpx(**spelling, timeout=3)
    assert isinstance(made, httpx2.AsyncClient)
    asyncio.run(made.aclose())


def test_handles(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    assert isinstance(conn.handle("requests"), requests.Session)
    assert isinstance(conn.handle("http"), httpx2.Client)
    with pytest.raises(oc.errors.InvalidParameterError, match="'warp'") as caught:
        conn.handle("warp")
    assert "httpx" in caught.value.hint


def test_the_broker_is_made_once_for_many_threads() -> None:
    made: list[FakeBroker] = []
    barrier = threading.Barrier(4)

    def make() -> FakeBroker:
        made.append(FakeBroker())
        return made[-1]

    place = current.Place(make)

    def first(_: int) -> FakeBroker:
        barrier.wait()
        return place.broker  # type: ignore[return-value]

    with ThreadPoolExecutor(4) as pool:
        assert len(set(map(id, pool.map(first, range(4))))) == 1
    assert len(made) == 1
