"""Adapters for SDKs, with the vendors' own packages but without their servers."""

from __future__ import annotations

import asyncio
import copy
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from counted import MARKER, MINUTE, Connected, CountedTokens, bearer, value
from later import Later
from leaks import shown, told
from recorder import Recorder, Reply, Seen, recorder
from test_exchange import ROLE, SECOND, assumed

from jupyter_oauthconn.catalog import Exchange, ExchangeKind
from jupyter_oauthconn.connectors.connector import Access
from jupyter_oauthconn.connectors.credentials import CONNECTOR
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
    ReauthorizationRequiredError,
)

STORAGE = "https://storage.azure.com/.default"


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


def opened(library: str | None, source: CountedTokens | None = None, **options: Any) -> Any:
    connected = Connected(source or CountedTokens(), hosts=("*.googleapis.com", "127.0.0.1"))
    return CONNECTOR.open(connected.access("credential"), library=library, **options)


def on_aws(server: Recorder, source: CountedTokens | None = None) -> Access:
    exchange = Exchange(
        kind=ExchangeKind.STS_WEB_IDENTITY, endpoint=server.url, parameters={"role_arn": ROLE}
    )
    return Connected(source or CountedTokens()).access("credential", exchange=exchange)


# --- which


def test_the_entry_may_choose_the_library() -> None:
    access = Connected().access("credential", options={"library": "databricks"})
    assert CONNECTOR.open(access).auth_type() == "oauthconn"
    assert CONNECTOR.open(access, library="callable")() == value(1)


def test_an_unknown_library() -> None:
    with pytest.raises(InvalidParameterError, match="no credential for 'oracle'") as caught:
        opened("oracle")
    assert "callable" in caught.value.hint


def test_a_missing_package_gives_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with recorder() as server, pytest.raises(ConfigurationError) as caught:
        CONNECTOR.open(on_aws(server), library="boto3")
    assert "`%pip install boto3`" in caught.value.hint


def test_a_callable() -> None:
    source = CountedTokens()
    token = opened(None, source)
    assert token() == value(1)
    source.renew()
    assert token() == value(2)
    assert pickle.loads(pickle.dumps(token))() == value(1)
    assert MARKER not in shown(token, token())


# --- Google


def sent(credentials: Any, url: str = "https://bigquery.googleapis.com/x") -> str | None:
    headers: dict[str, str] = {}
    credentials.before_request(None, "GET", url, headers)
    assert MARKER not in repr(headers)
    return headers.get("authorization")


def test_google_asks_far_enough_ahead() -> None:
    source = CountedTokens()
    credentials = opened("google", source, scopes=["a"])
    assert credentials.token is None
    assert not credentials.valid
    assert sent(credentials) == bearer(1)
    assert sent(credentials) == bearer(1)
    assert [one.min_validity for one in source.asked] == [300]
    assert credentials.valid
    assert credentials.expiry.tzinfo is None
    left = credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert credentials.refresh_token is None


def test_google_takes_the_new_token_after_expiry(later: Later) -> None:
    source = CountedTokens(life=MINUTE)
    credentials = opened("google", source)
    assert sent(credentials) == bearer(1)
    assert sent(credentials) == bearer(1), "a short life is not taken for stale"
    later(MINUTE)
    assert credentials.expired
    assert sent(credentials) == bearer(2)
    assert source.forced == 0


def test_google_refresh_after_a_401_forces_one() -> None:
    source = CountedTokens()
    credentials = opened("google", source)
    sent(credentials)
    credentials.refresh(None)
    assert sent(credentials) == bearer(2)
    assert source.forced == 1


def test_google_one_forced_refresh_for_many_threads_and_attempts() -> None:
    source = CountedTokens()
    credentials = opened("google", source)
    sent(credentials)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: credentials.refresh(None), range(16)))
    assert source.forced == 1
    assert sent(credentials) == bearer(2)


def test_google_without_a_known_end() -> None:
    credentials = opened("google", CountedTokens(life=None))
    assert sent(credentials) == bearer(1)
    assert credentials.expiry is None
    assert credentials.valid


def test_google_only_to_hosts_of_the_connection() -> None:
    credentials = opened("google")
    with pytest.raises(NotAllowedError, match=r"not sent to https://evil\.example"):
        sent(credentials, "https://evil.example/x")
    with pytest.raises(NotAllowedError):
        sent(credentials, "http://bigquery.googleapis.com/x")


def test_google_shows_and_pickles_no_token() -> None:
    credentials = opened("google", scopes=["a"])
    sent(credentials)
    assert MARKER not in shown(credentials, credentials.token)
    for made in (
        pickle.loads(pickle.dumps(credentials)),
        copy.deepcopy(credentials),
        credentials.with_quota_project("billed"),
    ):
        assert made.token is None
        assert sent(made) == bearer(1)
        assert made.scopes == ["a"]
    with pytest.raises(TypeError, match="not written down"):
        credentials.to_json()


def test_google_error_of_the_service_comes_through() -> None:
    source = CountedTokens()
    credentials = opened("google", source)
    sent(credentials)
    source.failure = ReauthorizationRequiredError("The sign-in behind 'data' is over.")
    with pytest.raises(ReauthorizationRequiredError) as caught:
        credentials.refresh(None)
    assert MARKER not in told(caught.value)


# --- Azure


def test_azure() -> None:
    source = CountedTokens()
    credential = opened("azure", source)
    token = credential.get_token(STORAGE)
    assert token.token == value(1)
    assert token.expires_on == pytest.approx(time.time() + 3600, abs=5)
    info = credential.get_token_info(STORAGE, options={})
    assert info.token == value(1)
    assert info.refresh_on == pytest.approx(time.time() + 2880, abs=5)
    assert {(one.min_validity, one.resource) for one in source.asked} == {(300, None)}
    assert MARKER not in shown(credential, token, info)


def test_azure_passes_the_scope_on_where_tokens_are_bound() -> None:
    source = CountedTokens()
    access = Connected(source).access("credential", options={"resource_bound": "yes"})
    CONNECTOR.open(access, library="azure").get_token(STORAGE)
    asyncio.run(CONNECTOR.open(access, library="azure-async").get_token(STORAGE))
    assert [one.resource for one in source.asked] == [STORAGE, STORAGE]


def test_azure_claims_mean_that_the_token_was_refused() -> None:
    source = CountedTokens()
    credential = opened("azure", source)
    credential.get_token(STORAGE)
    source.age(60)
    credential.get_token(STORAGE)
    assert credential.get_token(STORAGE, claims='{"access_token": {}}').token == value(2)
    assert source.forced == 1


def test_azure_clients_with_an_older_token_do_not_make_the_newest_renewed() -> None:
    source = CountedTokens()
    credential = opened("azure", source)
    credential.get_token(STORAGE)
    source.age(60)
    credential.get_token(STORAGE)
    for _ in range(3):  # clients that kept the first token, each refused
        assert credential.get_token(STORAGE, claims='{"access_token": {}}').token == value(2)
    assert source.forced == 1


def test_azure_async_in_its_context() -> None:
    async def run() -> tuple[str, str]:
        async with opened("azure-async") as credential:
            token = await credential.get_token(STORAGE, enable_cae=True)
            info = await credential.get_token_info(STORAGE)
            return token.token, info.token

    assert asyncio.run(run()) == (value(1), value(1))


def test_azure_pickled_holds_no_token() -> None:
    with opened("azure") as credential:
        credential.get_token(STORAGE)
    again = pickle.loads(pickle.dumps(credential))
    assert again.get_token(STORAGE).token == value(1)


# --- AWS


def test_aws_exchanges_when_it_is_needed(server: Recorder) -> None:
    server.answer = assumed()
    session = CONNECTOR.open(on_aws(server), library="aws", region="eu-central-1")
    assert server.seen == []
    frozen = session.get_credentials().get_frozen_credentials()
    assert frozen.secret_key == f"{SECOND}/+a&b"
    assert frozen.token == f"{SECOND}=="
    session.get_credentials().get_frozen_credentials()
    assert len(server.seen) == 1
    assert session.get_config_variable("region") == "eu-central-1"
    assert SECOND not in shown(frozen, session)
    assert session.get_credentials().method == "assume-role-with-web-identity"


def test_aws_takes_new_keys_after_expiry(server: Recorder, later: Later) -> None:
    server.answer = assumed(MINUTE)
    session = CONNECTOR.open(on_aws(server), library="aws")
    first = session.get_credentials().get_frozen_credentials()
    later(MINUTE)
    server.answer = assumed()
    second = session.get_credentials().get_frozen_credentials()
    assert first.access_key != second.access_key
    assert len(server.seen) == 2


def test_aws_looks_nowhere_else(server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "from the environment")
    server.answer = assumed()
    session = CONNECTOR.open(on_aws(server), library="aws")
    assert session.get_credentials().get_frozen_credentials().access_key != "AKIAENV"


def test_aws_says_what_sts_said(server: Recorder) -> None:
    def refuses(seen: Seen) -> Reply:
        return Reply(
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not you.</Message></Error>"
            "</ErrorResponse>",
            403,
        )

    server.answer = refuses
    session = CONNECTOR.open(on_aws(server), library="aws")
    with pytest.raises(Exception, match="AccessDenied: Not you") as caught:
        session.get_credentials().get_frozen_credentials()
    assert MARKER not in told(caught.value)


def test_aws_async(server: Recorder) -> None:
    server.answer = assumed()
    session = CONNECTOR.open(on_aws(server), library="aws-async")

    async def run() -> Any:
        credentials = await session.get_credentials()
        return await credentials.get_frozen_credentials()

    frozen = asyncio.run(run())
    assert frozen.token == f"{SECOND}=="
    assert SECOND not in shown(frozen)


def test_aws_needs_an_exchange() -> None:
    with pytest.raises(ConfigurationError, match="where its token is exchanged"):
        opened("aws")


# --- Databricks


def test_databricks_makes_headers_for_each_request() -> None:
    source = CountedTokens()
    factory = opened("databricks", source)()
    assert factory() == {"authorization": bearer(1)}
    source.renew()
    assert factory() == {"authorization": bearer(2)}
    assert MARKER not in shown(factory, factory())


def test_databricks_sdk_only_to_the_connection_s_host() -> None:
    strategy = opened("databricks")
    assert strategy(SimpleNamespace(host="https://127.0.0.1"))() == {"Authorization": bearer(1)}
    with pytest.raises(NotAllowedError):
        strategy(SimpleNamespace(host="https://evil.example"))


# --- check


@pytest.mark.parametrize("library", ["callable", "google", "azure", "azure-async", "databricks"])
def test_check(library: str) -> None:
    source = CountedTokens()
    access = Connected(source).access("credential")
    said = asked(CONNECTOR.check(CONNECTOR.open(access, library=library), access))
    assert said.startswith("The token service gave a token, valid until ")
    source.failure = ReauthorizationRequiredError("The sign-in behind 'data' is over.")
    handle = CONNECTOR.open(access, library=library)
    with pytest.raises(ReauthorizationRequiredError):
        asked(CONNECTOR.check(handle, access))


def asked(said: Any) -> str:
    async def awaited() -> Any:
        return await said

    found = said if isinstance(said, str) else asyncio.run(awaited())
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("library", ["aws", "boto3", "aws-async"])
def test_check_of_keys_asks_the_handle_that_is_there(server: Recorder, library: str) -> None:
    server.answer = assumed()
    access = on_aws(server)
    handle = CONNECTOR.open(access, library=library)
    assert asked(CONNECTOR.check(handle, access)) == "STS gave temporary credentials."
    if library != "aws-async":
        assert handle.get_credentials().get_frozen_credentials().token == f"{SECOND}=="
    assert len(server.seen) == 1


@pytest.mark.parametrize("library", ["callable", "google", "azure", "databricks"])
def test_check_of_a_traded_token_makes_no_second_trade(server: Recorder, library: str) -> None:
    server.answer = lambda seen: Reply({"access_token": SECOND, "expires_in": 600})
    exchange = Exchange(kind=ExchangeKind.TOKEN_EXCHANGE, endpoint=server.url)
    access = Connected().access("credential", exchange=exchange)
    handle = CONNECTOR.open(access, library=library)
    for _ in range(2):
        said = CONNECTOR.check(handle, access)
        assert str(said).startswith("The token was exchanged for another one")
    assert len(server.seen) == 1
