"""Dials and faults, over HTTP as a notebook turns them, in this process and another one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx2
import pytest

from jupyter_oauthconn.demo import Practice
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
    ServiceUnreachableError,
)
from jupyter_oauthconn.model import Secret

from .held import holding_answers


@pytest.fixture
def practice(server):
    return Practice().attach(server.issuer)


def test_every_dial_turns_and_reset_turns_them_back(practice):
    usual = {
        "access_token_seconds": 3600,
        "refresh_grace_seconds": 0,
        "rotate": True,
        "expires_in_answer": True,
        "slow_seconds": 0,
        "device_interval_seconds": 5,
        "down": False,
    }
    assert {name: getattr(practice, name) for name in usual} == usual
    for name, value in usual.items():
        setattr(practice, name, (not value) if isinstance(value, bool) else value + 7)
    assert practice.access_token_seconds == 3607
    assert practice.down is True
    practice.reset()
    assert {name: getattr(practice, name) for name in usual} == usual
    assert practice.requests() == []


@pytest.mark.parametrize("value", [-1, "10", True, None])
def test_a_dial_refuses_what_is_no_number(practice, value):
    with pytest.raises(InvalidParameterError, match="access_token_seconds must be a number"):
        practice.access_token_seconds = value


def test_a_misspelt_dial_is_an_error(practice):
    with pytest.raises(AttributeError):
        practice.acces_token_seconds = 10


def test_a_switch_refuses_a_number(practice):
    with pytest.raises(InvalidParameterError, match="rotate must be True or False"):
        practice.rotate = 1


def test_ten_second_tokens_and_answers_without_expires_in(practice, app):
    practice.access_token_seconds = 10
    assert app.sign_in()["expires_in"] == 10
    practice.expires_in_answer = False
    assert "expires_in" not in app.sign_in()


def test_expire_token_ends_the_grants_access_tokens(practice, app):
    first, other = app.sign_in(), app.sign_in()
    second = app.refresh(first["refresh_token"]).json()
    practice.expire_token(Secret(first["access_token"]))
    assert app.data("sales", second["access_token"]).status_code == 401
    assert app.data("sales", other["access_token"]).status_code == 200
    third = app.refresh(second["refresh_token"]).json()
    assert app.data("sales", third["access_token"]).status_code == 200


def test_revoke_token_ends_the_grant(practice, app):
    first = app.sign_in()
    practice.revoke_token(Secret(first["access_token"]))
    practice.revoke_token(Secret(first["access_token"]))
    assert app.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.data("sales", first["access_token"]).status_code == 401


def test_a_token_of_somebody_else_is_not_found(practice):
    with pytest.raises(ConfigurationError, match="has not issued") as caught:
        practice.expire_token(Secret("CANARY-foreign"))
    assert "CANARY" not in str(caught.value) + caught.value.hint


def test_fail_answers_so_often_and_changes_nothing(practice, app):
    first = app.sign_in()
    practice.fail(2, 500)
    assert [app.refresh(first["refresh_token"]).status_code for _ in range(3)] == [500, 500, 200]
    faults = practice.requests("token", outcome="fault", fault="status:500")
    assert [one.status for one in faults] == [500, 500]
    assert [one.client for one in faults] == ["notebook", "notebook"]


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("status:503", 503, {"message": "Practice fault status."}),
        ("error:invalid_client", 401, {"error": "invalid_client"}),
        ("error:invalid_grant", 400, {"error": "invalid_grant"}),
        ("retry_after:7", 429, {"message": "Practice fault retry_after."}),
    ],
)
def test_faults_that_answer_instead(practice, app, kind, status, body):
    first = app.sign_in()
    practice.fault(kind)
    answer = app.refresh(first["refresh_token"])
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert app.refresh(first["refresh_token"]).status_code == 200


def test_fault_html_looks_like_success(practice, app):
    practice.fault("html")
    answer = app.refresh("any")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


def test_fault_redirect(practice, app):
    practice.fault("redirect:http://127.0.0.1:9/token")
    answer = app.refresh("any")
    assert answer.status_code == 307
    assert answer.headers["Location"] == "http://127.0.0.1:9/token"


def test_fault_hangup_before_leaves_the_refresh_token_unused(practice, app):
    first = app.sign_in()
    practice.fault("hangup_before")
    with pytest.raises(httpx2.RemoteProtocolError):
        app.refresh(first["refresh_token"])
    assert app.refresh(first["refresh_token"]).status_code == 200


def test_fault_hangup_after_has_rotated(practice, app):
    first = app.sign_in()
    practice.fault("hangup_after")
    with pytest.raises(httpx2.RemoteProtocolError):
        app.refresh(first["refresh_token"])
    (record,) = practice.requests("token", fault="hangup_after")
    assert record.outcome == "ok"
    assert app.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert len(practice.requests("token", outcome="refresh_token_reused")) == 1


def test_fault_drip_begins_to_answer_and_does_not_hold_up_others(practice, app):
    first = app.sign_in()
    practice.fault("drip")
    begun = time.monotonic()
    with pytest.raises(httpx2.ReadTimeout):
        app.http.post(
            f"{app.server.issuer}/token",
            data={
                "client_id": "notebook",
                "grant_type": "refresh_token",
                "refresh_token": first["refresh_token"],
            },
            timeout=0.2,
        )
    assert app.data("sales", first["access_token"]).status_code == 200
    assert time.monotonic() - begun < 5
    assert practice.requests("token", fault="drip")[0].outcome == "ok"


def test_faults_drop_and_patch_change_one_field(practice, app):
    first = app.sign_in()
    practice.fault("drop:expires_in")
    second = app.refresh(first["refresh_token"]).json()
    assert "expires_in" not in second
    practice.fault('patch:expires_in="3599.7"')
    third = app.refresh(second["refresh_token"]).json()
    assert third["expires_in"] == "3599.7"
    practice.fault("drop:refresh_token")
    assert "refresh_token" not in app.refresh(third["refresh_token"]).json()


@pytest.mark.parametrize("shift", [-3600, 3600])
def test_fault_clock_shifts_the_date(practice, app, shift):
    practice.fault(f"clock:{shift}")
    asked = int(time.time())  # a date has whole seconds
    date = parsedate_to_datetime(app.refresh("any").headers["Date"]).timestamp()
    assert asked <= date - shift <= time.time()


def test_faults_of_other_endpoints(practice, app):
    practice.fault("status:503", endpoint="revocation")
    practice.fault('patch:issuer="https://evil.example"', endpoint="metadata")
    assert app.call("revocation", token="x").status_code == 503
    assert app.call("revocation", token="x").status_code == 200
    place = f"{app.server.issuer}/.well-known/oauth-authorization-server"
    assert app.http.get(place).json()["issuer"] == "https://evil.example"
    assert app.http.get(place).json()["issuer"] == app.server.issuer


def test_a_field_is_dropped_from_objects_only(practice, app):
    practice.fault("drop:month", endpoint="data/sales")
    assert "month" in app.data("sales", app.sign_in()["access_token"]).json()[0]


@pytest.mark.parametrize(
    "kind",
    ["status:200", "status:abc", "nothing", "html:x", "drop:", "patch:a", "patch:a=b", "clock:x"],
)
def test_unknown_faults_are_refused_with_the_list(practice, kind):
    with pytest.raises(InvalidParameterError, match="has no fault") as caught:
        practice.fault(kind)
    assert "hangup_after" in caught.value.hint


def test_unknown_endpoint_and_log_field(practice):
    with pytest.raises(InvalidParameterError, match="no endpoint 'tokens'"):
        practice.fault("html", endpoint="tokens")
    with pytest.raises(InvalidParameterError, match="no field 'user'"):
        practice.requests("token", user="x")


def test_down_closes_everything_but_the_dials(practice, app):
    practice.down = True
    with pytest.raises(httpx2.RemoteProtocolError):
        app.question()
    with pytest.raises(httpx2.RemoteProtocolError):
        app.refresh("any")
    practice.down = False
    assert app.question().status_code == 200


def test_slow_token_answers_do_not_hold_up_the_data(practice, app):
    token = app.sign_in()["access_token"]
    practice.slow_seconds = 0.4
    begun = time.monotonic()
    app.refresh("any")
    assert time.monotonic() - begun >= 0.4

    with holding_answers(app.provider) as held:
        slow = threading.Thread(target=app.refresh, args=("another",))
        slow.start()
        held.wait_for(1)
        assert app.data("sales", token).status_code == 200
        assert slow.is_alive()
    slow.join()


def test_register_adds_a_client(practice, app):
    practice.register("mine", ["http://127.0.0.1:8888/cb"], secret=Secret("s3cret"))
    assert (
        app.question(client_id="mine", redirect_uri="http://127.0.0.1:8888/cb").status_code == 200
    )
    assert "s3cret" not in repr(app.provider.clients["mine"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Practice": "dials", "Origin": "http://127.0.0.1:8888"},
        {"X-Practice": "dials", "Origin": "null"},
        {"X-Practice": "dials", "Sec-Fetch-Site": "same-origin"},
        {"X-Practice": "dials", "Host": "rebound.example"},
    ],
)
@pytest.mark.parametrize("action", ["reset", "faults", "requests", "nothing"])
def test_web_pages_cannot_turn_dials(app, headers, action):
    answer = app.http.post(f"{app.server.issuer}/practice/{action}", headers=headers, json={})
    assert answer.status_code == 403
    assert answer.json()["code"] == "not_allowed"
    assert app.http.get(f"{app.server.issuer}/practice/dials", headers=headers).status_code == 403


@pytest.mark.parametrize("body", ["{}", "[", '{"kind": 1}', '{"kind": "html", "times": "x"}'])
@pytest.mark.parametrize("action", ["faults", "clients", "expire", "revoke"])
def test_nonsense_is_a_400(app, action, body):
    answer = app.http.post(
        f"{app.server.issuer}/practice/{action}", headers={"X-Practice": "dials"}, content=body
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_parameter"


def test_not_started_says_how():
    with pytest.raises(ConfigurationError) as caught:
        _ = Practice().issuer
    assert "practice.start()" in caught.value.hint


def test_nothing_there_is_said_with_the_address():
    # taken, so that nobody else gets the port meanwhile, and nobody listens
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ServiceUnreachableError) as caught:
            Practice().attach(f"http://127.0.0.1:{port}")
    assert caught.value.url == f"http://127.0.0.1:{port}"


def test_only_this_machine():
    with pytest.raises(NotAllowedError, match="this machine only"):
        Practice().attach("http://practice.example:80")


class _SomethingElse(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    def log_message(self, format, *args):
        """Silent."""


def test_another_program_at_that_address():
    with HTTPServer(("127.0.0.1", 0), _SomethingElse) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        with pytest.raises(ServiceUnreachableError, match="No practice provider answers"):
            Practice().attach(f"http://127.0.0.1:{other.server_port}")
        thread.join()


_CHILD = """
import json, sys
from jupyter_oauthconn.demo import practice
practice.start()
practice.access_token_seconds = 10
practice.fail(1, 503)
practice.rotate = False
print(json.dumps([practice.issuer, len(practice.requests("token")), "tornado" in sys.modules]))
"""


def test_dials_turn_from_another_process(app, practice):
    app.sign_in()
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", _CHILD],
        env={"JUPYTER_OAUTHCONN_PRACTICE_URL": app.server.issuer},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout) == [app.server.issuer, 1, False]
    assert practice.access_token_seconds == 10
    assert app.refresh("any").status_code == 503


_OWN = """
from jupyter_oauthconn.demo import practice
first = practice.start().issuer
assert practice.start().issuer == first
practice.access_token_seconds = 10
print(practice.access_token_seconds, practice.data_url == first + "/data")
"""


def test_start_makes_one_where_none_is_named():
    child = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", _OWN],
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, "10 True\n", "")


def test_a_provider_in_a_process_of_its_own_and_its_end(http):
    command = [sys.executable, "-W", "error", "-m", "jupyter_oauthconn.demo"]
    with subprocess.Popen(
        command,
        env={"JUPYTER_OAUTHCONN_PRACTICE_MARKER": "MINE-"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        issuer = process.stdout.readline().strip()
        try:
            told = Practice().attach(issuer)
            assert told.confidential_secret.reveal().startswith("MINE-")
            port = issuer.rpartition(":")[2]
            taken = subprocess.run(
                [*command, "--port", port], env={}, capture_output=True, text=True, check=False
            )
            assert taken.returncode == 1
            assert f"cannot use port {port}" in taken.stderr
        finally:
            process.terminate()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
