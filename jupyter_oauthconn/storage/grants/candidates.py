"""Refresh tokens that a provider gave and that found no place in their grant's row.

A refresh that is overtaken comes back with tokens for a row that somebody else holds by then. They
may be the only ones that still work, so they are kept, and presented when the row's own are dead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from jupyter_oauthconn.model import GrantState, NewTokens, Reason, Secret

from ..database import Database
from ..sealing import Place, Sealer
from ..tables import grants, refresh_candidates
from .records import Renewal

#: Reasons that a refresh gave, and that a kept refresh token may prove wrong.
_BY_REFRESH = (Reason.REVOKED.value, Reason.REFRESH_OUTCOME_UNKNOWN.value)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A refresh token that was never presented."""

    id: UUID
    refresh_token: Secret


class Candidates:
    """Keeps and finds candidates."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def keep(self, renewal: Renewal, access: Secret | None, refresh: Secret) -> bool:
        """Stores what a refresh brought; a grant that was given up over it becomes active again.

        Returns:
            False when the grant is gone: then the tokens have to be revoked at the provider.
        """
        with self._database.writing() as connection:
            row = connection.execute(
                sa.select(grants).where(grants.c.id == renewal.grant_id).with_for_update()
            ).first()
            if row is None:
                return False
            if not self._is_kept(connection, row, renewal, refresh):
                self._insert(connection, row, renewal, access, refresh)
            if _was_given_up(row, renewal):
                connection.execute(
                    sa.update(grants)
                    .where(grants.c.id == row.id)
                    .values(state=GrantState.ACTIVE.value, reason=None, not_before=None)
                )
        return True

    def next(self, grant_id: UUID) -> Candidate | None:
        """The newest that was never presented. Raises `UnsealError`."""
        query = (
            _unused(grant_id)
            .where(refresh_candidates.c.generation >= grants.c.sign_in_generation)
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else Candidate(row.id, self._refresh_token(row))

    def use(self, id: UUID) -> None:
        """It is about to be presented, and never will be again."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(refresh_candidates)
                .where(refresh_candidates.c.id == id)
                .values(used_at=self._database.time())
            )

    def promote(self, connection: sa.Connection, row: sa.Row[Any]) -> Secret | None:
        """The newest candidate that came out of the row's own refresh token, taken off the list.

        Its being there proves that the row's refresh token is spent: presenting that one again
        could end the whole grant (RFC 9700 §4.14.2).
        """
        newest = connection.execute(
            _unused(row.id).where(refresh_candidates.c.generation == row.generation).limit(1)
        ).first()
        if newest is None:
            return None
        secret = self._refresh_token(newest)
        connection.execute(
            sa.delete(refresh_candidates).where(refresh_candidates.c.id == newest.id)
        )
        return secret

    def all_unused(self, connection: sa.Connection, row: sa.Row[Any]) -> list[sa.Row[Any]]:
        """Rows for `tokens_of`."""
        return list(connection.execute(_unused(row.id)))

    def tokens_of(self, candidate: sa.Row[Any], grant: sa.Row[Any]) -> NewTokens:
        """A candidate as tokens to revoke. Raises `UnsealError`."""
        access = candidate.access_sealed
        place = _place("access_sealed", candidate)
        return NewTokens(
            access_token=Secret("") if access is None else self._sealer.unseal(access, place),
            refresh_token=self._refresh_token(candidate),
            token_type=grant.token_type,
            issued_at=candidate.received_at,
            expires_at=None,
            refresh_at=None,
            refresh_expires_at=None,
            scope=grant.scope,
        )

    def _is_kept(
        self, connection: sa.Connection, row: sa.Row[Any], renewal: Renewal, refresh: Secret
    ) -> bool:
        """Whether an earlier call, whose acknowledgement was lost, has stored it."""
        query = _all(row.id).where(refresh_candidates.c.lease_id == renewal.lease_id)
        return any(self._refresh_token(one) == refresh for one in connection.execute(query))

    def _insert(
        self,
        connection: sa.Connection,
        row: sa.Row[Any],
        renewal: Renewal,
        access: Secret | None,
        refresh: Secret,
    ) -> None:
        id, generation = uuid4(), renewal.generation

        def sealed(column: str, secret: Secret) -> bytes:
            place = Place("refresh_candidates", column, id, row.owner_id, generation)
            return self._sealer.seal(secret, place)

        connection.execute(
            sa.insert(refresh_candidates).values(
                id=id,
                grant_id=row.id,
                lease_id=renewal.lease_id,
                generation=generation,
                access_sealed=None if access is None else sealed("access_sealed", access),
                refresh_sealed=sealed("refresh_sealed", refresh),
                received_at=self._database.time(),
            )
        )

    def _refresh_token(self, row: sa.Row[Any]) -> Secret:
        return self._sealer.unseal(row.refresh_sealed, _place("refresh_sealed", row))


def _was_given_up(row: sa.Row[Any], renewal: Renewal) -> bool:
    return (
        row.state == GrantState.REAUTH_REQUIRED.value
        and row.reason in _BY_REFRESH
        and row.generation == renewal.generation
    )


def _all(grant_id: UUID) -> sa.Select[Any]:
    return (
        sa.select(refresh_candidates, grants.c.owner_id)
        .join(grants)
        .where(refresh_candidates.c.grant_id == grant_id)
        .order_by(refresh_candidates.c.received_at.desc())
    )


def _unused(grant_id: UUID) -> sa.Select[Any]:
    return _all(grant_id).where(refresh_candidates.c.used_at.is_(None))


def _place(column: str, row: sa.Row[Any]) -> Place:
    return Place("refresh_candidates", column, row.id, row.owner_id, row.generation)
