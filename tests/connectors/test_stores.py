"""The stores of these tests do check tokens: seen with bare drivers, without any connector."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from apache import REMEMBERED_SECONDS, SIGNED
from issuer import OTHER_USER, USER, IssuedTokens, Issuer
from later import Later
from seaweedfs import BUCKET, WRITER, SeaweedFs

from jupyter_oauthconn.errors import ReauthorizationRequiredError

NUMBERS = [(1, "one"), (2, "two"), (3, "three")]
CSV = "number,name\n1,one\n2,two\n3,three\n"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Kind:
    """How a test reads a store, what it then sees, and what a refusal says (a pattern).

    Attributes:
        sees_revocation: it asks the issuer; others know signature and expiry only.
        remembers: for how many seconds it believes an answer of the issuer.
    """

    fixture: str
    read: Callable[[Any, str], object]
    sees: object
    refusal: str
    opaque: bool = False
    sees_revocation: bool = True
    remembers: float = 0


def read(store: Any, token: str) -> object:
    return store.read(token)


def by_psycopg(store: Any, token: str) -> object:
    import psycopg

    address = f"host={LOOPBACK} port={store.port} user={USER} dbname=password"
    with psycopg.connect(address, password=token) as connection:
        return connection.execute("select * from numbers").fetchall()


def by_asyncpg(store: Any, token: str) -> object:
    import asyncpg

    async def rows() -> object:
        connection = await asyncpg.connect(
            host=LOOPBACK, port=store.port, user=USER, database="password", password=token
        )
        try:
            return [tuple(row) for row in await connection.fetch("select * from numbers")]
        finally:
            await connection.close()

    return asyncio.run(rows())


def by_pg8000(store: Any, token: str) -> object:
    import pg8000.dbapi

    connection = pg8000.dbapi.connect(
        host=LOOPBACK, port=store.port, user=USER, database="password", password=token
    )
    try:
        cursor = connection.cursor()
        cursor.execute("select * from numbers")
        return [tuple(row) for row in cursor.fetchall()]
    finally:
        connection.close()


PASSWORD_REFUSED = f'RADIUS authentication failed for user "{USER}"'
KINDS = {
    "postgresql-oauthbearer": Kind(
        "postgres18", read, f"oauth:{USER}", "28000: OAuth bearer authentication failed"
    ),
    "postgresql-password-psycopg": Kind(
        "postgres18", by_psycopg, NUMBERS, PASSWORD_REFUSED, opaque=True
    ),
    "postgresql-password-asyncpg": Kind(
        "postgres18", by_asyncpg, NUMBERS, PASSWORD_REFUSED, opaque=True
    ),
    "postgresql-password-pg8000": Kind(
        "postgres18", by_pg8000, NUMBERS, PASSWORD_REFUSED, opaque=True
    ),
    "apache-introspection": Kind("apache", read, CSV, "^401 ", remembers=REMEMBERED_SECONDS),
    "apache-signature": Kind(
        "apache", lambda store, token: store.read(token, SIGNED), CSV, "^401 ",
        sees_revocation=False,
    ),
    "seaweedfs": Kind("seaweedfs", read, CSV.encode(), "^40[03] ", sees_revocation=False),
    "flight-sql": Kind("flight_sql", read, NUMBERS, "UNAUTHENTICATED"),
    "fakesnow": Kind("fakesnow", read, NUMBERS, "39030[39]"),
}  # fmt: skip
BAD: dict[str, dict[str, Any]] = {
    "expired": {"lifetime": -60},
    "wrong-audience": {"audience": "another-store"},
    "wrong-user": {"user": OTHER_USER},
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.fixture
def store(kind: Kind, request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(kind.fixture)


@every_kind
def test_a_good_token_opens_it(kind: Kind, store: Any, issuer: Issuer) -> None:
    assert kind.read(store, issuer.issue(opaque=kind.opaque)) == kind.sees


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD)
@every_kind
def test_a_bad_token_does_not(
    kind: Kind, store: Any, issuer: Issuer, fault: dict[str, Any]
) -> None:
    with pytest.raises(Exception, match=kind.refusal):
        kind.read(store, issuer.issue(opaque=kind.opaque, **fault))


@every_kind
def test_nothing_that_the_issuer_did_not_issue_does(kind: Kind, store: Any, issuer: Issuer) -> None:
    stranger = Issuer()
    try:
        token = stranger.issue(opaque=kind.opaque)
    finally:
        stranger.close()
    with pytest.raises(Exception, match=kind.refusal):
        kind.read(store, token)


@every_kind
def test_a_revoked_token_does_not_where_the_store_asks(
    kind: Kind, store: Any, issuer: Issuer
) -> None:
    token = issuer.issue(opaque=kind.opaque)
    assert kind.read(store, token) == kind.sees
    issuer.revoke(token)
    if not kind.sees_revocation:
        # the reason why tokens are short-lived
        assert kind.read(store, token) == kind.sees
        return
    time.sleep(kind.remembers * 2.5)
    with pytest.raises(Exception, match=kind.refusal):
        kind.read(store, token)


def test_a_reader_does_not_write(seaweedfs: SeaweedFs, issuer: Issuer) -> None:
    reader = seaweedfs.client(**seaweedfs.assume(issuer.issue()))
    with pytest.raises(reader.exceptions.ClientError, match="AccessDenied"):
        reader.put_object(Bucket=BUCKET, Key="new.csv", Body=b"")
    writer = seaweedfs.client(**seaweedfs.assume(issuer.issue(), WRITER))
    writer.put_object(Bucket=BUCKET, Key="new.csv", Body=b"")


def test_a_token_is_shared_and_renewed_at_80_percent(
    make_tokens: Callable[..., IssuedTokens], later: Later
) -> None:
    tokens = make_tokens(lifetime=100.0)
    first = tokens.token()
    assert tokens.token() is first
    later(85)
    second = tokens.token()
    assert second.generation == first.generation + 1
    (_, refresh) = tokens.refreshes
    assert refresh.life_passed is not None
    assert 0.8 <= refresh.life_passed < 2
    assert not refresh.forced


def test_a_rejected_token_is_renewed_only_if_it_is_the_current_one(tokens: IssuedTokens) -> None:
    first = tokens.token()
    second = tokens.token(rejected=first)
    assert second.generation == 2
    assert tokens.token(rejected=first) is second
    assert asyncio.run(tokens.atoken(rejected=first)) is second
    assert tokens.forced == 1


def test_a_lost_consent_raises_and_a_token_has_no_repr(
    tokens: IssuedTokens, issuer: Issuer
) -> None:
    token = tokens.token()
    assert token.reveal() not in repr(token)
    tokens.end()
    assert not issuer.introspect(token.reveal())["active"]
    with pytest.raises(ReauthorizationRequiredError):
        tokens.token(rejected=token)
