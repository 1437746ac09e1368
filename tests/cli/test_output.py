"""What the terminal shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from jupyter_oauthconn.cli import output
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import Check, Outcome


@pytest.mark.parametrize(
    ("magic", "command"),
    [
        ("`%connect auth sales --again`.", "`jupyter oauthconn auth sales --again`."),
        ("`%connect rm sales`", "`jupyter oauthconn connections rm sales`"),
        ("`%connect edit sales --set a=b`", "`jupyter oauthconn connections edit sales --set a=b`"),
        ("`%connect` lists yours", "`jupyter oauthconn connections list` lists yours"),
        ("`%connect add` makes one", "`jupyter oauthconn connections add` makes one"),
        ("`%oauthclient register`", "`jupyter oauthconn clients add`"),
        ("`%oauthclient test crm`", "`jupyter oauthconn clients test crm`"),
        ("`%oauthclient` lists them", "`jupyter oauthconn clients list` lists them"),
        ("100 %connected", "100 %connected"),
    ],
)
def test_hints_name_commands_of_the_terminal(magic: str, command: str) -> None:
    assert output.for_terminal(magic) == command


def test_nothing_can_write_to_the_terminal_but_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and errors come from providers, too."""
    nasty = "a\x1b[2Jb\nc\r\u202ed"
    output.complain(OAuthConnError(nasty, hint=nasty))
    shown = capsys.readouterr().err
    shown += output.findings(
        [Check(check="x", outcome=Outcome.OK, detail=nasty, next_step=nasty)]
    ) + output.table(("A",), [(nasty,)], empty="") + output.facts([("a", nasty)])  # fmt: skip
    assert not set("\x1b\r\u202e") & set(shown)
    assert "a [2Jb c  d" in shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "ended"), (0, "ended"), (45.5, "in 45 s"), (119.5, "in 119 s"), (150.5, "in 2 min"),
     (7300, "in 2 h"), (7100, "in 118 min"), (5 * 86400 + 1, "in 5 days")],
)  # fmt: skip
def test_time_left(seconds: float, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    monkeypatch.setattr(output, "datetime", SimpleNamespace(now=lambda _: now))
    assert output.time_left(now + timedelta(seconds=seconds)) == words


def test_table_columns_are_aligned() -> None:
    text = output.table(("A", "LONG"), [("x" * 4, "y"), ("z", "")], empty="nothing")
    assert text.splitlines() == ["A     LONG", "xxxx  y", "z"]
    assert output.table(("A",), [], empty="nothing") == "nothing"
