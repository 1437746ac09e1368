"""Every entry that we ship loads, renders and says where its facts come from."""

from __future__ import annotations

import re
from dataclasses import astuple
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from jupyter_oauthconn.catalog import (
    ProviderEntry,
    Rotation,
    Scopes,
    check_parameters,
    load,
    resolve_api_hosts,
    resolve_authorization_parameters,
    resolve_endpoints,
    resolve_issuer,
    resolve_scopes,
    resolve_steps,
)
from jupyter_oauthconn.errors import InvalidParameterError, UnknownProviderError
from jupyter_oauthconn.model import AuthMethod, Endpoints

ENTRIES = load().entries()
each = pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one.key)
URI = "http://localhost:8888/oauthconn/callback/client"


def examples(entry: ProviderEntry, *, at: str | None = None) -> dict[str, str]:
    return {one.name: one.example for one in entry.variables if at in (None, one.at)}


def test_the_first_entries_are_there() -> None:
    assert [one.key for one in ENTRIES] == [
        "entra-id", "github", "google", "keycloak", "oidc", "practice", "salesforce", "snowflake",
    ]  # fmt: skip


@each
def test_an_entry_renders_with_its_examples(entry: ProviderEntry) -> None:
    for at in ("client", "connection"):
        given = examples(entry, at=at)
        assert check_parameters(entry, given, at=at) == given
    everything = examples(entry)
    addresses = [*astuple(resolve_endpoints(entry, everything)), resolve_issuer(entry, everything)]
    for address in filter(None, addresses):
        assert urlsplit(address).scheme == "https"
        assert "{" not in address
    rendered = [
        *astuple(resolve_scopes(entry, everything)),
        *resolve_authorization_parameters(entry, everything).values(),
        *resolve_api_hosts(entry, everything),
        *resolve_steps(entry, everything, redirect_uri=URI),
    ]
    assert not any("{" in part for part in rendered)


@each
def test_an_entry_renders_from_what_is_required_alone(entry: ProviderEntry) -> None:
    required = {one.name: one.example for one in entry.variables if one.required}
    resolve_endpoints(entry, required)
    assert not any("{" in scope for scope in resolve_scopes(entry, required).default)


@each
def test_an_entry_tells_its_source_and_shows_the_redirect_uri(entry: ProviderEntry) -> None:
    assert entry.checked == "2026-11-23"
    assert urlsplit(entry.source).scheme == "https"
    assert entry.confidence in {"high", "medium", "low"}
    assert entry.traps
    assert entry.handles[0].kind
    assert any(URI in step for step in resolve_steps(entry, {}, redirect_uri=URI))


@each
def test_where_nothing_can_be_revoked_the_entry_says_what_to_do(entry: ProviderEntry) -> None:
    by_metadata_alone = entry.discovery and entry.endpoints == Endpoints()
    assert entry.endpoints.revocation or entry.revocation_note or by_metadata_alone


def test_snowflake() -> None:
    entry = load().entry("snowflake")
    assert entry.auth_methods == (AuthMethod.CLIENT_SECRET_BASIC,)
    assert entry.token_answer.account == "username"
    assert entry.refresh.lifetime == timedelta(days=90)
    steps = resolve_steps(entry, {"account": "org-a"}, redirect_uri=URI)
    assert f"OAUTH_REDIRECT_URI = '{URI}'" in steps[0]
    assert "OAUTH_ALLOW_NON_TLS_REDIRECT_URI = TRUE" in steps[0]
    with_role = resolve_scopes(entry, {"account": "org-a", "role": "ANALYST"})
    assert with_role == Scopes(default=("session:role:ANALYST",), offline=("refresh_token",))
    assert resolve_scopes(entry, {"account": "org-a"}) == Scopes(offline=("refresh_token",))


def test_github() -> None:
    entry = load().entry("github")
    assert entry.token_answer.accept_form
    assert entry.token_answer.error_with_status_200
    assert entry.refresh.kills_access_token
    assert entry.refresh.rotation is Rotation.STRICT
    assert check_parameters(entry, {}, at="client") == {"host": "github.com"}
    assert resolve_api_hosts(entry, {}) == ("api.github.com", "github.com")


def test_salesforce() -> None:
    entry = load().entry("salesforce")
    assert entry.token_answer.default_lifetime == timedelta(hours=2)
    assert entry.token_answer.keep == ("instance_url", "id")
    assert entry.token_answer.account == "id"


def test_google_asks_for_a_refresh_token_at_each_consent() -> None:
    entry = load().entry("google")
    asked = resolve_authorization_parameters(entry, {})
    assert asked == {"access_type": "offline", "prompt": "consent"}


def test_practice() -> None:
    entry = load().entry("practice")
    assert entry.auth_methods[0] is AuthMethod.NONE
    assert entry.discovery
    assert entry.loopback_hosts == ("127.0.0.1", "localhost")
    assert entry.scopes.default == ("sales.read",)
    assert entry.scopes.offline == ("offline_access",)


def test_an_unknown_key_names_similar_ones() -> None:
    with pytest.raises(UnknownProviderError) as caught:
        load().entry("snowflak")
    assert caught.value.similar == ("snowflake",)
    assert load().find("snowflak") is None


@pytest.mark.parametrize(
    "account",
    ["myorg-myaccount", "xy12345", "xy12345.eu-central-1", "xy12345.west-europe.azure",
     "xy12345.us-central1.gcp", "xy12345.fhplus.us-gov-west-1.aws", "org-a.privatelink"],
)  # fmt: skip
def test_every_documented_form_of_a_snowflake_account_is_taken(account: str) -> None:
    endpoints = resolve_endpoints(load().entry("snowflake"), {"account": account})
    assert endpoints.token == f"https://{account}.snowflakecomputing.com/oauth/token-request"


def test_no_variable_takes_a_line_break_at_its_end() -> None:
    for entry in ENTRIES:
        for one in entry.variables:
            assert re.fullmatch(one.pattern, one.example)
            given = {**examples(entry, at=one.at), one.name: one.example + "\n"}
            with pytest.raises(InvalidParameterError):
                check_parameters(entry, given, at=one.at)
