"""The kernel side against a token service in memory, in this process and in real kernels."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

import jupyter_oauthconn as oc

HERE = Path(__file__).parent
#: How long anything of a kernel may take on a busy machine.
KERNEL_SECONDS = 60
sys.path.insert(0, str(HERE))  # real kernels and worker processes import the fake by name, too

from fake_broker import FakeBroker  # noqa: E402


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBroker]:
    """The connections `sales` (signed in) and `fresh` (not), of the client `app`."""
    monkeypatch.delenv("JUPYTER_OAUTHCONN_INTERACTION", raising=False)
    made = FakeBroker("sales", "fresh")
    made.sign_in("sales")
    with oc.use(made):
        yield made


class Kernel:
    """A real ipykernel with the fake broker in it as `broker`, and what its cells put out."""

    def __init__(self, client: Any, manager: Any) -> None:
        self.client = client
        self.manager = manager

    def start(self, code: str, *, allow_stdin: bool = False) -> str:
        request: str = self.client.execute(code, allow_stdin=allow_stdin)
        return request

    def finish(
        self, request: str, timeout: float = KERNEL_SECONDS
    ) -> tuple[list[dict[str, Any]], dict]:
        """Messages of a cell until it is idle, and its reply."""
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != request:
                continue
            messages.append(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == request:
                return messages, reply["content"]

    def run(self, code: str, *, allow_stdin: bool = False) -> tuple[list[dict[str, Any]], dict]:
        return self.finish(self.start(code, allow_stdin=allow_stdin))

    def run_aside(self, code: str, *, until: str = "True") -> None:
        """Runs code beside a cell that waits: the control channel is served all the time.

        Returns when that is done and `until`, an expression, has become true.
        """
        content = {"code": code, "until": until}
        message = self.client.session.msg("fake_service", content=content)
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=KERNEL_SECONDS)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return

    def until(self, request: str, kind: str, timeout: float = KERNEL_SECONDS) -> dict[str, Any]:
        """The first message of that kind from a cell that still runs."""
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") == request and message["msg_type"] == kind:
                found: dict[str, Any] = message
                return found

    def answer(self, text: str, timeout: float = KERNEL_SECONDS) -> dict[str, Any]:
        """Answers the next question; returns what was asked."""
        asked = self.client.get_stdin_msg(timeout=timeout)
        self.client.input(text)
        content: dict[str, Any] = asked["content"]
        return content

    def drain(self) -> None:
        while True:
            try:
                self.client.get_iopub_msg(timeout=0.05)
            except Empty:
                return


#: `fake_service` messages run beside a waiting cell, as a front end's thread would.
ASIDE = """
import asyncio
kernel_app = get_ipython().kernel
async def _aside(stream, ident, message):
    exec(message["content"]["code"], globals())
    while not eval(message["content"]["until"], globals()):
        await asyncio.sleep(0.01)
    kernel_app.session.send(stream, "fake_service_reply", {}, message, ident=ident)
kernel_app.control_handlers["fake_service"] = _aside
"""
SETUP = f"""
import sys, threading
sys.path.insert(0, {str(HERE)!r})
from fake_broker import FakeBroker
import jupyter_oauthconn as oc
broker = FakeBroker("sales", "fresh")
oc.use(broker)
{ASIDE}
%load_ext jupyter_oauthconn
"""


@pytest.fixture(scope="module")
def running_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """IPython's folder in the kernel: its history is in there."""
    return tmp_path_factory.mktemp("ipython")


@pytest.fixture(scope="module")
def running_kernel(running_home: Path) -> Iterator[Kernel]:
    from jupyter_client.manager import start_new_kernel

    patch = pytest.MonkeyPatch()
    patch.setenv("IPYTHONDIR", str(running_home))
    patch.delenv("JUPYTER_OAUTHCONN_INTERACTION", raising=False)
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield Kernel(client, manager)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        patch.undo()


@pytest.fixture
def kernel(running_kernel: Kernel) -> Kernel:
    """A kernel whose token service is new: nobody has signed in."""
    running_kernel.drain()
    _, reply = running_kernel.run(SETUP)
    assert reply["status"] == "ok", reply
    return running_kernel
