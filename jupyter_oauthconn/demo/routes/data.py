"""The data API: rows worth looking at, behind bearer tokens (RFC 6750)."""

from __future__ import annotations

import json
from http import HTTPStatus

from jupyter_oauthconn.errors import InvalidParameterError

from ..provider import Reply, Token, regions
from .oauth import ResourceHandler


class SalesHandler(ResourceHandler):
    """`GET` all rows, `POST` one more."""

    async def get(self) -> None:
        await self.serve(
            "data/sales", "sales.read", lambda token: Reply(HTTPStatus.OK, self.provider.sales.rows)
        )

    async def post(self) -> None:
        await self.serve("data/sales", "sales.write", self._add)

    def _add(self, token: Token) -> Reply:
        try:
            row = json.loads(self.request.body)
            added = self.provider.sales.add(row if isinstance(row, dict) else {})
        except (ValueError, InvalidParameterError) as error:
            text = error.message if isinstance(error, InvalidParameterError) else "Not JSON."
            body = {"error": "invalid_request", "error_description": text}
            return Reply(HTTPStatus.BAD_REQUEST, body, outcome="invalid_request")
        return Reply(HTTPStatus.CREATED, added)


class RegionsHandler(ResourceHandler):
    """Where the shop sells."""

    async def get(self) -> None:
        await self.serve(
            "data/regions", "sales.read", lambda token: Reply(HTTPStatus.OK, regions())
        )


class WhoAmIHandler(ResourceHandler):
    """Whose token this is, and what it may do."""

    async def get(self) -> None:
        await self.serve("data/whoami", "sales.read", _who)


def _who(token: Token) -> Reply:
    account = token.grant.account
    return Reply(
        HTTPStatus.OK,
        {
            "email": account.email,
            "name": account.name,
            "client": token.grant.client_id,
            "scope": token.scope,
        },
    )
