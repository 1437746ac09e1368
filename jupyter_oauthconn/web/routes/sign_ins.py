"""Routes of sign-ins, and of the token that comes of them."""

from __future__ import annotations

from typing import Any

from jupyter_oauthconn import wire
from jupyter_oauthconn.errors import ConflictError, InvalidParameterError
from jupyter_oauthconn.model import (
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    AuthorizationState,
    Flow,
    State,
)

from ..host import Kind
from .bodies import duration
from .route import ApiCall, Route

_SERVES = frozenset({State.CONNECTED, State.EXPIRING, State.DEGRADED})


def _start(call: ApiCall) -> wire.Authorization:
    flow = _flow(call.body.get("flow"))
    if not call.body.get("again", False):
        _check_needed(call)
    return wire.authorization_json(call.broker.authorize(call.name, flow=flow))


def _flow(name: str | None) -> Flow | None:
    try:
        return None if name is None else Flow(name)
    except ValueError:
        raise InvalidParameterError(
            "There is no such flow.",
            hint=f"Leave it out, or give one of {', '.join(Flow)}.",
            parameter="flow",
        ) from None


def _check_needed(call: ApiCall) -> None:
    status = call.broker.connection(call.name).status
    if status is not None and status.state in _SERVES:
        raise ConflictError(
            f"{call.name} is authenticated already.",
            hint="A new sign-in replaces the one that is there: ask for it with `again`.",
        )


def _read(call: ApiCall) -> wire.Authorization:
    return wire.authorization_json(call.broker.authorization(call.id))


def _settled(answer: wire.Authorization) -> bool:
    return answer["state"] != AuthorizationState.PENDING.value or answer["confirm"]


def _confirm(call: ApiCall) -> wire.Authorization:
    return wire.authorization_json(call.broker.confirm(call.id))


def _cancel(call: ApiCall) -> None:
    call.broker.cancel(call.id)


def stored_token(call: ApiCall) -> wire.Token | None:
    """A token for which nobody need be asked; None: `token` must be."""
    service, owner = call.host.service, call.caller.owner
    connection = service.connections.usable(owner, call.name)
    found = service.tokens.stored_token(owner.id, connection, **_asked(call))
    return None if found is None else _answer(call, found)


def token(call: ApiCall) -> wire.Token:
    """A token, however long its provider takes."""
    interactive = call.body.get("interactive", True)
    found = call.broker.access_token(call.name, interactive=interactive, **_asked(call))
    return _answer(call, found)


def _asked(call: ApiCall) -> dict[str, Any]:
    seconds = call.body.get("min_validity_seconds")
    return {
        "min_validity": DEFAULT_MIN_VALIDITY
        if seconds is None
        else duration("min_validity_seconds", seconds),
        "exact": call.body.get("exact", False),
        "rejected_generation": call.body.get("rejected_generation"),
        "resource": call.body.get("resource"),
    }


def _answer(call: ApiCall, found: AccessToken) -> wire.Token:
    return wire.token_json(found, now=call.host.service.store.now())


TOKEN = Route(
    method="POST", path="api/v1/connections/{name}/token", act=token, who=Kind.KERNEL,
    asks_provider=True, body=wire.TokenRequest, answer=wire.Token,
    summary="An access token; for kernels only, by the credential in the header.",
)  # fmt: skip

ROUTES = (
    Route(method="POST", path="api/v1/connections/{name}/authorizations", act=_start,
          asks_provider=True, body=wire.AuthorizationRequest, answer=wire.Authorization,
          status=201,
          summary="Starts a sign-in, or joins the pending one."),
    Route(method="GET", path="api/v1/authorizations/{id}", act=_read,
          query={"wait_seconds": float}, settled=_settled, answer=wire.Authorization,
          summary="Where a sign-in stands; waits for its end, at most 25 seconds."),
    Route(method="DELETE", path="api/v1/authorizations/{id}", act=_cancel, asks_provider=True,
          summary="Gives a sign-in up."),
    Route(method="POST", path="api/v1/authorizations/{id}/confirm", act=_confirm,
          who=Kind.KERNEL, asks_provider=True, answer=wire.Authorization,
          summary="Accepts that another account than before signed in."),
    TOKEN,
)  # fmt: skip
