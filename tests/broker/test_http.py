"""The way to a server's token service: what is sent again, what is believed, what never leaves."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from jupyter_oauthconn import wire
from jupyter_oauthconn.broker.http import HttpBroker
from jupyter_oauthconn.broker.http.http_connection import HttpConnections
from jupyter_oauthconn.broker.running import ServiceFile
from jupyter_oauthconn.errors import (
    NotAllowedError,
    NotSignedInError,
    OAuthConnError,
    ServiceUnreachableError,
)
from jupyter_oauthconn.model import AccessToken, ClientDraft, ConnectionDraft, Secret

from .scripted import CREDENTIAL, HANG_UP, Scripted, answer

EMPTY = answer({"items": [], "next": None})
AN_ID = UUID(int=7)
TOKEN = "canary-access-token"


def token_body(**other: Any) -> dict[str, Any]:
    token = AccessToken(value=Secret(TOKEN), generation=1)
    return {**wire.token_json(token, now=datetime.now(UTC)), **other}


@pytest.fixture
def talk() -> Iterator[Callable[..., tuple[HttpBroker, Scripted]]]:
    """A broker, and the server that it talks to."""
    made: list[Any] = []

    def make(*answers: Any) -> tuple[HttpBroker, Scripted]:
        server = Scripted(*answers)
        broker = HttpBroker(server.file)
        made.extend((broker, server))
        return broker, server

    yield make
    for one in made:
        one.close()


Talk = Callable[..., tuple[HttpBroker, Scripted]]


# --- connections that are kept


def test_one_connection_serves_a_thread(talk: Talk) -> None:
    broker, server = talk(EMPTY)
    for _ in range(3):
        broker.connections()
    assert (server.connections, len(server.asked)) == (1, 3)
    thread = threading.Thread(target=broker.connections)
    thread.start()
    thread.join()
    assert (server.connections, len(server.asked)) == (2, 4)


def test_what_a_thread_left_behind_is_closed(talk: Talk) -> None:
    broker, _ = talk(EMPTY)
    for _ in range(5):
        thread = threading.Thread(target=broker.connections)
        thread.start()
        thread.join()
    way = broker._way
    assert way is not None
    assert len(way.connections._kept) == 1


def test_a_connection_that_the_server_closed_is_noticed_before_sending(talk: Talk) -> None:
    broker, server = talk(EMPTY, answer(wire_connection(), "201 Created"))
    broker.connections()
    server.hang_up()
    way = broker._way
    assert way is not None
    (kept,) = way.connections._kept.values()
    until(lambda: bool(select.select([kept.sock], [], [], 0)[0]))
    # a write, which would not be sent a second time
    made = broker.add_connection(ConnectionDraft(name="sales", client="practice"))
    assert made.name == "sales"
    assert (server.connections, server.asked[-1]) == (2, "POST /oauthconn/api/v1/connections")
    assert len(server.asked) == 2


def wire_connection() -> dict[str, Any]:
    golden = Path(__file__).parents[1] / "wire" / "golden" / "connection.json"
    body: dict[str, Any] = json.loads(golden.read_text(encoding="utf-8"))
    return body


@pytest.mark.parametrize(
    ("call", "good"),
    [
        (lambda broker: broker.connections(), EMPTY),
        (lambda broker: broker.access_token("sales"), answer(token_body())),
    ],
    ids=["GET", "token"],
)
def test_what_can_be_repeated_is_sent_again_once(
    talk: Talk, call: Callable[[Any], Any], good: bytes
) -> None:
    broker, server = talk(EMPTY, HANG_UP, good, HANG_UP)
    broker.clients()
    call(broker)
    assert len(server.asked) == 3
    assert server.asked[1] == server.asked[2]
    with pytest.raises(ServiceUnreachableError):
        call(broker)
    assert len(server.asked) == 5


def test_a_write_is_not_sent_again(talk: Talk) -> None:
    broker, server = talk(EMPTY, HANG_UP)
    broker.clients()
    with pytest.raises(ServiceUnreachableError) as caught:
        broker.remove_connection("sales")
    assert "not known" in caught.value.hint
    assert len(server.asked) == 2


def test_a_new_connection_that_fails_is_not_tried_again(talk: Talk) -> None:
    broker, server = talk(HANG_UP)
    with pytest.raises(ServiceUnreachableError):
        broker.connections()
    assert len(server.asked) == 1


def test_closing_wakes_who_waits(talk: Talk) -> None:
    asked = threading.Event()

    def never() -> bytes:
        asked.set()
        time.sleep(30)
        return EMPTY

    broker, _ = talk(never)
    ended: list[OAuthConnError] = []

    def wait() -> None:
        try:
            broker.authorization(AN_ID, wait=timedelta(seconds=20))
        except OAuthConnError as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert asked.wait(30)
    broker.close()
    # by itself it would end with the answer
    thread.join(25)
    assert isinstance(ended[0], ServiceUnreachableError)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_that_is_forked_during_a_request_asks_on_its_own(talk: Talk) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def late() -> bytes:
        asked.set()
        go_on.wait(60)
        return EMPTY

    broker, server = talk(EMPTY, late, EMPTY)
    broker.connections()
    thread = threading.Thread(target=broker.connections)
    thread.start()
    assert asked.wait(30)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if list(broker.connections()) == [] else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    go_on.set()
    thread.join(30)
    broker.connections()
    # ours, the thread's, and the child's
    assert (server.connections, len(server.asked)) == (3, 4)


# --- what is believed


@pytest.mark.parametrize(
    "given",
    [
        answer(b"<html>canary-page", "200 OK", kind="text/html"),
        answer(b"<html>canary-page", "404 Not Found", kind="text/html"),
        answer(b"canary-page", "502 Bad Gateway", kind="text/plain"),
        answer({"message": "canary-page", "reason": None}, "404 Not Found"),
        answer({"message": "canary-page"}, "403 Forbidden"),
        answer({"code": 5, "message": [], "hint": None}, "409 Conflict"),
        answer(b"", "302 Found", more="Location: http://127.0.0.1:9/login?next=canary-page\r\n"),
        answer(b"", "204 No Content"),
        answer(b"canary-page"),
        answer(b"{"),
        answer([]),
        answer(None),
        answer({"items": 5, "next": None}),
        answer({"items": ["canary-page"], "next": None}),
        answer({"items": [{"name": "canary-page"}], "next": None}),
        answer(b"[" * 100_000),
        answer({"items": [], "next": None})[:-4],
        b"canary-page\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: x\r\n\r\n{}",
        answer({"items": ["x" * 9_000_000]}),
    ],
    ids=range(20),
)
def test_an_answer_of_others_is_not_believed_and_not_quoted(talk: Talk, given: bytes) -> None:
    def answering() -> bytes:
        if given.endswith(b": n") or b"Length: x" in given:
            # cut off: the end of the connection is the end of the answer
            threading.Timer(0.3, server.hang_up).start()
        return given

    broker, server = talk(answering)
    with pytest.raises(ServiceUnreachableError) as caught:
        broker.connections()
    assert caught.value.hint
    assert caught.value.url == server.url
    assert "canary" not in f"{caught.value} {caught.value.hint} {vars(caught.value)}"


def test_no_redirect_is_followed(talk: Talk) -> None:
    _, elsewhere = talk(EMPTY)
    moved = answer(b"", "307 Temporary Redirect", more=f"Location: {elsewhere.url}\r\n")
    broker, _ = talk(moved)
    with pytest.raises(ServiceUnreachableError, match="not the token service"):
        broker.connections()
    assert elsewhere.asked == []


def test_no_proxy_of_the_environment_is_asked(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    _, proxy = talk(EMPTY)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    broker, server = talk(EMPTY)
    broker.connections()
    assert (len(server.asked), proxy.asked) == (1, [])


def test_a_later_service_may_say_more(talk: Talk) -> None:
    more = {"items": [{**wire_connection(), "of_a_later_version": 1}], "next": None, "total": 1}
    broker, _ = talk(answer(more))
    assert broker.connections()[0].name == "sales"


def test_a_list_in_pages_is_read_to_its_end(talk: Talk) -> None:
    body = wire_connection()
    broker, server = talk(
        answer({"items": [body], "next": "sa/les&"}),
        answer({"items": [{**body, "name": "crm"}], "next": None}),
    )
    assert [one.name for one in broker.connections()] == ["sales", "crm"]
    assert server.asked[1] == "GET /oauthconn/api/v1/connections?cursor=sa%2Fles%26"


def test_an_error_of_a_later_service_keeps_its_code(talk: Talk) -> None:
    body = {"code": "of_a_later_version", "message": "m", "hint": "h", "request_id": "r"}
    broker, _ = talk(answer(body, "418 I'm a teapot"))
    with pytest.raises(OAuthConnError) as caught:
        broker.connections()
    assert (type(caught.value), caught.value.code) == (OAuthConnError, "of_a_later_version")


def test_a_service_of_another_version_is_named(talk: Talk) -> None:
    broker, _ = talk(answer({"items": [{"title": "another shape"}], "next": None}))
    with pytest.raises(ServiceUnreachableError, match=r"9\.9") as caught:
        broker.connections()
    assert "same version" in caught.value.hint


def test_times_count_from_the_clock_of_this_process(talk: Talk) -> None:
    day_off = datetime.now(UTC) - timedelta(days=1)
    body = token_body(expires_in=3600, refresh_in=3300, expires_at=wire.rfc3339(day_off))
    broker, _ = talk(answer(body))
    before = datetime.now(UTC)
    token = broker.access_token("sales")
    assert token.expires_at is not None
    assert token.refresh_at is not None
    assert before <= token.expires_at - timedelta(hours=1) <= datetime.now(UTC)
    assert token.expires_at - token.refresh_at == timedelta(minutes=5)


# --- the credential


def refused(code: str, status: str) -> bytes:
    return answer({"code": code, "message": "m", "hint": "h", "request_id": None}, status)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("not_signed_in", "401 Unauthorized", NotSignedInError),
        ("kernel_credential_required", "403 Forbidden", NotAllowedError),
    ],
)
def test_a_restarted_server_has_a_new_credential(
    code: str, status: str, kind: type[Exception]
) -> None:
    with Scripted(refused(code, status), answer(token_body())) as server:
        found = [server.file(), server.file(credential=Secret("new"))]
        broker = HttpBroker(lambda: found.pop(0))
        assert broker.access_token("sales").reveal() == TOKEN
        assert ["Bearer new" in one for one in server.heads] == [False, True]
        assert found == []
        broker.close()
    with Scripted(refused(code, status)) as server:
        broker = HttpBroker(server.file)
        with pytest.raises(kind):
            broker.access_token("sales")
        assert len(server.asked) == 1  # the same credential is not shown twice
        broker.close()


def test_a_credential_goes_only_to_the_origin_it_came_with() -> None:
    with Scripted(refused("not_signed_in", "401 Unauthorized")) as old, Scripted(EMPTY) as new:
        found = [old.file(), new.file(credential=Secret("of-the-new-one"))]
        broker = HttpBroker(lambda: found.pop(0))
        assert broker.connections() == []
        assert "of-the-new-one" not in "".join(old.heads)
        assert CREDENTIAL not in "".join(new.heads)
        broker.close()


def frames(error: BaseException) -> str:
    """All that a traceback with the values of its variables would show, but for the tests' own."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [one for one in shown.stack if one.filename != __file__]
    assert ours
    return f"{shown.exc_type} {error} {vars(error)} {[one.locals for one in ours]}"


@pytest.mark.parametrize(
    "given",
    [
        HANG_UP,
        answer(token_body(generation="one")),
        answer(token_body())[:-4] + b"zzzz",
        answer({"message": TOKEN}, "500 Internal Server Error"),
    ],
    ids=["hang up", "other type", "no JSON", "other error"],
)
def test_sec_53_no_frame_shows_a_credential_or_token(talk: Talk, given: bytes) -> None:
    broker, server = talk(given)
    with pytest.raises(ServiceUnreachableError) as caught:
        broker.access_token("sales")
    shown = frames(caught.value) + repr(broker.__dict__) + repr(server.file())
    assert TOKEN not in shown
    assert CREDENTIAL not in shown


def test_sec_53_no_frame_shows_a_client_secret(talk: Talk) -> None:
    draft = ClientDraft(
        name="w", provider="p", client_id="c", client_secret=Secret("canary-client-secret")
    )
    broker, server = talk(HANG_UP)
    for call in (
        lambda: broker.add_client(draft),
        lambda: broker.add_client_secret("w", Secret("canary-client-secret")),
        lambda: broker.edit_client("w", {"client_secret": Secret("canary-client-secret")}),
    ):
        with pytest.raises(ServiceUnreachableError) as caught:
            call()
        assert "canary-client-secret" not in frames(caught.value)
    sent = ["canary-client-secret" in one for one in server.heads]
    assert sent == [True, True, False]


def test_sec_53_an_interrupt_shows_nothing_secret_either() -> None:
    """Pressed while the request is sent, in the frames of the standard library."""
    draft = ClientDraft(
        name="w",
        provider="p",
        client_id="c",
        client_secret=Secret("canary-client-secret"),
        scope="x" * 30_000_000,
    )
    with socket.create_server(("127.0.0.1", 0)) as never_reads:
        url = f"http://127.0.0.1:{never_reads.getsockname()[1]}/oauthconn/"
        file = ServiceFile(url=url, credential=Secret(CREDENTIAL), store="", pid=1, version="")
        broker = HttpBroker(lambda: file)

        def press() -> None:
            # not before there is a connection: the request is then being sent
            one, _ = never_reads.accept()
            with one:
                time.sleep(0.5)
                os.kill(os.getpid(), signal.SIGINT)
                broker_has_ended.wait(30)

        broker_has_ended = threading.Event()
        pressing = threading.Thread(target=press)
        pressing.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            broker.add_client(draft)
        broker_has_ended.set()
        pressing.join()
        broker.close()
    shown = frames(caught.value)
    assert CREDENTIAL not in shown
    assert "canary-client-secret" not in shown


def test_interrupting_a_long_wait_takes_less_than_a_second(tmp_path: Path) -> None:
    code = """
import sys, time, uuid, datetime, pathlib
from jupyter_oauthconn.broker.http import HttpBroker
from jupyter_oauthconn.broker.running import ServiceFile
broker = HttpBroker(lambda: ServiceFile.read(pathlib.Path(sys.argv[1])))
for _ in range(3):
    try:
        broker.authorization(uuid.UUID(int=7), wait=datetime.timedelta(seconds=20))
    except KeyboardInterrupt:
        print(time.monotonic(), flush=True)
broker.close()
"""
    asked = threading.Semaphore(0)
    with Scripted(lambda: asked.release() or time.sleep(20) or EMPTY) as server:
        server.file(pid=os.getpid()).write(tmp_path / "oauthconn-1.json")
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "oauthconn-1.json")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        took = []
        for _ in range(3):
            assert asked.acquire(timeout=60)
            time.sleep(0.2)  # from sending to waiting
            pressed = time.monotonic()
            process.send_signal(signal.SIGINT)
            took.append(float(process.stdout.readline()) - pressed)
        process.communicate(timeout=60)
        assert max(took) < 1


def test_an_interrupt_while_a_response_is_closed_is_not_lost(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left to its finalizer, `close` would be interrupted without a word (`iobase_finalize`)."""

    def press(response: HTTPResponse) -> None:
        monkeypatch.undo()
        response.close()
        raise KeyboardInterrupt

    broker, _ = talk(EMPTY)
    monkeypatch.setattr(HTTPResponse, "close", press)
    with pytest.raises(KeyboardInterrupt):
        broker.connections()


def test_nothing_answers() -> None:
    with Scripted(EMPTY) as server:
        file = server.file()
    broker = HttpBroker(lambda: file)
    with pytest.raises(ServiceUnreachableError, match=r"does not answer") as caught:
        broker.connections()
    assert "restart the kernel" in caught.value.hint


def test_an_answer_that_never_comes(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_oauthconn.broker.http.http_broker._LONG_SECONDS", 0.3)
    broker, server = talk(lambda: time.sleep(10) or EMPTY)
    for call, word in ((broker.connections, "ended or is restarting"),
                       (lambda: broker.remove_connection("sales"), "not known")):  # fmt: skip
        with pytest.raises(ServiceUnreachableError, match="has not answered") as caught:
            call()
        assert word in caught.value.hint
    # a busy server may still be reading what nobody waits for any more
    until(lambda: len(server.asked) >= 2)
    assert len(server.asked) == 2


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_an_address_that_is_none() -> None:
    for url in ("http+unix://%2Ftmp%2Fx/oauthconn/", "file:///etc/passwd", "", "https://x/y/"):
        with pytest.raises(ServiceUnreachableError):
            HttpConnections(url, None)


def test_a_kernel_loads_no_library_of_others(tmp_path: Path) -> None:
    code = """
import sys, pathlib
import jupyter_oauthconn as oc
print(len(oc.connections()), oc.connect("sales").token().reveal())
print(sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:])))
"""
    heavy = ["sqlalchemy", "alembic", "httpx2", "httpcore2", "tornado", "authlib", "joserfc",
             "cryptography", "requests", "jupyter_server", "traitlets", "IPython"]  # fmt: skip
    with Scripted(EMPTY, answer(token_body())) as server:
        path = tmp_path / "oauthconn-1.json"
        server.file(pid=os.getpid()).write(path)
        environ = {
            **os.environ,
            "JUPYTER_OAUTHCONN_URL": server.url,
            "JUPYTER_OAUTHCONN_CREDENTIAL_FILE": str(path),
            "JPY_SESSION_NAME": "a.ipynb",
        }
        done = subprocess.run(
            [sys.executable, "-c", code, *heavy],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stdout.splitlines() == [f"0 {TOKEN}", "[]"], done.stderr
