"""A grant's row: sealing tokens into its columns, and reading it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from jupyter_oauthconn.model import (
    AccessToken,
    Attempt,
    Claim,
    Grant,
    GrantState,
    LastError,
    NewTokens,
    Secret,
)

from ..sealing import Place, Sealer

#: A row that has no refresh under way.
AT_REST: dict[str, Any] = {
    "lease_id": None,
    "lease_until": None,
    "attempt": Attempt.NONE.value,
    "sent_at": None,
}
#: … and none that failed.
WELL: dict[str, Any] = {**AT_REST, "failures": 0, "not_before": None, "last_error": None}


@dataclass(frozen=True, slots=True)
class Renewal:
    """Names one refresh of one grant: what a claim is once its tokens are spent or saved."""

    grant_id: UUID
    owner_id: UUID
    generation: int
    lease_id: UUID

    @classmethod
    def of(cls, claim: Claim) -> Renewal:
        grant = claim.grant
        return cls(grant.id, grant.owner_id, grant.generation, claim.lease_id)


def complete(tokens: NewTokens, claim: Claim) -> NewTokens:
    """An absent refresh token keeps the old one (RFC 6749 §6)."""
    if tokens.refresh_token is not None:
        return tokens
    return replace(tokens, refresh_token=claim.refresh_token)


class Records:
    """Translates between rows of `grants` and the model."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def columns(
        self, grant_id: UUID, owner_id: UUID, generation: int, tokens: NewTokens
    ) -> dict[str, Any]:
        """The columns that `tokens` fill, sealed for that generation of that row."""

        def sealed(column: str, secret: Secret) -> bytes:
            return self._sealer.seal(secret, _place(column, grant_id, owner_id, generation))

        return {
            "generation": generation,
            "access_sealed": sealed("access_sealed", tokens.access_token),
            "refresh_sealed": sealed("refresh_sealed", tokens.refresh_token)
            if tokens.refresh_token is not None
            else None,
            "extra_sealed": sealed("extra_sealed", Secret(json.dumps(dict(tokens.extra)))),
            "token_type": tokens.token_type,
            "scope": tokens.scope,
            "issued_at": tokens.issued_at,
            "expires_at": tokens.expires_at,
            "refresh_at": tokens.refresh_at,
            "refresh_expires_at": tokens.refresh_expires_at,
        }

    def grant(self, row: sa.Row[Any]) -> Grant:
        """Unseals the access token, never the refresh token. Raises `UnsealError`."""
        return _grant(row, self._access_token(row))

    def refresh_token(self, row: sa.Row[Any]) -> Secret | None:
        """Raises `UnsealError`."""
        if row.refresh_sealed is None:
            return None
        return self._unseal(row, "refresh_sealed")

    def sealed_refresh_token(self, row: sa.Row[Any], secret: Secret) -> bytes:
        """Another refresh token for the same generation of the same row."""
        place = _place("refresh_sealed", row.id, row.owner_id, row.generation)
        return self._sealer.seal(secret, place)

    def _access_token(self, row: sa.Row[Any]) -> AccessToken:
        return replace(
            _closed_token(row),
            value=self._unseal(row, "access_sealed"),
            extra=json.loads(self._unseal(row, "extra_sealed").reveal()),
        )

    def _unseal(self, row: sa.Row[Any], column: str) -> Secret:
        place = _place(column, row.id, row.owner_id, row.generation)
        return self._sealer.unseal(row._mapping[column], place)


def summary(row: sa.Row[Any]) -> Grant:
    """A grant that nothing was opened for: its token is empty."""
    return _grant(row, _closed_token(row))


def _grant(row: sa.Row[Any], token: AccessToken) -> Grant:
    return Grant(
        id=row.id,
        owner_id=row.owner_id,
        connection_id=row.connection_id,
        resource=row.resource,
        generation=row.generation,
        token=token,
        state=GrantState(row.state),
        reason=row.reason,
        has_refresh_token=row.refresh_sealed is not None,
        requested_scope=row.requested_scope,
        identity=row.identity,
        subject=row.subject,
        connected_at=row.connected_at,
        refreshed_at=row.refreshed_at,
        refresh_expires_at=row.refresh_expires_at,
        attempt=Attempt(row.attempt),
        lease_until=row.lease_until,
        failures=row.failures,
        not_before=row.not_before,
        last_error=error_from_json(row.last_error),
    )


def _closed_token(row: sa.Row[Any]) -> AccessToken:
    return AccessToken(
        value=Secret(""),
        generation=row.generation,
        token_type=row.token_type,
        expires_at=row.expires_at,
        refresh_at=row.refresh_at,
        issued_at=row.issued_at,
        scope=row.scope,
        resource=row.resource or None,
    )


def error_to_json(error: LastError | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "at": error.at.isoformat()}


def error_from_json(value: Mapping[str, str] | None) -> LastError | None:
    if value is None:
        return None
    return LastError(
        code=value["code"],
        message=value["message"],
        at=datetime.fromisoformat(value["at"]),
    )


def _place(column: str, grant_id: UUID, owner_id: UUID, generation: int) -> Place:
    return Place("grants", column, grant_id, owner_id, generation)
