"""`demo`: the tutorials in JupyterLab; `--check` walks through a token's whole life."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from jupyter_oauthconn.errors import OAuthConnError, ServiceUnreachableError
from jupyter_oauthconn.model import Interaction, Settings

from .call import Call, Commands, add_command
from .output import DONE, FAILED, complain, say

if TYPE_CHECKING:
    from jupyter_oauthconn.demo.lab import LabDemo

_LARGEST_PORT = 65535


class Step(TypedDict):
    """One line of `demo --check --json`."""

    step: int
    what: str
    outcome: str
    detail: str
    seconds: float


def add_commands(commands: Commands) -> None:
    demo = add_command(
        commands, "demo", _demo, "the tutorials in JupyterLab, offline, without any account"
    )
    demo.add_argument("--check", action="store_true", help="show a token's whole life, then end")
    demo.add_argument("--no-browser", action="store_true", help="print the address only")
    demo.add_argument(
        "--port",
        type=_port,
        metavar="N",
        help="default: 8888, or the next free one; with --check: any free one",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; they go from 0 to 65535")
    return int(text)


def _demo(call: Call) -> int:
    return _check(call) if call.arguments.check else _serve(call)


def _serve(call: Call) -> int:
    from jupyter_oauthconn.demo.lab import USUAL_PORT, run_lab
    from jupyter_oauthconn.kernel.display import browser_is_here

    port = USUAL_PORT if call.arguments.port is None else call.arguments.port
    browser = not call.arguments.no_browser and browser_is_here(os.environ, sys.platform)
    if not call.arguments.json:
        print("Starting JupyterLab …", flush=True)
    try:
        with (
            contextlib.suppress(KeyboardInterrupt),
            _every_end_like_ctrl_c(),
            run_lab(port=port, browser=browser) as lab,
        ):
            _tell(call, lab, port, browser=browser)
            lab.wait()
    except ServiceUnreachableError as error:
        print(*error.__notes__, sep="\n", file=sys.stderr)
        raise
    return DONE


@contextlib.contextmanager
def _every_end_like_ctrl_c() -> Iterator[None]:
    """Whoever ends the demo means its server and its folder too; a closed terminal as well."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(call: Call, lab: LabDemo, port: int, *, browser: bool) -> None:
    if call.arguments.json:
        body = {
            "url": lab.url, "open": lab.open_url, "issuer": lab.issuer, "data": lab.data_url,
        }  # fmt: skip
        print(json.dumps(body), flush=True)
        return
    if port not in {0, lab.port}:
        print(f"Port {port} is taken, so it is {lab.port}.")
    print(_welcome(lab, browser=browser), flush=True)


def _welcome(lab: LabDemo, *, browser: bool) -> str:
    opens = "Your browser opens the first tutorial" if browser else "Open the first tutorial"
    return "\n".join(
        (
            f"{opens}:",
            "",
            f"  {lab.open_url}",
            "",
            "Run the cells from the top. Where one waits, press Authenticate, then Allow.",
            "Ctrl-C ends the demo and removes its folder, with your copies of the tutorials:",
            f"  {lab.folder}",
        )
    )


def _check(call: Call) -> int:
    from jupyter_oauthconn.broker.local import LocalBroker
    from jupyter_oauthconn.demo import PracticeServer

    from .scenario import Scenario

    with (
        tempfile.TemporaryDirectory(prefix="oauthconn-demo-") as home,
        PracticeServer(port=call.arguments.port or 0) as server,
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
