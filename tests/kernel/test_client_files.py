"""OAuth clients as TOML: back and forth, and never with a secret."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.kernel.client_files import read_clients, write_clients
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientRegistration,
    ClientSecretInfo,
    Endpoints,
)

CLIENT = ClientRegistration(
    id=UUID(int=1),
    version=3,
    name="sales-app",
    title='Sales "EU" \\ ünï \x7f\n',
    provider="acme",
    client_id="id-1",
    auth_method=AuthMethod.CLIENT_SECRET_POST,
    parameters={"host": "acme.example", "odd key": "x"},
    endpoints=Endpoints(token="https://t.example"),
    scope="a b",
    access_token_lifetime=timedelta(minutes=10),
    redirect_uris=("http://localhost:8888/oauthconn/callback/sales-app",),
    allowed_users=("eve", "adam"),
)
SECRET = ClientSecretInfo(
    id=UUID(int=2), set_at=datetime(2026, 1, 1, tzinfo=UTC), reference="env:SALES_SECRET"
)


def test_back_and_forth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_SECRET", "s3cr3t")
    text = write_clients([replace(CLIENT, secrets=(SECRET,)), replace(CLIENT, name="other")])
    assert "s3cr3t" not in text
    first, second = read_clients(text)
    assert first.client_secret is not None
    assert first.client_secret.reveal() == "s3cr3t"
    assert second.client_secret is None
    for field in ("name", "title", "provider", "client_id", "auth_method", "parameters",
                  "endpoints", "scope", "access_token_lifetime", "redirect_uris",
                  "allowed_users"):  # fmt: skip
        assert getattr(first, field) == getattr(replace(CLIENT), field), field


def test_durations_are_seconds() -> None:
    table = tomllib.loads(write_clients([CLIENT]))["clients"]["sales-app"]
    assert table["access_token_lifetime_seconds"] == 600
    assert "refresh_token_lifetime_seconds" not in table


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[clients.a\n", "not TOML"),
        ("clients = 3", "does not hold tables"),
        ("[clients]\na = 1", "does not hold tables"),
        ('[clients.a]\nprovider = "acme"', "no client_id"),
        ('[clients.a]\nclient_id = "x"', "no provider"),
        (
            '[clients.a]\nprovider="p"\nclient_id="x"\nclient_secret="hunter2"',
            "secret of 'a' itself",
        ),
        ('[clients.a]\nprovider="p"\nclient_id="x"\nscop="y"', "no field 'scop'"),
        ('[clients.a]\nprovider="p"\nclient_id="x"\nauth_method="magic"', "'magic'"),
        ('[clients.a]\nprovider="p"\nclient_id="x"\nsecret_reference="env:NOT_SET"', "NOT_SET"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, sentence: str) -> None:
    with pytest.raises(InvalidParameterError, match=sentence) as caught:
        read_clients(text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.hint
