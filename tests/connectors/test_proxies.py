"""What is for this machine does not leave it by a proxy that the environment names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from recorder import Recorder, Reply, recorder

from jupyter_oauthconn.catalog import Exchange, ExchangeKind, Handle
from jupyter_oauthconn.connectors import Access, Reach, connector
from jupyter_oauthconn.errors import NotAllowedError
from jupyter_oauthconn.testing import ScriptedTokens


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    with recorder() as made:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, made.url)
        yield made


@pytest.fixture
def store() -> Iterator[Recorder]:
    with recorder() as made:
        made.answer = lambda seen: Reply({"access_token": "other", "expires_in": 300})
        yield made


def open_handle(kind: str, *arguments: Any, **options: Any) -> Any:
    exchange = options.pop("exchange", None)
    access = Access(source=ScriptedTokens(), reach=Reach(None),
                    handle=Handle(kind=kind, exchange=exchange))  # fmt: skip
    return connector(kind).open(access, *arguments, **options)


def by_httpx(url: str) -> None:
    with open_handle("httpx") as client:
        client.get(url)


def by_async_httpx(url: str) -> None:
    async def ask() -> None:
        async with open_handle("httpx", asynchronous=True) as client:
            await client.get(url)

    asyncio.run(ask())


def by_requests(url: str) -> None:
    with open_handle("session") as session:
        session.get(url)


def by_webdav(url: str) -> None:
    files = open_handle("filesystem", url.replace("http", "webdav", 1))
    with pytest.raises(ValueError, match="not a multistatus"):
        files.ls("/")


def by_fsspec(url: str) -> None:
    open_handle("filesystem", url).cat(url)


def by_exchange(url: str) -> None:
    exchange = Exchange(kind=ExchangeKind.TOKEN_EXCHANGE, endpoint=url)
    assert open_handle("credential", exchange=exchange)() == "other"


@pytest.mark.parametrize(
    "send", [by_httpx, by_async_httpx, by_requests, by_webdav, by_fsspec, by_exchange]
)
def test_no_proxy(proxy: Recorder, store: Recorder, send: Callable[[str], None]) -> None:
    send(f"{store.url}/data")
    assert len(store.seen) == 1
    assert proxy.seen == []


def test_other_hosts_take_the_proxy(proxy: Recorder) -> None:
    """Without the token: they are asked without TLS."""
    with open_handle("httpx") as client:
        client.get("http://data.example/")
    with open_handle("session") as session:
        session.get("http://data.example/")
    assert [one.authorization for one in proxy.seen] == [None, None]


def test_duckdb_asks_for_no_proxy(
    proxy: Recorder, store: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAllowedError, match="through a proxy") as caught:
        open_handle("duckdb", store.url)
    assert "no_proxy=127.0.0.1" in caught.value.hint
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with open_handle("duckdb", store.url) as connection:
        connection.execute(f"FROM read_text('{store.url}/x')").fetchall()
    assert store.seen
    assert proxy.seen == []
