"""The rows of the practice provider in PostgreSQL, for whoever has an access token."""

from __future__ import annotations

import http.client
import json
import re
import secrets
from urllib.parse import urlsplit

from ..provider import ACCOUNTS
from ..provider.sales import Sales
from .cluster import Postgres, start_postgres
from .radius import RadiusServer

_NAME = "practice"
_TOKEN = re.compile(r"[\x21-\x7e]+")
_TIMEOUT_SECONDS = 10


class SalesDatabase:
    """Runs from the start until `close`. The table `sales` is that of `data/sales`.

    Attributes:
        port: on 127.0.0.1.
        asked: how many passwords were laid before the provider.
    """

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        # else any user of this machine could come in until the rules below hold, and stay
        password = secrets.token_urlsafe()
        self._radius = RadiusServer(self._accepts)
        try:
            self._server = start_postgres(password=password)
        except BaseException:
            self._radius.close()
            raise
        try:
            self.port = self._server.port
            _fill(self._server, password)
            self._server.let_in(
                f"host {_NAME} all 127.0.0.1/32 radius radiusservers=127.0.0.1 "
                f"radiussecrets={self._radius.secret} radiusports={self._radius.port}"
            )
        except BaseException:
            self.close()
            raise

    @property
    def asked(self) -> int:
        return self._radius.asked

    def close(self) -> None:
        self._server.kill()
        self._radius.close()

    def _accepts(self, token: str, user: str) -> bool:
        """What a resource server does with a token that it cannot read (RFC 7662 in small): asks
        whose it is, and whether it still lives."""
        if not _TOKEN.fullmatch(token):
            return False
        parts = urlsplit(self._issuer)
        connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {token}"}
            connection.request("GET", f"{parts.path}/data/whoami", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            return False
        try:
            who = json.loads(body)
        except ValueError:
            return False
        # a dial of the provider may have cut or changed it
        return isinstance(who, dict) and who.get("email") == user


def _fill(server: Postgres, password: str) -> None:
    import psycopg
    from psycopg import sql

    address = server.url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, password=password, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(_NAME)))
    address = server.url_of(_NAME).replace("postgresql+psycopg", "postgresql")
    with (
        psycopg.connect(address, password=password) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "create table sales (month text, region text, product text, units int, "
            "revenue double precision)"
        )
        cursor.executemany(
            "insert into sales values (%(month)s, %(region)s, %(product)s, %(units)s, %(revenue)s)",
            [dict(row) for row in Sales().rows],
        )
        for account in ACCOUNTS.values():
            role = sql.Identifier(account.email)
            cursor.execute(sql.SQL("create role {} login").format(role))
        cursor.execute("grant select on sales to public")
