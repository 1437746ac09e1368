"""Routes of connections."""

from __future__ import annotations

from jupyter_oauthconn import wire

from .bodies import check_version, duration, read
from .paging import PAGING, page, whole
from .route import ApiCall, Route


def _place(connection: wire.Connection) -> str:
    """One's own comes before a shared one of its name; no name has a blank."""
    return connection["name"] + ("" if connection["mine"] else " ")


def _list(call: ApiCall) -> object:
    return page(map(wire.connection_json, call.broker.connections()), call.query, by=_place)


def _show(call: ApiCall) -> wire.Connection:
    return wire.connection_json(call.broker.connection(call.name))


def _add(call: ApiCall) -> wire.Connection:
    draft = read(wire.read_connection_draft, call.body)
    return wire.connection_json(call.broker.add_connection(draft))


def _edit(call: ApiCall) -> wire.Connection:
    changes, version = read(wire.read_connection_changes, call.body)
    return wire.connection_json(call.broker.edit_connection(call.name, changes, version=version))


def _remove(call: ApiCall) -> None:
    check_version(call, call.broker.connection)
    call.broker.remove_connection(call.name)


def _test(call: ApiCall) -> object:
    return whole([wire.check_json(one) for one in call.broker.test(call.name)])


def _ensure(call: ApiCall) -> wire.Endurance:
    lasts = duration("for_seconds", call.body["for_seconds"])
    return wire.endurance_json(call.broker.ensure(call.name, lasts))


def _revoke(call: ApiCall) -> wire.Revocation:
    return wire.revocation_json(call.broker.revoke(call.name))


ROUTES = (
    Route(method="GET", path="api/v1/connections", act=_list, query=PAGING,
          answer=wire.Connection, several=True,
          summary="The caller's connections with their status, by name."),
    Route(method="POST", path="api/v1/connections", act=_add,
          body=wire.ConnectionDraft, answer=wire.Connection, status=201,
          summary="Makes a connection."),
    Route(method="GET", path="api/v1/connections/{name}", act=_show, answer=wire.Connection,
          summary="One connection with its status."),
    Route(method="PATCH", path="api/v1/connections/{name}", act=_edit,
          body=wire.ConnectionChanges, answer=wire.Connection,
          summary="Changes a connection; its status says whether a new sign-in is needed."),
    Route(method="DELETE", path="api/v1/connections/{name}", act=_remove, asks_provider=True,
          query={"version": int},
          summary="Revokes the grant and forgets both."),
    Route(method="POST", path="api/v1/connections/{name}/test", act=_test, asks_provider=True,
          answer=wire.Check, several=True,
          summary="A real call to the provider for this connection."),
    Route(method="POST", path="api/v1/connections/{name}/ensure", act=_ensure,
          asks_provider=True, body=wire.EnsureRequest, answer=wire.Endurance,
          summary="Refreshes now and says whether nobody need sign in for so long."),
    Route(method="DELETE", path="api/v1/connections/{name}/grant", act=_revoke,
          asks_provider=True, answer=wire.Revocation,
          summary="Revokes at the provider and forgets the tokens; the connection stays."),
)  # fmt: skip
