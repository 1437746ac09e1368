"""Who may call what on a real server: each way to prove oneself, at each kind of address."""

from __future__ import annotations

import pytest

from ..jupyter import Answer, JupyterServer
from .conftest import Browser

READ = ("GET", "api/v1/connections", None)
WRITE = ("POST", "api/v1/connections", {"name": "nothing", "client": "missing"})
TOKEN = ("POST", "api/v1/connections/missing/token", {})
#: what somebody hears who may call it: there is no such client, no such connection

CALLERS = {
    # how: (read, write, token)
    "nothing": (401, 401, 401),
    "wrong credential": (401, 401, 401),
    "cookie": (200, 403, 403),
    "cookie and xsrf": (200, 404, 403),
    "token in the address": (401, 401, 401),
    "server token": (200, 404, 403),
    "server token as bearer": (200, 404, 401),
    "kernel credential": (200, 404, 404),
    "kernel credential as token": (401, 401, 403),
}


def call(browser: Browser, how: str, method: str, path: str, body: object) -> Answer:
    server = browser.server
    secret = server.kernel_headers["Authorization"].removeprefix("Bearer ")
    match how:
        case "cookie":
            return browser.request(method, path, {}, body)
        case "cookie and xsrf":
            return browser.request(method, path, browser.xsrf, body)
        case "token in the address":
            return server.request(method, f"{path}?token={server.token}", {}, body)
    headers = {
        "nothing": {},
        "wrong credential": {"Authorization": f"Bearer {secret[:-1]}"},
        "server token": server.token_headers,
        "server token as bearer": {"Authorization": f"Bearer {server.token}"},
        "kernel credential": server.kernel_headers,
        "kernel credential as token": {"Authorization": f"token {secret}"},
    }[how]
    return server.request(method, path, headers, body)


@pytest.mark.parametrize("how", CALLERS)
def test_sec_30_who_may_call_what(browser: Browser, how: str) -> None:
    got = tuple(call(browser, how, *request) for request in (READ, WRITE, TOKEN))
    assert tuple(answer.status for answer in got) == CALLERS[how]
    for answer in got:
        assert "access_token" not in answer.text
        assert answer.headers["Content-Type"] == "application/json"
        # Jupyter gives one to whoever shows its own token in a header
        assert answer.cookies() == {} or how.startswith("server token")


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
@pytest.mark.parametrize("request_", [READ, TOKEN])
def test_sec_31_no_other_origin_may_read_an_answer(
    server: JupyterServer, origin: str, request_: tuple[str, str, object]
) -> None:
    method, path, body = request_
    for headers in (server.token_headers, server.kernel_headers):
        answer = server.request(method, path, {**headers, "Origin": origin}, body)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert answer.headers["Cache-Control"] == "no-store"


def test_sec_33_a_foreign_page_changes_nothing(browser: Browser) -> None:
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    method, path, body = WRITE
    assert browser.request(method, path, foreign, body).status == 403
    assert browser.request(method, path, {**foreign, **browser.xsrf}, body).status == 403
    form = "name=nothing&client=missing"
    assert browser.request(method, path, {}, form).status == 403
    assert browser.request(method, path, browser.xsrf, form).status == 400
    assert browser.request("DELETE", "api/v1/connections/missing").status == 403


def test_a_foreign_host_name_is_refused(server: JupyterServer) -> None:
    headers = {**server.token_headers, "Host": "rebound.example"}
    assert server.request("GET", "api/v1/connections", headers).status == 403


def test_no_login_cookie_for_a_token_in_a_form(server: JupyterServer) -> None:
    answer = server.request("POST", "api/v1/connections", {}, f"token={server.token}")
    assert answer.status == 401
    assert answer.cookies() == {}


def test_whose_connections_does_not_depend_on_jupyters_user(browser: Browser) -> None:
    me = [browser.request("GET", "api/v1/me").json()]
    me += [browser.server.request("GET", "api/v1/me", browser.server.token_headers).json()] * 2
    me.append(browser.server.request("GET", "api/v1/me", browser.server.kernel_headers).json())
    assert all(one == me[0] for one in me)
    assert me[0]["where"] == "server"
