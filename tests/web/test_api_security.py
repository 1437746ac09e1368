"""The security requirements that the JSON routes must meet."""

from __future__ import annotations

import gc
import json
import logging
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import pytest
from two_users import CLIENT_ID, MOUNT, Answer, TwoUsers, two_users

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.model import ClientDraft, ConnectionDraft, Endpoints, Secret
from jupyter_oauthconn.web import problems
from jupyter_oauthconn.wire.problems import _CLASSES

from ..interop.visitor import parameter
from .visiting import PersonsBrowser

MARKER = "cAnArYmArKeR0aNaRy"
TOKEN = "api/v1/connections/sales/token"


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "clients", {"name": "mine", "provider": "practice", "client_id": "x",
                             "endpoints": {"token": "https://evil.example/token"}}),
        ("PATCH", "clients/practice", {"endpoints": {"token": "https://evil.example/token"}}),
        ("PATCH", "clients/practice", {"issuer": "https://evil.example"}),
        ("POST", "clients/practice/secrets", {"client_secret": "x"}),
    ],
)  # fmt: skip
def test_sec_27_only_an_administrator_names_endpoints(
    users: TwoUsers, method: str, path: str, body: object
) -> None:
    for headers in (users.other.kernel, users.other.browser, users.other.program):
        answer = users.ask(method, f"api/v1/{path}", headers, body)
        assert code_of(answer) == (403, "not_allowed")
    assert users.admin.broker.client("practice").endpoints == Endpoints()


@pytest.mark.parametrize("member", ["issuer", "endpoints", "token_endpoint", "provider"])
def test_sec_27_a_connection_names_no_endpoint(users: TwoUsers, member: str) -> None:
    draft = {"name": "mine", "client": "practice", member: "https://evil.example"}
    for answer in (
        users.ask("POST", "api/v1/connections", users.other.kernel, draft),
        users.ask("PATCH", "api/v1/connections/sales", users.other.kernel, {member: "x"}),
    ):
        assert code_of(answer) == (400, "invalid_parameter")
        assert answer.json()["details"]["parameter"] == member


@pytest.mark.parametrize("place", ["form", "cookie", "other scheme", "body"])
def test_sec_30_a_token_needs_the_header(users: TwoUsers, place: str) -> None:
    users.sign_in(users.admin, "sales")
    credential = users.admin.kernel_credential
    headers, body = dict(users.admin.browser), b"{}"
    headers["Content-Type"] = "application/json"
    match place:
        case "form":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = f"token={credential}".encode()
        case "cookie":
            headers["Cookie"] += f"; Authorization=Bearer {credential}"
        case "other scheme":
            headers["Authorization"] = f"token {credential}"
        case "body":
            body = json.dumps({"token": credential}).encode()
    answer = users.ask("POST", TOKEN, headers, body)
    assert answer.status in {401, 403}
    assert b"access_token" not in answer.body


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[tuple[TwoUsers, PracticeServer]]:
    """A host whose provider marks every token, code and secret."""
    with PracticeServer(marker=MARKER) as server, two_users(tmp_path / "home", server) as users:
        server.provider.register(
            "confidential-notebook",
            [f"http://127.0.0.1{MOUNT}callback/*", f"http://localhost{MOUNT}callback/*"],
            secret=server.provider.confidential_secret,
            any_loopback_port=True,
        )
        yield users, server


def everything(users: TwoUsers, server: PracticeServer) -> Iterator[tuple[str, Answer]]:
    """Every verb at work, as one after the other uses them; and some mistakes."""
    # what an administrator may, her browser may; only a kernel gets tokens
    ask, headers, kernel = users.ask, users.admin.browser, users.admin.kernel
    secret = server.provider.confidential_secret.reveal()
    confidential = {"name": "secretive", "provider": "practice", "loopback_port": "any",
                    "client_id": "confidential-notebook", "issuer": server.issuer,
                    "client_secret": secret, "auth_method": "client_secret_basic"}  # fmt: skip
    for method, path, body in [
        ("POST", "clients", confidential),
        ("POST", "clients/secretive/secrets", {"client_secret": f"{MARKER}-second"}),
        ("POST", "clients/secretive/secrets", {"client_secret": f"{MARKER}-third"}),
        ("POST", "clients/secretive/secrets", {"secret_reference": f"{MARKER}-nowhere"}),
        ("DELETE", f"clients/secretive/secrets/{uuid4()}", None),
        ("POST", "clients/secretive/preview", {"client_id": "x", "client_secret": secret}),
        ("PATCH", "clients/secretive", {"title": "Secretive", "client_secret": secret}),
        ("PATCH", "clients/secretive", {"title": "Secretive"}),
        ("POST", "clients", {**confidential, "client_id": 7}),
        ("POST", "clients", confidential),
        ("POST", "clients/secretive/test", {}),
        ("POST", "connections", {"name": "plans", "client": "secretive"}),
    ]:
        yield f"{method} {path}", ask(method, f"api/v1/{path}", headers, body)
    newest = users.admin.broker.client("secretive").secrets[0].id
    path = f"api/v1/clients/secretive/secrets/{newest}"
    yield "DELETE secret", ask("DELETE", path, headers)
    users.sign_in(users.admin, "plans")
    users.sign_in(users.admin, "sales")
    for path in ("openapi.json", "me", "providers", "providers/practice", "clients", "grants",
                 "clients/secretive", "events", "doctor", "connections", "connections/plans",
                 "health", "nothing", "settings", "keys", "clients/secretive/use",
                 "providers/practice/request", "grants?owner=", "grants?client=secretive",
                 "doctor?client=secretive", "doctor?connection=plans"):  # fmt: skip
        yield f"GET {path}", ask("GET", f"api/v1/{path}", headers)
    yield "token", ask("POST", TOKEN, kernel, {})
    started = ask("POST", "api/v1/connections/sales/authorizations", headers, {"again": True})
    yield "authorization", started
    yield (
        "no token",
        ask("POST", "api/v1/connections/plans/token", kernel, {"min_validity_seconds": "long"}),
    )
    grant = users.admin.broker.grants(client="secretive")[0].id
    for method, path, body in [
        ("GET", f"authorizations/{started.json()['id']}", None),
        ("DELETE", f"authorizations/{started.json()['id']}", None),
        ("POST", "connections/plans/test", {}),
        ("POST", "connections/plans/ensure", {"for_seconds": 60}),
        ("PATCH", "settings", {"settings": {"proxy": f"http://{MARKER}@proxy.example.com"}}),
        ("PATCH", "settings", {"settings": {"refresh_margin": MARKER}}),
        ("PATCH", "settings", {"settings": {"refresh_margin": "60"}}),
        ("DELETE", f"grants/{grant}", None),
        ("DELETE", "connections/plans/grant", None),
        ("DELETE", "connections/sales", None),
        ("DELETE", "clients/secretive?force=true", None),
    ]:
        yield f"{method} {path}", ask(method, f"api/v1/{path}", headers, body)


def test_sec_31_51_54_56_no_answer_and_no_log_holds_a_secret(
    marked: tuple[TwoUsers, PracticeServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    users, _ = marked
    answers = dict(everything(*marked))
    token = json.loads(answers.pop("token").body)
    assert token.pop("access_token").startswith(MARKER), "the canary would find nothing"
    assert MARKER not in json.dumps(token)
    for what, answer in answers.items():
        assert MARKER.encode() not in answer.body, what
        assert MARKER not in str(answer.headers), what
    own = {one.session for one in users.host.people}
    own |= {one.kernel_credential for one in users.host.people}
    for record in caplog.records:
        line = record.getMessage() + (record.exc_text or "")
        assert MARKER not in line
        assert not any(secret in line for secret in own), record.name
        if record.name.startswith(("tornado", "jupyter_oauthconn.web")):
            assert "?" not in line


def test_sec_31_headers_of_every_answer(marked: tuple[TwoUsers, PracticeServer]) -> None:
    seen = set()
    for what, answer in everything(*marked):
        headers = answer.headers
        assert headers["Cache-Control"] == "no-store", what
        assert headers["Vary"] == "Authorization, Cookie", what
        assert headers["X-Content-Type-Options"] == "nosniff", what
        csp = "default-src 'none'; frame-ancestors 'none'"
        assert headers["Content-Security-Policy"] == csp, what
        assert not [one for one in headers if one.lower().startswith("access-control")], what
        assert "Etag" not in headers
        assert "Server" not in headers
        assert "Set-Cookie" not in headers
        assert re.fullmatch("[0-9a-f]{16}", headers["X-Request-Id"])
        seen.add(headers["X-Request-Id"])
        if answer.status == 204:
            assert answer.body == b""
        else:
            assert headers["Content-Type"] == "application/json", what
        if answer.status >= 400:
            assert answer.json()["request_id"] == headers["X-Request-Id"]
    assert len(seen) > 30


def test_sec_31_no_other_origin_may_read(users: TwoUsers) -> None:
    for headers in (users.admin.program, users.admin.kernel, users.admin.cookies):
        for path in ("connections", "connections/nothing", "nothing"):
            foreign = {**headers, "Origin": "https://evil.example"}
            answer = users.ask("GET", f"api/v1/{path}", foreign)
            assert not [one for one in answer.headers if one.lower().startswith("access-control")]


def test_sec_32_what_is_anothers_is_not_there(users: TwoUsers) -> None:
    users.sign_in(users.admin, "budget")
    id = users.admin.broker.authorize("sales").id
    assert UUID(str(id)).version == 4

    def told(name: str, path: str, method: str, body: object) -> tuple[int, object]:
        answer = users.ask(method, path.format(name=name), users.other.kernel, body)
        told = {**answer.json(), "request_id": None}
        return answer.status, json.loads(json.dumps(told).replace(name, "NAME"))

    for method, path, body in (
        ("GET", "api/v1/connections/{name}", None),
        ("PATCH", "api/v1/connections/{name}", {"scope": "sales.read"}),
        ("DELETE", "api/v1/connections/{name}", None),
        ("POST", "api/v1/connections/{name}/token", {}),
        ("POST", "api/v1/connections/{name}/authorizations", {}),
        ("DELETE", "api/v1/connections/{name}/grant", None),
    ):
        # word for word as for a name that nobody has
        theirs = told("budget", path, method, body)
        assert theirs == told("zzzzzz", path, method, body)
        assert theirs[0] == 404
    for method in ("GET", "DELETE"):
        answer = users.ask(method, f"api/v1/authorizations/{id}", users.other.kernel)
        assert code_of(answer) == (404, "unknown_authorization")
    assert users.admin.broker.connection("budget").status.state == "connected"


def test_sec_32_lists_and_history_are_ones_own(users: TwoUsers) -> None:
    users.sign_in(users.admin, "budget")
    for path in ("connections", "grants", "events"):
        mine = users.ask("GET", f"api/v1/{path}", users.admin.kernel)
        theirs = users.ask("GET", f"api/v1/{path}", users.other.kernel)
        assert b"budget" in mine.body
        assert b"budget" not in theirs.body
    grant = users.ask("GET", "api/v1/grants", users.admin.kernel).json()["items"][0]
    assert {**grant, "id": None, "status": None} == {
        "id": None, "owner": "admin", "connection": "budget", "client": "practice", "status": None,
    }  # fmt: skip
    assert grant["status"]["identity"] == "analyst@example.com"


def test_sec_32_two_people_with_one_name_for_it_have_two_tokens(users: TwoUsers) -> None:
    users.sign_in(users.admin, "sales")
    assert code_of(users.ask("POST", TOKEN, users.other.kernel, {})) == (409, "consent_required")
    users.sign_in(users.other, "sales", account="guest@example.com")
    tokens = [users.ask("POST", TOKEN, one.kernel, {}).json() for one in users.host.people]
    assert tokens[0]["access_token"] != tokens[1]["access_token"]
    users.ask("DELETE", "api/v1/connections/sales/grant", users.other.browser)
    assert users.ask("POST", TOKEN, users.admin.kernel, {}).status == 200


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    ],
    ids=str,
)
def test_sec_33_a_foreign_page_writes_nothing(users: TwoUsers, foreign: dict[str, str]) -> None:
    headers = {**users.admin.browser, **foreign}
    answer = users.ask("DELETE", "api/v1/connections/budget", headers)
    assert code_of(answer) == (403, "not_allowed")
    assert users.admin.broker.connection("budget")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_sec_33_a_form_is_no_body(users: TwoUsers, kind: str) -> None:
    headers = {**users.admin.browser, "Content-Type": kind}
    body = json.dumps({"scope": "sales.read"}).encode()
    answer = users.ask("PATCH", "api/v1/connections/budget", headers, body)
    assert code_of(answer) == (400, "invalid_request")
    assert users.admin.broker.connection("budget").scope == ""


def test_sec_33_our_own_page_may(users: TwoUsers) -> None:
    origin = users.host.url
    for ours in ({"Origin": origin}, {"Sec-Fetch-Site": "same-origin", "Origin": origin}):
        headers = {**users.admin.browser, **ours}
        body = {"scope": "sales.read"}
        assert users.ask("PATCH", "api/v1/connections/sales", headers, body).status == 200


def test_sec_42_no_scope_beyond_the_clients(users: TwoUsers, server: PracticeServer) -> None:
    draft = {"name": "more", "client": "practice", "scope": "sales.read admin"}
    for headers in (users.other.kernel, users.other.browser):
        for answer in (
            users.ask("POST", "api/v1/connections", headers, draft),
            users.ask("PATCH", "api/v1/connections/sales", headers, {"scope": "admin"}),
        ):
            assert code_of(answer) == (400, "invalid_parameter")
            assert answer.json()["details"]["parameter"] == "scope"
    assert server.provider.requests("authorize") == []


def test_sec_53_what_the_host_keeps_shows_no_secret(
    marked: tuple[TwoUsers, PracticeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """State, verifier, nonce and cookies of the sign-ins carry the marker as well."""
    users, _ = marked
    random = secrets.token_urlsafe
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size=None: MARKER + random(size))
    owner, broker = users.admin.owner, users.admin.broker
    users.sign_in(users.admin, "sales")
    browser = PersonsBrowser(users, users.admin)
    callback = browser.begin("budget")
    assert parameter(callback, "state").startswith(MARKER), "the canary would find nothing"
    token = broker.access_token("sales")
    assert token.reveal().startswith(MARKER), "the canary would find nothing"

    store = users.host.service.store
    grant = store.grants.read(owner.id, broker.connection("sales").id)
    pending = store.authorizations.pending(owner.id, broker.connection("budget").id)
    assert None not in (grant, pending)
    alive = [one for one in gc.get_objects() if is_ours(one)]
    held = [one for one in alive if isinstance(one, Secret) and MARKER in one.reveal()]
    assert held, "the canary would find nothing"
    for one in (broker, users.host.service, token, grant, pending, *alive):
        for shown in (repr(one), str(one)):
            assert MARKER not in shown, type(one)
    browser.come_back(callback)
    assert browser.heading == "Authenticated"
    browser.close()


def is_ours(one: object) -> bool:
    """Of the service; the practice provider is somebody else."""
    module = str(type(one).__module__)
    return module.startswith("jupyter_oauthconn.") and ".demo" not in module


HTML = "<img src=x onerror=alert(1)>"


class RefusingProvider(BaseHTTPRequestHandler):
    """A token endpoint that issues a token for any code, and refuses to refresh it with markup
    and with what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sent = parse_qs(body)
        if sent["grant_type"] == ["authorization_code"]:
            status, answer = 200, {"access_token": f"{MARKER}-at", "token_type": "Bearer",
                                   "refresh_token": f"{MARKER}-rt", "expires_in": 3600}  # fmt: skip
        else:
            status = 400
            answer = {"error": "server_error", "error_description": f"{HTML} {body}"}
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def refusing_provider() -> Iterator[str]:
    """The address of its token endpoint."""
    with ThreadingHTTPServer(("127.0.0.1", 0), RefusingProvider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            thread.join()


def test_sec_52_what_a_provider_says_stays_text(users: TwoUsers, server: PracticeServer) -> None:
    with refusing_provider() as endpoint:
        typed = Endpoints(authorization=f"{server.issuer}/authorize", token=endpoint)
        draft = ClientDraft(name="evil", provider="oidc", client_id=CLIENT_ID,
                            endpoints=typed, loopback_port="any", scope="sales.read",
                            redirect_uris=(f"{users.url}callback/evil",))  # fmt: skip
        users.admin.broker.add_client(draft)
        users.admin.broker.add_connection(ConnectionDraft(name="odd", client="evil"))
        users.sign_in(users.admin, "odd")
        path, body = "api/v1/connections/odd/token", {"rejected_generation": 1}
        answer = users.ask("POST", path, users.admin.kernel, body)
        assert code_of(answer) == (502, "provider_rejected")
        status = users.ask("GET", "api/v1/connections/odd", users.admin.kernel)
    for one in (answer, status):
        assert one.headers["Content-Type"] == "application/json"
        assert one.headers["X-Content-Type-Options"] == "nosniff"
        assert MARKER.encode() not in one.body
        assert b"img" in one.body, "the test would see nothing"
        assert len(one.json().get("message", "")) < 500


def test_sec_52_an_unforeseen_error_tells_nothing(
    users: TwoUsers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(name: str) -> None:
        raise RuntimeError(f"{MARKER} {HTML}")

    monkeypatch.setattr(users.admin.broker, "connection", fails)
    monkeypatch.setattr(users.host.service.connections, "get", lambda owner, name: fails(name))
    for method, path in (("GET", "api/v1/connections/sales"), ("POST", TOKEN)):
        caplog.clear()
        answer = users.ask(
            method, f"{path}?1731456789", users.admin.kernel, {} if method == "POST" else None
        )
        assert code_of(answer) == (500, "internal")
        for word in (MARKER, "RuntimeError", "Traceback", "File", "img", "test_api_security"):
            assert word not in answer.body.decode()
        (record,) = [one for one in caplog.records if one.name == "jupyter_oauthconn.web.answers"]
        line = record.getMessage()
        assert answer.headers["X-Request-Id"] in line
        assert "in fails" in line, "where it happened"
        assert "RuntimeError" in line
        assert MARKER not in line
        assert "1731456789" not in line
        assert users.admin.kernel_credential not in line


def test_every_error_has_a_status() -> None:
    """Of all that can be raised here; `service_unreachable` is for those who call a service."""
    assert set(_CLASSES) - {"service_unreachable"} <= set(problems.STATUS)


def test_a_provider_that_is_away_says_when_to_come_again(
    users: TwoUsers, server: PracticeServer
) -> None:
    users.sign_in(users.admin, "sales")
    server.provider.faults.plan("retry_after:7", 1, endpoint="token")
    body = {"rejected_generation": 1}
    answer = users.ask("POST", TOKEN, users.admin.kernel, body)
    assert code_of(answer) == (503, "provider_unavailable")
    assert 1 <= int(answer.headers["Retry-After"]) <= 7
