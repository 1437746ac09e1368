"""The kernel credential: in one private file, nowhere else, and only while the server runs."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..jupyter import JupyterServer, jupyter_server

SECRET = "proxy-password-canary"
SECRET_URL = f"http://ana:{SECRET}@127.0.0.1:9"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("server")
    environ = {"JUPYTER_OAUTHCONN_PROXY": SECRET_URL}
    with jupyter_server(folder, environ=environ) as running:
        yield running


def credential(server: JupyterServer) -> str:
    return str(json.loads(server.service_file.read_text(encoding="utf-8"))["credential"])


def children(pid: int) -> set[int]:
    """The processes that it has started itself: those that they start come and go."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(one) for one in path.read_text(encoding="ascii").split()}


def environment(server: JupyterServer, pid: int) -> dict[str, str]:
    path = Path(f"/proc/{pid}/environ")
    # Linux shows none while it still puts a new program in its place.
    server.wait_for(path.read_bytes, f"process {pid} has no environment")
    lines = path.read_text(encoding="utf-8").split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_the_file_is_its_owners_alone(server: JupyterServer) -> None:
    found = server.service_file.stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.geteuid()
    body = json.loads(server.service_file.read_text(encoding="utf-8"))
    assert body["url"] == server.mount
    assert body["certificate"] is None
    assert body["pid"] == server.process.pid
    assert len(body["credential"]) >= 43  # 256 bits in base64


def test_sec_53_kernels_and_terminals_get_a_path_and_no_secret(server: JupyterServer) -> None:
    before = children(server.process.pid)
    assert server.jupyter("POST", "api/kernels", {}).status == 201
    assert server.jupyter("POST", "api/terminals").status == 200
    started = children(server.process.pid) - before
    assert len(started) == 2
    for pid in started:
        found = environment(server, pid)
        assert found["JUPYTER_OAUTHCONN_URL"] == server.mount
        assert found["JUPYTER_OAUTHCONN_CREDENTIAL_FILE"] == str(server.service_file)
        assert SECRET not in str(found)
    secret = credential(server)
    for pid in {server.process.pid, *started}:
        for name in ("environ", "cmdline"):
            assert secret.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_sec_51_the_log_has_no_credential(server: JupyterServer) -> None:
    secret = credential(server)
    for headers in (server.kernel_headers, {"Authorization": f"token {secret}"}):
        server.request("GET", "api/v1/me", headers)
        server.request("POST", "api/v1/connections/no/token", headers, {})
    for place in ("token", "x_token"):
        server.request("GET", f"api/v1/me?{place}={secret}")
    server.request("GET", "callback/x?code=code-canary&state=state-canary&iss=http://x")
    server.request("GET", f"login?token={secret}", below=server.url)
    assert "oauthconn/api/v1/me" in server.log
    for canary in (secret, "code-canary", "state-canary", SECRET):
        assert canary not in server.log


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_file_lives_as_long_as_its_server(tmp_path: Path, how: signal.Signals) -> None:
    with jupyter_server(tmp_path) as server:
        old_file, old = server.service_file, server.kernel_headers
        stranger = server.runtime / "oauthconn-1.json"  # of a process that is alive
        stranger.write_text("{}", encoding="utf-8")
        server.stop(how)
        assert old_file.exists() == (how is signal.SIGKILL)
        server.start()
        server.wait_for(lambda: not old_file.exists(), "the old file stays")
        assert stranger.exists()
        assert server.request("GET", "api/v1/me", old).status == 401
        assert server.request("GET", "api/v1/me", server.kernel_headers).status == 200
