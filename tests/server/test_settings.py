"""What can be set on a server, by whom, and what happens with a mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import Settings
from jupyter_oauthconn.model.settings import CHANGED_HERE, DEFAULT, setting_fields
from jupyter_oauthconn.server.extension import OAuthConn

from ..jupyter import jupyter_server


def settings(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], **given: object) -> Settings:
    for name, value in environ.items():
        monkeypatch.setenv(f"JUPYTER_OAUTHCONN_{name}", value)
    return OAuthConn(config=Config({"OAuthConn": given})).read_settings()


def test_the_defaults_are_those_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch, {}) == Settings(device_flow_enabled=False)


def test_configuration_goes_before_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {
        "PUBLIC_URL": "https://a.example",
        "REFRESH_MARGIN": "60",
        "DEVICE_FLOW_ENABLED": "true",
    }
    found = settings(monkeypatch, environ, public_url="https://b.example", catalog_paths=["/a"])
    assert found.public_url == "https://b.example"
    assert found.refresh_margin == timedelta(minutes=1)
    assert found.device_flow_enabled
    assert found.catalog_paths == ("/a",)


def test_each_setting_knows_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch, {"REFRESH_MARGIN": "60"}, administrator_contact="data-team@example.com"
    ).changed({"refresh_margin": "90", "audit_retention": "60", "proxy": "http://evil.example"})
    listing = {one.name: one for one in found.in_force()}
    assert list(listing) == [one.name for one in setting_fields()]
    told = {name: (one.value, one.origin, one.changeable) for name, one in listing.items()}
    # what the environment or the configuration says wins over what was changed at run time
    assert told["refresh_margin"] == ("60", "JUPYTER_OAUTHCONN_REFRESH_MARGIN", False)
    assert told["administrator_contact"] == (
        "data-team@example.com", "OAuthConn.administrator_contact", False,
    )  # fmt: skip
    assert told["audit_retention"] == ("60", CHANGED_HERE, True)
    assert told["allow_user_clients"] == ("false", DEFAULT, True)
    # some cannot be changed while the service runs
    assert told["proxy"] == ("", DEFAULT, False)


def test_a_list_takes_what_is_appended() -> None:
    config = Config()
    config.OAuthConn.catalog_paths.append("/a")
    config.OAuthConn.catalog_paths.append("/b")
    assert OAuthConn(config=config).read_settings().catalog_paths == ("/a", "/b")
    assert OAuthConn().read_settings().catalog_paths == ()


def test_secret_settings_leave_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"DATABASE_URL": "postgresql://ana:pw@db/x", "PROXY": "http://ana:pw@proxy"}
    found = settings(monkeypatch, environ)
    assert found.database_url == environ["DATABASE_URL"]
    assert found.proxy == environ["PROXY"]
    assert not [name for name in environ if f"JUPYTER_OAUTHCONN_{name}" in os.environ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization_lifetime", "soon"),
        ("authorization_lifetime", 0),
        ("authorization_lifetime", 1e-7),
        ("authorization_lifetime", "0.99"),
        ("refresh_margin", float("nan")),
        ("device_flow_enabled", "perhaps"),
        ("catalog_paths", 7),
        ("public_url", "http://jupyter.example.com"),
        ("public_url", "https://ana@jupyter.example.com"),
        ("public_url", "jupyter.example.com"),
    ],
)
def test_a_mistake_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        settings(monkeypatch, {}, **{name: value})
    assert caught.value.parameter == name
    assert caught.value.hint


def test_what_may_hold_a_password_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        settings(monkeypatch, {}, database_url=["postgresql://ana:canary@db/x"])
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql+psycopg://ana:pw@db/x", "postgresql+psycopg://…@db/x"),
        ("postgresql+psycopg://ana:p/pw@db/x", "postgresql+psycopg://…@db/x"),
        ("postgresql://ana:p@pw@db/x", "postgresql://…@db/x"),
        ("postgresql://ana:p?pw@db/x", "postgresql://…@"),
        ("postgresql://db/x?user=ana&password=pw", "postgresql://db/x"),
        ("postgresql://db/x?user=ana&password=p@pw", "postgresql://…@"),
        ("ana:pw@proxy:3128", "…@proxy:3128"),
        ("sqlite:////srv/oauthconn.db", "sqlite:////srv/oauthconn.db"),
    ],
)
def test_a_password_is_not_shown(address: str, shown: str) -> None:
    given = Settings(database_url=address, proxy=address)
    listing = {one.name: one.value for one in given.in_force()}
    assert (listing["database_url"], listing["proxy"]) == (shown, shown)


def test_what_is_no_address_is_shown_whole() -> None:
    contact = "https://wiki.example/who?team=data or data-team@example.com"
    listing = {one.name: one for one in Settings(administrator_contact=contact).in_force()}
    assert listing["administrator_contact"].value == contact


def test_a_blank_text_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch, {"PROXY": " ", "REFRESH_MARGIN": " "}, administrator_contact=" ", ca_bundle=""
    ).changed({"administrator_contact": " ops@example.com ", "audit_retention": " "})
    assert found == Settings(device_flow_enabled=False, administrator_contact="ops@example.com")
    told = {one.name: one.origin for one in found.in_force()}
    assert {name for name, origin in told.items() if origin != DEFAULT} == {"administrator_contact"}


def test_the_help_tells_each_setting_with_its_default() -> None:
    shown = {
        name: OAuthConn.class_get_trait_help(trait)
        for name, trait in OAuthConn.class_own_traits(config=True).items()
    }
    # that one is a matter of kernels
    assert {*shown, "interaction"} == {one.name for one in setting_fields()}
    for name, seconds in {"authorization_lifetime": 600, "refresh_margin": 300}.items():
        assert "in seconds" in shown[name]
        assert shown[name].endswith(f"Default: {seconds}")
    assert shown["device_flow_enabled"].endswith("Default: False")
    assert shown["allow_user_clients"].endswith("Default: False")
    assert shown["catalog_paths"].endswith("Default: []")
    assert shown["config_files"].endswith("Default: []")
    assert shown["home"].endswith("Default: None")


def test_configuration_file_and_command_line_reach_it(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "jupyter_oauthconn_config.py").write_text(
        "c.OAuthConn.public_url = 'https://jupyter.example.com/base/'\n"
        f"c.OAuthConn.home = {str(tmp_path / 'configured')!r}\n",
        encoding="utf-8",
    )
    options = [f"--OAuthConn.catalog_paths={tmp_path}", f"--OAuthConn.catalog_paths={config}"]
    with jupyter_server(tmp_path, options=options) as server:
        assert server.request("GET", "api/v1/me", server.kernel_headers).status == 200
        assert (tmp_path / "configured" / "oauthconn.db").exists()
        assert not server.home.exists()


@pytest.mark.parametrize("where", ["command line", "file", "environment"])
def test_a_mistake_stops_us_and_not_jupyter(tmp_path: Path, where: str) -> None:
    options, environ = [], {}
    match where:
        case "command line":
            options = ["--OAuthConn.authorization_lifetime=soon"]
        case "environment":
            environ = {"JUPYTER_OAUTHCONN_AUTHORIZATION_LIFETIME": "soon"}
        case _:
            (tmp_path / "config").mkdir()
            (tmp_path / "config" / "jupyter_oauthconn_config.py").write_text(
                "c.OAuthConn.database_url = 'postgresql://ana:canary@db/x'\n"
                "c.OAuthConn.authorization_lifetime = 'soon'\n",
                encoding="utf-8",
            )
    with jupyter_server(tmp_path, options=options, environ=environ) as server:
        server.wait_for(lambda: "'soon'" in server.log, "it does not say so")
        assert server.jupyter("GET", "api/status").status == 200
        kernel = server.request("GET", "api/v1/me", server.kernel_headers)
        assert kernel.status == 503
        assert "'soon'" in kernel.json()["message"]
        anybody = server.request("GET", "api/v1/health")
        assert anybody.status == 503
        assert "soon" not in anybody.text
        lines = [line for line in server.log.splitlines() if "'soon'" in line]
        assert len(lines) == 1
        assert "Give a number of seconds" in lines[0]
        assert "Traceback" not in server.log
        assert "canary" not in server.log


def test_a_database_without_its_key_is_said_and_can_be_mended(tmp_path: Path) -> None:
    with jupyter_server(tmp_path) as server:
        server.request("GET", "api/v1/me", server.kernel_headers)
        server.stop()
        key, away = server.home / "keys.json", tmp_path / "keys.json"
        key.rename(away)
        server.start()
        kernel = server.request("GET", "api/v1/me", server.kernel_headers)
        assert (kernel.status, kernel.json()["code"]) == (503, "missing_key")
        assert str(key) in kernel.json()["message"] + kernel.json()["hint"]
        anybody = server.request("GET", "api/v1/me", server.token_headers)
        assert (anybody.status, anybody.json()["code"]) == (503, "missing_key")
        assert str(server.home) not in anybody.text
        assert str(key) in server.log
        assert "Traceback" not in server.log
        away.rename(key)
        assert server.request("GET", "api/v1/me", server.kernel_headers).status == 200


def test_listing_extensions_changes_nothing(tmp_path: Path) -> None:
    environ = {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)}
    code = (
        "import os, jupyter_oauthconn as oc\n"
        "before = dict(os.environ)\n"
        "(point,) = oc._jupyter_server_extension_points()\n"
        "point['app']()\n"
        "assert os.environ == before\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)
    assert not (tmp_path / "oauthconn").exists()
