"""From a connection in a notebook to its handles: `conn.engine()`, `conn.test()`, `%connect`, the
card, and `%sql` of JupySQL."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import gate
import httpx2
import pytest
import requests
import sqlalchemy as sa
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from recorder import Reply, recorder
from traitlets.config import Config

import jupyter_oauthconn as oc
from jupyter_oauthconn.catalog import Exchange, ExchangeKind, Handle, Placement, TokenPlacement
from jupyter_oauthconn.connectors import Access, ForResource, Reach, connector, kinds
from jupyter_oauthconn.kernel.handles import access_of, trying
from jupyter_oauthconn.kernel.handles.card import in_words
from jupyter_oauthconn.kernel.handles.opening import EVERYWHERE
from jupyter_oauthconn.model import Outcome

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

from fake_broker import MARKER, FakeBroker

TOKEN = TokenPlacement(placement=Placement.CONNECT_ARG, name="token")
ENGINE = Handle(
    kind="engine", title="Acme SQL", url="gate://ada@localhost/sales?role={role}", token=TOKEN
)


@pytest.fixture
def database() -> gate.Gate:
    return gate.opened()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBroker]:
    monkeypatch.setenv("JUPYTER_OAUTHCONN_INTERACTION", "fail")
    made = FakeBroker("sales", "fresh")
    made.sign_in("sales")
    hand_over(made, ENGINE)
    with oc.use(made):
        yield made


def hand_over(broker: FakeBroker, *handles: Handle, **changes: Any) -> None:
    """Makes them the handles of the provider's entry."""
    broker.entries["acme"] = replace(broker.entries["acme"], handles=handles, **changes)


def value_from(engine: sa.Engine, query: str = "select 6 * 7") -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.text(query)).scalar()


# --- handles


def test_an_engine_by_the_providers_entry(broker: FakeBroker, database: gate.Gate) -> None:
    oc.edit("sales", role="ANALYST")
    assert value_from(oc.connect("sales").engine()) == 42
    assert database.calls == [
        {"user": "ada", "host": "localhost", "database": "sales", "role": "ANALYST",
         "token": f"{MARKER}-sales-1"}
    ]  # fmt: skip


def test_an_engine_at_the_callers_address(broker: FakeBroker, database: gate.Gate) -> None:
    url = sa.URL.create("gate", username="bob", host="127.0.0.1", database="other")
    engine = oc.connect("sales").engine(url, pool_size=1)
    assert value_from(engine) == 42
    # the same store as the entry's: it knows where the token goes
    assert database.calls[0] == {
        "user": "bob", "host": "127.0.0.1", "database": "other", "token": f"{MARKER}-sales-1",
    }  # fmt: skip


def test_an_address_of_another_store_needs_a_placement(
    broker: FakeBroker, database: gate.Gate
) -> None:
    conn = oc.connect("sales")
    with pytest.raises(oc.errors.InvalidParameterError, match="where postgresql"):
        conn.engine("postgresql+psycopg://ada@localhost/x")
    assert conn.engine("postgresql+psycopg://ada@localhost/x", token="password").name == (
        "postgresql"
    )


def test_the_engine_stays_fresh(broker: FakeBroker, database: gate.Gate) -> None:
    conn = oc.connect("sales")
    engine = conn.engine(poolclass=sa.pool.NullPool)
    value_from(engine)
    conn.token(rejected=conn.token())
    value_from(engine)
    assert [one["token"] for one in database.calls] == [
        f"{MARKER}-sales-1", f"{MARKER}-sales-2",
    ]  # fmt: skip


def test_the_driver_below_the_engine(broker: FakeBroker, database: gate.Gate) -> None:
    connection = oc.connect("sales").handle("dbapi")
    assert connection.execute("select 1").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [("http", httpx2.Client), ("httpx", httpx2.Client), ("requests", requests.Session),
     ("session", requests.Session), ("sqlalchemy", sa.Engine), ("engine", sa.Engine)],
)  # fmt: skip
def test_spellings(
    broker: FakeBroker, database: gate.Gate, spelling: str, kind: type[object]
) -> None:
    assert isinstance(oc.connect("sales").handle(spelling), kind)


def test_the_usual_handle(broker: FakeBroker, database: gate.Gate) -> None:
    conn = oc.connect("sales")
    assert isinstance(conn.handle(), sa.Engine)
    hand_over(broker)
    assert isinstance(conn.handle(), httpx2.Client)
    oc.edit("sales", connector="requests")
    assert isinstance(conn.handle(), requests.Session)


def test_every_kind_of_the_project_loads() -> None:
    assert set(kinds()) >= {
        "adbc", "client", "credential", "dbapi", "duckdb", "engine", "env", "filesystem", "httpx",
        "session",
    }  # fmt: skip
    for kind in kinds():
        made = connector(kind)
        assert callable(made.open)
        assert callable(made.check)
    assert set(EVERYWHERE) <= set(kinds())


def test_a_kind_that_is_not_there(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.InvalidParameterError, match="no handle 'warp'") as caught:
        oc.connect("sales").handle("warp")
    assert "engine" in caught.value.hint


def test_a_kind_that_the_entry_does_not_list_says_what_it_misses(broker: FakeBroker) -> None:
    hand_over(broker)
    with pytest.raises(oc.errors.InvalidParameterError, match="names no database") as caught:
        oc.connect("sales").engine()
    assert 'token="password"' in caught.value.hint


def test_somebody_elses_connector(
    broker: FakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package announces a kind of its own."""
    (tmp_path / "acme_oauth.py").write_text(
        "class Line:\n"
        "    def open(self, access, **options):\n"
        "        return access.source.name, access.handle.kind, options\n"
        "    def check(self, handle, access):\n"
        "        return 'It rang.'\n"
        "CONNECTOR = Line()\n",
        encoding="utf-8",
    )
    metadata = tmp_path / "acme_oauth-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-oauth\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[jupyter_oauthconn.connectors]\nline = acme_oauth:CONNECTOR\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    conn = oc.connect("sales")
    assert conn.handle("line", loud=True) == ("sales", "line", {"loud": True})
    assert conn.test("line")[0].detail == "It rang."
    assert "line" in kinds()


def test_what_a_connector_is_given(broker: FakeBroker) -> None:
    oc.edit("sales", role="ANALYST")
    oc.edit_client("app", parameters={"host": "acme.example"}, issuer="https://login.acme.example")
    hand_over(broker, replace(ENGINE, url="gate://{identity}@{host}/x"), api_hosts=("db.{host}",))
    conn = oc.connect("sales")
    place = conn._place
    access = access_of(place, conn, "engine")
    assert access == Access(
        source=conn,
        reach=Reach(("db.acme.example",)),
        handle=replace(ENGINE, url="gate://you%40example.com@acme.example/x"),
        parameters={"host": "acme.example", "role": "ANALYST"},
        identity="you@example.com",
        client_id="id-1",
        issuer="https://login.acme.example",
    )
    assert MARKER not in repr(access)
    # what the caller says wins, and the entry's own address need not have its values then
    oc.edit_client("app", parameters={"host": None})
    access = access_of(place, conn, "engine", url="gate://x@y/z", probe="select 2")
    assert (access.handle.url, access.handle.probe) == ("", "select 2")
    assert access.reach == Reach(())


def test_a_handle_for_another_resource(broker: FakeBroker, database: gate.Gate) -> None:
    hand_over(broker, replace(ENGINE, options={"resource": "https://sql.acme.example/"}))
    conn = oc.connect("sales")
    assert value_from(conn.engine()) == 42
    assert database.calls[0]["token"] == f"{MARKER}-sales-1-https://sql.acme.example/"
    assert conn.token().reveal() == f"{MARKER}-sales-1"
    assert isinstance(access_of(conn._place, conn, "engine").source, ForResource)


def test_among_several_the_one_whose_address_is_known(
    broker: FakeBroker, database: gate.Gate
) -> None:
    first = replace(ENGINE, title="first", url="gate://ada@{host}/x")
    second = replace(ENGINE, title="second", url="gate://ada@{role}/x")
    third = replace(ENGINE, title="third", url="other://ada@localhost/x")
    hand_over(broker, first, second, third)
    conn = oc.connect("sales")

    def title(url: str = "") -> str:
        return access_of(conn._place, conn, "engine", url=url).handle.title

    hand_over(broker, first, second)
    with pytest.raises(oc.errors.InvalidParameterError, match="'host' has no value"):
        title()
    hand_over(broker, first, second, third)
    oc.edit("sales", role="localhost")
    assert title() == "second"
    oc.edit_client("app", parameters={"host": "localhost"})
    assert title() == "first"
    assert title("other+driver://bob@localhost/y") == "third"
    assert title("gate://bob@localhost/y") == "first"
    assert title("postgresql://bob@localhost/y") == ""


# --- a real, cheap call


def test_it_says_what_it_saw(broker: FakeBroker, database: gate.Gate) -> None:
    conn = oc.connect("sales")
    (seen,) = conn.test()
    assert (seen.check, seen.outcome) == ("engine", Outcome.OK)
    assert seen.detail == "`select 1` answered 1."
    (seen,) = conn.test("dbapi", probe="select 6 * 7")
    assert seen.detail == "`select 6 * 7` answered 42."
    assert "ok" in repr(conn.test())


def test_it_says_what_went_wrong_without_the_token(broker: FakeBroker, database: gate.Gate) -> None:
    database.accepts = lambda _: False
    database.refusal = lambda: gate.Refused(f"no entry for {MARKER}-sales-1\nsecond line")
    (seen,) = oc.connect("sales").test()
    assert seen.outcome is Outcome.FAILED
    assert "no entry for ********" in seen.detail
    assert MARKER not in seen.detail
    assert "second line" not in seen.detail
    assert "%connect doctor sales" in seen.next_step


def test_a_token_file_is_tested_while_it_is_there(broker: FakeBroker) -> None:
    (seen,) = oc.connect("sales").test("env", allow=True)
    assert (seen.outcome, seen.detail) == (Outcome.OK, "The file holds the current token.")


def test_an_asynchronous_client_is_tested_and_closed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from a cell, whose own loop runs."""
    closed: list[bool] = []
    real = httpx2.AsyncClient.aclose

    async def aclose(self: httpx2.AsyncClient) -> None:
        await real(self)
        closed.append(self.is_closed)

    monkeypatch.setattr(httpx2.AsyncClient, "aclose", aclose)

    async def cell(url: str) -> Any:
        return oc.connect("sales").test("httpx", asynchronous=True, probe=f"{url}/probe")[0]

    hand_over(broker, api_hosts=("127.0.0.1",))
    with recorder() as server:
        seen = asyncio.run(cell(server.url))
        assert (seen.outcome, seen.detail) == (
            Outcome.OK, "GET /probe at 127.0.0.1 answered 200.",
        )  # fmt: skip
        assert server.tokens == [f"Bearer {MARKER}-sales-1"]
        server.answer = lambda seen: Reply("no", 500)
        assert asyncio.run(cell(server.url)).outcome is Outcome.FAILED
    assert closed == [True, True]


def test_an_asynchronous_engine_is_tested_and_ended(broker: FakeBroker) -> None:
    disposed: list[object] = []

    async def dispose(self: object, close: bool = True) -> None:
        disposed.append(self)

    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("error")
        patched.setattr(Line, "dispose", dispose, raising=False)
        patched.setattr(trying, "connector", lambda kind: Line())
        (seen,) = oc.connect("sales").test("engine")
        gc.collect()
    assert (seen.outcome, len(disposed)) == (Outcome.OK, 1)


class Line:
    """A connector, and its handle."""

    def open(self, access: Access, **options: Any) -> Line:
        self.source = access.source
        return self

    def check(self, handle: Any, access: Access) -> str:
        return "It rang."


def test_a_handle_that_cannot_be_closed_spoils_nothing(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Proxy(Line):
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("the far end is gone")

    monkeypatch.setattr(trying, "connector", lambda kind: Proxy())
    (seen,) = oc.connect("sales").test()
    assert (seen.outcome, seen.detail) == (Outcome.OK, "It rang.")


def test_every_token_of_a_test_is_masked(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first too, which is no longer the current one, and when the service has none left."""

    class Loud(Line):
        def check(self, handle: Any, access: Access) -> str:
            first = self.source.token()
            second = self.source.token(rejected=first)
            broker.generations.clear()
            raise OSError(f"neither {first.reveal()} nor {second.reveal()} is good")

    monkeypatch.setattr(trying, "connector", lambda kind: Loud())
    (seen,) = oc.connect("sales").test()
    assert seen.outcome is Outcome.FAILED
    assert seen.detail == "OSError: neither ******** nor ******** is good"


def test_and_what_a_token_was_traded_for(broker: FakeBroker) -> None:
    with recorder() as server:
        server.answer = lambda seen: Reply({"access_token": "second+secret", "expires_in": 600})
        exchange = Exchange(kind=ExchangeKind.TOKEN_EXCHANGE, endpoint=server.url)
        database = gate.opened()
        database.accepts = lambda _: False
        database.refusal = lambda: gate.Refused("no entry for second+secret or second%2Bsecret")
        hand_over(broker, replace(ENGINE, exchange=exchange))
        (seen,) = oc.connect("sales").test()
    assert seen.outcome is Outcome.FAILED
    assert "no entry for ******** or ********" in seen.detail


@pytest.mark.parametrize(
    ("handles", "kind", "outcome", "detail"),
    [
        ((), "httpx", Outcome.UNKNOWN, "Nobody knows an address"),
        ((), "session", Outcome.UNKNOWN, "Nobody knows an address"),
        ((), "engine", Outcome.FAILED, "names no database"),
        ((replace(ENGINE, url="nowhere://localhost/x"),), "engine", Outcome.FAILED,
         "needs nowhere, which is not installed"),
        ((replace(ENGINE, url="gate://{role}/x"),), "engine", Outcome.FAILED, "has no value"),
    ],
)  # fmt: skip
def test_when_nothing_can_be_called(
    broker: FakeBroker, handles: tuple[Handle, ...], kind: str, outcome: Outcome, detail: str
) -> None:
    hand_over(broker, *handles)
    (seen,) = oc.connect("sales").test(kind)
    assert seen.outcome is outcome
    assert detail in seen.detail
    assert seen.next_step


def test_whoever_must_sign_in_is_told(broker: FakeBroker, database: gate.Gate) -> None:
    with pytest.raises(oc.errors.InteractionRequiredError):
        oc.Connection("fresh").test()
    assert database.calls == []


def test_the_services_checks_come_first(broker: FakeBroker, database: gate.Gate) -> None:
    assert [(one.check, one.outcome) for one in oc.test("sales")] == [
        ("provider", Outcome.OK), ("engine", Outcome.OK),
    ]  # fmt: skip


def test_no_data_is_asked_for_when_the_service_says_no(
    broker: FakeBroker, database: gate.Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = replace(broker.test("sales")[0], outcome=Outcome.FAILED)
    monkeypatch.setattr(broker, "test", lambda _: [failed])
    assert [one.check for one in oc.test("sales")] == ["provider"]
    assert database.calls == []


# --- the card


class Card(HTMLParser):
    """Its rows, and all tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def card(name: str = "sales") -> str:
    html = oc.Connection(name)._repr_html_()
    assert html is not None
    return html


def test_the_card(broker: FakeBroker, database: gate.Gate) -> None:
    read = Card(card())
    text = " ".join(read.texts)
    for part in ("Connection", "sales", "Acme", "Authenticated", "you@example.com", "engine",
                 "httpx", "session", "credential"):  # fmt: skip
        assert part in text, part
    rows = [attributes for tag, attributes in read.tags if tag == "th"]
    assert rows
    assert all(one == {"scope": "row"} for one in rows)
    assert read.tags[1][0] == "caption"
    assert not any("style" in one or "id" in one for _, one in read.tags)
    assert "Not authenticated" in card("fresh")
    assert database.calls == []  # it opens nothing
    assert MARKER not in card()


def test_the_card_says_how_long_and_no_time_of_day(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = broker.connection
    status = real("sales").status
    assert status is not None
    now = datetime.now(UTC)
    status = replace(
        status,
        expires_at=now + timedelta(minutes=60),
        refresh_expires_at=now + timedelta(days=90),
    )
    monkeypatch.setattr(broker, "connection", lambda name: replace(real(name), status=status))
    html = card()
    assert "good for about an hour when shown, renewed by itself" in html
    assert "good for about 90 days when shown" in html
    assert not re.search(r"\d\d:\d\d|20\d\d-", html)
    status = replace(status, expires_at=now - timedelta(seconds=1))
    assert "has ended" in card()


def test_the_card_escapes_what_others_wrote(broker: FakeBroker) -> None:
    hand_over(broker, replace(ENGINE, kind="<script>"), title="<b>Acme</b>")
    broker.identities["sales"] = "<img src=x>"
    html = card()
    for tag in ("<script", "<b>", "<img"):
        assert tag not in html
    assert "&lt;script&gt;" in html


def test_no_card_for_a_connection_that_is_gone(broker: FakeBroker) -> None:
    conn = oc.connect("sales")
    oc.remove("sales")
    assert conn._repr_html_() is None
    assert repr(conn) == "Connection('sales')"


# --- in a notebook


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    patch = pytest.MonkeyPatch()
    patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    patch.setenv("PLOOMBER_STATS_ENABLED", "false")  # JupySQL tells its maker otherwise
    config = Config()
    config.HistoryManager.enabled = False
    config.Completer.use_jedi = False
    made = InteractiveShell.instance(config=config)
    yield made
    InteractiveShell.clear_instance()
    patch.undo()


@pytest.fixture
def run(shell: InteractiveShell, broker: FakeBroker) -> Iterator[Any]:
    shell.reset()
    shell.extension_manager.load_extension("jupyter_oauthconn")

    def cell(code: str) -> Any:
        done = shell.run_cell(code, store_history=True)
        assert done.success, done.error_in_exec or done.error_before_exec
        return done.result

    yield cell
    shell.extension_manager.unload_extension("jupyter_oauthconn")


@pytest.mark.parametrize(
    "line", ["%connect sales --handle engine as eng", "%connect sales as eng --handle engine"]
)
def test_the_magic_binds_a_handle(run: Any, database: gate.Gate, line: str) -> None:
    assert isinstance(run(line), sa.Engine)
    assert run("eng.connect().exec_driver_sql('select 6 * 7').scalar()") == 42


def test_the_magic_tests_the_data_too(run: Any, database: gate.Gate) -> None:
    found = run("%connect test sales")
    assert [one.check for one in found] == ["provider", "engine"]


def test_tab_knows_the_kinds_and_asks_nobody(
    run: Any, shell: InteractiveShell, broker: FakeBroker
) -> None:
    broker.calls.clear()
    line = "%connect sales --handle e"
    with provisionalcompleter():
        found = [one.text for one in shell.Completer.completions(line, len(line))]
    assert set(found) >= {"engine", "env"}
    assert broker.calls == []


def test_jupysql_takes_the_engine(
    run: Any, database: gate.Gate, broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    """The released JupySQL: two cells, and again after the token has ended."""
    broker.life = timedelta(seconds=1)
    run("%load_ext sql")
    run("%config SqlMagic.displaycon = False")
    run("%connect sales --handle engine as eng")
    run("%sql eng")
    assert run("%sql select 6 * 7 as answer").dict() == {"answer": (42,)}
    run("eng.dispose()")
    broker.generations["sales"] += 1
    oc.edit("sales", scope="read")
    assert run("%sql select 'still' as answer").dict() == {"answer": ("still",)}
    run("%sql --close gate://ada@localhost/sales")
    assert MARKER not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "less than a minute"), (59, "less than a minute"), (61, "a few minutes"),
        (299.9, "about 5 minutes"), (600, "about 10 minutes"), (2_999, "about 50 minutes"),
        (3_001, "about an hour"), (3_599.5, "about an hour"), (7_199, "about 2 hours"),
        (86_399, "about 24 hours"), (7_776_000 - 1, "about 90 days"),
    ],
)  # fmt: skip
def test_how_long_in_round_words(seconds: float, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words
