"""Which token service answers, and from where its data is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_oauthconn.broker.choice import choose, data_home
from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import Settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("JUPYTER_OAUTHCONN_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))


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
    assert "oc.use(oc.Settings())" in caught.value.hint
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
