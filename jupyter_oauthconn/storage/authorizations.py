"""Pending sign-ins: at most one for an owner and connection, each finished once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from jupyter_oauthconn.errors import AuthorizationExpiredError, CallbackMismatchError, StorageError
from jupyter_oauthconn.model import (
    Authorization,
    AuthorizationState,
    Flow,
    LastError,
    NewTokens,
    PendingAuthorization,
    Secret,
)

from .database import Database
from .grants.records import error_from_json, error_to_json
from .sealing import Place, Sealer, pack, unpack
from .tables import authorizations, clients, connections

#: Finished sign-ins are readable this long, for whoever waits for them.
_KEPT = timedelta(days=1)
_PENDING = AuthorizationState.PENDING.value
#: Columns and fields of `PendingAuthorization` of the same name.
_OF_THE_REQUEST = (
    "client_id", "redirect_uri", "issuer", "token_endpoint", "requested_scope", "iss_required",
)  # fmt: skip
#: Columns and fields of `AuthorizationRow` of the same name.
_OF_THE_ROW = ("owner_id", "connection_id", "client", "holder", "held_until", "browser_hash")
_START_AGAIN = "Start again from the notebook, and finish in the same browser."
#: Nothing that could finish a sign-in stays once it has ended.
_EMPTIED = {"verifier_sealed": None, "nonce_sealed": None, "held_sealed": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRow:
    """A sign-in with what its owner does not see.

    Attributes:
        holder: the process that started it.
        held_until: the process that serves it renews this; None: it needs none.
        browser_hash: of the flow cookie of the browser that pressed the button last.
    """

    authorization: Authorization
    owner_id: UUID
    connection_id: UUID
    client: str
    holder: str
    held_until: datetime | None
    browser_hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTokens:
    """Tokens of another account than before, waiting for the person's word."""

    tokens: NewTokens
    identity: str | None
    subject: str | None
    requested_scope: str


class Authorizations:
    """All sign-ins of a store. Thread-safe."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def start(
        self,
        owner_id: UUID,
        connection_id: UUID,
        *,
        flow: Flow,
        lifetime: timedelta,
        public_url: str | None,
        holder: str,
    ) -> tuple[AuthorizationRow, bool]:
        """A new sign-in, or the pending one (then False). One whose holder is gone is replaced."""
        values = {
            "owner_id": owner_id,
            "connection_id": connection_id,
            "flow": flow.value,
            "state": _PENDING,
            "public_url": public_url,
            "holder": holder,
        }
        mine = sa.and_(
            authorizations.c.owner_id == owner_id,
            authorizations.c.connection_id == connection_id,
            authorizations.c.state == _PENDING,
        )
        with self._database.writing() as connection:
            self._sweep(connection)
            id = self._insert(connection, values, lifetime)
            found = self._first(connection, mine if id is None else authorizations.c.id == id)
        if found is None:
            # the pending one ended between the two statements (PostgreSQL)
            raise StorageError("The sign-in was ended by another process.", hint="Try again.")
        return found, id is not None

    def hold(self, id: UUID, until: datetime) -> None:
        """The process that serves it is alive."""
        with self._database.writing() as connection:
            connection.execute(_pending(id).values(held_until=until))

    def read(self, owner_id: UUID, id: UUID) -> AuthorizationRow | None:
        with self._database.reading() as connection:
            return self._first(
                connection, authorizations.c.id == id, authorizations.c.owner_id == owner_id
            )

    def pending(self, owner_id: UUID, connection_id: UUID) -> AuthorizationRow | None:
        """The sign-in that a start would join."""
        with self._database.reading() as connection:
            return self._first(
                connection,
                authorizations.c.owner_id == owner_id,
                authorizations.c.connection_id == connection_id,
                authorizations.c.state == _PENDING,
                sa.not_(self._is_over()),
            )

    def pending_connections(self, owner_id: UUID) -> set[UUID]:
        """The connections for which a start would join."""
        query = sa.select(authorizations.c.connection_id).where(
            authorizations.c.owner_id == owner_id,
            authorizations.c.state == _PENDING,
            sa.not_(self._is_over()),
        )
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())

    def press(
        self, id: UUID, pending: PendingAuthorization, *, state_hash: bytes, browser_hash: bytes
    ) -> bool:
        """The button was pressed; an earlier press is no longer valid.

        Returns False when the sign-in is not pending any more.
        """
        values = {
            "state_hash": state_hash,
            "browser_hash": browser_hash,
            "consumed_at": None,
            **{name: getattr(pending, name) for name in _OF_THE_REQUEST},
        }
        secrets = {"verifier_sealed": pending.code_verifier, "nonce_sealed": pending.nonce}
        for column, secret in secrets.items():
            values[column] = self._sealer.seal(secret, _place(column, id, pending.owner_id))
        statement = _pending(id).where(
            authorizations.c.owner_id == pending.owner_id,
            authorizations.c.expires_at > self._database.time(),
        )
        with self._database.writing() as connection:
            return connection.execute(statement.values(values)).rowcount == 1

    def consume(
        self, owner_id: UUID, state_hash: bytes, browser_hash: bytes
    ) -> PendingAuthorization:
        """Uses a state up, before anything is sent; of parallel callers one gets it.

        A wrong browser or owner uses nothing up.

        Raises:
            CallbackMismatchError: the state is unknown, or another browser's or owner's.
            AuthorizationExpiredError: it was used before, or is too old.
        """
        by_state = sa.and_(
            authorizations.c.state_hash == state_hash, authorizations.c.owner_id == owner_id
        )
        now = self._database.time()
        statement = (
            sa.update(authorizations)
            .where(
                by_state,
                authorizations.c.browser_hash == browser_hash,
                authorizations.c.consumed_at.is_(None),
                authorizations.c.state == _PENDING,
                authorizations.c.expires_at > now,
            )
            .values(consumed_at=now)
            .returning(*authorizations.c)
        )
        with self._database.writing() as connection:
            row = connection.execute(statement).first()
            if row is None:
                why = connection.execute(sa.select(authorizations).where(by_state)).first()
                raise _refusal(why, browser_hash)
        return self._pending_authorization(row)

    def finish(
        self,
        id: UUID,
        state: AuthorizationState,
        *,
        identity: str | None = None,
        error: LastError | None = None,
    ) -> bool:
        """Ends a pending sign-in; False when it had ended before."""
        values = {
            **_EMPTIED,
            "state": state.value,
            "identity": identity,
            "error": error_to_json(error),
        }
        with self._database.writing() as connection:
            return connection.execute(_pending(id).values(values)).rowcount == 1

    def hold_tokens(
        self,
        id: UUID,
        tokens: NewTokens,
        *,
        identity: str | None,
        subject: str | None,
        requested_scope: str,
    ) -> None:
        """Keeps another account's tokens, sealed, until the person confirms."""
        packed = {
            "tokens": pack(tokens).reveal(),
            "identity": identity,
            "subject": subject,
            "requested_scope": requested_scope,
        }
        with self._database.writing() as connection:
            its_owner = sa.select(authorizations.c.owner_id).where(authorizations.c.id == id)
            owner_id = connection.execute(its_owner).scalar()
            if owner_id is None:
                return
            place = _place("held_sealed", id, owner_id)
            sealed = self._sealer.seal(Secret(json.dumps(packed)), place)
            connection.execute(_pending(id).values(held_sealed=sealed, identity=identity))

    def release_tokens(self, id: UUID) -> HeldTokens | None:
        """Gives held tokens out, once. Raises `UnsealError`."""
        held = sa.select(authorizations.c.held_sealed, authorizations.c.owner_id).where(
            authorizations.c.id == id, authorizations.c.state == _PENDING
        )
        with self._database.writing() as connection:
            row = connection.execute(held.with_for_update()).first()
            if row is None or row.held_sealed is None:
                return None
            connection.execute(_pending(id).values(held_sealed=None))
        place = _place("held_sealed", id, row.owner_id)
        values = json.loads(self._sealer.unseal(row.held_sealed, place).reveal())
        return HeldTokens(**{**values, "tokens": unpack(Secret(values["tokens"]))})

    def _sweep(self, connection: sa.Connection) -> None:
        """Ends what is over and forgets what ended long ago."""
        pending = authorizations.c.state == _PENDING
        connection.execute(
            sa.update(authorizations)
            .where(pending, self._is_over())
            .values(**_EMPTIED, state=AuthorizationState.EXPIRED.value)
        )
        connection.execute(
            sa.delete(authorizations).where(
                sa.not_(pending), authorizations.c.expires_at < self._database.time(-_KEPT)
            )
        )

    def _insert(
        self, connection: sa.Connection, values: dict[str, Any], lifetime: timedelta
    ) -> UUID | None:
        """The new row's id, or None when one is pending: the unique index decides."""
        id = uuid4()
        now, end = self._database.time(), self._database.time(lifetime)
        new = sa.insert(authorizations).values(id=id, created_at=now, expires_at=end, **values)
        try:
            with connection.begin_nested():
                connection.execute(new)
        except IntegrityError:
            return None
        return id

    def _is_over(self) -> sa.ColumnElement[bool]:
        now = self._database.time()
        return sa.or_(
            authorizations.c.expires_at <= now,
            sa.func.coalesce(authorizations.c.held_until, authorizations.c.expires_at) <= now,
        )

    def _first(
        self, connection: sa.Connection, *where: sa.ColumnElement[bool]
    ) -> AuthorizationRow | None:
        query = (
            sa.select(
                authorizations,
                connections.c.name.label("connection"),
                clients.c.name.label("client"),
                self._is_over().label("over"),
            )
            .join(connections, authorizations.c.connection_id == connections.c.id)
            .join(clients, connections.c.client_id == clients.c.id)
            .where(*where)
        )
        row = connection.execute(query).first()
        return None if row is None else _row(row)

    def _pending_authorization(self, row: sa.Row[Any]) -> PendingAuthorization:
        def unsealed(column: str) -> Secret:
            return self._sealer.unseal(row._mapping[column], _place(column, row.id, row.owner_id))

        return PendingAuthorization(
            id=row.id,
            owner_id=row.owner_id,
            connection_id=row.connection_id,
            code_verifier=unsealed("verifier_sealed"),
            nonce=unsealed("nonce_sealed"),
            **{name: row._mapping[name] for name in _OF_THE_REQUEST},
        )


def _row(row: sa.Row[Any]) -> AuthorizationRow:
    state = AuthorizationState(row.state)
    if state is AuthorizationState.PENDING and row.over:
        state = AuthorizationState.EXPIRED
    return AuthorizationRow(
        authorization=Authorization(
            id=row.id,
            connection=row.connection,
            flow=Flow(row.flow),
            state=state,
            path=f"connect/{row.connection}",
            expires_at=row.expires_at,
            public_url=row.public_url,
            redirect_uri=row.redirect_uri,
            identity=row.identity,
            confirm=row.held_sealed is not None,
            error=error_from_json(row.error),
        ),
        **{name: row._mapping[name] for name in _OF_THE_ROW},
    )


def _refusal(
    row: sa.Row[Any] | None, browser_hash: bytes
) -> CallbackMismatchError | AuthorizationExpiredError:
    """Why a state was not accepted; nothing about somebody else's sign-in."""
    if row is None:
        return CallbackMismatchError(
            "This answer belongs to no sign-in that is under way.", hint=_START_AGAIN
        )
    if row.browser_hash != browser_hash:
        return CallbackMismatchError(
            "This sign-in was started in another browser.", hint=_START_AGAIN
        )
    if row.consumed_at is not None:
        return AuthorizationExpiredError(
            "This answer was used before.", hint="Look at the connection's status first."
        )
    return AuthorizationExpiredError(
        "This sign-in was not finished in time, or was given up.", hint=_START_AGAIN
    )


def _pending(id: UUID) -> sa.Update:
    return sa.update(authorizations).where(
        authorizations.c.id == id, authorizations.c.state == _PENDING
    )


def _place(column: str, id: UUID, owner_id: UUID) -> Place:
    return Place("authorizations", column, id, owner_id)
