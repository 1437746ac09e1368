"""The tables `[[handles]]`: read strictly, filled in so that no value changes a host."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_oauthconn.catalog import (
    Exchange,
    ExchangeKind,
    Handle,
    Placement,
    ProviderEntry,
    TokenPlacement,
    load,
    resolve_handle,
)
from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError

HEAD = """
[provider]
title = "Acme"
checked = "2026-11-23"
source = "https://docs.acme.example"
confidence = "low"

[variables.site]
title = "Site"
pattern = '[^\\n]+'
at = "client"
required = true
example = "north"

[variables.database]
title = "Database"
pattern = '[^\\n]+'
at = "connection"
required = false
example = "sales"

[variables.schema]
title = "Schema"
pattern = '[^\\n]+'
at = "connection"
required = false
example = "public"

[endpoints]
token_endpoint = "https://login.acme.example/token"

[client_authentication]
token_endpoint_auth_methods_supported = ["client_secret_basic"]

"""
ENGINE = """
[[handles]]
kind = "engine"
title = "Acme SQL"
requires = ["acme-sqlalchemy>=2"]
url = "acme://{identity}@{site}.acme.example:5439/{database}/{schema}?role={schema}&v=1"
connect_args = { tls = true, port = 5439, role = "{schema}", deep = { db = "{database}" } }
token = { placement = "prefixed", name = "logdata", prefix = "token=" }
session_bound = true
auth_errors = ["390303"]
probe = "select '{site}'"
options = { library = "acme", schema = "{schema}" }

[handles.exchange]
kind = "sts_web_identity"
endpoint = "https://sts.{site}.acme.example/"
parameters = { role_arn = "arn:{database}" }
lifetime_seconds = 3600
"""


def entry_of(folder: Path, handles: str) -> ProviderEntry:
    (folder / "acme.toml").write_text(HEAD + handles, encoding="utf-8")
    return load([folder]).entry("acme")


@pytest.fixture
def entry(tmp_path: Path) -> ProviderEntry:
    return entry_of(tmp_path, ENGINE)


def resolved(entry: ProviderEntry, identity: str | None = None, **values: str) -> Handle:
    return resolve_handle(entry, entry.handles[0], values, identity=identity)


def test_every_key_is_read(entry: ProviderEntry) -> None:
    (handle,) = entry.handles
    assert handle == Handle(
        kind="engine",
        title="Acme SQL",
        requires=("acme-sqlalchemy>=2",),
        url="acme://{identity}@{site}.acme.example:5439/{database}/{schema}?role={schema}&v=1",
        connect_args={"tls": True, "port": 5439, "role": "{schema}", "deep": {"db": "{database}"}},
        token=TokenPlacement(placement=Placement.PREFIXED, name="logdata", prefix="token="),
        session_bound=True,
        auth_errors=("390303",),
        probe="select '{site}'",
        options={"library": "acme", "schema": "{schema}"},
        exchange=Exchange(
            kind=ExchangeKind.STS_WEB_IDENTITY,
            endpoint="https://sts.{site}.acme.example/",
            parameters={"role_arn": "arn:{database}"},
            lifetime=timedelta(hours=1),
        ),
    )


def test_all_values(entry: ProviderEntry) -> None:
    handle = resolved(entry, "ada@acme.example", site="north", database="s/1", schema="p&q=1")
    assert handle.url == (
        "acme://ada%40acme.example@north.acme.example:5439/s%2F1/p%26q%3D1?role=p%26q%3D1&v=1"
    )
    # only what becomes part of an address is encoded
    assert handle.connect_args == {
        "tls": True, "port": 5439, "role": "p&q=1", "deep": {"db": "s/1"},
    }  # fmt: skip
    assert handle.options == {"library": "acme", "schema": "p&q=1"}
    assert handle.probe == "select 'north'"
    assert handle.exchange is not None
    assert handle.exchange.endpoint == "https://sts.north.acme.example/"
    assert handle.exchange.parameters == {"role_arn": "arn:s/1"}


def test_what_has_no_value_is_left_out(entry: ProviderEntry) -> None:
    handle = resolved(entry, site="north")
    assert handle.url == "acme://@north.acme.example:5439?v=1"
    assert handle.connect_args == {"tls": True, "port": 5439, "deep": {}}
    assert handle.options == {"library": "acme"}
    assert handle.exchange is not None
    assert handle.exchange.parameters == {}
    only = resolved(entry, site="north", database="sales")
    assert only.url == "acme://@north.acme.example:5439/sales?v=1"


def test_a_gap_in_the_path_is_named(entry: ProviderEntry) -> None:
    with pytest.raises(InvalidParameterError, match="needs database") as caught:
        resolved(entry, site="north", schema="public")
    assert caught.value.parameter == "database"


def test_a_host_without_its_value_is_named(entry: ProviderEntry) -> None:
    with pytest.raises(InvalidParameterError, match="'site' has no value"):
        resolved(entry)


@pytest.mark.parametrize(
    "site",
    ["evil.example/", "evil.example#", "evil.example?", "x@evil.example", "evil.example:1/",
     "evil\\", "a b", "", " ", "[::1]",
     "n%6frth", "evil.example/@x", "évil", "\u212aite", "-", "x\ty"],
)  # fmt: skip
def test_no_value_leads_to_another_host(entry: ProviderEntry, site: str) -> None:
    with pytest.raises(InvalidParameterError):
        resolved(entry, site=site)


@given(
    site=st.text(min_size=1, max_size=20),
    database=st.text(max_size=20),
    schema=st.text(max_size=20),
    identity=st.text(max_size=20),
)
def test_whatever_the_values_are(
    tmp_path_factory: pytest.TempPathFactory, site: str, database: str, schema: str, identity: str
) -> None:
    entry = _kept(tmp_path_factory)
    try:
        handle = resolved(entry, identity, site=site, database=database, schema=schema)
    except InvalidParameterError:
        return
    parts = urlsplit(handle.url)
    assert parts.hostname == f"{site}.acme.example".lower()
    assert parts.port == 5439
    assert parts.password is None
    assert parts.fragment == ""
    assert set(parse_qs(parts.query)) <= {"role", "v"}
    assert parts.path.count("/") <= 2


_entries: list[ProviderEntry] = []


def _kept(folders: pytest.TempPathFactory) -> ProviderEntry:
    if not _entries:
        _entries.append(entry_of(folders.mktemp("catalog"), ENGINE))
    return _entries[0]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('title = "Acme SQL"', 'titel = "x"', r"\[\[handles\]\]: titel is not known here"),
        ('kind = "engine"', "", r"\[\[handles\]\]: kind is missing"),
        ('"acme://{identity}@', '"acme://{identity}:{site}@', "must not hold a password"),
        ('"acme://', '"acme:', "url must be an address"),
        ('"acme://{identity}@{site}', '"acme://{identity}@{identity}', "the account as its host"),
        ('"acme://{identity}@{site}', '"acme://{identity}@{side}', r"\{side\} is not among"),
        ('"acme://{identity}@{site}.acme.example:5439', '"http://acme.example', "must not be http"),
        ('"acme://{identity}@{site}', '"acme://{identity}@a b', "a host that no address can have"),
        ("v=1", "v=1#x", "url must be an address"),
        ('role = "{schema}", deep', 'role = "{role}", deep', r"\{role\} is not among"),
        ("port = 5439,", "port = 2026-11-23,", "may hold texts, numbers"),
        ('library = "acme"', 'library = "{acme}"', r"\{acme\} is not among"),
        ("select '{site}'", "select '{x}'", r"\{x\} is not among"),
        ('"arn:{database}"', '"arn:{x}"', r"\{x\} is not among"),
        ('name = "logdata", ', "", r"handles\]?\.token\]: name is missing: prefixed"),
        (', prefix = "token="', "", "prefix belongs to the placement prefixed"),
        ('"prefixed"', '"connect_arg"', "prefix belongs to the placement prefixed"),
        ('"prefixed"', '"pasword"', "placement may be connect_arg, .*, not 'pasword'"),
        ('prefix = "token="', 'prefix = "t", where = "x"', "where is not known here"),
        ("session_bound = true", 'session_bound = "yes"', "session_bound must be true or false"),
        ('"sts_web_identity"', '"sts"', "kind may be sts_web_identity"),
        ('"https://sts.', '"http://sts.', "endpoint must begin with https://"),
        ("lifetime_seconds = 3600", "lifetime_seconds = 0", "a whole number above zero"),
        ("lifetime_seconds = 3600", "lifetime = 3600", "lifetime is not known here"),
    ],
)
def test_a_faulty_table_gets_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in ENGINE
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        entry_of(tmp_path, ENGINE.replace(old, new))
    assert "acme.toml" in str(caught.value)
    assert caught.value.hint


def test_an_example_that_no_address_can_have(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(
        (HEAD + ENGINE).replace('example = "north"', 'example = "nor th"'), encoding="utf-8"
    )
    with pytest.raises(ConfigurationError, match="engine: with its own examples: site cannot be"):
        load([tmp_path])


@pytest.mark.parametrize("placement", ["password", "odbc_token", "adbc_header", "libpq_hook"])
def test_placements_whose_argument_has_a_usual_name(tmp_path: Path, placement: str) -> None:
    table = f'[[handles]]\nkind = "engine"\ntoken = {{ placement = "{placement}" }}\n'
    assert entry_of(tmp_path, table).handles[0].token == TokenPlacement(
        placement=Placement(placement)
    )


def test_several_tables_keep_their_order(tmp_path: Path) -> None:
    tables = "".join(f'[[handles]]\nkind = "{one}"\n' for one in ("httpx", "engine", "httpx"))
    assert [one.kind for one in entry_of(tmp_path, tables).handles] == ["httpx", "engine", "httpx"]


# --- those that we ship


def shipped(key: str, kind: str, *, at: int = 0, identity: str | None = None, **values: Any) -> Any:
    entry = load().entry(key)
    table = [one for one in entry.handles if one.kind == kind][at]
    return resolve_handle(entry, table, values, identity=identity)


def test_every_kind_that_is_named_is_installed() -> None:
    from jupyter_oauthconn.connectors import kinds

    assert {one.kind for entry in load().entries() for one in entry.handles} <= {*kinds()}


def test_every_address_stays_with_its_providers_hosts() -> None:
    """Where a handle is called by HTTP at an address, the token may go there."""
    from jupyter_oauthconn.catalog import resolve_api_hosts
    from jupyter_oauthconn.connectors import Reach

    for entry in load().entries():
        values = {one.name: one.example for one in entry.variables}
        reach = Reach(resolve_api_hosts(entry, values) if entry.api_hosts else None)
        for one in entry.handles:
            handle = resolve_handle(entry, one, values, identity="ada")
            for address in (handle.url, handle.probe):
                if address.startswith("https://"):
                    assert reach.covers(address), (entry.key, address)


def test_snowflake() -> None:
    given = {"account": "org-a", "role": "ANALYST", "warehouse": "WH"}
    assert shipped("snowflake", "engine", identity="ADA", **given).url == (
        "snowflake://ADA@org-a?warehouse=WH&role=ANALYST"
    )
    adbc = shipped("snowflake", "adbc", **given)
    assert adbc.connect_args["adbc.snowflake.sql.account"] == "org-a"
    assert "username" not in adbc.connect_args


def test_entra_has_two_engines() -> None:
    sql = shipped("entra-id", "engine", sql_server="s.database.windows.net", database="d")
    assert sql.url.startswith("mssql+pyodbc://@s.database.windows.net/d?driver=ODBC+Driver+18")
    with pytest.raises(InvalidParameterError):
        shipped("entra-id", "engine", sql_server="s.evil.example")
    server = "s.postgres.database.azure.com"
    postgres = shipped("entra-id", "engine", at=1, identity="ada@x.example", postgres_server=server)
    assert postgres.url == f"postgresql+psycopg://ada%40x.example@{server}?sslmode=require"
