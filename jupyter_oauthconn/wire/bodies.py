"""`x_json(value) -> X` and `read_x(body) -> value` for each shape `X`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from jupyter_oauthconn import model

from .shapes import (
    Authorization,
    Check,
    Client,
    ClientUse,
    Connection,
    Endurance,
    Event,
    Grant,
    Origin,
    Revocation,
    Setting,
    Status,
    Token,
)
from .walk import body_of, rfc3339, typed, value_of

NO_ID = UUID(int=0)


def client_json(client: model.ClientRegistration) -> Client:
    return cast(Client, body_of(client))


def read_client(body: Client) -> model.ClientRegistration:
    return value_of(model.ClientRegistration, body, id=NO_ID)


def client_use_json(use: model.ClientUse) -> ClientUse:
    return cast(ClientUse, body_of(use))


def read_client_use(body: ClientUse) -> model.ClientUse:
    return value_of(model.ClientUse, body)


def grant_json(grant: model.OwnedGrant) -> Grant:
    return cast(Grant, body_of(grant))


def read_grant(body: Grant) -> model.OwnedGrant:
    return value_of(model.OwnedGrant, body)


def setting_json(setting: model.SettingInForce) -> Setting:
    return cast(Setting, body_of(setting))


def read_setting(body: Setting) -> model.SettingInForce:
    return value_of(model.SettingInForce, body)


def status_json(status: model.Status) -> Status:
    return cast(Status, body_of(status))


def read_status(body: Status) -> model.Status:
    return value_of(model.Status, body)


def connection_json(connection: model.Connection) -> Connection:
    shared = {"users": connection.shared_users, "groups": connection.shared_groups}
    return cast(Connection, body_of(connection, shared_with=shared))


def read_connection(body: Connection) -> model.Connection:
    shared = typed(Mapping[str, tuple[str, ...]], body["shared_with"])
    return value_of(
        model.Connection,
        body,
        id=NO_ID,
        owner_id=NO_ID,
        shared_users=shared["users"],
        shared_groups=shared["groups"],
    )


def authorization_json(authorization: model.Authorization) -> Authorization:
    return cast(Authorization, body_of(authorization))


def read_authorization(body: Authorization) -> model.Authorization:
    return value_of(model.Authorization, body)


def token_json(token: model.AccessToken, *, now: datetime) -> Token:
    """The one body with a secret. `now` is the service's clock when it answers."""
    return {
        "access_token": token.reveal(),
        "token_type": token.token_type,
        "expires_in": _seconds_until(token.expires_at, now),
        "refresh_in": _seconds_until(token.refresh_at, now),
        "issued_at": None if token.issued_at is None else rfc3339(token.issued_at),
        "expires_at": None if token.expires_at is None else rfc3339(token.expires_at),
        "scope": token.scope,
        "resource": token.resource,
        "generation": token.generation,
        "extra": dict(token.extra),
    }


def read_token(body: Token, *, now: datetime) -> model.AccessToken:
    """`now` is the reader's clock when it asked; the token's times count from there.

    The clocks of two machines differ, so what is relative in the body wins over what is not.
    """
    expires_at = _after(now, body["expires_in"])
    issued_at = typed(datetime | None, body["issued_at"])
    end = typed(datetime | None, body["expires_at"])
    if expires_at is not None and end is not None and issued_at is not None:
        issued_at = expires_at - (end - issued_at)
    return model.AccessToken(
        value=model.Secret(typed(str, body["access_token"])),
        token_type=typed(str, body["token_type"]),
        expires_at=expires_at,
        refresh_at=_after(now, body["refresh_in"]),
        issued_at=issued_at,
        scope=typed(str, body["scope"]),
        resource=typed(str | None, body["resource"]),
        generation=typed(int, body["generation"]),
        extra=typed(Mapping[str, str], body["extra"]),
    )


def event_json(event: model.Event) -> Event:
    origin = {key: event.origin.get(key) for key in Origin.__annotations__}
    return cast(Event, body_of(event, origin=origin))


def read_event(body: Event) -> model.Event:
    known = typed(Mapping[str, str | None], body["origin"])
    origin = {key: value for key, value in known.items() if value is not None}
    return value_of(model.Event, body, origin=origin)


def check_json(check: model.Check) -> Check:
    return cast(Check, body_of(check))


def read_check(body: Check) -> model.Check:
    return value_of(model.Check, body)


def revocation_json(revocation: model.Revocation) -> Revocation:
    return cast(Revocation, body_of(revocation))


def read_revocation(body: Revocation) -> model.Revocation:
    return value_of(model.Revocation, body)


def endurance_json(endurance: model.Endurance) -> Endurance:
    return cast(Endurance, body_of(endurance))


def read_endurance(body: Endurance) -> model.Endurance:
    return value_of(model.Endurance, body)


def _seconds_until(moment: datetime | None, now: datetime) -> int | None:
    return None if moment is None else max(0, int((moment - now).total_seconds()))


def _after(now: datetime, seconds: int | None) -> datetime | None:
    after: timedelta | None = typed(timedelta | None, seconds)
    return None if after is None else now + after
