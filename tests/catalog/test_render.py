"""Values of variables: what is refused, in which words, and that no host ever changes."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_oauthconn.catalog import (
    ProviderEntry,
    Variable,
    check_parameters,
    load,
    resolve_endpoints,
    resolve_issuer,
    resolve_scopes,
    resolve_text,
)
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import Endpoints

SNOWFLAKE = load().entry("snowflake")
SALESFORCE = load().entry("salesforce")

HOSTILE = [
    "evil.com/#", "evil.com/", "evil.com?", "evil.com\\", "a@evil", "a:b@evil.com", "@evil.com",
    "x.evil.com", "evil.com#", "evil.com:443/", "evil.com%2f", "%2f", "%00", "evil.com%23",
    "evil.com\n", "\nevil.com", "evil.com\r\nHost: x", "evil\t.com", " evil", "evil ", "",
    "evil。com", "evil．com", "evil｡com", "ⓔvil", "еvil.example", "//evil.com", "../evil", "..",
    ".", ".evil", "evil.", "a..b", "-evil", "evil-", "evil.com;", "evil.com,", "[::1]",
    "{account}", "{role}", "a{account}", "evil.com\x00", "evil.com\u200b", "evil.com\u2028",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_that_is_no_account_is_refused(value: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        check_parameters(SNOWFLAKE, {"account": value}, at="client")
    assert caught.value.parameter == "account"
    if len(value.strip()) > 2:
        assert value not in str(caught.value)  # it may be a secret in the wrong field
    assert "myorg-myaccount" in caught.value.hint


@pytest.mark.parametrize("value", [*filter(None, HOSTILE), "evil.my.salesforce.com.evil.com"])
def test_a_value_that_is_no_host_of_the_provider_is_refused(value: str) -> None:
    with pytest.raises(InvalidParameterError):
        check_parameters(SALESFORCE, {"login_host": value}, at="client")


@pytest.mark.parametrize(
    "value", ["evillogin.salesforce.com", "my.salesforce.com", "evil.com.my.salesforce.comm"]
)
def test_a_suffix_without_a_dot_is_the_whole_host(value: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"must end with \.my\.salesforce\.com"):
        check_parameters(SALESFORCE, {"login_host": value}, at="client")


def lax(**addresses: str) -> ProviderEntry:
    """An entry whose patterns let everything through: only the check of the address is left."""
    anything = [
        Variable(name=name, title=name, pattern=r"(?s:.*)", at="client", required=True)
        for name in ("account", "path")
    ]
    return replace(
        SNOWFLAKE, variables=tuple(anything), endpoints=Endpoints(**addresses), issuer=None
    )


PREFIXED = lax(token="https://{account}.example.com/t/{path}/token")


@given(account=st.text(min_size=1), path=st.text(min_size=1))
@example(account="evil.com/x", path="a")
@example(account="evil.com:443", path="a")
@example(account="a", path="../../x")
@example(account="a", path="b/..")
@example(account="a", path="b?x=1")
@example(account="a@b", path="c")
@example(account="a\n", path="b\n")
@example(account="{path}", path="evil.com/")
def test_whatever_the_values_are_the_host_stays(account: str, path: str) -> None:
    try:
        address = resolve_endpoints(PREFIXED, {"account": account, "path": path}).token
    except InvalidParameterError:
        return
    assert address is not None
    parts = urlsplit(address)
    assert parts.geturl() == address  # nothing was stripped or normalised on reading
    assert parts.scheme == "https"
    assert parts.netloc == f"{account}.example.com"
    assert parts.path == f"/t/{path}/token"
    assert not parts.query
    assert not parts.fragment
    assert ".." not in parts.path.split("/")


@given(
    account=st.from_regex(SNOWFLAKE.variables[0].pattern, fullmatch=True),
)
def test_whatever_fits_the_pattern_is_below_the_provider(account: str) -> None:
    try:
        address = resolve_endpoints(SNOWFLAKE, {"account": account}).token
    except InvalidParameterError:
        return
    assert address is not None
    assert (urlsplit(address).hostname or "").endswith(".snowflakecomputing.com")


@pytest.mark.parametrize("host", [f"{one}" for one in HOSTILE if one and one != "x.evil.com"])
def test_a_host_typed_by_an_administrator_is_a_host_and_nothing_else(host: str) -> None:
    keycloak = load().entry("keycloak")
    with pytest.raises(InvalidParameterError):
        resolve_issuer(keycloak, {"host": host, "realm": "a"})


def test_a_missing_value_is_named_with_title_and_example() -> None:
    with pytest.raises(InvalidParameterError) as caught:
        check_parameters(SNOWFLAKE, {}, at="client")
    assert str(caught.value) == (
        "Snowflake needs account: Account identifier, with - in place of _."
    )
    assert "--set account=myorg-myaccount" in caught.value.hint
    assert caught.value.parameter == "account"


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(InvalidParameterError, match="has no parameter 'acount'") as caught:
        check_parameters(SNOWFLAKE, {"acount": "a"}, at="client")
    assert caught.value.hint == "Did you mean account?"


def test_a_name_of_the_other_place_says_where_it_belongs() -> None:
    with pytest.raises(InvalidParameterError, match="at the connection"):
        check_parameters(SNOWFLAKE, {"account": "a", "role": "R"}, at="client")
    with pytest.raises(InvalidParameterError, match="at the OAuth client"):
        check_parameters(SNOWFLAKE, {"account": "a"}, at="connection")


def test_an_empty_value_is_none_given() -> None:
    assert check_parameters(SNOWFLAKE, {"role": ""}, at="connection") == {}
    given = check_parameters(SALESFORCE, {"login_host": ""}, at="client")
    assert given == {"login_host": "login.salesforce.com"}


def test_a_stored_value_is_checked_again_when_it_is_used() -> None:
    with pytest.raises(InvalidParameterError):
        resolve_endpoints(SNOWFLAKE, {"account": "evil.com/#"})


@pytest.mark.parametrize("role", ["a offline_access", 'a"', "a\\", "ä", "a\n"])
def test_a_value_cannot_bring_a_second_scope(role: str) -> None:
    variable = replace(SNOWFLAKE.variables[1], pattern=r"(?s:.*)")
    entry = replace(SNOWFLAKE, variables=(variable,))
    with pytest.raises(InvalidParameterError):
        resolve_scopes(entry, {"role": role})


def test_text_is_filled_in_once() -> None:
    assert resolve_text("{a}-{b}", {"a": "{b}", "b": "1"}) == "{b}-1"
    with pytest.raises(InvalidParameterError, match="'c' has no value"):
        resolve_text("{c}", {})
