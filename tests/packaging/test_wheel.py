"""What is in the wheel, and that Jupyter finds both extensions in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import jupyter_oauthconn

ROOT = Path(__file__).parents[2]
LAB = "jupyter_oauthconn-{v}.data/data/share/jupyter/labextensions/jupyter-oauthconn"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the working tree; `JUPYTER_OAUTHCONN_TEST_WHEEL` names one that is built."""
    if built := os.environ.get("JUPYTER_OAUTHCONN_TEST_WHEEL"):
        return Path(built)
    folder = tmp_path_factory.mktemp("wheel")
    # the build libraries are installed with the tests, so nothing is fetched again; Node is
    # needed only if labextension/src changed since the package was installed
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
        timeout=110,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def version() -> str:
    package = json.loads((ROOT / "labextension/package.json").read_text(encoding="utf-8"))
    return str(package["version"])


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 1_000_000


def test_the_wheel_holds_the_whole_package(names: list[str]) -> None:
    package = Path(jupyter_oauthconn.__file__).parent
    wanted = {
        f"jupyter_oauthconn/{path.relative_to(package).as_posix()}"
        for pattern in ("*.py", "*.toml", "*.typed", "*.html", "*.css", "*.js", "*.svg")
        for path in package.rglob(pattern)
        if path.relative_to(package).parts[0] != "labextension"
    }
    assert "jupyter_oauthconn/py.typed" in wanted
    assert "jupyter_oauthconn/catalog/providers/oidc.toml" in wanted
    assert wanted <= set(names)


def test_the_wheel_holds_nothing_else(names: list[str], version: str) -> None:
    tops = {name.split("/")[0] for name in names}
    stem = f"jupyter_oauthconn-{version}"
    assert tops == {"jupyter_oauthconn", f"{stem}.data", f"{stem}.dist-info"}
    data = ("jupyter_oauthconn/etc/", "jupyter_oauthconn/labextension/")
    assert not [name for name in names if name.startswith(data)]


def test_the_lab_extension_is_where_jupyter_looks(
    wheel: Path, names: list[str], version: str
) -> None:
    folder = LAB.format(v=version)
    archive = zipfile.ZipFile(wheel)
    built = json.loads(archive.read(f"{folder}/package.json"))
    assert built["name"] == "jupyter-oauthconn"
    assert built["version"] == version
    assert f"{folder}/{built['jupyterlab']['_build']['load']}" in names
    install = json.loads(archive.read(f"{folder}/install.json"))
    assert install["packageName"] == "jupyter-oauthconn"


def test_the_metadata_tells_licence_version_and_entry_points(wheel: Path, version: str) -> None:
    archive = zipfile.ZipFile(wheel)
    info = f"jupyter_oauthconn-{version}.dist-info"
    metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    assert metadata["Name"] == "jupyter-oauthconn"
    assert metadata["Version"] == version
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert f"{info}/licenses/LICENSE" in archive.namelist()
    entries = archive.read(f"{info}/entry_points.txt").decode()
    assert "jupyter-oauthconn = jupyter_oauthconn.cli:main" in entries
    assert "oauthconn = jupyter_oauthconn.testing" in entries


def test_the_server_extension_is_enabled_by_a_data_file(
    wheel: Path, names: list[str], version: str
) -> None:
    folder = f"jupyter_oauthconn-{version}.data/data/etc/jupyter/"
    (path,) = [name for name in names if name.startswith(folder)]
    assert path == f"{folder}jupyter_server_config.d/jupyter_oauthconn.json"
    enabled = json.loads(zipfile.ZipFile(wheel).read(path))
    assert enabled == {"ServerApp": {"jpserver_extensions": {"jupyter_oauthconn": True}}}


def listed(python: Path | str, *module: str, environ: dict[str, str]) -> list[str]:
    """What `jupyter … list` says of us."""
    done = subprocess.run(
        [python, "-m", *module, "list"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environ,
    )
    return [line for line in (done.stdout + done.stderr).splitlines() if "oauthconn" in line]


def assert_enabled(python: Path | str, config: Path) -> None:
    # a person's own configuration would go before what is installed
    environ = {**os.environ, "JUPYTER_CONFIG_DIR": str(config), "JUPYTER_DATA_DIR": str(config)}
    server = listed(python, "jupyter_server", "extension", environ=environ)
    assert "enabled" in server[0]
    assert "OK" in server[-1]
    lab = listed(python, "jupyterlab.labextensions", environ=environ)
    assert "enabled" in lab[0]
    assert "OK" in lab[0]


def test_this_installation_shows_both_extensions_as_ok(tmp_path: Path) -> None:
    assert_enabled(sys.executable, tmp_path)


def test_the_wheel_alone_shows_both_extensions_as_ok(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, which borrows the libraries of this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "new"], check=True)
    python = tmp_path / "new" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install"]
    subprocess.run(
        [*install, "-q", "--no-deps", "--no-index", wheel], check=True, capture_output=True
    )
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own, borrowed = (
        subprocess.run([one, "-c", find], check=True, capture_output=True, text=True).stdout.strip()
        for one in (python, sys.executable)
    )
    # lines of a .pth file in a borrowed folder, such as that of this installation, do not count
    (Path(own) / "borrowed.pth").write_text(borrowed, encoding="utf-8")
    assert_enabled(python, tmp_path)


def test_the_lock_file_names_no_registry() -> None:
    text = (ROOT / "labextension/package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    locked = json.loads(text)
    missing = [
        name for name, package in locked["packages"].items() if name and "integrity" not in package
    ]
    assert not missing


def test_the_versions_of_package_and_lock_file_agree(version: str) -> None:
    locked = json.loads((ROOT / "labextension/package-lock.json").read_text(encoding="utf-8"))
    assert locked["version"] == version


def test_the_test_extra_holds_what_is_needed_to_build() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extra = set(project["project"]["optional-dependencies"]["test"])
    assert set(project["build-system"]["requires"]) <= extra
