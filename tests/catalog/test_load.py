"""Files of others: where they come from, and what is said about a faulty one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_oauthconn.catalog import load
from jupyter_oauthconn.errors import ConfigurationError

GOOD = """
[provider]
title = "Acme"
checked = "2026-11-23"
source = "https://docs.acme.example"
confidence = "low"

[variables.site]
title = "Site"
pattern = '[a-z]+'
at = "client"
required = true
example = "north"

[endpoints]
authorization_endpoint = "https://{site}.acme.example/authorize"
token_endpoint = "https://{site}.acme.example/token"

[client_authentication]
token_endpoint_auth_methods_supported = ["client_secret_basic"]

[token_answer]
keep = ["user"]

[[steps]]
text = "Enter {redirect_uri}"

[[handles]]
kind = "http"
"""


def write(folder: Path, text: str, name: str = "acme.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_further_folder_adds_an_entry(tmp_path: Path) -> None:
    catalog = load([write(tmp_path, GOOD)])
    assert catalog.entry("acme").title == "Acme"
    assert catalog.entry("google").title == "Google"


def test_an_installed_package_adds_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "acme_catalog"
    package.mkdir()
    write(package, "", "__init__.py")
    write(package, GOOD)
    metadata = tmp_path / "acme_catalog-1.0.dist-info"
    metadata.mkdir()
    write(metadata, "Metadata-Version: 2.1\nName: acme-catalog\nVersion: 1.0\n", "METADATA")
    write(metadata, "[jupyter_oauthconn.catalogs]\nacme = acme_catalog\n", "entry_points.txt")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load().entry("acme").title == "Acme"
    sys.modules.pop("acme_catalog")
    (package / "__init__.py").write_text("import not_there_at_all\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="'acme_catalog' cannot be imported"):
        load()


def test_nobody_replaces_an_entry_by_a_file_of_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'google' is defined twice"):
        load([write(tmp_path, GOOD, "google.toml")])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere cannot be read"):
        load([tmp_path / "nowhere"])


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "not TOML at all [", "notes.txt")
    assert load([tmp_path]).find("notes") is None


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('title = "Acme"', "title = [", "is not TOML"),
        ('title = "Acme"\n', "", r"acme\.toml \[provider\]: title is missing"),
        ('title = "Acme"', "title = 5", r"\[provider\]: title must be a text"),
        ("[[steps]]", "[[step]]", "step is not known here"),
        ("token_endpoint =", "token_endpont =", "token_endpont is not known here"),
        ("https://{site}.acme.example/token", "http://{site}.acme.example/token",
         r"\[endpoints\]: token_endpoint must begin with https://"),
        ("https://docs.acme", "http://docs.acme", "source must begin with https://"),
        ("pattern = '[a-z]+'\n", "", r"\[variables\.site\]: pattern is missing"),
        ("'[a-z]+'", "'['", "pattern is not a regular expression"),
        ('example = "north"', 'example = "North"', "with its own examples: .*'site'"),
        ('example = "north"', 'example = "north"\ndefault = "N"', "with its own defaults"),
        ("[variables.site]", "[variables.Site]", "Site cannot name a variable"),
        ('at = "client"', 'at = "kernel"', "at must be client or connection"),
        ('at = "client"', 'at = "connection"', "{site} stands in an address"),
        ("required = true", "required = false", "{site} stands in an address"),
        ("required = true", 'required = "yes"', "required must be true or false"),
        ("{site}.acme.example/token", "{side}.acme.example/token", "{side} stands in an address"),
        ("Enter {redirect_uri}", "Enter {callback}", "{callback} is not among its variables"),
        ('"low"', '"sure"', "confidence must be high or medium or low"),
        ("2026-11-23", "yesterday", "checked must be a day like"),
        ("client_secret_basic", "magic", "may hold .*client_secret_post.*, not 'magic'"),
        ('["client_secret_basic"]', "[]", "is missing"),
        ('["user"]', '["user"]\naccount = "name"', "account must be one of the fields in keep"),
        ('["user"]', '[5]', "keep must be a list of texts"),
        ('["user"]', '["user"]\ndefault_lifetime_seconds = -1', "a whole number above zero"),
        ('[[handles]]\nkind = "http"', "", r"\[\[handles\]\] is missing"),
        ('"low"', '"low"\nloopback_hosts = ["example.com"]', "loopback_hosts may hold"),
        ('"low"', '"low"\napi_hosts = ["https://x"]', "api_hosts must be host names"),
        ('token_endpoint = "https://{site}.acme.example/token"', "", "neither .*token_endpoint"),
    ],
)  # fmt: skip
def test_a_faulty_file_gets_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        load([write(tmp_path, GOOD.replace(old, new))])
    assert "acme.toml" in str(caught.value)
    assert caught.value.hint


def test_a_misspelt_key_gets_a_suggestion(tmp_path: Path) -> None:
    text = GOOD.replace("confidence =", "confidance =")
    text = text.replace("[variables", 'confidence = "low"\n[variables', 1)
    with pytest.raises(ConfigurationError) as caught:
        load([write(tmp_path, text)])
    assert caught.value.hint == "Did you mean confidence?"


def test_a_file_name_that_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'My Acme' cannot be one"):
        load([write(tmp_path, GOOD, "My Acme.toml")])


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"acme\.toml cannot be read: it is not UTF-8"):
        load([tmp_path])
