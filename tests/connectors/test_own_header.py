"""A second hop's token that goes into a header of its own (Tableau), through each HTTP handle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from counted import MARKER, Connected, CountedTokens
from leaks import shown, told
from recorder import Recorder, Reply, Seen, recorder

from jupyter_oauthconn.catalog import Exchange, ExchangeKind
from jupyter_oauthconn.connectors import Access, connector

OWN = "X-Tableau-Auth"
LISTING = """<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">
<d:response><d:href>/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>
</d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
</d:multistatus>"""


class Tableau:
    """Signs in at `/signin`; other paths take the newest of its tokens alone, in its header.

    Attributes:
        seen: for each request for data: `Authorization`, and Tableau's header.
        ended: a token that is refused.
        leads_to: where requests for data are sent on to.
    """

    def __init__(self, server: Recorder) -> None:
        self.url = server.url
        self.seen: list[tuple[str | None, str | None]] = []
        self.good: str | None = None
        self.ended = self.leads_to = ""
        self._numbers = count(1)
        server.answer = self.answer

    def answer(self, seen: Seen) -> Reply:
        if seen.path == "/signin":
            self.good = f"{MARKER}-tableau-{next(self._numbers)}"
            return Reply({"credentials": {"token": self.good}})
        own = {name.lower(): one for name, one in seen.headers.items()}.get(OWN.lower())
        self.seen.append((seen.authorization, own))
        if own is None or own != self.good or own == self.ended:
            return Reply("refused", 401)
        if self.leads_to and not seen.path.startswith("/new"):
            return Reply("", 307, {"Location": self.leads_to})
        if seen.method == "PROPFIND":
            return Reply(LISTING, 207, content_type="application/xml")
        return Reply("read")


@pytest.fixture
def tableau() -> Iterator[Tableau]:
    with recorder() as made:
        yield Tableau(made)


@pytest.fixture
def other() -> Iterator[Recorder]:
    with recorder() as made:
        made.answer = lambda seen: Reply("refused", 401)
        yield made


def access(kind: str, tableau: Tableau, **handle: Any) -> Access:
    exchange = Exchange(kind=ExchangeKind.TABLEAU, endpoint=f"{tableau.url}/signin")
    return Connected(CountedTokens()).access(kind, exchange=exchange, **handle)


def with_httpx(tableau: Tableau) -> Callable[[], object]:
    def read() -> object:
        with connector("httpx").open(access("httpx", tableau), follow_redirects=True) as made:
            return made.get(f"{tableau.url}/data").raise_for_status()

    return read


def with_async_httpx(tableau: Tableau) -> Callable[[], object]:
    async def read() -> object:
        opened = access("httpx", tableau)
        made = connector("httpx").open(opened, asynchronous=True, follow_redirects=True)
        async with made:
            return (await made.get(f"{tableau.url}/data")).raise_for_status()

    return lambda: asyncio.run(read())


def with_requests(tableau: Tableau) -> Callable[[], object]:
    def read() -> object:
        with connector("session").open(access("session", tableau)) as made:
            made.get(f"{tableau.url}/data").raise_for_status()

    return read


def over_http(tableau: Tableau) -> Callable[[], object]:
    opened = access("filesystem", tableau, options={"library": "http"})
    made = connector("filesystem").open(opened, tableau.url)
    return lambda: made.cat_file(f"{tableau.url}/data")


def over_webdav(tableau: Tableau) -> Callable[[], object]:
    opened = access("filesystem", tableau, url=tableau.url, options={"library": "webdav4"})
    made = connector("filesystem").open(opened, follow_redirects=True)
    return lambda: made.ls("/", detail=False)


Opened = Callable[[Tableau], Callable[[], object]]


@pytest.fixture(params=[with_httpx, with_async_httpx, with_requests, over_http, over_webdav])
def opened(request: pytest.FixtureRequest) -> Opened:
    made: Opened = request.param
    return made


def refuse_once(tableau: Tableau) -> str:
    """The first token will be refused."""
    tableau.ended = f"{MARKER}-tableau-1"
    return tableau.ended


def test_the_token_goes_into_its_own_header(tableau: Tableau, opened: Opened) -> None:
    opened(tableau)()
    assert set(tableau.seen) == {(None, f"{MARKER}-tableau-1")}


def test_after_a_401_once_more_with_another_one(tableau: Tableau, opened: Opened) -> None:
    read = opened(tableau)
    first = refuse_once(tableau)
    read()
    assert tableau.seen[:2] == [(None, first), (None, f"{MARKER}-tableau-2")]
    assert {own for _, own in tableau.seen[1:]} == {f"{MARKER}-tableau-2"}


def test_a_redirect_on_the_same_origin_keeps_it(tableau: Tableau, opened: Opened) -> None:
    tableau.leads_to = "/new"
    opened(tableau)()
    assert set(tableau.seen) == {(None, f"{MARKER}-tableau-1")}


def test_never_to_another_origin(tableau: Tableau, other: Recorder, opened: Opened) -> None:
    tableau.leads_to = f"{other.url}/steal"
    read = opened(tableau)
    with pytest.raises(Exception, match="401") as caught:
        read()
    assert other.seen
    assert not any(MARKER in str(one.headers) for one in other.seen)
    assert tableau.good == f"{MARKER}-tableau-1"  # and its 401 renews nothing
    assert MARKER not in told(caught.value) + shown(caught.value)


def test_nor_on_the_way_back(tableau: Tableau, other: Recorder, opened: Opened) -> None:
    tableau.leads_to = f"{other.url}/there"
    other.answer = lambda seen: Reply("", 307, {"Location": f"{tableau.url}/new"})
    with pytest.raises(Exception, match="401"):
        opened(tableau)()
    assert (None, None) in tableau.seen
    assert not any(MARKER in str(one.headers) for one in other.seen)
