"""Waiting for a person, in a script: who waits, what is shown, how it ends."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from fake_broker import FakeBroker

import jupyter_oauthconn as oc
from jupyter_oauthconn.kernel import current, display
from jupyter_oauthconn.model import Authorization, Flow


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits at a terminal over SSH, where no browser is opened."""
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")


def soon(broker: FakeBroker, act: Callable[[], None]) -> None:
    """The person acts once a sign-in was started."""
    broker.on_authorize = lambda _: threading.Timer(0.05, act).start()


@pytest.mark.usefixtures("at_terminal")
def test_waits_and_goes_on(broker: FakeBroker, capsys: pytest.CaptureFixture[str]) -> None:
    soon(broker, lambda: broker.sign_in("fresh"))
    conn = oc.connect("fresh")
    assert conn.token().generation == 1
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        "fresh: sign in at http://127.0.0.1:49152/oauthconn/connect/fresh",
        "fresh: authenticated as you@example.com",
    ]
    assert broker.calls == ["access_token", "authorization", "access_token"]


def test_nobody_there_fails_at_once_and_starts_nothing(broker: FakeBroker) -> None:
    started: list[Authorization] = []
    broker.on_authorize = started.append
    with pytest.raises(oc.errors.ConsentRequiredError) as caught:
        oc.connect("fresh")
    assert "`jupyter oauthconn auth fresh` in a terminal" in caught.value.hint
    with pytest.raises(oc.errors.InteractionRequiredError, match="'fresh'"):
        oc.authenticate("fresh")
    with pytest.raises(oc.errors.InteractionRequiredError, match="'sales'"):
        oc.authenticate("sales", again=True)
    assert started == []


@pytest.mark.usefixtures("at_terminal")
@pytest.mark.parametrize("how", ["setting", "argument"])
def test_told_to_fail(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "setting":
        monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "fail")
    with pytest.raises(oc.errors.ConsentRequiredError):
        oc.connect("fresh", wait=False if how == "argument" else None)
    assert broker.pending("fresh") is None


def test_told_to_wait_although_nobody_is_known_to_be_there(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "wait")
    monkeypatch.setenv("SSH_TTY", "/dev/pts/0")
    soon(broker, lambda: broker.sign_in("fresh"))
    assert oc.connect("fresh").token()


@pytest.mark.usefixtures("at_terminal")
def test_waits_no_longer_than_asked(broker: FakeBroker) -> None:
    began = time.monotonic()
    with pytest.raises(oc.errors.InteractionRequiredError, match="in the time given") as caught:
        oc.connect("fresh", wait=0.05)
    assert time.monotonic() - began < 2
    # it stays open, and the same call goes on with it
    assert caught.value.authorization == broker.pending("fresh")
    soon(broker, lambda: None)
    threading.Timer(0.05, broker.sign_in, ("fresh",)).start()
    assert oc.connect("fresh").token()


@pytest.mark.usefixtures("at_terminal")
@pytest.mark.parametrize(
    ("end", "error", "line"),
    [
        (lambda one: one.refuse("fresh"), oc.errors.AccessDeniedError, "(You refused)"),
        (
            lambda one: one.expire("fresh"),
            oc.errors.AuthorizationExpiredError,
            "(The sign-in for 'fresh' was not finished in time)",
        ),
        (
            lambda one: one.refuse("fresh", "callback_mismatch", "Another browser came back."),
            oc.errors.CallbackMismatchError,
            "(Another browser came back)",
        ),
        (
            lambda one: one.refuse("fresh", "invalid_id_token", "The ID token is of another."),
            oc.errors.AuthorizationFailedError,
            "(The ID token is of another)",
        ),
    ],
)
def test_a_sign_in_that_fails(
    broker: FakeBroker,
    capsys: pytest.CaptureFixture[str],
    end: Callable[[FakeBroker], None],
    error: type[Exception],
    line: str,
) -> None:
    soon(broker, lambda: end(broker))
    with pytest.raises(error) as caught:
        oc.connect("fresh")
    assert "%connect auth fresh" in caught.value.hint
    assert capsys.readouterr().err.splitlines()[-1] == f"fresh: not authenticated {line}"


@pytest.mark.usefixtures("at_terminal")
def test_two_threads_one_display(broker: FakeBroker, capsys: pytest.CaptureFixture[str]) -> None:
    conns: list[oc.Connection] = []
    threads = [threading.Thread(target=lambda: conns.append(oc.connect("fresh"))) for _ in range(4)]
    for one in threads:
        one.start()
    while broker.calls.count("authorization") < 4:
        time.sleep(0.01)
    broker.sign_in("fresh")
    for one in threads:
        one.join(60)
    assert len(conns) == 4
    shown = capsys.readouterr().err
    assert shown.count("sign in at") == shown.count("authenticated as") == 1


@pytest.mark.usefixtures("at_terminal")
def test_a_broken_broker_does_not_hide_the_next_sign_in(
    broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    soon(broker, lambda: broker.refuse("fresh"))
    for _ in range(2):
        with pytest.raises(oc.errors.AccessDeniedError):
            oc.connect("fresh")
    assert capsys.readouterr().err.count("sign in at") == 2


@pytest.mark.usefixtures("at_terminal")
@pytest.mark.asyncio
async def test_async_wait_leaves_the_loop_running(broker: FakeBroker) -> None:
    conn = current_connection("fresh")
    waiting = asyncio.create_task(conn.atoken())
    while broker.pending("fresh") is None:
        await asyncio.sleep(0.01)
    broker.sign_in("fresh")
    assert (await waiting).generation == 1


@pytest.mark.usefixtures("at_terminal")
@pytest.mark.asyncio
async def test_cancelling_ends_the_wait_and_leaves_the_sign_in(
    broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = asyncio.create_task(current_connection("fresh").atoken())
    while "authorization" not in broker.calls:
        await asyncio.sleep(0.01)
    waiting.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    while _waiting_threads():
        assert time.monotonic() - began < 1
        await asyncio.sleep(0.01)
    assert broker.pending("fresh") is not None
    assert "not authenticated" in capsys.readouterr().err


def _waiting_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("token of")]


def current_connection(name: str) -> oc.Connection:
    """A connection that nobody has signed in for yet: `connect` would wait."""
    return oc.Connection(name)


@pytest.mark.usefixtures("at_terminal")
@pytest.mark.parametrize("flow", ["loopback", "callback"])
def test_another_account_is_asked_about_on_the_page(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    """The person is at the page: the wait goes on without a question of its own."""
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked at the cell"))

    def come_back(_: Authorization) -> None:
        threading.Timer(0.05, broker.come_back_as, ("sales", "guest@example.com")).start()
        threading.Timer(1.5, broker.sign_in, ("sales", "guest@example.com")).start()

    broker.on_authorize = come_back
    began = time.monotonic()
    conn = oc.authenticate("sales", again=True, flow=flow)
    assert conn.identity == "guest@example.com"
    # once while nobody is there, then about once a second
    assert broker.calls.count("authorization") <= time.monotonic() - began + 2
    assert "confirm" not in broker.calls


@pytest.mark.usefixtures("at_terminal")
def test_another_account_that_is_not_wanted_on_the_page(broker: FakeBroker) -> None:
    def come_back(_: Authorization) -> None:
        threading.Timer(0.05, broker.come_back_as, ("sales", "guest@example.com")).start()
        threading.Timer(0.3, broker.refuse, ("sales", "access_denied", "You kept it.")).start()

    broker.on_authorize = come_back
    with pytest.raises(oc.errors.AccessDeniedError, match="You kept it"):
        oc.authenticate("sales", again=True)
    assert oc.connect("sales").identity == "you@example.com"


def test_another_account_that_nobody_confirms_in_time(broker: FakeBroker) -> None:
    soon(broker, lambda: broker.come_back_as("sales", "guest@example.com"))
    began = time.monotonic()
    with pytest.raises(oc.errors.InteractionRequiredError, match="in the time given"):
        oc.authenticate("sales", again=True, wait=0.3)
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("at_terminal")
def test_the_robot_confirms_no_other_account(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing would ever press the page's button."""
    monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "practice")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    soon(broker, lambda: broker.come_back_as("sales", "guest@example.com"))
    monkeypatch.setattr("jupyter_oauthconn.kernel.practice.consent", lambda _: None)
    with pytest.raises(oc.errors.InteractionRequiredError, match=r"guest@example\.com"):
        oc.authenticate("sales", again=True)


@pytest.mark.usefixtures("at_terminal")
def test_another_account_is_asked_about(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a page of ours the question is put at the cell."""
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda text: (asked.append(text), "y")[1])
    soon(broker, lambda: broker.come_back_as("sales", "guest@example.com"))
    conn = oc.authenticate("sales", again=True, flow="device")
    assert conn.identity == "guest@example.com"
    assert "you@example.com" in asked[0]
    assert "guest@example.com" in asked[0]
    assert asked[0].endswith("[y/N] ")


@pytest.mark.usefixtures("at_terminal")
def test_another_account_that_is_not_wanted(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "")
    soon(broker, lambda: broker.come_back_as("sales", "guest@example.com"))
    with pytest.raises(oc.errors.AuthorizationFailedError, match=r"guest@example\.com"):
        oc.authenticate("sales", again=True, flow="device")
    assert broker.calls[-1] == "cancel"
    assert oc.connect("sales").identity == "you@example.com"


def test_another_account_where_nobody_can_answer(broker: FakeBroker) -> None:
    soon(broker, lambda: broker.come_back_as("sales", "guest@example.com"))
    with pytest.raises(oc.errors.InteractionRequiredError, match="nobody can be asked") as caught:
        oc.authenticate("sales", again=True, flow="device", wait=60.0)
    assert "%connect auth sales" in caught.value.hint
    assert "confirm" not in broker.calls


@pytest.mark.usefixtures("at_terminal")
def test_the_wait_outlives_a_restart_of_the_service(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers that do not answer, one that says that it is stopping, then the sign-in."""
    ask, broken = (
        broker.authorization,
        [
            oc.errors.ServiceUnreachableError("The token service at … does not answer."),
            oc.errors.OAuthConnError("The Jupyter server is stopping.", code="draining"),
            oc.errors.ServiceUnreachableError("The token service at … does not answer."),
        ],
    )

    def restarting(*arguments: Any, **options: Any) -> Authorization:
        if broken:
            raise broken.pop()
        broker.sign_in("fresh")
        return ask(*arguments, **options)

    monkeypatch.setattr(broker, "authorization", restarting)
    assert oc.connect("fresh").token()
    assert broken == []


@pytest.mark.usefixtures("at_terminal")
def test_a_service_that_stays_away_ends_the_wait(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # the clock is moved by hand: a pause that a busy machine draws out would end the wait early
    now, moments, asked = [0.0], iter([0.0, 0.5, 1.5]), []
    monkeypatch.setattr("jupyter_oauthconn.kernel.sign_in.polling._RESTART_SECONDS", 0.6)
    monkeypatch.setattr(
        "jupyter_oauthconn.kernel.sign_in.polling.time", SimpleNamespace(monotonic=lambda: now[0])
    )

    def gone(*_: Any, **__: Any) -> Authorization:
        asked.append(time.monotonic())
        now[0] = next(moments)
        raise oc.errors.ServiceUnreachableError("The token service at … does not answer.")

    monkeypatch.setattr(broker, "authorization", gone)
    with pytest.raises(oc.errors.ServiceUnreachableError, match="does not answer"):
        oc.connect("fresh")
    # asked after 0, 0.5 and 1.5 seconds, or somewhat later
    first, second, third = asked
    assert second - first > 0.45
    assert third - second > 0.95
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith("fresh: not authenticated (The token")
    )


@pytest.mark.usefixtures("at_terminal")
def test_an_error_that_does_not_pass_ends_the_wait_at_once(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[UUID] = []

    def unknown(id: UUID, **_: Any) -> Authorization:
        asked.append(id)
        raise oc.errors.UnknownAuthorizationError(str(id))

    monkeypatch.setattr(broker, "authorization", unknown)
    began = time.monotonic()
    with pytest.raises(oc.errors.UnknownAuthorizationError):
        oc.connect("fresh")
    assert time.monotonic() - began < 1
    assert len(asked) == 1  # not asked again, as after an outage


@pytest.mark.usefixtures("at_terminal")
def test_paste_asks_without_echo_and_warns(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "http://127.0.0.1:8888/oauthconn/callback/app?code=c&state=s"
    monkeypatch.setattr("getpass.getpass", lambda _: f" {address}\n")
    oc.authenticate("fresh", flow="paste")
    assert [one.reveal() for one in broker.pasted] == [address]
    shown = capsys.readouterr().err
    assert "https://login.acme.example/authorize?state=1" in shown
    assert "Never send that address to anybody" in shown
    assert "code=c" not in shown


def test_paste_where_nobody_can_type(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.InteractionRequiredError, match="nobody can be asked"):
        oc.authenticate("fresh", flow="paste", wait=5.0)


@pytest.mark.usefixtures("at_terminal")
def test_device_names_the_host_and_the_code(
    broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    soon(broker, lambda: broker.sign_in("fresh"))
    oc.authenticate("fresh", flow="device")
    first = capsys.readouterr().err.splitlines()[0]
    assert "https://login.acme.example/device (on login.acme.example)" in first
    assert first.endswith("WDJB-MJHT")


@pytest.mark.usefixtures("at_terminal")
def test_authenticate_shows_and_returns(
    broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    oc.authenticate("fresh", wait=False)
    assert "sign in at" in capsys.readouterr().err
    assert "authorization" not in broker.calls
    assert broker.pending("fresh") is not None


@pytest.mark.usefixtures("at_terminal")
def test_authenticate_does_nothing_where_a_sign_in_is_there(broker: FakeBroker) -> None:
    oc.authenticate("sales")
    assert "authorize" not in broker.calls


def test_unknown_flow(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.InvalidParameterError, match="'teleport'"):
        oc.authenticate("sales", flow="teleport")


@pytest.mark.usefixtures("at_terminal")
def test_a_new_sign_in_replaces_the_kept_token(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    soon(broker, lambda: broker.sign_in("sales"))
    oc.authenticate("sales", again=True)
    assert conn.token().generation == 2


@pytest.mark.usefixtures("at_terminal")
def test_a_forked_child_does_not_wait(broker: FakeBroker) -> None:
    place = current.Place(lambda: broker)
    place.after_fork()
    before, current._current = current._current, place
    try:
        with pytest.raises(oc.errors.ConsentRequiredError):
            oc.connect("fresh")
    finally:
        current._current = before


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "…"}, "linux", False),
        ({}, "darwin", True),
        ({"SSH_TTY": "/dev/ttys001"}, "darwin", False),
        ({}, "win32", True),
    ],
)
def test_where_a_browser_is_opened(environ: dict[str, str], platform: str, expected: bool) -> None:
    assert display.browser_is_here(environ, platform) is expected


def test_an_interrupt_while_the_browser_is_opened_says_how_to_go_on(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", interrupted)
    monkeypatch.setattr(display, "browser_is_here", lambda *_: True)
    monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "wait")
    with pytest.raises(KeyboardInterrupt, match="run the same line to go on"):
        oc.connect("fresh")
    assert broker.pending("fresh") is not None


def test_the_browser_opens_our_own_page_only(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(display, "browser_is_here", lambda *_: True)
    monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "wait")
    soon(broker, lambda: broker.sign_in("fresh"))
    oc.connect("fresh")
    assert opened == ["http://127.0.0.1:49152/oauthconn/connect/fresh"]
    for flow in (Flow.DEVICE, Flow.PASTE):
        display.Pending(broker._start("sales", flow))
        broker.sign_in("sales")
    assert len(opened) == 1
