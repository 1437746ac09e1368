"""What a warm token costs over HTTP: `python tests/benchmarks/token_route.py`.

The token route against two handlers with the same answer in the same server process, over one
kept connection each, in alternating rounds; the smallest of all rounds counts, and only as a
ratio: a plain Tornado handler (the floor) and an authenticated handler of Jupyter Server (the
goal: not slower). Then the same with 16 callers at once, as requests in a second.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path

import tornado
from rounds import microseconds
from tornado.web import RequestHandler, authenticated

sys.path.insert(0, str(Path(__file__).parents[1] / "web"))

from two_users import MOUNT, two_users

ROUNDS, CALLS = 15, 100
CALLERS, SECONDS, TURNS = 16, 1.5, 3
SERVER_TOKEN = "benchmark"


def serve(home: Path, pipe: Connection) -> None:
    """The two-user host with both other handlers beside it, until the pipe says so."""
    from jupyter_server.auth import AllowAllAuthorizer, IdentityProvider
    from jupyter_server.base.handlers import APIHandler

    from jupyter_oauthconn.demo import PracticeServer

    answer = ""

    class BareHandler(RequestHandler):
        def check_xsrf_cookie(self) -> None:
            """Not asked for."""

        def post(self) -> None:
            self.set_header("Content-Type", "application/json")
            self.finish(answer)

    class JupyterApiHandler(APIHandler):
        @authenticated
        def post(self) -> None:
            self.finish(answer)

    beside = [("/bare", BareHandler), ("/jupyter", JupyterApiHandler)]
    settings = {
        "identity_provider": IdentityProvider(token=SERVER_TOKEN),
        "authorizer": AllowAllAuthorizer(),
        "allow_remote_access": True,
        "cookie_secret": "benchmark",
        # the access log would be most of what is measured
        "log_function": lambda handler: None,
    }
    with (
        PracticeServer() as provider,
        two_users(home, provider, beside=beside, application=settings) as users,
    ):
        users.sign_in(users.admin, "sales")
        token = users.ask("POST", "api/v1/connections/sales/token", users.admin.kernel, {})
        answer = token.body.decode()
        before = len(provider.provider.requests())
        pipe.send((users.port, users.admin.kernel_credential))
        pipe.recv()
        assert len(provider.provider.requests()) == before, "a warm read asks nobody"


def callers(port: int, credential: str) -> dict[str, Callable[[], Callable[[], object]]]:
    """Makes of each case a function that opens a connection and returns what asks over it."""

    def case(path: str, authorization: str) -> Callable[[], Callable[[], object]]:
        def opened() -> Callable[[], object]:
            connection = HTTPConnection("127.0.0.1", port)
            headers = {"Authorization": authorization, "Content-Type": "application/json"}
            body = json.dumps({"min_validity_seconds": 60.0})

            def ask() -> object:
                connection.request("POST", path, body, headers)
                response = connection.getresponse()
                answer = response.read()
                assert response.status == 200, answer
                return answer

            return ask

        return opened

    return {
        "plain handler": case("/bare", ""),
        "Jupyter APIHandler": case("/jupyter", f"token {SERVER_TOKEN}"),
        "token route, warm": case(f"{MOUNT}api/v1/connections/sales/token", f"Bearer {credential}"),
    }


def in_a_second(opened: Callable[[], Callable[[], object]]) -> float:
    """Requests in a second by `CALLERS` at once."""
    end = time.monotonic() + SECONDS
    counts = []

    def call() -> None:
        ask, count = opened(), 0
        while time.monotonic() < end:
            ask()
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(counts) / SECONDS


def main() -> int:
    print(f"Python {platform.python_version()}, tornado {tornado.version}")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=serve, args=(Path(folder) / "home", theirs))
        server.start()
        cases = callers(*ours.recv())
        alone = microseconds(
            {name: opened() for name, opened in cases.items()}, rounds=ROUNDS, calls=CALLS
        )
        most = dict.fromkeys(cases, 0.0)
        for _ in range(TURNS):
            for name, opened in cases.items():
                most[name] = max(most[name], in_a_second(opened))
        ours.send(None)
        server.join()
    goal = "Jupyter APIHandler"
    for name in cases:
        print(
            f"{name:20} {alone[name]:7.0f} µs {alone[name] / alone[goal]:5.2f} x"
            f"{most[name]:9.0f} /s {most[name] / most[goal]:5.2f} x, {CALLERS} callers"
        )
    return 0 if most["token route, warm"] >= most[goal] else 1


if __name__ == "__main__":
    sys.exit(main())
