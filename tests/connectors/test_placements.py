"""Where each placement puts the token, and that nothing shows it there."""

from __future__ import annotations

import struct
import tomllib
from typing import Any

import pytest
from issuer import IssuedTokens
from leaks import shown

from jupyter_oauthconn.catalog import Handle, Placement, TokenPlacement
from jupyter_oauthconn.connectors import Reach
from jupyter_oauthconn.connectors.sql.placements import Living, placed, placement_of
from jupyter_oauthconn.errors import InvalidParameterError


@pytest.fixture
def living(tokens: IssuedTokens) -> Living:
    return Living(tokens, Reach(None))


def put(
    tokens: IssuedTokens, living: Living, placement: Placement, *given: Any, **fields: Any
) -> Any:
    where = TokenPlacement(placement=placement, **fields)
    return placed(where, tokens.token(), given or ((), {"user": "ada"}), living)


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (TokenPlacement(placement=Placement.CONNECT_ARG, name="token"), "token", "{}"),
        (TokenPlacement(placement=Placement.PASSWORD), "password", "{}"),
        (TokenPlacement(placement=Placement.PASSWORD, name="passwd"), "passwd", "{}"),
        (TokenPlacement(placement=Placement.PREFIXED, name="logdata", prefix="token="), "logdata",
         "token={}"),
        (TokenPlacement(placement=Placement.ADBC_HEADER),
         "adbc.flight.sql.rpc.call_header.authorization", "Bearer {}"),
    ],
)  # fmt: skip
def test_as_text(
    tokens: IssuedTokens, living: Living, where: TokenPlacement, name: str, value: str
) -> None:
    given: dict[str, Any] = {"user": "ada"}
    positional, named = placed(where, tokens.token(), ((), given), living)
    token = tokens.token().reveal()
    assert positional == []
    assert named == {"user": "ada", name: value.format(token)}
    assert given == {"user": "ada"}
    assert token not in shown(named)


def test_odbc(tokens: IssuedTokens, living: Living) -> None:
    text = "Driver={ODBC};Server=s;Trusted_Connection=Yes;UID=ada;PWD=x;Encrypt=yes"
    given = ((text,), {"attrs_before": {7: b"kept"}})
    (text,), named = put(tokens, living, Placement.ODBC_TOKEN, *given)
    assert text == "Driver={ODBC};Server=s;Encrypt=yes"
    value = tokens.token().reveal().encode("utf-16-le")
    packed = struct.pack("<I", len(value)) + value
    assert named == {"attrs_before": {7: b"kept", 1256: packed}}


def test_a_factory_of_headers(tokens: IssuedTokens, living: Living) -> None:
    _, named = put(tokens, living, Placement.HEADER_FACTORY, name="credentials_provider")
    headers = named["credentials_provider"]()
    first = headers()
    assert first == {"authorization": f"Bearer {tokens.token().reveal()}"}
    tokens.token(rejected=tokens.token())
    assert headers() == {"authorization": f"Bearer {tokens.token().reveal()}"} != first
    assert tokens.token().reveal() not in shown(named, headers())


def test_a_callable(tokens: IssuedTokens, living: Living) -> None:
    _, named = put(tokens, living, Placement.CALLABLE_ARG, name="access_token")
    ask = named["access_token"]
    first = ask()
    assert first == ask(False) == tokens.token().reveal()
    assert tokens.forced == 0
    # compiled drivers take no class derived from it
    assert type(first) is str
    # Oracle's driver says so when the database refused the last one
    assert ask(True) != first
    assert ask(True) == tokens.token().reveal()
    assert tokens.forced == 2
    assert first not in shown(named)


def test_an_auth_of_requests(tokens: IssuedTokens, living: Living) -> None:
    import requests

    _, named = put(tokens, living, Placement.REQUESTS_AUTH, name="auth")
    auth = named["auth"]
    session = auth.set_http_session(http_session=requests.Session())
    prepared = session.prepare_request(requests.Request("GET", "https://trino.example/v1"))
    assert prepared.headers["Authorization"] == f"Bearer {tokens.token().reveal()}"
    plain = session.prepare_request(requests.Request("GET", "http://trino.example/v1"))
    assert "Authorization" not in plain.headers
    assert auth.get_exceptions() == ()
    assert tokens.token().reveal() not in shown(auth, session)


@pytest.mark.parametrize("placement", [Placement.URL_QUERY, Placement.LIBPQ_HOOK])
def test_what_goes_another_way_leaves_the_arguments_alone(
    tokens: IssuedTokens, living: Living, placement: Placement
) -> None:
    assert put(tokens, living, placement, name="Token") == ([], {"user": "ada"})


def test_every_placement_is_tested_here() -> None:
    here = (Placement.ODBC_TOKEN, Placement.HEADER_FACTORY, Placement.REQUESTS_AUTH,
            Placement.CALLABLE_ARG, Placement.URL_QUERY, Placement.LIBPQ_HOOK)  # fmt: skip
    as_text = (Placement.CONNECT_ARG, Placement.PASSWORD, Placement.PREFIXED, Placement.ADBC_HEADER)
    assert {*here, *as_text} == set(Placement)


def test_what_the_caller_says_wins() -> None:
    of_entry = TokenPlacement(placement=Placement.CONNECT_ARG, name="token")
    handle = Handle(kind="engine", token=of_entry)
    assert placement_of(handle, None) == of_entry
    assert placement_of(Handle(kind="engine"), None) is None
    assert placement_of(handle, "password") == TokenPlacement(placement=Placement.PASSWORD)
    read = tomllib.loads('token = { placement = "prefixed", name = "logdata", prefix = "token=" }')
    assert placement_of(handle, read["token"]) == TokenPlacement(
        placement=Placement.PREFIXED, name="logdata", prefix="token="
    )


@pytest.mark.parametrize("given", ["connect_arg", {"placement": "callable_arg"}, "header_factory"])
def test_a_placement_that_needs_a_name(given: Any) -> None:
    with pytest.raises(InvalidParameterError, match="needs the driver's argument"):
        placement_of(Handle(kind="engine"), given)


@pytest.mark.parametrize(
    "given",
    [{"placement": "prefixed", "name": "logdata"},
     {"placement": "connect_arg", "name": "token", "prefix": "token="},
     TokenPlacement(placement=Placement.PREFIXED, name="logdata")],
)  # fmt: skip
def test_a_prefix_where_it_belongs_and_nowhere_else(given: Any) -> None:
    with pytest.raises(InvalidParameterError, match="its prefix belongs to the placement prefixed"):
        placement_of(Handle(kind="engine"), given)


@pytest.mark.parametrize("given", ["pasword", {}, {"name": "token"}])
def test_an_unknown_placement_names_all(given: Any) -> None:
    with pytest.raises(InvalidParameterError, match="There is no placement") as caught:
        placement_of(Handle(kind="engine"), given)
    assert "odbc_token" in caught.value.hint
