"""The loopback site: who may open its pages, what they may start, which port it takes."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import pytest

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import ConfigurationError, StorageError
from jupyter_oauthconn.kernel.practice import consent
from jupyter_oauthconn.model import AuthorizationState, ConnectionDraft, Flow, Settings
from jupyter_oauthconn.service.sign_in.sign_ins import SignIns


def ask(
    url: str, method: str = "GET", *, body: str | None = None, headers: Mapping[str, str] = {}
) -> tuple[int, dict[str, str], str]:
    """One request, nothing followed."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    given = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    connection.request(method, f"{parts.path}?{parts.query}", body, headers={**given, **headers})
    answer = connection.getresponse()
    received = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return received


@pytest.fixture
def page(broker: LocalBroker) -> str:
    """The link for the person."""
    url = broker.authorize("sales").public_url
    assert url is not None
    return url


def origin_of(page: str) -> str:
    return page.partition("/oauthconn")[0]


def action_of(page: str) -> str:
    return page.partition("?")[0]


def key_of(page: str) -> str:
    return page.rpartition("=")[2]


def test_sec_01_a_get_starts_nothing(page: str, server: PracticeServer) -> None:
    status, headers, body = ask(page)
    assert status == 200
    assert 'method="post"' in body
    assert "Location" not in headers
    assert "Set-Cookie" not in headers
    assert server.provider.requests("authorize") == []


def test_sec_58_headers_of_every_page(page: str) -> None:
    for url in (
        page,
        page.replace("start=", "start=x"),
        origin_of(page) + "/other",
    ):
        _, headers, body = ask(url)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "form-action" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "<script" not in body


def test_sec_06_the_link_holds_nothing_of_a_session(page: str) -> None:
    for word in ("state=", "code_challenge", "nonce", "client_id"):
        assert word not in page


def test_the_button_needs_the_key_of_the_link(page: str) -> None:
    action = action_of(page)
    for form in ({"start": "0" * 32, "do": "authenticate"}, {"do": "authenticate"}):
        status, headers, _ = ask(action, "POST", body=urlencode(form))
        assert (status, "Location" in headers) == (403, False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
    ],
    ids=str,
)
def test_sec_33_a_foreign_page_cannot_press_the_button(page: str, headers: dict[str, str]) -> None:
    form = urlencode({"start": key_of(page), "do": "authenticate"})
    status, received, _ = ask(action_of(page), "POST", body=form, headers=headers)
    assert status == 403
    assert "Location" not in received


def test_sec_02_each_press_has_a_state_of_its_own(page: str) -> None:
    form = urlencode({"start": key_of(page), "do": "authenticate"})
    places = [ask(action_of(page), "POST", body=form)[1]["Location"] for _ in range(3)]
    states = {dict(part.split("=", 1) for part in urlsplit(one).query.split("&"))["state"]
              for one in places}  # fmt: skip
    assert len(states) == 3
    assert all(len(state) >= 22 for state in states)
    assert all("code_challenge_method=S256" in one for one in places)


def test_a_long_or_empty_form_is_refused(page: str) -> None:
    action = action_of(page)
    assert ask(action, "POST", body="x" * 5000)[0] == 403
    assert ask(action, "POST")[0] == 403
    assert ask(f"{page}&{'x' * 9000}")[0] == 400
    assert ask(action, "POST", body="a=b", headers={"Content-Length": "nonsense"})[0] == 403


def test_other_requests_of_a_browser_do_not_disturb(page: str, broker: LocalBroker) -> None:
    origin = origin_of(page)
    assert ask(f"{origin}/favicon.ico")[0] == 404
    for query in ("", "?code=x&state=y"):
        status, headers, _ = ask(f"{origin}/oauthconn/callback/practice{query}")
        assert status == 303
        assert "code" not in headers["Location"]
        assert (
            ask(
                origin
                + urlsplit(headers["Location"]).path
                + "?"
                + urlsplit(headers["Location"]).query
            )[0]
            == 400
        )
    assert ask(page)[0] == 200


def test_two_connections_wait_on_one_port(broker: LocalBroker, page: str) -> None:
    broker.add_connection(ConnectionDraft(name="crm", client="practice"))
    other = broker.authorize("crm").public_url
    assert other is not None
    assert urlsplit(other).netloc == urlsplit(page).netloc
    consent(other)
    consent(page)
    assert {one.status.identity for one in broker.connections()} == {"analyst@example.com"}


def test_a_taken_port_is_named_with_the_remedies(broker: LocalBroker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        uri = f"http://127.0.0.1:{port}/oauthconn/callback/practice"
        broker.edit_client("practice", {"redirect_uris": (uri,), "loopback_port": None})
        with pytest.raises(ConfigurationError, match=str(port)) as caught:
            broker.authorize("sales")
    assert "--flow paste" in caught.value.hint
    assert broker.connection("sales").status.state == "not_connected"


def test_without_a_loopback_redirect_uri_it_says_what_to_add(broker: LocalBroker) -> None:
    uris = ("https://hub.example.com/oauthconn/callback/practice",)
    broker.edit_client("practice", {"redirect_uris": uris})
    with pytest.raises(ConfigurationError, match=r"hub\.example\.com"):
        broker.authorize("sales", flow=Flow.LOOPBACK)


def the_port_is_free(page: str) -> None:
    parts = urlsplit(page)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection((parts.hostname, parts.port), timeout=1).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            pass  # it is closing just now
        time.sleep(0.05)
    pytest.fail("the listener did not end with its sign-in")


def test_the_port_is_free_again_after_the_sign_in(
    broker: LocalBroker, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_oauthconn.broker.loopback._LINGER_SECONDS", 0.1)
    consent(page)
    the_port_is_free(page)


def test_a_removed_connection_takes_its_own_sign_in_with_it_and_no_other(
    broker: LocalBroker, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_oauthconn.broker.loopback._LINGER_SECONDS", 0.6)
    broker.add_connection(ConnectionDraft(name="crm", client="practice"))
    broker.authorize("crm")
    broker.remove_connection("crm")
    time.sleep(2)  # longer than it lingers
    assert ask(page)[0] == 200
    broker.remove_connection("sales")
    the_port_is_free(page)


def test_a_database_that_is_away_for_a_while_does_not_end_it(
    broker: LocalBroker, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_oauthconn.broker.loopback._LINGER_SECONDS", 0.6)
    asked: list[UUID] = []

    def away(_: SignIns, owner: UUID, id: UUID) -> bool:
        asked.append(id)
        raise StorageError("The database is locked.")

    with monkeypatch.context() as outage:
        outage.setattr(SignIns, "hold", away)
        deadline = time.monotonic() + 60
        while len(asked) < 5:  # twice a second
            assert time.monotonic() < deadline
            time.sleep(0.05)
    consent(page)
    assert broker.connection("sales").status.state == "connected"


def test_a_cancelled_sign_in_answers_no_more(broker: LocalBroker, page: str) -> None:
    broker.cancel(broker.authorize("sales").id)
    assert ask(page)[0] == 400
    form = urlencode({"start": key_of(page), "do": "authenticate"})
    status, headers, _ = ask(action_of(page), "POST", body=form)
    assert (status, headers["Location"]) == (303, page)


def test_another_account_is_asked_about_first(broker: LocalBroker, page: str) -> None:
    consent(page)
    before = broker.access_token("sales")
    again = broker.authorize("sales")
    assert again.public_url is not None
    consent(again.public_url, account="guest@example.com")
    waiting = broker.authorization(again.id, wait=timedelta(seconds=5))
    assert (waiting.state, waiting.confirm) == (AuthorizationState.PENDING, True)
    assert waiting.identity == "guest@example.com"
    assert broker.access_token("sales").reveal() == before.reveal()
    _, _, body = ask(again.public_url)
    assert "analyst@example.com" in body
    assert "guest@example.com" in body
    broker.confirm(again.id)
    assert broker.connection("sales").status.identity == "guest@example.com"


def test_an_account_that_was_not_wanted_is_revoked(
    broker: LocalBroker, page: str, server: PracticeServer
) -> None:
    consent(page)
    before = broker.access_token("sales")
    again = broker.authorize("sales")
    assert again.public_url is not None
    consent(again.public_url, account="guest@example.com")
    broker.cancel(again.id)
    assert broker.authorization(again.id).state is AuthorizationState.REFUSED
    assert broker.access_token("sales").reveal() == before.reveal()
    assert len(server.provider.requests("revocation")) == 1


def test_what_is_no_request_of_a_browser_gets_a_page_of_ours(page: str) -> None:
    status, headers, body = ask(page, "BREW")
    assert status == 501
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "cannot be answered" in body


def test_a_fault_at_the_button_ends_the_wait(
    broker: LocalBroker, page: str, server: PracticeServer
) -> None:
    waiting = broker.authorize("sales")
    server.provider.faults.plan("html", 2, endpoint="metadata")
    form = urlencode({"start": key_of(page), "do": "authenticate"})
    assert ask(action_of(page), "POST", body=form)[0] == 400
    ended = broker.authorization(waiting.id)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert "127.0.0.1" in ended.error.message


def test_a_sign_in_of_a_dead_process_is_not_joined(
    broker: LocalBroker, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    monkeypatch.setattr(os, "getpid", lambda: dead.pid)
    broker.revoke("sales")
    left_behind = broker.authorize("sales")
    monkeypatch.undo()
    fresh = broker.authorize("sales")
    assert fresh.id != left_behind.id
    assert fresh.public_url is not None
    assert ask(fresh.public_url)[0] == 200


def test_a_broker_that_is_closed_leaves_no_sign_in_behind(
    broker: LocalBroker, page: str, tmp_path: Path
) -> None:
    broker.close()
    other = LocalBroker(Settings(), tmp_path / "home")
    assert other.connection("sales").status.state == "not_connected"
    other.close()
