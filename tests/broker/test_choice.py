"""Which token service answers, and from where its data is read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_oauthconn as oc
from jupyter_oauthconn.broker.choice import choose, data_home, server_at
from jupyter_oauthconn.broker.http import HttpBroker
from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.cli import main
from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import Secret, Settings

from .scripted import CREDENTIAL, Scripted, answer

EMPTY = answer({"items": [], "next": None})


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("JUPYTER_OAUTHCONN_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Scripted]:
    """A running server of this user, without connections."""
    with Scripted(EMPTY) as server:
        server.file(pid=os.getpid()).write(tmp_path / "runtime" / "oauthconn-1.json")
        yield server


def test_a_script_gets_a_service_of_its_own(tmp_path: Path) -> None:
    broker = choose()
    assert isinstance(broker, LocalBroker)
    broker.close()
    assert sorted(path.name for path in (tmp_path / "data" / "oauthconn").glob("*.*"))[-1] in {
        "oauthconn.db",
        "oauthconn.db-wal",
    }


def test_a_kernel_of_a_server_without_the_extension_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "work/analysis.ipynb")
    with pytest.raises(ServiceUnreachableError) as caught:
        choose()
    for words in ("pip install jupyter-oauthconn", "jupyter server extension list",
                  "oc.use(oc.Settings())"):  # fmt: skip
        assert words in caught.value.hint
    assert not (tmp_path / "data" / "oauthconn").exists()
    chosen = choose(Settings(home=str(tmp_path / "own")))
    chosen.close()
    assert (tmp_path / "own" / "oauthconn.db").exists()


def test_the_home_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_HOME", str(tmp_path / "elsewhere"))
    assert data_home(Settings.from_environ(os.environ)) == tmp_path / "elsewhere"


def test_two_first_starts_at_once_make_one_database(tmp_path: Path) -> None:
    code = "from jupyter_oauthconn.broker.choice import choose; choose().close(); print('ok')"
    environ = {**os.environ, "JUPYTER_OAUTHCONN_HOME": str(tmp_path / "home")}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    assert [one.communicate(timeout=60)[0] for one in started] == ["ok\n"] * 4


# --- the server that started this kernel


def of_the_environment(monkeypatch: pytest.MonkeyPatch, url: str, file: Path) -> None:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_URL", url)
    monkeypatch.setenv("JUPYTER_OAUTHCONN_CREDENTIAL_FILE", str(file))
    monkeypatch.setenv("JPY_SESSION_NAME", "work/analysis.ipynb")


def test_a_kernel_asks_the_server_that_started_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: Scripted
) -> None:
    of_the_environment(monkeypatch, service.url, tmp_path / "runtime" / "oauthconn-1.json")
    broker = choose()
    assert isinstance(broker, HttpBroker)
    assert broker.connections() == []
    assert f"Bearer {CREDENTIAL}" in service.heads[0]
    assert not (tmp_path / "data").exists()
    broker.close()
    local = choose(Settings(home=str(tmp_path / "own")))
    assert isinstance(local, LocalBroker)
    local.close()


def test_a_server_that_has_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "runtime" / "oauthconn-1.json"
    of_the_environment(monkeypatch, "http://localhost:8888/oauthconn/", gone)
    broker = choose()
    with pytest.raises(ServiceUnreachableError) as caught:
        broker.connections()
    assert "restart the kernel" in caught.value.hint


@pytest.mark.parametrize("left_behind", [False, True])
def test_a_server_that_was_restarted_is_found_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: Scripted, left_behind: bool
) -> None:
    """It has the same address, another process, and so another file."""
    before = tmp_path / "runtime" / "oauthconn-0.json"
    if left_behind:
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        service.file(pid=dead.pid, credential=Secret("old")).write(before)
    of_the_environment(monkeypatch, service.url, before)
    broker = choose()
    assert broker.connections() == []
    assert f"Bearer {CREDENTIAL}" in service.heads[0]
    broker.close()


def test_the_file_decides_where_its_credential_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: Scripted
) -> None:
    with Scripted(EMPTY) as other:
        of_the_environment(monkeypatch, other.url, tmp_path / "runtime" / "oauthconn-1.json")
        broker = choose()
        with pytest.raises(ServiceUnreachableError, match="not what JUPYTER_OAUTHCONN_URL says"):
            broker.connections()
        assert (other.asked, service.asked) == ([], [])


# --- a server by its address


@pytest.mark.parametrize(
    "typed",
    [
        "http://127.0.0.1:{port}/oauthconn/",
        "http://127.0.0.1:{port}/oauthconn",
        "http://127.0.0.1:{port}",
        "http://localhost:{port}/lab/tree/a.ipynb?token=x",
        "localhost:{port}",
    ],
)
def test_an_address_finds_its_server(service: Scripted, typed: str) -> None:
    address = typed.format(port=service.port)
    assert server_at(address).url == service.url
    with oc.use(address):
        assert list(oc.connections()) == []
    assert f"Bearer {CREDENTIAL}" in service.heads[0]


@pytest.mark.parametrize(
    "typed",
    [
        "https://127.0.0.1:{port}/",
        "http://127.0.0.1.evil.example:{port}/",
        "http://127.0.0.1:{port}@evil.example/",
        "http://evil.example/127.0.0.1:{port}/oauthconn/",
        "http://localhost:1/",
        "http://localhost:x/",
        "http://[::1:{port}/",
        "nonsense",
        "",
    ],
)
def test_another_address_gets_no_credential(service: Scripted, typed: str) -> None:
    address = typed.format(port=service.port)
    with pytest.raises(ServiceUnreachableError) as caught:
        oc.use(address)
    assert service.url in caught.value.hint
    assert service.asked == []


def test_what_was_typed_beside_the_address_is_not_repeated(service: Scripted) -> None:
    with pytest.raises(ServiceUnreachableError) as caught:
        oc.use("http://ada:canary@localhost:1/lab?token=canary#canary")
    assert "http://localhost:1/lab" in str(caught.value)
    assert "canary" not in f"{caught.value}{vars(caught.value)}"


def test_one_server_of_two_by_its_base_url(tmp_path: Path) -> None:
    with Scripted(EMPTY) as one:
        origin = one.url.removesuffix("oauthconn/")
        for number, base in enumerate(("a%20b/", "b/")):
            file = one.file(url=f"{origin}{base}oauthconn/", pid=os.getpid())
            file.write(tmp_path / "runtime" / f"oauthconn-{number}.json")
        assert server_at(f"{origin}b/lab").url == f"{origin}b/oauthconn/"
        assert server_at(f"{origin}a%20b").url == f"{origin}a%20b/oauthconn/"
        with pytest.raises(ServiceUnreachableError):
            server_at(f"{origin}c/")


def test_none_runs_at_all() -> None:
    with pytest.raises(ServiceUnreachableError) as caught:
        oc.use("http://localhost:8888/")
    assert "None runs" in caught.value.hint


def test_a_refused_address_changes_nothing(service: Scripted) -> None:
    with oc.use(f"http://localhost:{service.port}"):
        before = repr(oc.connections())
        with pytest.raises(ServiceUnreachableError):
            oc.use("http://localhost:1/")
        assert repr(oc.connections()) == before


def test_the_command_line_asks_the_same_service(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    service: Scripted,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--service", f"http://localhost:{service.port}/", "status", "--json"]) == 0
    assert len(service.asked) == 1
    of_the_environment(monkeypatch, service.url, tmp_path / "runtime" / "oauthconn-1.json")
    assert main(["status", "--json"]) == 0
    assert len(service.asked) == 2
    capsys.readouterr()
    assert main(["--service", "http://localhost:1/", "status"]) == 1
    assert service.url in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
