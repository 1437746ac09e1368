"""Routes that tell: who one is, what there is, what happened, what is wrong."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jupyter_oauthconn import wire
from jupyter_oauthconn.catalog.bodies import provider_json
from jupyter_oauthconn.model import check_name

from .paging import PAGING, limit_of, page, whole
from .route import ANYONE, ApiCall, Route

_EVENTS = 50


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
    return page(map(provider_json, call.broker.providers()), call.query, by="key")


def _provider(call: ApiCall) -> wire.Provider:
    return provider_json(call.broker.provider(call.path["key"]))


def _grants(call: ApiCall) -> object:
    """What the owner allowed, connection by connection."""
    owner = call.caller.owner
    ids = {one.connection_id: one.id for one in call.host.service.store.grants.of_owner(owner.id)}
    grants: list[wire.Grant] = [
        {
            "id": str(ids[one.id]),
            "owner": owner.name,
            "connection": one.name,
            "client": one.client,
            "status": wire.status_json(one.status),
        }
        for one in call.broker.connections()
        if one.id in ids and one.status is not None
    ]
    return page(grants, call.query, by="connection")


def _events(call: ApiCall) -> object:
    limit = limit_of(call.query, default=_EVENTS)
    return whole([wire.event_json(one) for one in call.broker.events(limit=limit)])


def _doctor(call: ApiCall) -> object:
    name = call.query.get("name")
    if name is not None:
        check_name(name, "OAuth client")  # of a connection, too: the wider rule
    return whole([wire.check_json(one) for one in call.broker.doctor(name)])


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
    Route(method="GET", path="api/v1/grants", act=_grants, query=PAGING,
          answer=wire.Grant, several=True,
          summary="What the caller has allowed, by connection; never a token."),
    Route(method="GET", path="api/v1/events", act=_events, query={"limit": int},
          answer=wire.Event, several=True,
          summary="The newest events first: an administrator's of everybody, else one's own."),
    Route(method="GET", path="api/v1/doctor", act=_doctor, query={"name": str},
          asks_provider=True, answer=wire.Check, several=True,
          summary="What is wrong and how to mend it; `name` of a connection or client narrows it."),
)  # fmt: skip
