"""An engine: a fresh token for each new connection, one refresh and one retry, no leak.

The database is SQLite behind a driver that checks tokens; real ones are in `test_live_*`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import gate
import pytest
import sqlalchemy as sa
from IPython.core.ultratb import AutoFormattedTB
from issuer import IssuedTokens, Issuer
from later import Later
from leaks import shown, told
from sqlalchemy.pool import NullPool, QueuePool

from jupyter_oauthconn.catalog import Handle, Placement, TokenPlacement
from jupyter_oauthconn.connectors import Access, Reach, connector
from jupyter_oauthconn.errors import (
    ConfigurationError,
    InvalidParameterError,
    NotAllowedError,
    ReauthorizationRequiredError,
)
from jupyter_oauthconn.model import AccessToken

URL = "gate://ada@localhost/sales"
TOKEN = TokenPlacement(placement=Placement.CONNECT_ARG, name="token")


@pytest.fixture
def database(issuer: Issuer) -> gate.Gate:
    made = gate.opened()
    made.accepts = lambda named: issuer.accepts(str(named.get("token")), str(named.get("user")))
    return made


def access_to(tokens: Any, **handle: Any) -> Access:
    handle = {"token": TOKEN, **handle}
    return Access(source=tokens, reach=Reach(None), handle=Handle(kind="engine", **handle))


def engine_of(tokens: Any, url: str = URL, *, handle: Any = None, **options: Any) -> sa.Engine:
    made: sa.Engine = connector("engine").open(
        access_to(tokens, **(handle or {})), url=url, **options
    )
    return made


def visit(engine: sa.Engine) -> int:
    """Which connection was used."""
    with engine.connect() as connection:
        assert connection.execute(sa.text("select 1")).scalar() == 1
        return id(connection.connection.dbapi_connection)


def sent(database: gate.Gate) -> list[str]:
    return [str(one["token"]) for one in database.calls]


def test_each_new_connection_gets_the_token_of_that_moment(
    tokens: IssuedTokens, database: gate.Gate
) -> None:
    engine = engine_of(tokens, poolclass=NullPool)
    visit(engine)
    visit(engine)
    assert tokens.generation == 1
    first = tokens.token()
    tokens.token(rejected=first)
    visit(engine)
    assert sent(database) == [first.reveal(), first.reveal(), tokens.token().reveal()]
    assert database.calls[0] == {
        "user": "ada", "host": "localhost", "database": "sales", "token": first.reveal(),
    }  # fmt: skip


def test_no_token_is_asked_for_before_the_first_connect(
    tokens: IssuedTokens, database: gate.Gate
) -> None:
    engine_of(tokens)
    assert tokens.generation == 0


def test_a_refused_token_is_renewed_and_tried_once_more(
    tokens: IssuedTokens, database: gate.Gate
) -> None:
    engine = engine_of(tokens)
    tokens.spoil(lifetime=-60)
    visit(engine)
    assert (len(database.calls), tokens.forced) == (2, 1)
    assert sent(database)[1] == tokens.token().reveal()


def test_never_twice(tokens: IssuedTokens, database: gate.Gate) -> None:
    engine = engine_of(tokens)
    database.accepts = lambda _: False
    with pytest.raises(sa.exc.DBAPIError, match="no entry") as caught:
        visit(engine)
    assert isinstance(caught.value.orig, gate.Refused)
    assert (len(database.calls), tokens.forced) == (2, 1)


def test_no_retry_with_the_token_that_was_refused(
    tokens: IssuedTokens, database: gate.Gate
) -> None:
    class Stubborn:
        name = "data"

        def token(self, *_: Any, **__: Any) -> AccessToken:
            return tokens.token()

    database.accepts = lambda _: False
    with pytest.raises(sa.exc.DBAPIError):
        visit(engine_of(Stubborn()))
    assert len(database.calls) == 1


@pytest.mark.parametrize(
    ("refusal", "codes", "attempts"),
    [
        (lambda: gate.Refused(sqlstate="28000"), (), 2),
        (lambda: gate.Refused(pgcode="28P01"), (), 2),
        (lambda: gate.Refused({"C": "28P01"}), (), 2),
        (lambda: gate.Refused('password authentication failed for user "ada"'), (), 2),
        (lambda: gate.Refused("390318 (08001): token expired"), ("390318",), 2),
        (lambda: gate.Refused(errno=390318), ("390318",), 2),
        (lambda: gate.Refused("390318 (08001): token expired"), (), 1),
        (lambda: gate.Refused("connection to port 28000 failed"), (), 1),
        (lambda: gate.Refused(sqlstate="53300"), ("390318",), 1),
        (lambda: ValueError("28P01"), (), 1),
    ],
)
def test_what_counts_as_a_refusal(
    tokens: IssuedTokens,
    database: gate.Gate,
    refusal: Callable[[], Exception],
    codes: tuple[str, ...],
    attempts: int,
) -> None:
    database.accepts = lambda _: False
    database.refusal = refusal
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each case has a class of its own
        visit(engine_of(tokens, handle={"auth_errors": codes}))
    assert type(getattr(caught.value, "orig", caught.value)) is type(refusal())
    assert len(database.calls) == attempts


def test_a_lost_consent_says_so(tokens: IssuedTokens, database: gate.Gate) -> None:
    engine = engine_of(tokens)
    visit(engine)
    engine.dispose()
    tokens.end()
    with pytest.raises(ReauthorizationRequiredError) as caught:
        visit(engine)
    assert "%connect auth" in caught.value.hint


def test_eight_threads_share_one_refresh(tokens: IssuedTokens, database: gate.Gate) -> None:
    engine = engine_of(tokens, poolclass=NullPool)
    tokens.spoil(lifetime=-60)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: visit(engine), range(8)))
    assert tokens.forced == 1
    assert len(database.calls) <= 16


@pytest.mark.parametrize("bound", [True, False])
def test_a_session_that_ends_with_its_token(
    make_tokens: Callable[..., IssuedTokens], database: gate.Gate, bound: bool, later: Later
) -> None:
    tokens = make_tokens(lifetime=60.0)
    engine = engine_of(tokens, session_bound=bound, poolclass=QueuePool, pool_size=1)
    first = visit(engine)
    assert visit(engine) == first
    later(60)
    with engine.connect() as connection:
        # the pool replaced it without a word, and keeps the new one
        assert connection.execute(sa.text("select 1")).scalar() == 1
    assert len(database.calls) == (2 if bound else 1)
    visit(engine)
    assert len(database.calls) == (2 if bound else 1)


def test_the_entry_says_that_sessions_are_bound(
    make_tokens: Callable[..., IssuedTokens], database: gate.Gate, later: Later
) -> None:
    tokens = make_tokens(lifetime=60.0)
    engine = engine_of(tokens, handle={"session_bound": True})
    visit(engine)
    later(60)
    visit(engine)
    assert len(database.calls) == 2


def test_a_token_whose_end_nobody_knows_binds_nothing(
    tokens: IssuedTokens, database: gate.Gate
) -> None:
    class Endless:
        name = "data"

        def token(self, *_: Any, **__: Any) -> AccessToken:
            return replace(tokens.token(), expires_at=None)

    engine = engine_of(Endless(), session_bound=True)
    assert visit(engine) == visit(engine)
    assert len(database.calls) == 1


def test_a_token_in_the_address(tokens: IssuedTokens, database: gate.Gate) -> None:
    where = {"placement": "url_query", "name": "token"}
    engine = engine_of(tokens, URL + "?scheme=x", token=where, connect_args={"scheme": "y"})
    visit(engine)
    assert database.calls == [
        {"user": "ada", "host": "localhost", "database": "sales", "scheme": "y",
         "token": tokens.token().reveal()}
    ]  # fmt: skip
    assert tokens.token().reveal() not in shown(engine, engine.url)


def test_arguments_of_the_entry_and_of_the_caller(
    tokens: IssuedTokens, database: gate.Gate
) -> None:
    handle = {"url": URL, "connect_args": {"authenticator": "oauth", "role": "A"}}
    engine = connector("engine").open(access_to(tokens, **handle), connect_args={"role": "B"})
    visit(engine)
    assert database.calls[0].items() >= {"authenticator": "oauth", "role": "B"}.items()


def test_check(tokens: IssuedTokens, database: gate.Gate) -> None:
    access = access_to(tokens, probe="select 6 * 7")
    engine = connector("engine").open(access, url=URL)
    assert connector("engine").check(engine, access) == "`select 6 * 7` answered 42."


# --- nothing shows the token


def in_verbose_mode(error: BaseException) -> str:
    """As `%xmode Verbose` prints it."""
    text: str = AutoFormattedTB(mode="Verbose").text(type(error), error, error.__traceback__)
    return text


@pytest.mark.parametrize(
    "where",
    [TOKEN, "password", {"placement": "prefixed", "name": "token", "prefix": "x="},
     {"placement": "url_query", "name": "token"}],
)  # fmt: skip
def test_a_failed_connect_shows_no_token(
    tokens: IssuedTokens, database: gate.Gate, where: Any
) -> None:
    engine = engine_of(tokens, token=where)
    database.accepts = lambda _: False
    with pytest.raises(sa.exc.DBAPIError) as caught:
        visit(engine)
    text = told(caught.value) + told(caught.value.orig) + in_verbose_mode(caught.value)
    assert "connect_fresh" in text  # it is a traceback
    assert len(tokens.issued) == len(database.calls) == 2
    assert not any(one in text for one in tokens.issued)


def test_an_interrupted_connect_shows_no_token(tokens: IssuedTokens, database: gate.Gate) -> None:
    database.accepts = lambda _: False
    database.refusal = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        visit(engine_of(tokens))
    text = told(caught.value) + in_verbose_mode(caught.value)
    assert len(database.calls) == 1
    assert not any(one in text for one in tokens.issued)


def test_an_engine_shows_no_token(tokens: IssuedTokens, database: gate.Gate) -> None:
    engine = engine_of(tokens)
    with engine.connect() as connection:
        record = connection.connection._connection_record
        text = shown(engine, engine.url, engine.pool, engine.dialect, connection, record.info)
        text += repr(vars(engine.pool)) + repr(list(engine.dialect.dispatch.do_connect))
    assert tokens.token().reveal() not in text
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(engine)


# --- where it may go


@pytest.mark.parametrize(
    ("url", "hosts", "allowed"),
    [
        ("gate://ada@db.acme.example/x", ("db.acme.example",), True),
        ("gate://ada@db.acme.example/x", ("*.acme.example",), True),
        ("gate://ada@db.acme.example/x", None, True),
        ("gate://ada@db.acme.example:5432/x", ("db.acme.example",), True),
        ("gate://ada@localhost/x", ("localhost",), True),
        ("gate://ada@localhost/x", ("db.acme.example",), False),
        ("gate://ada@evil.example/x", ("db.acme.example",), False),
        ("gate://ada@db.acme.example/x?host=evil.example", ("db.acme.example",), False),
        ("gate://ada@/x?host=db.acme.example,evil.example", ("db.acme.example",), False),
        ("gate://ada@/x?host=db.acme.example,", None, False),
        ("gate://ada@db.acme.example/x?hostaddr=6.6.6.6", ("db.acme.example",), False),
        ("gate://ada@db.acme.example/x?service=evil", None, False),
        ("gate://ada@/x?host=evil.example/db.acme.example", ("db.acme.example",), False),
        ("gate://ada@/x?host=db.acme.example@evil.example", None, False),
        ("gate://ada@/x", None, False),
    ],
)
def test_only_to_the_hosts_of_the_connection(
    tokens: IssuedTokens,
    database: gate.Gate,
    url: str,
    hosts: tuple[str, ...] | None,
    allowed: bool,
) -> None:
    access = replace(access_to(tokens), reach=Reach(hosts))
    if allowed:
        connector("engine").open(access, url=url)
        return
    with pytest.raises(NotAllowedError, match="is not sent to") as caught:
        connector("engine").open(access, url=url)
    assert caught.value.hint
    assert database.calls == []


def test_a_host_that_comes_later_is_looked_at_too(
    tokens: IssuedTokens, database: gate.Gate
) -> None:
    """A listener that runs earlier may lead elsewhere."""

    def elsewhere(_dialect: Any, _record: Any, _positional: Any, named: dict[str, Any]) -> None:
        named["host"] = "evil.example"

    access = replace(access_to(tokens), reach=Reach(("localhost",)))
    engine = connector("engine").open(access, url=URL)
    sa.event.listen(gate.GateDialect, "do_connect", elsewhere)
    try:
        with pytest.raises(NotAllowedError, match=r"evil\.example"):
            visit(engine)
    finally:
        sa.event.remove(gate.GateDialect, "do_connect", elsewhere)
    assert database.calls == []


def test_the_drivers_suffix_is_part_of_the_host(tokens: IssuedTokens, database: gate.Gate) -> None:
    options = {"host_suffix": ".warehouse.example"}
    access = access_to(tokens, options=options)
    access = replace(access, reach=Reach(("acme.warehouse.example",)))
    connector("engine").open(access, url="gate://ada@acme/x")
    connector("engine").open(access, url="gate://ada@acme.warehouse.example/x")
    with pytest.raises(NotAllowedError, match=r"is not sent to other\.warehouse"):
        connector("engine").open(access, url="gate://ada@other/x")


REMOTE = "db.acme.example"
DEFAULTS = {"psycopg": ("sslmode", "require"), "asyncpg": ("ssl", "require"),
            "pg8000": ("ssl_context", True)}  # fmt: skip


@pytest.mark.parametrize("driver", DEFAULTS)
def test_a_token_as_password_travels_encrypted(tokens: IssuedTokens, driver: str) -> None:
    argument, value = DEFAULTS[driver]
    for host in (REMOTE, "127.0.0.1"):
        made: Any = connector("engine").open(
            access_to(tokens), url=f"postgresql+{driver}://ada@{host}/x", token="password"
        )
        engine = getattr(made, "sync_engine", made)
        fresh = next(one for one in engine.dialect.dispatch.do_connect if hasattr(one, "look_at"))
        named = fresh._prepared(engine.dialect, [], {"host": host})
        assert named.get(argument) == (value if host == REMOTE else None)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_a_mode_that_may_end_without_tls_is_refused(tokens: IssuedTokens, mode: str) -> None:
    url = f"postgresql+psycopg://ada@{REMOTE}/x?sslmode={mode}"
    with pytest.raises(NotAllowedError, match=f"sslmode='{mode}'"):
        engine_of(tokens, url, token="password")
    engine_of(tokens, url.replace(REMOTE, "localhost"), token="password")
    engine_of(tokens, url.replace(mode, "verify-full"), token="password")


def test_a_driver_of_which_nobody_knows_how_it_encrypts(
    tokens: IssuedTokens, database: gate.Gate
) -> None:
    url = f"gate://ada@{REMOTE}/x"
    with pytest.raises(NotAllowedError, match="whether gate encrypts") as caught:
        engine_of(tokens, url, token="password")
    assert "encrypted=True" in caught.value.hint
    engine_of(tokens, url, token="password", encrypted=True)


# --- what is said when it cannot be


@pytest.mark.parametrize(
    ("url", "options", "sentence"),
    [
        (None, {}, "names no database"),
        ("gate://ada:secret-word@localhost/x", {}, "holds a password"),
        ("no address", {}, "is no address of a database"),
        (URL, {"token": "pasword"}, "There is no placement 'pasword'"),
        (URL, {"creator": print}, "opens its own connections"),
    ],
)
def test_what_makes_no_sense(
    tokens: IssuedTokens, database: gate.Gate, url: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidParameterError, match=sentence) as caught:
        connector("engine").open(access_to(tokens), url=url, **options)
    assert caught.value.hint
    assert "secret-word" not in str(caught.value) + caught.value.hint


def test_nobody_says_where_the_token_goes(tokens: IssuedTokens, database: gate.Gate) -> None:
    with pytest.raises(InvalidParameterError, match="where gate wants the token"):
        engine_of(tokens, handle={"token": None})


@pytest.mark.parametrize(
    ("url", "requires", "command"),
    [
        ("nowhere://ada@localhost/x", (), "pip install nowhere"),
        ("nowhere://ada@localhost/x", ("nowhere-sql>=2",), 'pip install "nowhere-sql>=2"'),
        ("postgresql+psycopg2://ada@localhost/x", (), "pip install psycopg2-binary"),
        (
            "postgresql+psycopg2://ada@localhost/x",
            ("psycopg[binary]",),
            "pip install psycopg2-binary",
        ),
    ],
)
def test_a_missing_library_gives_the_command(
    tokens: IssuedTokens, url: str, requires: tuple[str, ...], command: str
) -> None:
    with pytest.raises(ConfigurationError, match="not installed here") as caught:
        engine_of(tokens, url, handle={"requires": requires})
    assert command in caught.value.hint
