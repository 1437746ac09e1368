"""Routes of OAuth clients."""

from __future__ import annotations

from operator import itemgetter

from jupyter_oauthconn import wire

from .bodies import read
from .paging import PAGING, page, whole
from .route import ApiCall, Route


def _list(call: ApiCall) -> object:
    return page(map(wire.client_json, call.broker.clients()), call.query, by=itemgetter("name"))


def _show(call: ApiCall) -> wire.Client:
    return wire.client_json(call.broker.client(call.name))


def _add(call: ApiCall) -> wire.Client:
    return wire.client_json(call.broker.add_client(read(wire.read_client_draft, call.body)))


def _edit(call: ApiCall) -> wire.Client:
    changes, version = read(wire.read_client_changes, call.body)
    return wire.client_json(call.broker.edit_client(call.name, changes, version=version))


def _use(call: ApiCall) -> wire.ClientUse:
    return wire.client_use_json(call.broker.client_use(call.name))


def _preview(call: ApiCall) -> wire.ClientUse:
    changes, _ = read(wire.read_client_changes, call.body)
    return wire.client_use_json(call.broker.preview_client(call.name, changes))


def _remove(call: ApiCall) -> None:
    call.broker.remove_client(
        call.name, force=call.query.get("force", False), version=call.query.get("version")
    )


def _test(call: ApiCall) -> object:
    return whole([wire.check_json(one) for one in call.broker.test_client(call.name)])


def _add_secret(call: ApiCall) -> wire.Client:
    secret, reference, ends_at = read(wire.read_client_secret, call.body)
    client = call.broker.add_client_secret(call.name, secret, ends_at=ends_at, reference=reference)
    return wire.client_json(client)


def _remove_secret(call: ApiCall) -> wire.Client:
    return wire.client_json(call.broker.remove_client_secret(call.name, call.id))


ROUTES = (
    Route(method="GET", path="api/v1/clients", act=_list, query=PAGING,
          answer=wire.Client, several=True,
          summary="The OAuth clients that the caller may use, an administrator's: all, by name; "
          "never a client secret."),
    Route(method="POST", path="api/v1/clients", act=_add,
          body=wire.ClientDraft, answer=wire.Client, status=201,
          summary="Registers an OAuth client; a user's is for herself alone, where the setting "
          "allow_user_clients says that she may."),
    Route(method="GET", path="api/v1/clients/{name}", act=_show, answer=wire.Client,
          summary="One OAuth client; never its client secret."),
    Route(method="PATCH", path="api/v1/clients/{name}", act=_edit,
          body=wire.ClientChanges, answer=wire.Client,
          summary="Changes an OAuth client; grants that no longer fit need a new sign-in."),
    Route(method="DELETE", path="api/v1/clients/{name}", act=_remove,
          asks_provider=True, query={"version": int, "force": bool},
          summary="Forgets an OAuth client; `force` removes everybody's connections of it, too."),
    Route(method="GET", path="api/v1/clients/{name}/use", act=_use, administrator=True,
          answer=wire.ClientUse,
          summary="Everybody's connections of an OAuth client, and how many are signed in."),
    Route(method="POST", path="api/v1/clients/{name}/preview", act=_preview,
          body=wire.ClientChanges, answer=wire.ClientUse,
          summary="Which connections would need a new sign-in after such a change; changes "
          "nothing."),
    Route(method="POST", path="api/v1/clients/{name}/test", act=_test,
          asks_provider=True, answer=wire.Check, several=True,
          summary="Asks the provider whether it accepts the OAuth client; for administrators and "
          "for who registered it for herself."),
    Route(method="POST", path="api/v1/clients/{name}/secrets", act=_add_secret,
          body=wire.ClientSecret, answer=wire.Client, status=201,
          summary="Adds a second client secret, used from now on and never read back."),
    Route(method="DELETE", path="api/v1/clients/{name}/secrets/{id}", act=_remove_secret,
          answer=wire.Client, summary="Forgets one of the two client secrets."),
)  # fmt: skip
