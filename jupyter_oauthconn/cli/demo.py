"""`demo`: the practice provider on this machine; `--check` walks through a token's whole life."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import Interaction, Settings

from .call import Call, Commands, add_command
from .output import DONE, FAILED, complain, say

_CLIENT_ID = "notebook"
_CONNECTION = "sales"


class Step(TypedDict):
    """One line of `demo --check --json`."""

    step: int
    what: str
    outcome: str
    detail: str
    seconds: float


def add_commands(commands: Commands) -> None:
    demo = add_command(commands, "demo", _demo, "a practice provider, offline, without any account")
    demo.add_argument("--check", action="store_true", help="show a token's whole life, then end")
    demo.add_argument("--port", type=int, default=0, metavar="N", help="default: any free one")


def _demo(call: Call) -> int:
    return _check(call) if call.arguments.check else _serve(call)


def _serve(call: Call) -> int:
    from jupyter_oauthconn.demo import PracticeServer

    with PracticeServer(port=call.arguments.port) as server:
        issuer = server.provider.issuer
        body = {"issuer": issuer, "client_id": _CLIENT_ID, "data": server.data_url}
        call.show(body, lambda: _welcome(issuer, server.data_url))
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()
    return DONE


def _welcome(issuer: str, data_url: str) -> str:
    return "\n".join(
        (
            f"The practice provider runs at {issuer} until Ctrl-C.",
            f"Its data are at {data_url}/sales. In IPython:",
            "",
            "  %load_ext jupyter_oauthconn",
            f"  %connect add {_CONNECTION} --provider practice --client-id {_CLIENT_ID} "
            f"--issuer {issuer} --loopback-port any",
            f"  %connect {_CONNECTION} as conn",
            f'  conn.httpx().get("{data_url}/sales").json()',
        )
    )


def _check(call: Call) -> int:
    from jupyter_oauthconn.broker.local import LocalBroker
    from jupyter_oauthconn.demo import PracticeServer

    from .scenario import Scenario

    with (
        tempfile.TemporaryDirectory(prefix="oauthconn-demo-") as home,
        PracticeServer(port=call.arguments.port) as server,
    ):
        broker = LocalBroker(Settings(interaction=Interaction.PRACTICE), Path(home))
        try:
            return _walk(call, Scenario(server, broker).steps())
        finally:
            broker.close()


def _walk(call: Call, steps: Sequence[tuple[str, Callable[[], str]]]) -> int:
    from .scenario import NotSeenError

    for number, (what, take) in enumerate(steps, 1):
        start = time.monotonic()
        try:
            detail = take()
        except (OAuthConnError, NotSeenError) as error:
            _show(call, _step(number, what, "failed", str(error), start))
            if isinstance(error, OAuthConnError):
                complain(error)
            say(f"Step {number}, {what.replace('_', ' ')}, was not seen as promised.")
            return FAILED
        _show(call, _step(number, what, "ok", detail, start))
    return DONE


def _step(number: int, what: str, outcome: str, detail: str, start: float) -> Step:
    seconds = round(time.monotonic() - start, 3)
    return {
        "step": number, "what": what, "outcome": outcome, "detail": detail, "seconds": seconds,
    }  # fmt: skip


def _show(call: Call, step: Step) -> None:
    if call.arguments.json:
        print(json.dumps(step, ensure_ascii=False), flush=True)
        return
    mark = "✓ ok    " if step["outcome"] == "ok" else "✗ failed"
    first, *more = step["detail"].splitlines()
    what = step["what"].replace("_", " ")
    print(f"{step['step']:>2}  {mark}  {step['seconds']:5.2f} s  {what}: {first}")
    for line in more:
        print(f"{'':24}{line}")
