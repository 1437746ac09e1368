"""Odd requests, slow providers, many callers: an answer each time, and nobody waits for others."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from two_users import MOUNT, Answer, TwoUsers

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import ConnectionDraft
from jupyter_oauthconn.web import dispatch

from ..demo.held import holding_answers

TOKEN = "api/v1/connections/sales/token"
CONNECTIONS = "api/v1/connections"


@pytest.fixture(autouse=True)
def in_a_server(users: TwoUsers) -> None:
    """What a Jupyter server's kernels may, those of a Hub may not: here every door is open."""
    users.host.where = "server"


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


def until(happened: Callable[[], object], seconds: float = 20) -> None:
    """Returns when it happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"[{}]", b'"text"', b"7", b"null", b"true", b"{", b"{} {}", b"\xff\xfe", b"\xc3\x28",
        b'{"name": "a", "name": "b", "client": "practice"}', b'{"name": NaN}',
        b'{"name": "\\ud800", "client": "practice"}', b"[" * 60_000, b'{"a":' * 10_000,
        b'{"scope": "' + b"x" * 70_000 + b'"}', b"7" * 5_000, b"\x00", b" ",
    ],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
def test_what_is_no_body_is_refused(users: TwoUsers, body: bytes) -> None:
    headers = {**users.admin.kernel, "Content-Type": "application/json; charset=utf-8"}
    for method, path in (("POST", CONNECTIONS), ("PATCH", f"{CONNECTIONS}/sales"), ("POST", TOKEN)):
        answer = users.ask(method, path, headers, body)
        assert code_of(answer) == (400, "invalid_request")
        assert len(answer.body) < 1000


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        (TOKEN, {"min_validity_seconds": "60"}, "min_validity_seconds"),
        (TOKEN, {"min_validity_seconds": True}, "min_validity_seconds"),
        (TOKEN, {"min_validity_seconds": None}, "min_validity_seconds"),
        (TOKEN, {"min_validity_seconds": -1}, "min_validity_seconds"),
        (TOKEN, {"min_validity_seconds": 1e15}, "min_validity_seconds"),
        (TOKEN, {"min_validity_seconds": 1e300}, "min_validity_seconds"),
        (TOKEN, {"exact": "yes"}, "exact"),
        (TOKEN, {"exact": 1}, "exact"),
        (TOKEN, {"rejected_generation": 1.5}, "rejected_generation"),
        (TOKEN, {"rejected_generation": 2**64}, "rejected_generation"),
        (TOKEN, {"resource": 7}, "resource"),
        (TOKEN, {"resource": "x"}, "resource"),
        (TOKEN, {"resource": "urn:\0"}, "resource"),
        (TOKEN, {"resource": ""}, "resource"),
        (TOKEN, {"audience": "x"}, "audience"),
        (TOKEN, {"x" * 500: 1}, "x" * 80 + "…"),
        (CONNECTIONS, {"client": "practice"}, "name"),
        (CONNECTIONS, {"name": 7, "client": "practice"}, "name"),
        (CONNECTIONS, {"name": "a", "client": "practice", "parameters": []}, "parameters"),
        (CONNECTIONS, {"name": "a", "client": "practice", "parameters": {"x": 1}}, "parameters.x"),
        (CONNECTIONS, {"name": "a", "client": "practice", "shared_with": {"users": ["a", 7]}},
         "shared_with.users"),
        (CONNECTIONS, {"name": "a", "client": "practice", "shared_with": {"all": []}},
         "shared_with.all"),
        ("api/v1/clients", {"name": "a", "provider": "practice", "client_id": "x",
                            "endpoints": "https://x.example"}, "endpoints"),
        (f"{CONNECTIONS}/sales/ensure", {}, "for_seconds"),
        (f"{CONNECTIONS}/sales/ensure", {"for_seconds": -1}, "for_seconds"),
        (f"{CONNECTIONS}/sales/authorizations", {"flow": "teleport"}, "flow"),
        (f"{CONNECTIONS}/sales/authorizations", {"flow": "paste"}, "flow"),
        (f"{CONNECTIONS}/sales/test", {"anything": 1}, "anything"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_member_is_named(
    users: TwoUsers, path: str, body: dict[str, Any], parameter: str
) -> None:
    answer = users.ask("POST", path, users.admin.kernel, body)
    assert code_of(answer) == (400, "invalid_parameter")
    assert answer.json()["details"]["parameter"] == parameter


def test_values_that_no_member_can_have_are_not_quoted(users: TwoUsers) -> None:
    draft = {"name": "a", "provider": "practice", "client_id": "x", "auth_method": "hunter2"}
    answer = users.ask("POST", "api/v1/clients", users.admin.kernel, draft)
    assert code_of(answer) == (400, "invalid_parameter")
    assert b"hunter2" not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "body", "parameter"),
    [
        ("PATCH", "settings", {"settings": {"refresh_margin": 60}}, "settings.refresh_margin"),
        ("PATCH", "settings", {"settings": {"refresh_margin": "soon"}}, "refresh_margin"),
        ("PATCH", "settings", {"settings": {"administrator_contact": "a\x00"}},
         "administrator_contact"),
        ("PATCH", "settings", {"settings": {"colour": "red"}}, "colour"),
        ("PATCH", "settings", {"settings": ["refresh_margin"]}, "settings"),
        ("PATCH", "settings", {"settings": {}, "colour": "red"}, "colour"),
        ("PATCH", "settings", {}, "settings"),
        ("DELETE", "grants/7", None, "id"),
        ("DELETE", "clients/practice/secrets/7", None, "id"),
        ("POST", "clients/practice/secrets", {"client_secret": 7}, "client_secret"),
        ("POST", "clients/practice/secrets", {"secret_reference": 7}, "secret_reference"),
        ("POST", "clients/practice/secrets", {"ends_at": 7}, "ends_at"),
        ("GET", "events?cursor=-1", None, "cursor"),
        ("GET", f"events?cursor={'9' * 19}", None, "cursor"),
        ("GET", "events?client=%00", None, "client"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_of_an_administrator_is_named(
    users: TwoUsers, method: str, path: str, body: dict[str, Any] | None, parameter: str
) -> None:
    answer = users.ask(method, f"api/v1/{path}", users.admin.kernel, body)
    assert code_of(answer) == (400, "invalid_parameter"), answer.body
    assert answer.json()["details"]["parameter"] == parameter


@pytest.mark.parametrize("ends_at", ["tomorrow", "2026-13-01T00:00:00Z", "2099-01-01T00:00:00"])
def test_an_end_that_is_no_time_is_refused(users: TwoUsers, ends_at: str) -> None:
    body = {"client_secret": "hunter2", "ends_at": ends_at}
    path = "api/v1/clients/practice/secrets"
    answer = users.ask("POST", path, users.admin.kernel, body)
    assert code_of(answer) == (400, "invalid_parameter")
    assert b"hunter2" not in answer.body


@contextmanager
def statements(users: TwoUsers) -> Iterator[list[str]]:
    """The SQL that runs meanwhile."""
    seen: list[str] = []
    engine = users.host.service.store.database._engine

    def note(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "name",
    ["%00", "sales%00", "..", "%2e%2e", "a%2Fb", "SALES", "%C3%A9", "x" * 41, "x" * 5000, "a%20b",
     "%F0%9F%94%91", "sales%0A", "'%20OR%201=1", "%ED%A0%80", "%ff"],
)  # fmt: skip
def test_a_name_that_nothing_can_have_never_reaches_the_database(
    users: TwoUsers, name: str
) -> None:
    with statements(users) as seen:
        for method, path, body in (
            ("GET", f"{CONNECTIONS}/{name}", None),
            ("DELETE", f"{CONNECTIONS}/{name}", None),
            ("POST", f"{CONNECTIONS}/{name}/token", {}),
            ("GET", f"api/v1/clients/{name}", None),
            ("GET", f"api/v1/authorizations/{name}", None),
            ("DELETE", f"api/v1/clients/practice/secrets/{name}", None),
            ("DELETE", f"api/v1/grants/{name}", None),
            ("GET", f"api/v1/providers/{name}", None),
            ("GET", f"api/v1/providers/{name}/request", None),
        ):
            answer = users.ask(method, path, users.admin.kernel, body)
            assert answer.status in {400, 404}, (path, answer.body)
            assert answer.json()["code"] != "internal"
    assert seen == []


@pytest.mark.parametrize("name", ["..", "SALES", "é", "x" * 5000, "sales\n", "' OR 1=1", "🔑"])
def test_the_doctor_names_what_it_does_not_know(users: TwoUsers, name: str) -> None:
    for kind in ("client", "connection"):
        path = f"api/v1/doctor?{urlencode({kind: name})}"
        answer = users.ask("GET", path, users.admin.kernel)
        assert code_of(answer) == (404, f"unknown_{kind}")
        assert answer.json()["details"]["name"] == name
    # its one parameter of before says so
    assert users.ask("GET", "api/v1/doctor?name=sales", users.admin.kernel).status == 400


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"), ("limit=-1", "limit"), ("limit=1001", "limit"), ("limit=", "limit"),
        ("limit=many", "limit"), ("limit=1.5", "limit"), ("limit=1&limit=2", "limit"),
        ("limit=99999999999999999999", "limit"), ("cursor=%ff", "cursor"), ("cursor=%00", "cursor"),
        ("colour=red", "colour"), ("token%00=x", "token\x00"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(users: TwoUsers, query: str, parameter: str) -> None:
    answer = users.ask("GET", f"{CONNECTIONS}?{query}", users.admin.kernel)
    assert code_of(answer) == (400, "invalid_parameter")
    assert answer.json()["details"]["parameter"] == parameter


def test_what_jupyterlab_adds_to_an_address_is_let_through(users: TwoUsers) -> None:
    path = f"{CONNECTIONS}?limit=1&1731456789012&no_track_activity=1"
    assert users.ask("GET", path, users.admin.browser).status == 200


def test_lists_come_in_pages(users: TwoUsers) -> None:
    broker = users.admin.broker
    for name in ("b", "a", "d", "c"):
        broker.add_connection(ConnectionDraft(name=name, client="practice"))
    seen, cursor = [], ""
    while cursor is not None:
        query = f"limit=2&cursor={cursor}" if cursor else "limit=2"
        page = users.ask("GET", f"{CONNECTIONS}?{query}", users.admin.kernel).json()
        seen += [one["name"] for one in page["items"]]
        cursor = page["next"]
        if cursor == "b":
            broker.remove_connection("b")  # the next page begins at the right place all the same
    assert seen == ["a", "b", "budget", "c", "d", "sales"]
    whole = users.ask("GET", CONNECTIONS, users.admin.kernel).json()
    assert ([one["name"] for one in whole["items"]], whole["next"]) == (
        ["a", "budget", "c", "d", "sales"],
        None,
    )


def test_events_come_in_pages_and_by_a_filter(users: TwoUsers) -> None:
    users.sign_in(users.admin, "sales")
    whole = users.ask("GET", "api/v1/events", users.admin.kernel).json()
    assert whole["next"] is None
    seen, cursor = [], ""
    while cursor is not None:
        query = f"limit=2&cursor={cursor}" if cursor else "limit=2"
        page = users.ask("GET", f"api/v1/events?{query}", users.admin.kernel).json()
        seen += page["items"]
        cursor = page["next"]
    assert seen == whole["items"]
    connected = users.ask("GET", "api/v1/events?kind=connected", users.admin.kernel).json()
    assert [(one["owner"], one["connection"]) for one in connected["items"]] == [("admin", "sales")]
    for query in ("owner=other&kind=connected", "outcome=access_denied", "client=nothing"):
        found = users.ask("GET", f"api/v1/events?{query}", users.admin.kernel).json()
        assert found == {"items": [], "next": None}
    # a name in the filter shows nobody what is another's
    for query in ("owner=admin", "connection=sales&owner=admin"):
        found = users.ask("GET", f"api/v1/events?{query}", users.other.kernel).json()["items"]
        assert {one["owner"] for one in found} == {"other"}


def test_sign_ins_of_others_are_for_administrators(users: TwoUsers) -> None:
    for person in users.host.people:
        users.sign_in(person, "sales")

    def grants(query: str) -> list[tuple[str, str]]:
        found = users.ask("GET", f"api/v1/grants{query}", users.admin.kernel).json()
        return [(one["owner"], one["connection"]) for one in found["items"]]

    everybody = [("admin", "sales"), ("other", "sales")]
    assert grants("") == everybody[:1]
    assert grants("?owner=") == grants("?client=practice") == everybody
    assert grants("?owner=other") == everybody[1:]
    assert grants("?owner=nobody") == []
    first = users.ask("GET", "api/v1/grants?owner=&limit=1", users.admin.kernel).json()
    then = {"owner": "", "limit": 1, "cursor": first["next"]}
    second = users.ask("GET", f"api/v1/grants?{urlencode(then)}", users.admin.kernel).json()
    assert [one["owner"] for one in first["items"] + second["items"]] == ["admin", "other"]
    for query in ("?owner=", "?owner=admin", "?owner=other", "?client=practice"):
        refused = users.ask("GET", f"api/v1/grants{query}", users.other.kernel)
        assert code_of(refused) == (403, "not_allowed")


def test_a_stale_version_changes_nothing(users: TwoUsers) -> None:
    headers = users.admin.kernel
    for path in ("api/v1/connections/budget", "api/v1/clients/practice"):
        version = users.ask("GET", path, headers).json()["version"]
        for answer in (
            users.ask("PATCH", path, headers, {"version": version + 1, "scope": "sales.read"}),
            users.ask("DELETE", f"{path}?version={version + 1}", headers),
        ):
            assert code_of(answer) == (409, "conflict")
    path = "api/v1/connections/budget"
    assert users.ask("DELETE", f"{path}?version=1", headers).status == 204
    assert users.ask("GET", path, headers).status == 404


def test_a_client_in_use_needs_force(users: TwoUsers) -> None:
    path = "api/v1/clients/practice"
    for query in ("", "?force=false", "?force=0"):
        answer = users.ask("DELETE", path + query, users.admin.kernel)
        assert code_of(answer) == (409, "in_use")
    assert users.ask("DELETE", f"{path}?force=perhaps", users.admin.kernel).status == 400


def test_a_fixed_member_says_what_to_do_instead(users: TwoUsers) -> None:
    for path, member in (("connections/sales", "name"), ("clients/practice", "client_secret")):
        answer = users.ask("PATCH", f"api/v1/{path}", users.admin.kernel, {member: "x"})
        assert code_of(answer) == (400, "invalid_parameter")
        assert "cannot be edited" in answer.json()["message"]


def test_a_second_sign_in_is_asked_for_by_name(users: TwoUsers) -> None:
    path = "api/v1/connections/sales/authorizations"
    users.sign_in(users.admin, "sales")
    assert code_of(users.ask("POST", path, users.admin.browser, {})) == (409, "conflict")
    again = users.ask("POST", path, users.admin.browser, {"again": True})
    assert (again.status, again.json()["state"]) == (201, "pending")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "BREW"])
def test_another_method_is_refused_with_those_that_there_are(users: TwoUsers, method: str) -> None:
    for path, allowed in ((TOKEN, "POST"), (CONNECTIONS, "GET, POST")):
        headers = {**users.admin.kernel, "Origin": "https://evil.example",
                   "Access-Control-Request-Headers": "authorization"}  # fmt: skip
        answer = users.ask(method, path, headers)
        assert answer.status == 405
        assert answer.headers["Allow"] == allowed
        assert not [one for one in answer.headers if one.lower().startswith("access-control")]
        if method != "HEAD":
            assert answer.json()["code"] == "invalid_request"


@pytest.mark.parametrize(
    "header", ["Authorization: Bearer \xff\xfe", "Authorization: " + "x" * 20_000, "Cookie: \xff"]
)
def test_odd_headers_are_no_credential(users: TwoUsers, header: str) -> None:
    with socket.create_connection(("127.0.0.1", users.port), timeout=30) as raw:
        request = (
            f"POST {MOUNT}{TOKEN} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Content-Length: 0\r\n{header}\r\n\r\n"
        )
        raw.sendall(request.encode("latin-1"))
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status in {401, 403}
        assert json.loads(answer.read())["code"] in {"not_signed_in", "kernel_credential_required"}


def wait_for(users: TwoUsers, id: object, wait: object) -> Answer:
    path = f"api/v1/authorizations/{id}?wait_seconds={wait}"
    return users.ask("GET", path, users.admin.kernel, timeout=60)


@pytest.mark.parametrize("wait", ["-5", "0", "-1e9", "0.05"])
def test_a_short_wait_is_over_soon(users: TwoUsers, wait: str) -> None:
    id = users.admin.broker.authorize("sales").id
    started = time.monotonic()
    assert wait_for(users, id, wait).json()["state"] == "pending"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("wait", ["nan", "inf", "long", "1e999", ""])
def test_a_wait_is_a_number(users: TwoUsers, wait: str) -> None:
    id = users.admin.broker.authorize("sales").id
    assert code_of(wait_for(users, id, wait)) == (400, "invalid_parameter")


def test_nobody_waits_longer_than_a_proxy_allows(
    users: TwoUsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dispatch._LONGEST_WAIT_SECONDS == 25
    monkeypatch.setattr(dispatch, "_LONGEST_WAIT_SECONDS", 0.3)
    id = users.admin.broker.authorize("sales").id
    started = time.monotonic()
    assert wait_for(users, id, 100_000).json()["state"] == "pending"
    assert time.monotonic() - started < 5


def test_many_who_wait_hold_up_nobody_and_hear_of_the_end(users: TwoUsers) -> None:
    users.sign_in(users.other, "sales")
    id = users.admin.broker.authorize("sales").id
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(wait_for, users, id, 25) for _ in range(40)]
        for _ in range(10):
            started = time.monotonic()
            assert users.ask("POST", TOKEN, users.other.kernel, {}).status == 200
            assert time.monotonic() - started < 2
        assert not any(one.done() for one in waiting)
        started = time.monotonic()
        users.admin.broker.cancel(id)
        states = {one.result().json()["state"] for one in waiting}
    assert states == {"refused"}
    assert time.monotonic() - started < 5


def test_a_client_that_hangs_up_is_not_waited_for(
    users: TwoUsers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    id = users.admin.broker.authorize("sales").id
    polls = []
    read = users.host.service.sign_ins.read

    def counted(*arguments: Any) -> Any:
        polls.append(1)
        return read(*arguments)

    users.host.service.sign_ins.read = counted  # type: ignore[method-assign]
    connection = http.client.HTTPConnection("127.0.0.1", users.port)
    path = f"{MOUNT}api/v1/authorizations/{id}?wait_seconds=25"
    connection.request("GET", path, headers=users.admin.kernel)
    until(lambda: len(polls) >= 2)
    connection.close()
    # the access log has a line when a request is over, and this one would last for 25 seconds
    until(lambda: [one for one in caplog.records if str(id) in one.getMessage()], seconds=15)
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def test_fifty_at_once_refresh_once(users: TwoUsers, server: PracticeServer) -> None:
    users.sign_in(users.admin, "sales")
    first = users.ask("POST", TOKEN, users.admin.kernel, {}).json()
    body = {"rejected_generation": first["generation"]}
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(users.ask, "POST", TOKEN, users.admin.kernel, body) for _ in range(50)]
        answers = [one.result() for one in asked]
    assert {one.status for one in answers} == {200}
    tokens = {one.json()["access_token"] for one in answers}
    assert len(tokens) == 1
    assert tokens != {first["access_token"]}
    assert len(server.provider.requests("token", grant_type="refresh_token")) == 1


def test_a_slow_provider_starves_nobody_who_only_reads(
    users: TwoUsers, server: PracticeServer
) -> None:
    users.sign_in(users.admin, "sales")
    users.sign_in(users.other, "sales")
    assert users.ask("POST", TOKEN, users.other.kernel, {}).status == 200
    with ThreadPoolExecutor(20) as pool, holding_answers(server.provider) as held:
        slow = [
            pool.submit(users.ask, "POST", TOKEN, users.admin.kernel, {"rejected_generation": 1})
            for _ in range(16)
        ]
        held.wait_for(1)
        slowest = 0.0
        for method, path in [("POST", TOKEN), ("GET", CONNECTIONS), ("GET", "api/v1/health")] * 10:
            started = time.monotonic()
            body = {} if method == "POST" else None
            assert users.ask(method, path, users.other.kernel, body).status == 200
            slowest = max(slowest, time.monotonic() - started)
        assert not any(one.done() for one in slow), "the provider was not slow"
    assert {one.result().status for one in slow} == {200}
    assert slowest < 1


def test_a_request_has_no_thread_of_its_own(users: TwoUsers) -> None:
    """Verbs run in two pools of this process, however many ask."""
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda _: users.ask("GET", CONNECTIONS, users.admin.kernel), range(200)))
        names = [one.name for one in threading.enumerate()]
    assert sum(name.startswith("oauthconn-read") for name in names) <= 4
    assert sum(name.startswith("oauthconn-ask") for name in names) <= 16
