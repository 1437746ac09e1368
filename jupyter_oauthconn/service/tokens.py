"""The read path: from an owner and a connection to an access token."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from jupyter_oauthconn.errors import (
    ConsentRequiredError,
    ProviderError,
    ReauthorizationRequiredError,
    StorageError,
)
from jupyter_oauthconn.model import (
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    Connection,
    Endurance,
    Grant,
    GrantState,
    Reason,
)
from jupyter_oauthconn.storage import Store

from .history import record
from .refresh import (
    Refresher,
    Wanted,
    check_form,
    check_room_for_resource,
    client_refused,
    reauthorization_required,
)

_log = logging.getLogger(__name__)


class Tokens:
    """Hands out access tokens of connections that their owner may use (`Connections.usable`).

    Thread-safe.
    """

    def __init__(self, store: Store, refresher: Refresher) -> None:
        self._store = store
        self._refresher = refresher
        self._released: dict[UUID, int] = {}

    def access_token(
        self,
        owner_id: UUID,
        connection: Connection,
        *,
        min_validity: timedelta = DEFAULT_MIN_VALIDITY,
        exact: bool = False,
        rejected_generation: int | None = None,
        resource: str | None = None,
    ) -> AccessToken:
        """See `Broker.access_token`. A fresh token costs two short SELECTs; one that is due is
        returned and renewed behind it; only an expired, rejected or too short one makes the
        caller wait."""
        check_form(resource)
        grant = self._grant(owner_id, connection)
        now = self._store.now()
        if resource:
            kept = self._store.grants.read(owner_id, connection.id, resource)
            good = kept is not None and not _is_rejected(kept, rejected_generation)
            if kept is not None and good:
                if kept.token.valid_for(min_validity, now=now, exact=exact):
                    return self._fresh(connection, grant, now, kept)
                good = kept.token.valid_for(timedelta(0), now=now) and not exact
            return self._redeemed(connection, grant, resource, kept, alive=good)
        rejected = _is_rejected(grant, rejected_generation)
        if not rejected and grant.token.valid_for(min_validity, now=now, exact=exact):
            return self._fresh(connection, grant, now)
        token = self._renewed(connection, grant, now, rejected=rejected, exact=exact)
        self._record_release(connection, grant, token)
        return token

    def stored_token(
        self,
        owner_id: UUID,
        connection: Connection,
        *,
        min_validity: timedelta = DEFAULT_MIN_VALIDITY,
        exact: bool = False,
        rejected_generation: int | None = None,
        resource: str | None = None,
    ) -> AccessToken | None:
        """`access_token` for callers who must not wait: None where it might ask the provider."""
        check_form(resource)
        grant = self._grant(owner_id, connection)
        now = self._store.now()
        kept = grant
        if resource:
            found = self._store.grants.read(owner_id, connection.id, resource)
            if found is None:
                return None
            kept = found
        rejected = _is_rejected(kept, rejected_generation)
        if rejected or not kept.token.valid_for(min_validity, now=now, exact=exact):
            return None
        return self._fresh(connection, grant, now, kept if resource else None)

    def renew_now(self, owner_id: UUID, connection: Connection) -> AccessToken:
        """Refreshes because a person asks, whatever the back-off says."""
        grant = self._grant(owner_id, connection)
        _check_refreshable(connection, grant)
        return self._refresher.refresh(connection, grant, although_backing_off=True)

    def ensure(self, owner_id: UUID, connection: Connection, lasts: timedelta) -> Endurance:
        """Refreshes where that is possible, and says whether nobody need act for `lasts`."""
        grant = self._store.grants.read(owner_id, connection.id)
        if grant is not None and grant.has_refresh_token:
            self.renew_now(owner_id, connection)
            grant = self._store.grants.read(owner_id, connection.id)
        else:
            self.access_token(owner_id, connection)
        if grant is None:
            raise _consent_required(connection)
        return _endurance(grant, self._store.now() + lasts)

    def _grant(self, owner_id: UUID, connection: Connection) -> Grant:
        """A grant that may be used, if perhaps after a refresh.

        Raises `InteractionRequiredError`.
        """
        grant = self._store.grants.read(owner_id, connection.id)
        if grant is None:
            raise _consent_required(connection)
        if grant.state is GrantState.REAUTH_REQUIRED:
            raise reauthorization_required(connection, grant)
        return grant

    def _fresh(
        self, connection: Connection, grant: Grant, now: datetime, kept: Grant | None = None
    ) -> AccessToken:
        """`kept`: a token for another resource, which the refresh token of `grant` renews."""
        shown = kept or grant
        if _due(grant, shown.token, now):
            wanted = Wanted(kept.resource, kept.generation) if kept else None
            self._refresher.start_behind(connection, grant, wanted)
        self._record_release(connection, shown, shown.token)
        return shown.token

    def _redeemed(
        self,
        connection: Connection,
        grant: Grant,
        resource: str,
        kept: Grant | None,
        *,
        alive: bool,
    ) -> AccessToken:
        """A token for another resource. `alive`: the kept one serves if there is no other."""
        wanted = Wanted(resource, kept.generation if kept else 0)
        if kept is None:
            number = self._store.grants.count_resources(grant.owner_id, connection.id)
            check_room_for_resource(connection, number)
        try:
            _check_refreshable(connection, grant)
            token = self._refresher.refresh(connection, grant, wanted=wanted)
        except ProviderError:
            if kept is None or not alive:
                raise
            return kept.token
        record(self._store, "token_issued", grant.owner_id, connection=connection)
        return token

    def _renewed(
        self, connection: Connection, grant: Grant, now: datetime, *, rejected: bool, exact: bool
    ) -> AccessToken:
        alive = not rejected and grant.token.valid_for(timedelta(0), now=now)
        if not grant.has_refresh_token and alive and not exact:
            return grant.token
        try:
            _check_refreshable(connection, grant)
            return self._refresher.refresh(connection, grant, spare=alive)
        except ProviderError as error:
            if not alive or exact:
                raise
            _log.info("%s: serving the old token while it lives: %s", connection.name, error)
            return grant.token

    def _record_release(self, connection: Connection, grant: Grant, token: AccessToken) -> None:
        """Once for each token and process: a warm read must not cost a write."""
        if self._released.get(grant.id) == token.generation:
            return
        self._released[grant.id] = token.generation
        record(self._store, "token_issued", grant.owner_id, connection=connection)
        try:
            self._store.grants.touch(grant.id)
        except StorageError as error:
            _log.warning("When a token was last used could not be noted: %s", error.message)


def _endurance(grant: Grant, until: datetime) -> Endurance:
    if grant.has_refresh_token:
        end, what = grant.refresh_expires_at, "refresh token"
    else:
        end, what = grant.token.expires_at, "access token"
    if end is None:
        lasts, detail = None, f"The provider does not tell when the {what} ends."
    elif end >= until:
        lasts, detail = True, f"The {what} lasts until {end:%Y-%m-%d %H:%M} UTC."
    else:
        lasts, detail = False, f"The {what} ends at {end:%Y-%m-%d %H:%M} UTC, which is too soon."
    if not grant.has_refresh_token:
        detail += " There is no refresh token: then you sign in again."
    return Endurance(
        lasts=lasts,
        detail=detail,
        expires_at=grant.token.expires_at,
        refresh_expires_at=grant.refresh_expires_at,
    )


def _is_rejected(grant: Grant, generation: int | None) -> bool:
    return generation is not None and grant.generation <= generation


def _due(grant: Grant, token: AccessToken, now: datetime) -> bool:
    return (
        grant.has_refresh_token
        and grant.state is GrantState.ACTIVE
        and token.refresh_at is not None
        and token.refresh_at <= now
    )


def _consent_required(connection: Connection) -> ConsentRequiredError:
    return ConsentRequiredError(
        f"{connection.name}: nobody has signed in yet.",
        hint=f"Sign in: `%connect auth {connection.name}`.",
    )


def _check_refreshable(connection: Connection, grant: Grant) -> None:
    if grant.state is GrantState.SUSPENDED:
        raise client_refused(connection, grant)
    if not grant.has_refresh_token:
        raise ReauthorizationRequiredError(
            f"{connection.name}: the access token has ended and the provider gave no refresh "
            "token.",
            hint=f"Sign in again: `%connect auth {connection.name} --again`.",
            reason=Reason.ABSOLUTE_EXPIRED.value,
        )
