"""What the holder of a lease does: ask the provider once, keep the answer, then judge it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jupyter_oauthconn.catalog import Rotation
from jupyter_oauthconn.errors import (
    ConsentRequiredError,
    InvalidClientError,
    OAuthConnError,
    ProviderError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
    ReauthorizationRequiredError,
)
from jupyter_oauthconn.model import (
    AccessToken,
    Attempt,
    Claim,
    Connection,
    Grant,
    NewTokens,
    Reason,
    Revocation,
    Secret,
    TokenAnswer,
)
from jupyter_oauthconn.protocol import (
    ClientCredentials,
    HttpAnswer,
    Transport,
    keep_first,
    refresh_request,
    validate_token_answer,
)
from jupyter_oauthconn.storage import Store

from ..history import record
from ..profile import Profile, Profiles
from ..revocation import revoke_at_provider
from .failures import Kind, back_off, kind_of, last_error
from .kept_answers import KeptAnswers
from .lifetimes import new_tokens

_log = logging.getLogger(__name__)

#: No request leaves later than this after the claim: lease (45 s) less time-out (15 s), and some.
_LATEST_SEND_SECONDS = 25.0
#: How long the answer of a holder whose lease ran out is waited for; longer than its pauses.
_HOLDER_SECONDS = 3.0
_HOLDER_PAUSE = 0.1
#: HTTP statuses that say the request was not worked on (RFC 6585 §4, RFC 9110 §15.6.4).
_NOT_WORKED_ON = frozenset({429, 503})
_SERVER_ERROR = 500
_HARMLESS_TWICE = frozenset({Rotation.NONE, Rotation.OLD_STAYS_VALID})


@dataclass(frozen=True, slots=True)
class _Renewal:
    """One renewal under way. `started` is monotonic, the moment of the claim."""

    connection: Connection
    claim: Claim
    profile: Profile
    credentials: ClientCredentials
    started: float

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def now(self) -> datetime:
        """The store's time, without asking it again."""
        return self.claim.claimed_at + timedelta(seconds=self.seconds())


class Exchange:
    """One refresh token against the token endpoint, for the holder of a `Claim`."""

    def __init__(
        self,
        store: Store,
        profiles: Profiles,
        transport: Transport,
        kept: KeptAnswers,
        *,
        margin: timedelta,
    ) -> None:
        self._store = store
        self._profiles = profiles
        self._transport = transport
        self._kept = kept
        self._margin = margin

    def renew(self, connection: Connection, claim: Claim, *, spare: bool) -> AccessToken:
        """Refreshes the claimed grant and returns the new token; the lease ends in every case.

        Args:
            spare: the old access token still serves; it is not risked for a refresh token whose
                last answer was lost.

        Raises:
            ReauthorizationRequiredError: the provider ended the grant.
            ProviderError: it passes, or an administrator must act; the grant is kept.
        """
        renewal = self._prepare(connection, claim)
        if spare:
            self._spare_old_token(renewal)
        try:
            return self._present(renewal, self._newest_refresh_token(renewal))
        except InvalidClientError as error:
            seen = replace(claim.grant, last_error=last_error(error, claim.claimed_at))
            raise client_refused(connection, seen) from None
        except ProviderRejectedError as error:
            if kind_of(error) is not Kind.PERMANENT:
                raise
            return self._after_rejection(renewal, error)

    def as_token(self, claim: Claim, tokens: NewTokens) -> AccessToken:
        """What `tokens` will be once they are saved under `claim`."""
        return AccessToken(
            value=tokens.access_token,
            generation=claim.grant.generation + 1,
            token_type=tokens.token_type,
            expires_at=tokens.expires_at,
            refresh_at=tokens.refresh_at,
            issued_at=tokens.issued_at,
            scope=tokens.scope,
            resource=claim.grant.resource or None,
            extra=tokens.extra,
        )

    def _prepare(self, connection: Connection, claim: Claim) -> _Renewal:
        """Metadata and secrets first: nothing is marked as sent before everything is at hand."""
        started = time.monotonic()
        try:
            profile = self._profiles.of(connection)
            credentials = self._profiles.credentials(profile.client)
        except ProviderError as error:
            self._failed(connection, claim, error, spent_unknown=claim.previous is Attempt.SENT)
            raise
        except OAuthConnError:
            self._store.grants.release(claim)
            raise
        return _Renewal(connection, claim, profile, credentials, started)

    def _spare_old_token(self, renewal: _Renewal) -> None:
        """After a refresh whose answer was lost the token may be spent.

        Where an old refresh token stays valid, or its grace period still runs, it is presented
        again at once. Otherwise presenting it may end the access token that still lives, so that
        one is used up first.
        """
        claim = renewal.claim
        if not _may_end_the_grant(renewal):
            return
        expires_at = claim.grant.token.expires_at
        if expires_at is None or expires_at <= claim.claimed_at:
            return
        error = ProviderUnavailableError(
            "The provider's answer to the last refresh was lost.",
            hint="The current token is used to its end, then the refresh is tried once more.",
            request_sent=False,
        )
        self._failed(renewal.connection, claim, error, spent_unknown=True)
        raise error

    def _newest_refresh_token(self, renewal: _Renewal) -> Secret:
        """The claim's own, unless the one who asked before still comes with its successor.

        A lease that ran out and was not given back had a holder who is dead, or who holds the
        answer while the database is away. Back again, the database gets that answer within one
        of the holder's pauses, by now as a candidate.
        """
        claim, grants = renewal.claim, self._store.grants
        if claim.grant.lease_until is None or not _may_end_the_grant(renewal):
            return claim.refresh_token
        deadline = time.monotonic() + _HOLDER_SECONDS
        while (candidate := grants.next_candidate(claim.grant.id)) is None:
            if time.monotonic() > deadline:
                return claim.refresh_token
            time.sleep(_HOLDER_PAUSE)
        grants.use_candidate(candidate.id)
        return candidate.refresh_token

    def _present(self, renewal: _Renewal, refresh_token: Secret) -> AccessToken:
        """Sends one refresh request and saves what comes back."""
        connection, claim = renewal.connection, renewal.claim
        request = refresh_request(
            endpoint=renewal.profile.refresh_endpoint,
            credentials=renewal.credentials,
            refresh_token=refresh_token,
            resource=claim.grant.resource or None,
        )
        if renewal.seconds() > _LATEST_SEND_SECONDS or not self._store.grants.mark_sent(claim):
            self._store.grants.release(claim)
            raise ProviderUnavailableError(
                f"{connection.name}: the refresh took too long to start.",
                hint="Try again.",
                request_sent=False,
            )
        issued_at = renewal.now()
        try:
            answer = self._transport.send(request, typed_host=renewal.profile.is_typed(request.url))
        except ProviderUnavailableError as error:
            self._failed(connection, claim, error, spent_unknown=error.request_sent)
            raise
        except ProviderError as error:
            self._failed(connection, claim, error, spent_unknown=True)
            raise
        return self._save(renewal, self._read(renewal, answer, issued_at))

    def _read(self, renewal: _Renewal, answer: HttpAnswer, issued_at: datetime) -> NewTokens:
        """Keeps whatever tokens came, then judges the answer."""
        claim, rules = renewal.claim, renewal.profile.entry.token_answer
        access_token, refresh_token = keep_first(answer)
        try:
            validated = validate_token_answer(
                answer,
                keep=rules.keep,
                accept_form=rules.accept_form,
                error_with_status_200=rules.error_with_status_200,
            )
        except ProviderProtocolError as error:
            if access_token is None or refresh_token is None:
                if refresh_token is not None:
                    self._store.grants.keep_candidate(claim, access_token, refresh_token)
                self._failed(renewal.connection, claim, error, spent_unknown=True)
                raise
            # an odd answer that carries both tokens is the only copy of a rotated one
            validated = TokenAnswer(access_token=access_token, refresh_token=refresh_token)
        except ProviderError as error:
            if kind_of(error) is not Kind.PERMANENT:
                odd = answer.status >= _SERVER_ERROR and answer.status not in _NOT_WORKED_ON
                self._failed(renewal.connection, claim, error, spent_unknown=odd)
            raise
        return new_tokens(
            validated, renewal.profile, issued_at=issued_at, margin=self._margin, previous=claim
        )

    def _save(self, renewal: _Renewal, tokens: NewTokens) -> AccessToken:
        claim, connection, grants = renewal.claim, renewal.connection, self._store.grants

        def discard() -> Revocation:
            return revoke_at_provider(self._transport, renewal.profile, renewal.credentials, tokens)

        if self._kept.save(claim, tokens, discard):
            record(self._store, "refreshed", claim.grant.owner_id, connection=connection)
            return self.as_token(claim, tokens)
        current = grants.read(claim.grant.owner_id, connection.id, claim.grant.resource)
        kept = tokens.refresh_token is None or grants.keep_candidate(
            claim, tokens.access_token, tokens.refresh_token
        )
        if current is None or not kept:
            # revoked meanwhile: what came back must not stay alive at the provider
            discard()
            raise _gone(connection)
        if current.generation > claim.grant.generation:
            return current.token
        return self.as_token(claim, tokens)

    def _after_rejection(self, renewal: _Renewal, error: ProviderRejectedError) -> AccessToken:
        """`invalid_grant` may be a lost race, or a rotation waiting among the candidates."""
        connection, claim = renewal.connection, renewal.claim
        grants = self._store.grants
        current = grants.read(claim.grant.owner_id, connection.id, claim.grant.resource)
        if current is None or current.id != claim.grant.id:
            raise _gone(connection)
        if current.generation > claim.grant.generation:
            return current.token
        while (candidate := grants.next_candidate(claim.grant.id)) is not None:
            grants.use_candidate(candidate.id)
            try:
                return self._present(renewal, candidate.refresh_token)
            except ProviderRejectedError as rejected:
                if kind_of(rejected) is not Kind.PERMANENT:
                    raise
                error = rejected
        reason = _reason(claim, error)
        grants.require_reauthorization(
            claim.grant.id,
            generation=claim.grant.generation,
            reason=reason,
            error=last_error(error, claim.claimed_at),
        )
        record(
            self._store,
            "refresh_failed",
            claim.grant.owner_id,
            connection=connection,
            outcome=error.error,
        )
        raise _reauthorization_required(connection, reason)

    def _failed(
        self, connection: Connection, claim: Claim, error: ProviderError, *, spent_unknown: bool
    ) -> None:
        """Writes a failure that keeps the grant: back-off, or suspension until it is mended."""
        at = claim.claimed_at
        if kind_of(error) is Kind.CONFIGURATION:
            self._store.grants.suspend(
                claim.grant.id, generation=claim.grant.generation, error=last_error(error, at)
            )
        else:
            self._store.grants.record_failure(
                claim,
                last_error(error, at),
                not_before=at + back_off(claim.grant.failures + 1, error),
                spent_unknown=spent_unknown,
            )
        record(
            self._store,
            "refresh_failed",
            claim.grant.owner_id,
            connection=connection,
            outcome=last_error(error, at).code,
        )


def _may_end_the_grant(renewal: _Renewal) -> bool:
    """Whether the token was perhaps spent by a refresh whose answer was lost, and the provider
    takes a second use for a theft."""
    claim, rules = renewal.claim, renewal.profile.entry.refresh
    if claim.previous is not Attempt.SENT or rules.rotation in _HARMLESS_TWICE:
        return False
    sent_at = claim.previous_sent_at
    in_grace = rules.grace and sent_at is not None and claim.claimed_at - sent_at < rules.grace
    return not in_grace


def reauthorization_required(connection: Connection, grant: Grant) -> ReauthorizationRequiredError:
    """The error for a grant that only a new sign-in brings back, with its stored reason."""
    return _reauthorization_required(connection, Reason(grant.reason or Reason.REVOKED))


def client_refused(connection: Connection, grant: Grant) -> InvalidClientError:
    """The error for a suspended grant: the provider refused the client, not the person."""
    said = grant.last_error.message if grant.last_error else "The provider refused it."
    return InvalidClientError(
        f"{connection.name}: the OAuth client {connection.client!r} does not work. {said}",
        hint="An administrator must mend the OAuth client (its id or secret); `%oauthclient test "
        f"{connection.client}` tells more. Your sign-in is kept.",
        error="invalid_client",
        status=401,
    )


def _reauthorization_required(
    connection: Connection, reason: Reason
) -> ReauthorizationRequiredError:
    return ReauthorizationRequiredError(
        f"{connection.name}: a new sign-in is needed, because {reason.words}.",
        hint=f"Sign in again: `%connect auth {connection.name} --again`. The connection and its "
        "settings stay.",
        reason=reason.value,
    )


def _gone(connection: Connection) -> ConsentRequiredError:
    return ConsentRequiredError(
        f"{connection.name}: the sign-in was revoked.",
        hint=f"Sign in again: `%connect auth {connection.name}`.",
    )


def _reason(claim: Claim, error: ProviderRejectedError) -> Reason:
    ended = claim.grant.refresh_expires_at
    if error.error == "invalid_scope":
        return Reason.SCOPE_CHANGED
    if claim.previous is Attempt.SENT:
        return Reason.REFRESH_OUTCOME_UNKNOWN
    if ended is not None and ended <= claim.claimed_at:
        return Reason.ABSOLUTE_EXPIRED
    return Reason.REVOKED
