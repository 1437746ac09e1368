"""The functions of `import jupyter_oauthconn as oc`: manage and use connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import InvalidParameterError, OAuthConnError
from jupyter_oauthconn.model import (
    Check,
    ConnectionDraft,
    Event,
    Flow,
    Outcome,
    check_name,
)
from jupyter_oauthconn.model import Connection as ConnectionRecord

from . import current, drafts, handles, sign_in, views
from .clients import register_client
from .connect import Connection
from .sign_in import Patience
from .views import Facts, Listing


def connections(*, long: bool = False) -> Listing[ConnectionRecord]:
    """My connections with their status; `long` adds times."""
    place = current.place()
    found = place.broker.connections()
    place.names.connections = {one.name for one in found}
    return views.connections(found, long=long)


def providers() -> Listing[ProviderEntry]:
    """The catalog of providers."""
    place = current.place()
    found = place.broker.providers()
    place.names.providers = {one.key for one in found}
    return views.providers(found)


def add(
    name: str,
    client: str | None = None,
    *,
    provider: str | None = None,
    client_id: str | None = None,
    secret_from: str | None = None,
    share_with: Iterable[str] | None = None,
    **parameters: Any,
) -> Connection:
    """Creates a connection; with `provider` and `client_id` its OAuth client beside it.

    Args:
        client: name of an OAuth client.
        provider: key of a catalog entry, in place of `client`.
        secret_from: where the secret of the new client is, as in `register_client`.
        share_with: who else may use the definition, `user:NAME`, `group:NAME`, `user:*` (everyone);
            each signs in for himself. For administrators.
        parameters: values of the entry's variables; also `scope`, `connector` and `login_hint`
            (which account is meant), and of a new client what `register_client` takes, e.g.
            `issuer`, `loopback_port`.

    Raises:
        InvalidParameterError, ConflictError, UnknownClientError, UnknownProviderError: …
    """
    check_name(name, "connection")
    place = current.place()
    shared = drafts.share_with(share_with)
    of_new = {key: parameters.pop(key) for key in _OF_CLIENT & parameters.keys()}
    made = None
    news = (provider, client_id, secret_from, *of_new.values())
    if client is not None and any(one is not None for one in news):
        raise _two_clients(name, client)
    if client is None:
        if provider is None or client_id is None:
            raise _no_client(name)
        of_client, parameters = _split(place.broker.provider(provider), parameters)
        made = register_client(
            name,
            provider=provider,
            client_id=client_id,
            secret_from=secret_from,
            parameters=of_client,
            **of_new,
        )
    read, values = drafts.connection_fields(parameters)
    draft = ConnectionDraft(
        name=name, client=client or name, parameters=drafts.present(values), **read, **shared
    )
    try:
        place.broker.add_connection(draft)
    except OAuthConnError:
        if made is not None:  # one step: both or none
            place.broker.remove_client(name)
        raise
    place.names.connections.add(name)
    return Connection(name)


def edit(name: str, *, share_with: Iterable[str] | None = None, **changes: Any) -> Facts:
    """Changes a connection; what comes back says whether a new sign-in is needed.

    Args:
        share_with: as in `add`, in place of whom it was shared with before; empty: nobody else
            any more; None: as it is.
        changes: values of the entry's variables (None takes one away); also `scope`,
            `connector`, `login_hint`, `client`.
    """
    place = current.place()
    read, values = drafts.connection_fields(changes)
    read |= drafts.share_with(share_with)
    if values:
        read["parameters"] = values
    after = place.broker.edit_connection(name, read)
    place.tokens.forget(name)
    return views.status(after, edited=True)


def remove(name: str) -> None:
    """Revokes a connection's grant and removes the connection."""
    place = current.place()
    place.broker.remove_connection(name)
    place.tokens.forget(name)
    place.names.connections.discard(name)


def authenticate(
    name: str,
    again: bool = False,
    *,
    flow: str | Flow | None = None,
    wait: bool | float | timedelta = True,
    browser: bool = True,
) -> Connection:
    """Signs in for a connection.

    Args:
        again: although a sign-in is there: same connection, same settings.
        flow: `callback`, `loopback`, `device` or `paste`; None: what fits here.
        wait: False: show the sign-in and return; seconds or a timedelta: wait so long at most.
        browser: may a browser be opened here.

    Raises:
        InteractionRequiredError: nobody is there; nothing was started.
        AuthorizationFailedError: the sign-in ended without a grant.
    """
    given = None if isinstance(wait, bool) else wait
    sign_in.authenticate(
        current.place(),
        name,
        again=again,
        flow=_flow(flow),
        patience=Patience(wait=given, browser=browser),
        wait=wait is not False,
    )
    return Connection(name)


def ensure(name: str, lasts: str | float | timedelta) -> Facts:
    """Refreshes now and says whether the connection lasts that long ("6h") without a person."""
    place = current.place()
    found = place.broker.ensure(name, drafts.duration(lasts))
    place.tokens.forget(name)
    return views.endurance(found)


def test(name: str) -> Listing[Check]:
    """A real call to the provider for a connection and, if that has a token, one to its data."""
    place = current.place()
    found = list(place.broker.test(name))
    if all(one.outcome is not Outcome.FAILED for one in found):
        found += handles.try_handle(place, Connection(name), None)
    return views.checks(found)


def status(name: str) -> Facts:
    """What a connection is, and its next step."""
    return views.status(current.place().broker.connection(name))


def revoke(name: str) -> Facts:
    """Revokes at the provider and forgets the tokens; the connection stays."""
    place = current.place()
    place.tokens.forget(name)
    try:
        return views.revocation(place.broker.revoke(name))
    finally:
        # another thread may have asked once more meanwhile
        place.tokens.forget(name)


def doctor(name: str | None = None) -> Listing[Check]:
    """What is wrong and how to mend it; `name` of a connection or OAuth client narrows it."""
    from .doctor import examine

    return views.checks(examine(current.place(), name))


def events(limit: int = 50) -> Listing[Event]:
    """What happened, the newest first."""
    return views.events(current.place().broker.events(limit=limit))


def _no_client(name: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"The connection {name!r} needs an OAuth client.",
        hint="Give the name of one (client=…, --client), or provider and client id to make it in "
        "the same step (--provider KEY --client-id ID).",
        parameter="client",
    )


def _two_clients(name: str, client: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"The connection {name!r} was given the OAuth client {client!r} and what makes a new one.",
        hint="Give either --client, or --provider, --client-id and the other options of a new "
        "OAuth client.",
        parameter="client",
    )


#: Fields of a new client beside those that a connection has, too, or that `add` names itself.
_OF_CLIENT = drafts.CLIENT_FIELDS - {"provider", "client_id", "parameters", "scope"}


def _split(
    entry: ProviderEntry, parameters: Mapping[str, Any]
) -> tuple[dict[str, str | None], dict[str, Any]]:
    """Values that belong to the client, and the rest."""
    at_client = {one.name for one in entry.variables if one.at == "client"}
    of_client = {
        name: None if value is None else str(value)
        for name, value in parameters.items()
        if name in at_client
    }
    return of_client, {name: one for name, one in parameters.items() if name not in at_client}


def _flow(flow: str | Flow | None) -> Flow | None:
    if flow is None or flow == "auto":
        return None
    try:
        return Flow(flow)
    except ValueError:
        raise InvalidParameterError(
            f"There is no flow {flow!r}.",
            hint=f"Use auto, {', '.join(one.value for one in Flow)}.",
            parameter="flow",
        ) from None
