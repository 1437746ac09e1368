"""The database of the practice provider: whom it lets in, and that it ends with its process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.demo.database import RadiusServer, SalesDatabase, sales_database
from jupyter_oauthconn.demo.database.guard import end_server

from .conftest import App, Clock

ANALYST, GUEST = "analyst@example.com", "guest@example.com"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def issuing(clock: Clock) -> Iterator[PracticeServer]:
    """One provider for the database: it is asked about every password."""
    with PracticeServer(clock=clock) as running:
        yield running


@pytest.fixture(scope="module")
def database(issuing: PracticeServer) -> Iterator[SalesDatabase]:
    made = SalesDatabase(issuing.issuer)
    yield made
    made.close()


@pytest.fixture
def person(issuing: PracticeServer, http) -> App:
    issuing.provider.reset()
    return App(issuing, http)


def connect(database: SalesDatabase, password: str, user: str = ANALYST, name: str = "practice"):
    return psycopg.connect(
        host="127.0.0.1", port=database.port, user=user, dbname=name, password=password
    )


def refused(database: SalesDatabase, password: str, *where: str) -> bool:
    asked = database.asked
    with pytest.raises(psycopg.OperationalError, match="RADIUS authentication failed"):
        connect(database, password, *where)
    return database.asked == asked + 1


def test_the_table_is_that_of_the_data_api(database, person):
    token = person.sign_in()["access_token"]
    with connect(database, token) as connection:
        cursor = connection.execute("select * from sales")
        names = [one.name for one in cursor.description]
        rows = [dict(zip(names, one, strict=True)) for one in cursor]
    assert rows == person.data("sales", token).json()
    assert len(rows) == 54


def test_it_is_for_reading(database, person):
    with (
        connect(database, person.sign_in()["access_token"]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("delete from sales")


def test_a_token_that_has_ended_is_refused_and_its_successor_taken(database, person, clock):
    person.provider.dials.access_token_seconds = 1
    first = person.sign_in()
    connect(database, first["access_token"]).close()
    clock.advance(1)
    assert refused(database, first["access_token"])
    second = person.refresh(first["refresh_token"]).json()
    connect(database, second["access_token"]).close()


def test_a_token_that_was_taken_back_is_refused_but_not_its_session(database, person):
    token = person.sign_in()["access_token"]
    with connect(database, token) as connection:
        assert person.call("revocation", token=token).status_code == 200
        assert refused(database, token)
        assert connection.execute("select 42").fetchone() == (42,)


def test_a_token_is_for_its_account(database, person):
    token = person.sign_in()["access_token"]
    assert refused(database, token, GUEST)


def test_a_token_without_the_scope_is_refused(database, person):
    assert refused(database, person.sign_in(scope="openid email")["access_token"])


@pytest.mark.parametrize("password", ["x", "é" * 20, "' or true --", "x" * 127])
def test_garbage_is_refused(database, password):
    assert refused(database, password)


def test_the_refresh_token_is_no_password(database, person):
    assert refused(database, person.sign_in()["refresh_token"])


def test_nobody_is_trusted_any_more(database, person):
    """The table is filled by the superuser, who needs no password until then."""
    token = person.sign_in()["access_token"]
    assert refused(database, token, "postgres")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        connect(database, token, "postgres", "postgres")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(
            host="127.0.0.1", port=database.port, user="postgres", dbname="practice", passfile=""
        )


def test_without_its_provider_it_lets_nobody_in(http):
    with PracticeServer() as server:
        database = SalesDatabase(server.issuer)
        token = App(server, http).sign_in()["access_token"]
    try:
        assert refused(database, token)
    finally:
        database.close()


# --- it ends with its process

PROCESS = """
import os, signal, sys
from jupyter_oauthconn.demo import practice
practice.start()
print(practice.start_database(), practice.start_database(), flush=True)
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary ones, which the server's user may enter."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def ports_of(output: str) -> set[int]:
    return {int(one) for one in output.split()}


def is_open(port: int) -> bool:
    try:
        psycopg.connect(host="127.0.0.1", port=port, user="x", dbname="x", password="x").close()
    except psycopg.OperationalError as error:
        return "Connection refused" not in str(error)
    return True


def wait_until_gone(port: int, temporary: Path) -> None:
    end = time.monotonic() + 30
    while is_open(port) or list(temporary.glob("oauthconn-*")):
        assert time.monotonic() < end, (is_open(port), list(temporary.glob("oauthconn-*")))
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("ending", "code"),
    [("", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1), ("raise KeyboardInterrupt", -2)],
    ids=["end", "exit", "exception", "interrupt"],
)
def test_it_ends_with_its_process(temporary, ending, code):
    done = subprocess.run(
        [sys.executable, "-c", PROCESS + ending],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    (port,) = ports_of(done.stdout)
    # at once: the process waits for it
    assert not is_open(port)
    assert list(temporary.glob("oauthconn-*")) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_it_ends_after_a_process_that_could_not_say_so(temporary, how):
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS + "signal.pause()"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        (port,) = ports_of(process.stdout.readline())
        assert is_open(port)
        process.send_signal(how)
    wait_until_gone(port, temporary)


def test_what_fails_on_the_way_leaves_nothing(temporary):
    """The server is there, and then its table cannot be made."""
    fails = (
        "from jupyter_oauthconn.demo.database import sales_database\n"
        "def fill(server, password): raise RuntimeError(server.port)\n"
        "sales_database._fill = fill\n"
        "try: sales_database.SalesDatabase('http://127.0.0.1:9')\n"
        "except RuntimeError as error: print(error)\n"
        "import os, tempfile; print(*os.listdir(tempfile.gettempdir()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", fails],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (port,) = ports_of(done.stdout)
    assert not is_open(port)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"x" * 25,
        # an attribute without length, which would never end; of one longer than the packet; cut off
        bytes([1, 1, 0, 22]) + bytes(16) + bytes([5, 0]),
        bytes([1, 1, 0, 22]) + bytes(16) + bytes([5, 9]),
        bytes([1, 1, 0, 21]) + bytes(16) + bytes([5]),
        # a password that is no whole block, none, and a name in no encoding
        bytes([1, 1, 0, 28]) + bytes(16) + bytes([2, 5, 1, 2, 3]) + bytes([1, 3, 65]),
        bytes([1, 1, 0, 23]) + bytes(16) + bytes([1, 3, 65]),
        bytes([1, 1, 0, 41]) + bytes(16) + bytes([2, 18]) + bytes(16) + bytes([1, 3, 255]),
    ],
)
def test_what_a_stranger_sends_does_not_end_it(packet):
    """Every user of this machine can send to the port."""
    server = RadiusServer(lambda password, user: True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(30)
        stranger.sendto(packet, ("127.0.0.1", server.port))
        good = bytes([1, 7, 0, 41]) + bytes(16) + bytes([2, 18]) + bytes(16) + bytes([1, 3, 65])
        stranger.sendto(good, ("127.0.0.1", server.port))
        answer = b""
        while answer[1:2] != bytes([7]):
            answer = stranger.recv(4096)
    server.close()
    assert answer[0] == 2


@pytest.mark.parametrize("error", [KeyError, OSError, ValueError], ids=lambda one: one.__name__)
def test_who_cannot_be_judged_is_refused_and_the_next_one_is_answered(error):
    def accepts(password, user):
        if user == "A":
            raise error("nobody knows")
        return True

    server = RadiusServer(accepts)
    answers = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(30)
        for user in b"AB":
            request = bytes([1, 7, 0, 41]) + bytes(16) + bytes([2, 18]) + bytes(16)
            client.sendto(request + bytes([1, 3, user]), ("127.0.0.1", server.port))
            answers.append(client.recv(4096)[0])
    server.close()
    assert answers == [3, 2]


@pytest.mark.parametrize("password", ["a\r\nX-Other: b", "ä", "a b"])
def test_a_password_that_can_be_no_token(database, password):
    assert refused(database, password)
    assert refused(database, "canary")


def test_nobody_comes_in_while_it_is_filled(issuing, monkeypatch):
    """Not as the superuser, who could start programs as the person that practises."""
    tried = []

    def as_a_stranger(server, password):
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres")
        tried.append(server)
        filled(server, password)

    filled = sales_database._fill
    monkeypatch.setattr(sales_database, "_fill", as_a_stranger)
    made = SalesDatabase(issuing.issuer)
    folder = made._server.folder
    assert not (folder / "password").exists()
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        connect(made, "canary", "postgres", "postgres")
    made.close()
    assert len(tried) == 1


@pytest.mark.parametrize("fault", ["drop:email", "html", "hangup_after"])
def test_an_answer_that_a_dial_has_spoilt_lets_nobody_in(database, person, fault):
    token = person.sign_in()["access_token"]
    person.provider.faults.plan(fault, 1, "data/whoami")
    assert refused(database, token)
    # and whoever comes next is let in
    connect(database, token).close()


def test_another_process_with_the_server_s_old_number_is_left_alone(tmp_path):
    """A server that crashed leaves its file."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (tmp_path / "postmaster.pid").write_text(f"{stranger.pid}\n{tmp_path}\n")
        end_server(tmp_path)
        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0
