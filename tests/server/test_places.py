"""Servers as people run them: base URLs, https, addresses, and ways to sign in."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from jupyter_server.auth import passwd

from ..jupyter import JupyterServer, jupyter_server
from .conftest import Browser


def service_url(server: JupyterServer) -> str:
    return str(json.loads(server.service_file.read_text(encoding="utf-8"))["url"])


def owner(server: JupyterServer) -> str:
    answer = server.request("GET", "api/v1/me", server.kernel_headers)
    assert answer.status == 200, answer.text
    return str(answer.json()["owner"])


@pytest.mark.parametrize("base_url", ["/a%40b/", "/user/jo.doe/"])
def test_a_base_url_with_escapes(tmp_path: Path, base_url: str) -> None:
    with jupyter_server(tmp_path, base_url=base_url) as server:
        assert service_url(server) == f"{server.url}oauthconn/"
        assert owner(server)
        # a dot is a dot, and no sign of a regular expression
        path = f"{base_url.replace('.', 'x')}oauthconn/api/v1/me".removeprefix("/")
        found = server.request("GET", path, server.kernel_headers, below="http://any/")
        assert found.status == (200 if "." not in base_url else 404)


@pytest.mark.parametrize(
    ("listens", "called", "host"),
    [
        ("localhost", "127.0.0.1", "localhost"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("::1", "::1", "[::1]"),
    ],
)
def test_kernels_call_where_it_listens(
    tmp_path: Path, listens: str, called: str, host: str
) -> None:
    config = {"ServerApp": {"ip": listens}}
    with jupyter_server(tmp_path, host=called, config=config) as server:
        port = urlsplit(server.url).port
        assert service_url(server) == f"http://{host}:{port}/oauthconn/"
        with urlopen(f"{service_url(server)}api/v1/health", timeout=60) as answer:
            assert answer.status == 200


def test_https_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_bytes(
        (tmp_path / "key.pem").read_bytes() + (tmp_path / "certificate.pem").read_bytes()
    )
    config = {"ServerApp": {"certfile": str(pem)}}
    with jupyter_server(tmp_path / "server", scheme="https", config=config) as server:
        body = json.loads(server.service_file.read_text(encoding="utf-8"))
        assert body["url"].startswith("https://127.0.0.1:")
        assert "PRIVATE KEY" not in body["certificate"]
        trust = ssl.create_default_context(cadata=body["certificate"])
        asked = Request(f"{body['url']}api/v1/me", headers=server.kernel_headers)
        with urlopen(asked, timeout=60, context=trust) as answer:
            assert json.load(answer)["where"] == "server"


def test_a_unix_socket_is_out_of_reach_for_kernels(tmp_path: Path) -> None:
    # the path of a socket has at most 107 characters
    folder = tmp_path / "s"
    config = {"ServerApp": {"sock": str(tmp_path / "sock"), "ip": None, "port": None}}
    with jupyter_server(folder, config=config, ready=False) as server:
        server.wait_for(lambda: "Unix socket" in server.log, "it does not say so")
        server.wait_for((tmp_path / "sock").exists, "it does not listen")
        assert not server.service_file.exists()


def test_without_any_authentication(tmp_path: Path) -> None:
    config = {"IdentityProvider": {"token": ""}}
    with jupyter_server(tmp_path, config=config) as server:
        browser = Browser(server)
        me = browser.request("GET", "api/v1/me")
        assert me.json()["owner"] == owner(server)
        draft = {"name": "nothing", "client": "missing"}
        # a foreign page may still not change anything, and nobody but a kernel gets a token
        assert browser.request("POST", "api/v1/connections", {}, draft).status == 403
        path = "api/v1/connections/missing/token"
        assert browser.request("POST", path, {}, {}).status == 403


def test_with_a_password(tmp_path: Path) -> None:
    config = {
        "IdentityProvider": {"token": ""},
        "PasswordIdentityProvider": {"hashed_password": passwd("open sesame", "sha1")},
    }
    with jupyter_server(tmp_path, config=config) as server:
        browser = Browser(server)
        assert browser.request("GET", "api/v1/me").status == 401
        asked = browser.request("GET", "connect/sales?outcome=x&secret=canary")
        assert browser.sign_in("open sesame").status == 302
        assert browser.request("GET", "api/v1/me").json()["owner"] == owner(server)
        assert asked.status in {302, 404}
        assert "canary" not in asked.headers.get("Location", "")


def test_where_each_address_must_say_who_may_come(tmp_path: Path) -> None:
    environ = {
        "JUPYTER_SERVER_ALLOW_UNAUTHENTICATED_ACCESS": "false",
        "PYTHONWARNINGS": "always",
    }
    with jupyter_server(tmp_path, environ=environ) as server:
        named = re.findall(r"- \w+ of \w+ registered for (.+)", server.log)
        assert any("terminals" in one for one in named)  # those are looked for at all
        assert not [one for one in named if "oauthconn" in one]
        assert owner(server)
        assert server.request("GET", "api/v1/health").status == 200
        assert server.request("GET", "api/v1/me").status == 401
        page = server.request("GET", "connect/sales?x=1")
        assert page.status == 302
        assert page.headers["Location"] == "/login?next=%2Foauthconn%2Fconnect%2Fsales"
        back = server.request("GET", "callback/sales?code=canary&state=canary")
        assert back.status == 303
        assert back.headers["Location"].startswith("/oauthconn/refused")
        assert "canary" not in back.headers["Location"]
        for method in ("HEAD", "PUT", "OPTIONS"):
            answer = server.request(method, "callback/sales?code=canary&state=canary")
            assert answer.status in {403, 405}
        assert "canary" not in server.log


def test_a_guest_on_a_hub_server_gets_nothing_of_its_owner(tmp_path: Path) -> None:
    with jupyter_server(tmp_path, environ={"JUPYTERHUB_USER": "ana"}) as server:
        # the token's person is an anonymous one, and so not ana
        answer = server.request("GET", "api/v1/connections", server.token_headers)
        assert answer.status == 403
        assert answer.json()["code"] == "guest"
        assert owner(server)  # her kernels are hers
