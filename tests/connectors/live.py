"""Every connector that has a real store here, with what a test must know of the pair.

A row opens a handle, reads the store's table through it as an analyst would, and says how the
store's refusal reaches him. The tests are in `test_live_*.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from apache import INTROSPECTED, REMEMBERED_SECONDS, SIGNED
from fsspec.asyn import sync
from issuer import USER, IssuedTokens
from postgres18 import BEARER, ISSUER_NAME, PASSWORD
from seaweedfs import BUCKET, READER, REGION

from jupyter_oauthconn.catalog import (
    Exchange,
    ExchangeKind,
    Handle,
    Placement,
    TokenPlacement,
    load,
)
from jupyter_oauthconn.connectors import Reach
from jupyter_oauthconn.connectors.connector import Access, connector

Rows = list[tuple[Any, ...]]
NUMBERS: Rows = [(1, "one"), (2, "two"), (3, "three")]
QUERY = "select number, name from numbers order by number"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Live:
    """A connector and the store that it is tested on.

    Attributes:
        store: the fixture's name.
        product: what that is, for the README.
        library: what a person works with, for the README.
        emulated: it checks each token as the product does, and is not the product.
        handle: as a provider's entry would have it, from the store.
        options: of `open`, from the store.
        read: the table, through the handle.
        opaque: the store has no room for a JWT.
        asks_issuer: the store sees a revocation, and the tests see each of its attempts.
        remembers: for how many seconds it believes the issuer's answer.
        renews_refused: a refused token is renewed and tried again.
        refusal: what the last error says when the store goes on refusing (a pattern).
        keeps_session: a second read needs no second sign-in.
        user_is_refused_as: how it treats another user's token: "token" or "person".
    """

    store: str
    product: str
    library: str
    handle: Callable[[Any], Handle]
    read: Callable[[Any, Any], Rows]
    refusal: str
    options: Callable[[Any], Mapping[str, Any]] = field(default=lambda store: {})
    emulated: bool = False
    opaque: bool = False
    asks_issuer: bool = True
    remembers: float = 0
    renews_refused: bool = True
    keeps_session: bool = False
    user_is_refused_as: str = "token"

    def open(self, store: Any, tokens: IssuedTokens, **options: Any) -> Any:
        """The live handle."""
        access = access_to(tokens, self.handle(store))
        return connector(access.handle.kind).open(access, **{**self.options(store), **options})


def close(handle: Any) -> None:
    """Frees sockets and the like; what knows no end, or frees them by itself, is left alone."""
    session = getattr(handle, "_session", None)
    if session is not None and hasattr(handle, "loop"):
        sync(handle.loop, session.close)  # a filesystem over HTTP
        return
    http_client = getattr(getattr(handle, "client", None), "http", None)
    for name in ("dispose", "aclose", "close"):
        end = getattr(http_client or handle, name, None)
        if end is not None:
            ended = end()
            if asyncio.iscoroutine(ended):
                asyncio.run(ended)
            return


def access_to(tokens: IssuedTokens, handle: Handle) -> Access:
    return Access(
        source=tokens,
        reach=Reach((LOOPBACK,)),
        handle=handle,
        identity=USER,
        client_id="notebook",
        issuer=ISSUER_NAME,
    )


def postgres(
    driver: str, database: str, placement: Placement, *, kind: str = "engine", bound: bool = False
) -> Callable[[Any], Handle]:
    def handle(store: Any) -> Handle:
        return Handle(
            kind=kind,
            url=f"postgresql+{driver}://{USER}@{LOOPBACK}:{store.port}/{database}",
            token=TokenPlacement(placement=placement),
            session_bound=bound,
        )

    return handle


def each_time_anew(_store: Any) -> Mapping[str, Any]:
    """No pool: each read signs in."""
    from sqlalchemy.pool import NullPool

    return {"poolclass": NullPool}


def asynchronous(_store: Any) -> Mapping[str, Any]:
    return {**each_time_anew(_store), "asynchronous": True}


def rows_of_engine(engine: Any, _store: Any) -> Rows:
    from sqlalchemy import text

    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(QUERY))]


def rows_of_async_engine(engine: Any, _store: Any) -> Rows:
    from sqlalchemy import text

    async def rows() -> Rows:
        async with engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(QUERY))]

    return asyncio.run(rows())


def rows_of_dbapi(connection: Any, _store: Any) -> Rows:
    cursor = connection.cursor()
    try:
        cursor.execute(QUERY)
        return [tuple(row) for row in cursor.fetchall()]
    finally:
        cursor.close()


def snowflake(store: Any) -> Handle:
    """The shipped entry's handle, led to the emulator."""
    (entry,) = [one for one in load().entry("snowflake").handles if one.kind == "engine"]
    return replace(
        entry,
        url=f"snowflake://{USER}@tests/SALES/PUBLIC",
        connect_args={**entry.connect_args, **store.connect_args},
    )


def over_http(kind: str, place: str = INTROSPECTED, **options: str) -> Callable[[Any], Handle]:
    return lambda store: Handle(kind=kind, url=store.address(place), options=options)


def rows_of_csv(text: str | bytes) -> Rows:
    lines = (text.decode() if isinstance(text, bytes) else text).splitlines()[1:]
    return [(int(number), name) for number, name in (line.split(",") for line in lines)]


def rows_of_httpx(client: Any, _store: Any) -> Rows:
    return rows_of_csv(client.get("numbers.csv").raise_for_status().text)


def rows_of_async_httpx(client: Any, store: Any) -> Rows:
    async def rows() -> Rows:
        # a client of its own for each event loop, with the auth of the one that is held
        async with type(client)(auth=client.auth, trust_env=False) as one:
            answer = await one.get(store.address(INTROSPECTED, "numbers.csv"))
        return rows_of_csv(answer.raise_for_status().text)

    return asyncio.run(rows())


def rows_of_session(session: Any, store: Any) -> Rows:
    answer = session.get(store.address(INTROSPECTED, "numbers.csv"), timeout=30)
    answer.raise_for_status()
    return rows_of_csv(answer.text)


def rows_of_webdav(files: Any, _store: Any) -> Rows:
    assert files.ls("/", detail=False) == ["numbers.csv"]
    return rows_of_csv(files.cat("numbers.csv"))


def rows_of_http_files(files: Any, store: Any) -> Rows:
    return rows_of_csv(files.cat(store.address(INTROSPECTED, "numbers.csv")))


def rows_of_duckdb(connection: Any, store: Any) -> Rows:
    address = store.address(INTROSPECTED, "numbers.csv")
    rows: Rows = connection.execute(f"from read_csv('{address}')").fetchall()
    return rows


def assumed_role(kind: str, library: str) -> Callable[[Any], Handle]:
    return lambda store: Handle(
        kind=kind,
        options={"library": library, "region": REGION},
        exchange=Exchange(
            kind=ExchangeKind.STS_WEB_IDENTITY,
            endpoint=store.sts_url,
            parameters={"role_arn": READER},
        ),
    )


def rows_of_s3_files(files: Any, _store: Any) -> Rows:
    files.invalidate_cache()
    assert f"{BUCKET}/numbers.csv" in files.ls(BUCKET, detail=False)
    return rows_of_csv(files.cat(f"{BUCKET}/numbers.csv"))


def rows_of_boto3(session: Any, store: Any) -> Rows:
    with closing(session.client("s3", endpoint_url=store.url)) as s3:
        return rows_of_csv(s3.get_object(Bucket=BUCKET, Key="numbers.csv")["Body"].read())


def rows_of_adbc(connection: Any, _store: Any) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(QUERY)
        rows: Rows = cursor.fetch_arrow_table().to_pylist()
    return [tuple(row.values()) for row in rows]


BEARER_REFUSED = f'OAuth bearer authentication failed for user "{USER}"'
PASSWORD_REFUSED = f'RADIUS authentication failed for user "{USER}"'
_ON_BEARER = "PostgreSQL 18 with OAUTHBEARER"
_ON_PASSWORD = "PostgreSQL 18, the token as password"
_ON_HTTP = "HTTP: Apache with mod_oauth2"
_ON_S3 = "S3: SeaweedFS with its STS"
_HOOK, _PASSWORD = Placement.LIBPQ_HOOK, Placement.PASSWORD

LIVE: dict[str, Live] = {
    "engine-oauthbearer-psycopg": Live(
        store="postgres18",
        product=_ON_BEARER,
        library="SQLAlchemy, psycopg",
        handle=postgres("psycopg", BEARER, _HOOK),
        options=each_time_anew,
        read=rows_of_engine,
        refusal=BEARER_REFUSED,
    ),
    "async-engine-oauthbearer-psycopg": Live(
        store="postgres18",
        product=_ON_BEARER,
        library="SQLAlchemy, psycopg (async)",
        handle=postgres("psycopg", BEARER, _HOOK),
        options=asynchronous,
        read=rows_of_async_engine,
        refusal=BEARER_REFUSED,
    ),
    "dbapi-oauthbearer-psycopg": Live(
        store="postgres18",
        product=_ON_BEARER,
        library="psycopg",
        handle=postgres("psycopg", BEARER, _HOOK, kind="dbapi", bound=True),
        read=rows_of_dbapi,
        keeps_session=True,
        refusal=BEARER_REFUSED,
    ),
    "engine-password-psycopg": Live(
        store="postgres18",
        product=_ON_PASSWORD,
        library="SQLAlchemy, psycopg",
        handle=postgres("psycopg", PASSWORD, _PASSWORD),
        options=each_time_anew,
        read=rows_of_engine,
        refusal=PASSWORD_REFUSED,
        opaque=True,
    ),
    "async-engine-password-asyncpg": Live(
        store="postgres18",
        product=_ON_PASSWORD,
        library="SQLAlchemy, asyncpg (async)",
        handle=postgres("asyncpg", PASSWORD, _PASSWORD),
        options=asynchronous,
        read=rows_of_async_engine,
        refusal=PASSWORD_REFUSED,
        opaque=True,
    ),
    "engine-password-pg8000": Live(
        store="postgres18",
        product=_ON_PASSWORD,
        library="SQLAlchemy, pg8000",
        handle=postgres("pg8000", PASSWORD, _PASSWORD),
        options=each_time_anew,
        read=rows_of_engine,
        refusal=PASSWORD_REFUSED,
        opaque=True,
    ),
    "dbapi-password-psycopg": Live(
        store="postgres18",
        product=_ON_PASSWORD,
        library="psycopg",
        handle=postgres("psycopg", PASSWORD, _PASSWORD, kind="dbapi", bound=True),
        read=rows_of_dbapi,
        keeps_session=True,
        refusal=PASSWORD_REFUSED,
        opaque=True,
    ),
    "dbapi-password-pg8000": Live(
        store="postgres18",
        product=_ON_PASSWORD,
        library="pg8000",
        handle=postgres("pg8000", PASSWORD, _PASSWORD, kind="dbapi", bound=True),
        read=rows_of_dbapi,
        keeps_session=True,
        refusal=PASSWORD_REFUSED,
        opaque=True,
    ),
    "engine-snowflake": Live(
        store="fakesnow",
        product="Snowflake (fakesnow)",
        emulated=True,
        library="SQLAlchemy, snowflake-sqlalchemy",
        handle=snowflake,
        options=each_time_anew,
        read=rows_of_engine,
        refusal="Invalid OAuth access token|The user you were trying to authenticate as",
        user_is_refused_as="person",
    ),
    "httpx": Live(
        store="apache",
        product=_ON_HTTP,
        library="httpx2",
        handle=over_http("httpx"),
        options=lambda store: {"trust_env": False},
        read=rows_of_httpx,
        refusal="401 Unauthorized",
        remembers=REMEMBERED_SECONDS,
    ),
    "httpx-signature": Live(
        store="apache",
        product=_ON_HTTP,
        library="httpx2",
        handle=over_http("httpx", SIGNED),
        options=lambda store: {"trust_env": False},
        read=rows_of_httpx,
        refusal="401 Unauthorized",
        asks_issuer=False,
    ),
    "async-httpx": Live(
        store="apache",
        product=_ON_HTTP,
        library="httpx2 (async)",
        handle=over_http("httpx"),
        options=lambda store: {"asynchronous": True, "trust_env": False},
        read=rows_of_async_httpx,
        refusal="401 Unauthorized",
        remembers=REMEMBERED_SECONDS,
    ),
    "session": Live(
        store="apache",
        product=_ON_HTTP,
        library="requests",
        handle=over_http("session"),
        read=rows_of_session,
        refusal="401 Client Error",
        remembers=REMEMBERED_SECONDS,
    ),
    "filesystem-webdav": Live(
        store="apache",
        product="WebDAV: Apache with mod_oauth2",
        library="fsspec, webdav4",
        handle=over_http("filesystem", library="webdav4"),
        read=rows_of_webdav,
        refusal=r"received 401 \(Unauthorized\)",
        remembers=REMEMBERED_SECONDS,
    ),
    "filesystem-http": Live(
        store="apache",
        product=_ON_HTTP,
        library="fsspec",
        handle=over_http("filesystem"),
        read=rows_of_http_files,
        refusal="401, message='Unauthorized'",
        remembers=REMEMBERED_SECONDS,
    ),
    "duckdb": Live(
        store="apache",
        product=_ON_HTTP,
        library="DuckDB, httpfs",
        handle=over_http("duckdb"),
        read=rows_of_duckdb,
        # DuckDB 1.5 makes this of a 401
        refusal="HTTP 0 ",
        remembers=REMEMBERED_SECONDS,
        renews_refused=False,
    ),
    "filesystem-s3": Live(
        store="seaweedfs",
        product=_ON_S3,
        library="s3fs",
        handle=assumed_role("filesystem", "s3fs"),
        options=lambda store: {"endpoint_url": store.url},
        read=rows_of_s3_files,
        refusal="trust policy denies|AccessDenied|403",
        asks_issuer=False,
        user_is_refused_as="person",
    ),
    "credential-boto3": Live(
        store="seaweedfs",
        product=_ON_S3,
        library="boto3",
        handle=assumed_role("credential", "boto3"),
        options=lambda store: {"region": REGION},
        read=rows_of_boto3,
        refusal="trust policy denies|AccessDenied|403",
        asks_issuer=False,
        user_is_refused_as="person",
    ),
    "adbc-flight-sql": Live(
        store="flight_sql",
        product="Arrow Flight SQL (a small server of the tests)",
        emulated=True,
        library="adbc-driver-flightsql",
        handle=lambda store: Handle(kind="adbc", url=store.url),
        options=lambda store: {"autocommit": True},
        read=rows_of_adbc,
        refusal="UNAUTHENTICATED",
    ),
}
