"""Mistakes of a person get a sentence, whatever they put where."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import jupyter_oauthconn as oc
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import Interaction

MISTAKES: dict[str, Callable[[], object]] = {
    "no name": lambda: oc.connect(None),  # type: ignore[arg-type]
    "a number": lambda: oc.connect(5),  # type: ignore[arg-type]
    "half a character": lambda: oc.connect("\udcff"),
    "half a character in a scope": lambda: oc.edit("sales", scope="\ud800"),
    "no number to wait": lambda: oc.connect("sales", wait=float("nan")),
    "no number to live": lambda: oc.connect("sales").token(float("nan"), exact=True),
    "no duration to live": lambda: oc.connect("sales").token("soon"),  # type: ignore[arg-type]
    "for ever": lambda: oc.connect("sales").token(float("inf"), exact=True),
    "nobody's connection": lambda: oc.add(None, client="practice"),  # type: ignore[arg-type]
    "a hundred thousand years": lambda: oc.ensure("sales", "999999999h"),
    "less than nothing": lambda: oc.ensure("sales", "-1h"),
}
LINES = [
    "add x --client sales --set scope=a",
    "add x --client sales --set client=b",
    "edit sales --set name=z",
    "edit sales --set scope=1",
    "ensure sales --for 1e999s",
    "add x --client",
    "add 'x",
    "sales as 1",
]


@pytest.fixture
def signed_in(tmp_path: Path) -> Iterator[None]:
    settings = oc.Settings(home=str(tmp_path / "home"), interaction=Interaction.PRACTICE)
    with PracticeServer() as server, oc.use(settings):
        oc.add(
            "sales",
            provider="practice",
            client_id="notebook",
            issuer=server.issuer,
            loopback_port="any",
        )
        oc.connect("sales")
        yield


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_in_python(signed_in: None, mistake: Callable[[], object]) -> None:
    with pytest.raises(OAuthConnError) as caught:
        mistake()
    assert caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("line", LINES)
def test_in_a_line(signed_in: None, line: str) -> None:
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "jupyter_oauthconn")
    with pytest.raises(OAuthConnError) as caught:
        shell.run_line_magic("connect", line)
    assert caught.value.hint


def test_a_scope_may_be_a_list(signed_in: None) -> None:
    assert oc.connect("sales", scope=["sales.read"]).name == "sales"


def test_a_block_leaves_no_open_files(tmp_path: Path) -> None:
    def used() -> int:
        with oc.use(oc.Settings(home=str(tmp_path / "home"))):
            oc.connections()
        return len(os.listdir("/proc/self/fd"))

    used()
    before = used()
    assert max(used() for _ in range(5)) <= before
