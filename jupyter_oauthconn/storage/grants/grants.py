"""The face of the grants: reading, sign-ins, states, revocation; the rest by delegation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from jupyter_oauthconn.model import (
    Claim,
    Grant,
    GrantState,
    LastError,
    NewTokens,
    Reason,
    Secret,
)

from ..database import Database
from ..sealing import Sealer
from ..tables import clients, connections, grant_use, grants, refresh_candidates
from .candidates import Candidate, Candidates
from .lease import RefreshLease
from .overview import GrantOverview
from .records import AT_REST, WELL, Records, Renewal, complete, error_to_json
from .spool import Spool


@dataclass(frozen=True, slots=True)
class TakenGrant:
    """Tokens that are gone here and have to be revoked at the provider."""

    owner_id: UUID
    tokens: NewTokens
    resource: str
    reason: str | None = None


class Grants:
    """All grants of a store. Thread-safe.

    `claim`, `mark_sent`, `release`, `save`, `record_failure` are those of `RefreshLease`;
    `overview` is for administrators.
    """

    def __init__(self, database: Database, sealer: Sealer, spool_folder: Path) -> None:
        self._database = database
        self._records = Records(sealer)
        self._candidates = Candidates(database, sealer)
        self._lease = RefreshLease(database, self._records, self._candidates)
        self._spool = Spool(spool_folder, sealer)
        self.overview = GrantOverview(database)
        self.claim = self._lease.claim
        self.mark_sent = self._lease.mark_sent
        self.release = self._lease.release
        self.save = self._lease.save
        self.record_failure = self._lease.record_failure

    def read(self, owner_id: UUID, connection_id: UUID, resource: str = "") -> Grant | None:
        """One SELECT; unseals the access token only. Raises `UnsealError`."""
        place = {"owner_id": owner_id, "connection_id": connection_id, "resource": resource}
        with self._database.reading() as connection:
            row = connection.execute(_READ, place).first()
        return None if row is None else self._records.grant(row)

    def count_resources(self, owner_id: UUID, connection_id: UUID) -> int:
        """How many resources besides the sign-in's own have a token."""
        here = grants.c.owner_id == owner_id, grants.c.connection_id == connection_id
        query = sa.select(sa.func.count()).where(*here, grants.c.resource != "")
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def of_owner(self, owner_id: UUID) -> list[Grant]:
        """Raises `UnsealError`."""
        query = sa.select(grants).where(grants.c.owner_id == owner_id)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [self._records.grant(row) for row in rows]

    def put(
        self,
        owner_id: UUID,
        connection_id: UUID,
        tokens: NewTokens,
        *,
        resource: str = "",
        requested_scope: str,
        identity: str | None,
        subject: str | None,
    ) -> Grant:
        """Writes a sign-in. It ends whatever was stored or under way for the same place.

        Raises:
            StorageError: nothing was written, so it can be repeated.
        """
        signed_in: dict[str, Any] = {
            **WELL,
            "requested_scope": requested_scope,
            "identity": identity,
            "subject": subject,
            "connected_at": self._database.time(),
            "refreshed_at": None,
            "state": GrantState.ACTIVE.value,
            "reason": None,
            "last_attempt_id": None,
        }
        place = {"owner_id": owner_id, "connection_id": connection_id, "resource": resource}
        with self._database.writing() as connection:
            row = self._locked(connection, place)
            generation = 1 if row is None else row.generation + 1
            id = uuid4() if row is None else row.id
            values = signed_in | self._records.columns(id, owner_id, generation, tokens)
            values["sign_in_generation"] = generation
            statement: sa.Insert | sa.Update
            if row is None:
                statement = sa.insert(grants).values(id=id, **place, **values)
            else:
                connection.execute(
                    sa.delete(refresh_candidates).where(refresh_candidates.c.grant_id == id)
                )
                # perhaps another account's
                connection.execute(sa.delete(grants).where(_of_other_resources(id)))
                statement = sa.update(grants).where(grants.c.id == id).values(values)
            return self._records.grant(connection.execute(statement.returning(*grants.c)).one())

    def require_reauthorization(
        self, grant_id: UUID, *, generation: int, reason: Reason, error: LastError | None
    ) -> bool:
        """A permanent failure; False when the grant was refreshed or changed meanwhile."""
        values = {
            **AT_REST,
            "state": GrantState.REAUTH_REQUIRED.value,
            "reason": reason.value,
            "last_error": error_to_json(error),
        }
        return self._end(grant_id, generation, values)

    def suspend(self, grant_id: UUID, *, generation: int, error: LastError) -> bool:
        """The provider refused the client: the tokens are kept until that is mended."""
        values = {
            **AT_REST,
            "state": GrantState.SUSPENDED.value,
            "last_error": error_to_json(error),
        }
        return self._end(grant_id, generation, values)

    def resume_client(self, client_name: str) -> int:
        """Lets the client's suspended grants refresh again; returns how many."""
        values = {
            "state": GrantState.ACTIVE.value,
            "failures": 0,
            "not_before": None,
            "last_error": None,
        }
        suspended = grants.c.state == GrantState.SUSPENDED.value
        return self._change(_of_client(client_name), suspended, values)

    def invalidate_client(self, client_name: str, reason: Reason) -> int:
        """All grants of the client need a new sign-in; returns how many."""
        return self._invalidate(_of_client(client_name), reason)

    def invalidate_connection(self, connection_id: UUID, reason: Reason) -> int:
        """All grants of the connection need a new sign-in; returns how many."""
        return self._invalidate(grants.c.connection_id == connection_id, reason)

    def keep_candidate(self, claim: Claim, access: Secret | None, refresh: Secret) -> bool:
        """Keeps the tokens of a refresh that was overtaken. Can be repeated.

        Returns:
            False when the grant is gone: then they have to be revoked at the provider.
        """
        return self._candidates.keep(Renewal.of(claim), access, refresh)

    def next_candidate(self, grant_id: UUID) -> Candidate | None:
        """The newest refresh token that was kept and never presented."""
        return self._candidates.next(grant_id)

    def use_candidate(self, id: UUID) -> None:
        """Before it is presented."""
        self._candidates.use(id)

    def take(
        self, connection_id: UUID, owner_id: UUID | None = None, *, with_connection: bool = False
    ) -> list[TakenGrant]:
        """Reads and removes, in one transaction; a refresh under way then cannot save.

        Kept candidates come first, the grants' own tokens last.

        Args:
            owner_id: whose grant; None: everybody's who signed in for the connection.
            with_connection: removes the connection, too, so that no grant can come between.

        Raises:
            UnsealError: a value cannot be read; they are gone all the same.
        """
        mine = grants.c.connection_id == connection_id
        if owner_id is not None:
            mine = sa.and_(mine, grants.c.owner_id == owner_id)
        with self._database.writing() as connection:
            rows = connection.execute(sa.select(grants).where(mine).with_for_update()).all()
            kept = [
                (one, row) for row in rows for one in self._candidates.all_unused(connection, row)
            ]
            connection.execute(sa.delete(grants).where(mine))
            if with_connection:
                connection.execute(sa.delete(connections).where(connections.c.id == connection_id))
        return [
            TakenGrant(row.owner_id, self._candidates.tokens_of(one, row), row.resource, row.reason)
            for one, row in kept
        ] + [
            TakenGrant(row.owner_id, self._taken_tokens(row), row.resource, row.reason)
            for row in rows
        ]

    def touch(self, grant_id: UUID) -> None:
        """Notes that a token was handed out. A grant that is gone is left alone."""
        mine = grant_use.c.grant_id == grant_id
        now = self._database.time()
        with self._database.writing() as connection:
            if connection.execute(sa.update(grant_use).where(mine).values(last_used=now)).rowcount:
                return
            try:
                with connection.begin_nested():
                    connection.execute(
                        sa.insert(grant_use).values(grant_id=grant_id, last_used=now)
                    )
            except IntegrityError:
                return

    def spool(self, claim: Claim, tokens: NewTokens) -> None:
        """Writes an answer that cannot be saved, sealed, beside the database.

        Raises `StorageError`.
        """
        self._spool.write(Renewal.of(claim), replace(complete(tokens, claim), other=None))

    def replay_spool(self) -> int:
        """Saves what lies in the spool, or keeps it as candidates; returns how many were saved."""
        saved = 0
        spooled, _ = self._spool.read()
        for one in spooled:
            refresh_token = one.tokens.refresh_token
            if self._lease.save_renewal(one.renewal, one.tokens):
                saved += 1
            elif refresh_token is not None:
                self._candidates.keep(one.renewal, one.tokens.access_token, refresh_token)
            one.path.unlink(missing_ok=True)
        return saved

    def spool_notes(self) -> tuple[str, ...]:
        """A sentence for each file of the spool that cannot be read."""
        return tuple(self._spool.read()[1])

    def _locked(self, connection: sa.Connection, place: dict[str, Any]) -> sa.Row[Any] | None:
        query = sa.select(grants).where(*(grants.c[name] == one for name, one in place.items()))
        return connection.execute(query.with_for_update()).first()

    def _end(self, grant_id: UUID, generation: int, values: dict[str, Any]) -> bool:
        same = sa.and_(grants.c.id == grant_id, grants.c.generation == generation)
        return self._change(same, grants.c.state == GrantState.ACTIVE.value, values) == 1

    def _invalidate(self, which: sa.ColumnElement[bool], reason: Reason) -> int:
        # a refresh under way may still save: the tokens of an invalid grant are kept for revoking
        values = {"state": GrantState.REAUTH_REQUIRED.value, "reason": reason.value}
        return self._change(which, grants.c.state == GrantState.ACTIVE.value, values)

    def _change(
        self,
        which: sa.ColumnElement[bool],
        in_state: sa.ColumnElement[bool],
        values: dict[str, Any],
    ) -> int:
        statement = sa.update(grants).where(which, in_state).values(values)
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount

    def _taken_tokens(self, row: sa.Row[Any]) -> NewTokens:
        token = self._records.grant(row).token
        return NewTokens(
            access_token=token.value,
            refresh_token=self._records.refresh_token(row),
            token_type=token.token_type,
            issued_at=row.issued_at,
            expires_at=token.expires_at,
            refresh_at=token.refresh_at,
            refresh_expires_at=row.refresh_expires_at,
            scope=token.scope,
            extra=token.extra,
        )


#: Built once: building the statement of the read path costs more than running it.
_READ = sa.select(grants).where(
    *(grants.c[name] == sa.bindparam(name) for name in ("owner_id", "connection_id", "resource"))
)


def _of_other_resources(grant_id: UUID) -> sa.ColumnElement[bool]:
    """The tokens for other resources that came from that grant's refresh tokens."""
    own = sa.alias(grants)
    place = sa.select(own.c.owner_id, own.c.connection_id).where(own.c.id == grant_id)
    return sa.and_(
        sa.tuple_(grants.c.owner_id, grants.c.connection_id).in_(place), grants.c.resource != ""
    )


def _of_client(name: str) -> sa.ColumnElement[bool]:
    mine = sa.select(connections.c.id).join(clients).where(clients.c.name == name)
    return grants.c.connection_id.in_(mine)
