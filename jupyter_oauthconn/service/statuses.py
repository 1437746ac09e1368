"""Where a connection stands for its owner, and the next step as a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.model import (
    ClientRegistration,
    Connection,
    EventFilter,
    Grant,
    GrantState,
    LastError,
    Owner,
    Reason,
    State,
    Status,
    scope_set,
)
from jupyter_oauthconn.storage import Store

#: The end of a refresh token is "near" in the last fifth of its life, at most a week before.
_NEAR_SHARE = 0.2
_NEAR_AT_MOST = timedelta(days=7)


def status_of(
    connection: Connection,
    client: ClientRegistration | None,
    entry: ProviderEntry | None,
    grant: Grant | None,
    *,
    pending: bool,
    allowed: bool,
    now: datetime,
) -> Status:
    """The status; needs no provider. `client` or `entry` None: it is gone; `allowed`: the owner may
    use the client."""
    if client is not None and not allowed:
        state, reason = State.CLIENT_DISABLED, None
        step = (
            f"Ask an administrator to put you on the access list of the OAuth client "
            f"{connection.client!r}."
        )
    else:
        state, reason = _state(client, grant, pending, now)
        step = _next_step(state, connection, grant, reason)
    if grant is None:
        return Status(state=state, next_step=step, reason=reason)
    missing = scope_set(grant.requested_scope) - scope_set(grant.token.scope)
    if entry is not None:
        # many servers do not echo the scopes that only bring a refresh token or a name
        missing -= {*entry.scopes.offline, *entry.scopes.identity}
    return Status(
        state=state,
        next_step=step,
        identity=grant.identity,
        scope=grant.token.scope,
        missing_scope=" ".join(sorted(missing)) or None,
        expires_at=grant.token.expires_at,
        refresh_expires_at=grant.refresh_expires_at,
        connected_at=grant.connected_at,
        refreshed_at=grant.refreshed_at,
        reason=reason,
        last_error=grant.last_error,
    )


def with_who_ended_it(connection: Connection, owner: Owner, store: Store) -> Connection:
    """For a connection without a grant: the sign-in that an administrator ended is said to be, to
    the person who did not see it."""
    status = connection.status
    if status is None or status.state is not State.NOT_CONNECTED:
        return connection
    wanted = EventFilter(kind="revoked", client=connection.client, connection=connection.name)
    found = store.journal.events(wanted, 1, owners=[str(owner.id)])
    ended = found[0] if found else None
    if ended is None or ended.at is None or ended.actor in {"", owner.name}:
        return connection
    told = f"{ended.actor} ended this sign-in on {ended.at:%d %B %Y}."
    return replace(
        connection,
        status=replace(
            status,
            reason=Reason.REVOKED,
            last_error=LastError(code=Reason.REVOKED, message=told, at=ended.at),
            next_step=f"{told} {status.next_step}",
        ),
    )


def _state(
    client: ClientRegistration | None, grant: Grant | None, pending: bool, now: datetime
) -> tuple[State, str | None]:
    if client is None:
        return State.MISCONFIGURED, None
    if not client.enabled:
        return State.CLIENT_DISABLED, None
    if grant is None:
        return (State.PENDING if pending else State.NOT_CONNECTED), None
    if grant.state is GrantState.REAUTH_REQUIRED:
        return (State.PENDING if pending else State.REAUTH_REQUIRED), grant.reason
    if grant.state is GrantState.SUSPENDED:
        return State.MISCONFIGURED, None
    ended = grant.token.expires_at is not None and grant.token.expires_at <= now
    if ended and not grant.has_refresh_token:
        return (State.PENDING if pending else State.REAUTH_REQUIRED), Reason.ABSOLUTE_EXPIRED
    if grant.failures:
        return State.DEGRADED, None
    return (State.EXPIRING if _near_end(grant, now) else State.CONNECTED), None


def _near_end(grant: Grant, now: datetime) -> bool:
    end = grant.refresh_expires_at
    if end is None:
        return False
    life = end - grant.connected_at
    return end - now < min(life * _NEAR_SHARE, _NEAR_AT_MOST)


def _next_step(
    state: State, connection: Connection, grant: Grant | None, reason: str | None
) -> str:
    name = connection.name
    match state:
        case State.NOT_CONNECTED:
            return f"Sign in: `%connect auth {name}`."
        case State.PENDING:
            return f"Finish the sign-in in the browser, or start it again: `%connect auth {name}`."
        case State.CONNECTED:
            return "Nothing to do."
        case State.EXPIRING:
            end = grant.refresh_expires_at if grant else None
            day = f" before {end:%d %B %Y}" if end else ""
            return f"Sign in again{day}: `%connect auth {name} --again`."
        case State.DEGRADED:
            return f"Wait, the provider is asked again by itself; `%connect test {name}` asks now."
        case State.REAUTH_REQUIRED:
            why = f", because {Reason(reason).words}" if reason else ""
            return f"Sign in again{why}: `%connect auth {name} --again`."
        case State.MISCONFIGURED:
            return (
                f"An administrator must mend the OAuth client {connection.client!r}: "
                f"`%oauthclient test {connection.client}`."
            )
        case State.CLIENT_DISABLED:
            return f"Ask an administrator to enable the OAuth client {connection.client!r}."
