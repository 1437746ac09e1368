"""Routes that tell: who one is, what there is, what happened, what is wrong."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from operator import itemgetter
from typing import Any

from jupyter_oauthconn import wire
from jupyter_oauthconn.catalog.bodies import provider_json
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import EventFilter

from .paging import PAGING, limit_of, page, whole
from .route import ANYONE, ApiCall, Route

_EVENTS = 50
_EVENT_FILTERS = {"owner": str, "kind": str, "outcome": str, "client": str, "connection": str}
_LONGEST_ID = 18


def _health(call: ApiCall) -> wire.Health:
    return {"status": "ok", "wire_version": wire.WIRE_VERSION}


def _me(call: ApiCall) -> wire.Me:
    return {
        "owner": call.caller.owner.name,
        "admin": call.caller.administrator,
        "where": call.host.where,
        "wire_version": wire.WIRE_VERSION,
        "version": version("jupyter-oauthconn"),
    }


def _providers(call: ApiCall) -> object:
    return page(map(provider_json, call.broker.providers()), call.query, by=itemgetter("key"))


def _provider(call: ApiCall) -> wire.Provider:
    return provider_json(call.broker.provider(call.path["key"]))


def _request(call: ApiCall) -> wire.ClientRequest:
    return {"text": call.broker.client_request(call.path["key"])}


def _grants(call: ApiCall) -> object:
    """What the caller allowed, connection by connection; of others, where the query names them."""
    owner_name, client = call.query.get("owner"), call.query.get("client")
    if owner_name is None and client is None:
        return _own_grants(call)
    # an empty owner: everybody
    found = call.broker.grants(owner=owner_name or None, client=client)
    paged = {name: one for name, one in call.query.items() if name in PAGING}
    return page(map(wire.grant_json, found), paged, by=lambda one: f"{one['owner']} {one['id']}")


def _own_grants(call: ApiCall) -> object:
    found = call.host.service.grants.of(call.caller.owner)
    paged = map(wire.grant_json, found)
    return page(paged, call.query, by=lambda one: f"{one['connection']} {one['id']}")


def _events(call: ApiCall) -> object:
    limit = limit_of(call.query, default=_EVENTS)
    filters = {name: call.query.get(name) for name in _EVENT_FILTERS}
    wanted = EventFilter(before=_place(call.query.get("cursor")), **filters)
    found = [wire.event_json(one) for one in call.broker.events(limit=limit, wanted=wanted)]
    more = len(found) == limit
    return {"items": found, "next": str(found[-1]["id"]) if more else None}


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isdecimal() or len(cursor) > _LONGEST_ID:
        raise InvalidParameterError(
            "The cursor is none of this list's.", hint="Begin without one.", parameter="cursor"
        )
    return int(cursor)


def _doctor(call: ApiCall) -> object:
    client, connection = call.query.get("client"), call.query.get("connection")
    found = call.broker.doctor(client=client, connection=connection)
    return whole([wire.check_json(one) for one in found])


@cache
def _document() -> Any:
    return json.loads(files("jupyter_oauthconn.web").joinpath("openapi.json").read_bytes())


def _openapi(call: ApiCall) -> object:
    return _document()


ROUTES = (
    Route(method="GET", path="api/v1/health", act=_health, who=ANYONE, answer=wire.Health,
          summary="Whether the service answers."),
    Route(method="GET", path="api/v1/openapi.json", act=_openapi,
          summary="This document."),
    Route(method="GET", path="api/v1/me", act=_me, answer=wire.Me,
          summary="Who the service takes the caller for."),
    Route(method="GET", path="api/v1/providers", act=_providers, query=PAGING,
          answer=wire.Provider, several=True,
          summary="The catalog's providers, by key."),
    Route(method="GET", path="api/v1/providers/{key}", act=_provider, answer=wire.Provider,
          summary="One provider."),
    Route(method="GET", path="api/v1/providers/{key}/request", act=_request,
          answer=wire.ClientRequest,
          summary="A message to an administrator, for somebody without an OAuth client."),
    Route(method="GET", path="api/v1/grants", act=_grants,
          query={**PAGING, "owner": str, "client": str}, answer=wire.Grant, several=True,
          summary="What the caller has allowed, by connection; never a token. With `owner` or "
          "`client`: other people's, for administrators."),
    Route(method="GET", path="api/v1/events", act=_events,
          query={**PAGING, **_EVENT_FILTERS}, answer=wire.Event, several=True,
          summary="The newest events first: an administrator's of everybody, else one's own."),
    Route(method="GET", path="api/v1/doctor", act=_doctor,
          query={"client": str, "connection": str},
          asks_provider=True, answer=wire.Check, several=True,
          summary="What is wrong and how to mend it; a client or a connection narrows it."),
)  # fmt: skip
