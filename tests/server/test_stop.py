"""The end of a server loses nothing: what the provider was asked is written before."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from jupyter_oauthconn.demo import PracticeServer

from ..jupyter import JupyterServer, jupyter_server

SLOW_SECONDS = 3.0


def token(server: JupyterServer, **asked: object) -> dict[str, Any]:
    answer = server.request(
        "POST", "api/v1/connections/sales/token", server.kernel_headers, asked, timeout=60
    )
    assert answer.status == 200, answer.text
    return dict(answer.json())


def refreshes(provider: PracticeServer) -> int:
    return len(provider.provider.requests("token", grant_type="refresh_token"))


def interrupt_twice(server: JupyterServer) -> None:
    """Ctrl-C at a terminal: Jupyter asks, and the second one is an answer."""
    server.process.send_signal(signal.SIGINT)
    server.wait_for(lambda: "Shut down this Jupyter server" in server.log, "it does not ask")
    server.process.send_signal(signal.SIGINT)


ENDS: dict[str, Callable[[JupyterServer], object]] = {
    "terminate": lambda server: server.process.send_signal(signal.SIGTERM),
    "interrupt": lambda server: server.process.send_signal(signal.SIGINT),
    "interrupt twice at a terminal": interrupt_twice,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_refresh_under_way_is_finished_and_written(
    provider: PracticeServer, signed_in: Path, tmp_path: Path, end: str
) -> None:
    at_terminal = end.endswith("terminal")
    with jupyter_server(tmp_path / "one", home=signed_in, terminal=at_terminal) as server:
        first = token(server)
        provider.provider.dials.slow_seconds = SLOW_SECONDS
        with ThreadPoolExecutor(1) as kernel:
            asked = kernel.submit(token, server, rejected_generation=first["generation"])
            server.wait_for(lambda: refreshes(provider) == 1, "nothing was refreshed")
            ENDS[end](server)
            server.process.wait(30)
            # the kernel is answered, or hears nothing; never that it must sign in again
            error = asked.exception()
            assert error is None or isinstance(error, OSError | HTTPException)
        assert not server.service_file.exists()
        provider.provider.dials.slow_seconds = 0.0

        server.start()
        second = token(server)
        assert second["generation"] == first["generation"] + 1
        assert refreshes(provider) == 1
        # the rotated refresh token was kept: a second use of the old one would end the grant
        third = token(server, rejected_generation=second["generation"])
        assert third["generation"] == second["generation"] + 1
        assert refreshes(provider) == 2


def test_whoever_waits_for_a_sign_in_does_not_hold_up_the_end(
    signed_in: Path, tmp_path: Path
) -> None:
    with jupyter_server(tmp_path / "one", home=signed_in) as server:
        headers = server.kernel_headers
        path = "api/v1/connections/sales/authorizations"
        pending = server.request("POST", path, headers, {"again": True}).json()
        with ThreadPoolExecutor(1) as kernel:
            poll = f"api/v1/authorizations/{pending['id']}?wait_seconds=20"
            waiting = kernel.submit(server.request, "GET", poll, headers)
            # it waits: the first look at a sign-in takes milliseconds
            assert not wait([waiting], timeout=1).done
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 15
            error = waiting.exception()
            assert isinstance(error, OSError | HTTPException) or waiting.result().status == 200
        server.start()
        found = server.request("GET", poll.partition("?")[0], server.kernel_headers)
        assert found.json()["state"] == "pending"


def test_two_servers_of_one_home_refresh_once(
    provider: PracticeServer, signed_in: Path, tmp_path: Path
) -> None:
    with (
        jupyter_server(tmp_path / "one", home=signed_in) as one,
        jupyter_server(tmp_path / "two", home=signed_in) as two,
    ):
        first = token(one)
        assert token(two)["generation"] == first["generation"]
        provider.provider.dials.slow_seconds = 0.5
        with ThreadPoolExecutor(2) as kernels:
            asked = [
                kernels.submit(token, server, rejected_generation=first["generation"])
                for server in (one, two)
            ]
            got = [answer.result() for answer in asked]
        assert got[0]["access_token"] == got[1]["access_token"]
        assert refreshes(provider) == 1
        one.stop()
        assert token(two)["generation"] == got[1]["generation"]
