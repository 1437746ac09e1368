"""The lease: the right to refresh one grant, and what its holder writes.

Every statement names the lease and the generation, so that whoever was overtaken changes nothing.
No transaction is open while a provider is asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from jupyter_oauthconn.model import Attempt, Claim, GrantState, LastError, NewTokens

from ..database import Database
from ..tables import grants, refresh_candidates
from .candidates import Candidates
from .records import AT_REST, WELL, Records, Renewal, complete, error_to_json

#: Columns that a token for another resource shares with the sign-in it comes from.
_OF_THE_SIGN_IN = (
    "requested_scope", "identity", "subject", "connected_at", "refreshed_at", "state", "reason",
    "sign_in_generation",
)  # fmt: skip


class RefreshLease:
    """Claim, send, save, or give back."""

    def __init__(self, database: Database, records: Records, candidates: Candidates) -> None:
        self._database = database
        self._records = records
        self._candidates = candidates

    def claim(
        self,
        grant_id: UUID,
        *,
        generation: int,
        lease: timedelta,
        although_backing_off: bool = False,
    ) -> Claim | None:
        """The right to refresh, in one committed transaction by the store's clock.

        That it was committed also proves that the store can be written, before a refresh token is
        spent.

        Args:
            generation: the one that was seen; another one by now means it was refreshed.
            although_backing_off: a person asks, so `not_before` does not count.

        Returns:
            None when somebody else has it, or it must not be refreshed (now).

        Raises:
            StorageError, UnsealError: nothing was claimed.
        """
        lease_id = uuid4()
        allowed = self._claimable(grant_id, generation)
        if not although_backing_off:
            allowed = sa.and_(allowed, self._passed(grants.c.not_before))
        with self._database.writing() as connection:
            row = connection.execute(sa.select(grants).where(allowed).with_for_update()).first()
            if row is None:
                return None
            values: dict[str, Any] = {"attempt": Attempt.CLAIMED.value, "lease_id": lease_id}
            refresh_token = self._candidates.promote(connection, row)
            promoted = refresh_token is not None
            if refresh_token is not None:
                values["refresh_sealed"] = self._records.sealed_refresh_token(row, refresh_token)
                values["sent_at"] = None
            else:
                refresh_token = self._records.refresh_token(row)
            lease_until = connection.execute(
                sa.update(grants)
                .where(grants.c.id == grant_id)
                .values(**values, lease_until=self._database.time(lease))
                .returning(grants.c.lease_until)
            ).scalar_one()
            assert refresh_token is not None, "the statement asks for a refresh token"
            return Claim(
                grant=self._records.grant(row),
                lease_id=lease_id,
                refresh_token=refresh_token,
                previous=Attempt.NONE if promoted else _previous(row),
                previous_sent_at=None if promoted else row.sent_at,
                claimed_at=lease_until - lease,
                lease_until=lease_until,
            )

    def mark_sent(self, claim: Claim) -> bool:
        """Written before the request leaves; False when the lease is over: then send nothing."""
        now = self._database.time()
        return self._write(
            claim,
            # the first of several presentations counts for the provider's grace period
            {"attempt": Attempt.SENT.value, "sent_at": sa.func.coalesce(grants.c.sent_at, now)},
            grants.c.lease_until > now,
        )

    def release(self, claim: Claim) -> None:
        """The refresh token is certainly unspent by this claim: gives the lease back."""
        self._write(claim, _given_back(claim))

    def save(self, claim: Claim, tokens: NewTokens) -> bool:
        """Writes what the refresh brought, if nobody came first.

        Also True when an earlier call had written it and only its acknowledgement was lost, so
        that it can be repeated after a `StorageError`.
        """
        return self.save_renewal(Renewal.of(claim), complete(tokens, claim))

    def save_renewal(self, renewal: Renewal, tokens: NewTokens) -> bool:
        """As `save`, for tokens that are complete."""
        columns = self._records.columns(
            renewal.grant_id, renewal.owner_id, renewal.generation + 1, tokens
        )
        columns |= WELL | {
            "last_attempt_id": renewal.lease_id,
            "refreshed_at": self._database.time(),
        }
        statement = sa.update(grants).where(_held_by(renewal)).values(columns)
        with self._database.writing() as connection:
            if connection.execute(statement).rowcount:
                if tokens.other is not None:
                    self._write_other(connection, renewal.grant_id, *tokens.other)
                connection.execute(
                    sa.delete(refresh_candidates).where(
                        refresh_candidates.c.grant_id == renewal.grant_id,
                        refresh_candidates.c.used_at.is_not(None),
                    )
                )
                return True
            last = connection.execute(
                sa.select(grants.c.last_attempt_id).where(grants.c.id == renewal.grant_id)
            ).scalar()
            return bool(last == renewal.lease_id)

    def _write_other(
        self, connection: sa.Connection, grant_id: UUID, resource: str, tokens: NewTokens
    ) -> None:
        """A token for another resource; the refresh token stays with the sign-in's own grant."""
        own = connection.execute(sa.select(grants).where(grants.c.id == grant_id)).one()
        place = {
            "owner_id": own.owner_id, "connection_id": own.connection_id, "resource": resource,
        }  # fmt: skip
        here = sa.select(grants).where(*(grants.c[name] == one for name, one in place.items()))
        row = connection.execute(here.with_for_update()).first()
        id = uuid4() if row is None else row.id
        generation = 1 if row is None else row.generation + 1
        alone = replace(tokens, refresh_token=None)
        values = {
            **{name: own._mapping[name] for name in _OF_THE_SIGN_IN},
            **WELL,
            **self._records.columns(id, own.owner_id, generation, alone),
        }
        statement: sa.Insert | sa.Update = sa.update(grants).where(grants.c.id == id)
        if row is None:
            statement = sa.insert(grants)
            values |= {"id": id, **place}
        connection.execute(statement.values(values))

    def record_failure(
        self,
        claim: Claim,
        error: LastError,
        *,
        not_before: datetime | None,
        spent_unknown: bool,
    ) -> None:
        """A failure that passes. An outcome that was unknown before this claim stays unknown."""
        values = _given_back(claim)
        if spent_unknown:
            values |= {
                "attempt": Attempt.SENT.value,
                "sent_at": sa.func.coalesce(grants.c.sent_at, self._database.time()),
            }
        values |= {
            "failures": grants.c.failures + 1,
            "not_before": not_before,
            "last_error": error_to_json(error),
        }
        self._write(claim, values)

    def _claimable(self, grant_id: UUID, generation: int) -> sa.ColumnElement[bool]:
        return sa.and_(
            grants.c.id == grant_id,
            grants.c.generation == generation,
            grants.c.state == GrantState.ACTIVE.value,
            grants.c.refresh_sealed.is_not(None),
            self._passed(grants.c.lease_until),
        )

    def _passed(self, column: sa.ColumnElement[datetime | None]) -> sa.ColumnElement[bool]:
        return sa.or_(column.is_(None), column <= self._database.time())

    def _write(self, claim: Claim, values: dict[str, Any], *also: sa.ColumnElement[bool]) -> bool:
        statement = sa.update(grants).where(_held_by(Renewal.of(claim)), *also).values(values)
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1


def _held_by(renewal: Renewal) -> sa.ColumnElement[bool]:
    return sa.and_(
        grants.c.id == renewal.grant_id,
        grants.c.generation == renewal.generation,
        grants.c.lease_id == renewal.lease_id,
    )


def _previous(row: sa.Row[Any]) -> Attempt:
    # a claim leaves `sent_at`, so a holder that died before sending hides nothing
    return Attempt.SENT if row.sent_at is not None else Attempt(row.attempt)


def _given_back(claim: Claim) -> dict[str, Any]:
    values = dict(AT_REST)
    if claim.previous is Attempt.SENT:
        values |= {"attempt": Attempt.SENT.value, "sent_at": claim.previous_sent_at}
    return values
