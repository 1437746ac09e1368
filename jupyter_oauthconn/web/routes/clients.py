"""Routes of OAuth clients."""

from __future__ import annotations

from jupyter_oauthconn import wire
from jupyter_oauthconn.model import Secret

from .bodies import check_version, read
from .paging import PAGING, page, whole
from .route import ApiCall, Route


def _list(call: ApiCall) -> object:
    return page(map(wire.client_json, call.broker.clients()), call.query, by="name")


def _show(call: ApiCall) -> wire.Client:
    return wire.client_json(call.broker.client(call.name))


def _add(call: ApiCall) -> wire.Client:
    return wire.client_json(call.broker.add_client(read(wire.read_client_draft, call.body)))


def _edit(call: ApiCall) -> wire.Client:
    changes, version = read(wire.read_client_changes, call.body)
    return wire.client_json(call.broker.edit_client(call.name, changes, version=version))


def _remove(call: ApiCall) -> None:
    check_version(call, call.broker.client)
    call.broker.remove_client(call.name, force=call.query.get("force", False))


def _test(call: ApiCall) -> object:
    return whole([wire.check_json(one) for one in call.broker.test_client(call.name)])


def _add_secret(call: ApiCall) -> wire.Client:
    secret = Secret(call.body["client_secret"])
    return wire.client_json(call.broker.add_client_secret(call.name, secret))


ROUTES = (
    Route(method="GET", path="api/v1/clients", act=_list, query=PAGING,
          answer=wire.Client, several=True,
          summary="The OAuth clients, by name; never a client secret."),
    Route(method="POST", path="api/v1/clients", act=_add, administrator=True,
          body=wire.ClientDraft, answer=wire.Client, status=201,
          summary="Registers an OAuth client."),
    Route(method="GET", path="api/v1/clients/{name}", act=_show, answer=wire.Client,
          summary="One OAuth client; never its client secret."),
    Route(method="PATCH", path="api/v1/clients/{name}", act=_edit, administrator=True,
          body=wire.ClientChanges, answer=wire.Client,
          summary="Changes an OAuth client; grants that no longer fit need a new sign-in."),
    Route(method="DELETE", path="api/v1/clients/{name}", act=_remove, administrator=True,
          asks_provider=True, query={"version": int, "force": bool},
          summary="Forgets an OAuth client; `force` removes the caller's connections of it, too."),
    Route(method="POST", path="api/v1/clients/{name}/test", act=_test, administrator=True,
          asks_provider=True, answer=wire.Check, several=True,
          summary="Asks the provider whether it accepts the OAuth client."),
    Route(method="POST", path="api/v1/clients/{name}/secrets", act=_add_secret,
          administrator=True, body=wire.ClientSecret, answer=wire.Client, status=201,
          summary="Adds a client secret, which is used from now on and never read back."),
)  # fmt: skip
