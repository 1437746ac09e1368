"""What the holder of a lease does: ask the provider once, keep the answer, then judge it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta

from jupyter_oauthconn.errors import (
    InvalidClientError,
    OAuthConnError,
    ProviderError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
    StorageError,
)
from jupyter_oauthconn.model import (
    AccessToken,
    Attempt,
    Claim,
    Connection,
    GrantState,
    NewTokens,
    Revocation,
    Secret,
    TokenAnswer,
)
from jupyter_oauthconn.protocol import (
    HttpAnswer,
    Transport,
    keep_first,
    refresh_request,
    validate_token_answer,
)
from jupyter_oauthconn.storage import Store

from ..history import record
from ..profile import Profiles
from ..revocation import revoke_at_provider
from ..settings import RunningSettings
from .failures import (
    Kind,
    back_off,
    came_between,
    client_refused,
    gone,
    kind_of,
    last_error,
    new_sign_in_needed,
    reason_of,
    reauthorization_required,
)
from .kept_answers import KeptAnswers
from .lifetimes import life_seconds, new_tokens, saved_token
from .renewal import (
    HARMLESS_TWICE,
    Renewal,
    grace_left,
    is_odd,
    may_end_the_grant,
)
from .resources import (
    check_resource,
    is_about_resource,
    resource_parameters,
    resource_refused,
    with_own_token,
)

#: No request leaves later than this after the claim: lease (45 s) less time-out (15 s), and some.
_LATEST_SEND_SECONDS = 25.0
#: How long the answer of a holder whose lease ran out is waited for; longer than its pauses.
_HOLDER_SECONDS = 3.0
_HOLDER_PAUSE = 0.1
#: Within the provider's grace period a lost answer is asked for again after this part of it.
_SHARE_OF_GRACE = 0.2


class Exchange:
    """One refresh token against the token endpoint, for the holder of a `Claim`."""

    def __init__(
        self,
        store: Store,
        profiles: Profiles,
        transport: Transport,
        kept: KeptAnswers,
        settings: RunningSettings,
    ) -> None:
        self._store = store
        self._profiles = profiles
        self._transport = transport
        self._kept = kept
        self._settings = settings

    def renew(
        self, connection: Connection, claim: Claim, *, spare: bool, resource: str = ""
    ) -> AccessToken:
        """Refreshes the claimed grant and returns the new token; the lease ends in every case.

        Args:
            spare: the old access token still serves; it is not risked for a refresh token whose
                last answer was lost.
            resource: the token wanted is for that one; the grant's own access token stays.

        Raises:
            ReauthorizationRequiredError: the provider ended the grant.
            ProviderError: it passes, or an administrator must act; the grant is kept.
            InvalidParameterError: the provider gives no token for that resource.
        """
        renewal = self._prepare(connection, claim, resource)
        if spare:
            self._spare_old_token(renewal)
        try:
            return self._present(renewal, self._newest_refresh_token(renewal))
        except InvalidClientError as error:
            seen = replace(claim.grant, last_error=last_error(error, claim.claimed_at))
            raise client_refused(connection, seen) from None
        except ProviderRejectedError as error:
            if resource and kind_of(error) is not Kind.TRANSIENT:
                # perhaps about the resource alone; a dead grant shows at its own refresh. Some
                # providers spend the refresh token all the same, so the old token is spared
                spent = renewal.profile.entry.refresh.rotation not in HARMLESS_TWICE
                told = last_error(error, claim.claimed_at)
                self._store.grants.record_failure(claim, told, not_before=None, spent_unknown=spent)
                raise resource_refused(renewal.profile, resource, error) from None
            if kind_of(error) is not Kind.PERMANENT:
                raise
            return self._after_rejection(renewal, error)

    def _prepare(self, connection: Connection, claim: Claim, resource: str) -> Renewal:
        """Metadata and secrets first: nothing is marked as sent before everything is at hand."""
        started = time.monotonic()
        try:
            profile = self._profiles.of(connection)
            if resource:
                check_resource(profile, resource)
            credentials = self._profiles.credentials(profile.client)
            margin = self._settings.now().refresh_margin
            self._check_still_active(connection, claim)
        except ProviderError as error:
            self._failed(connection, claim, error, spent_unknown=claim.previous is Attempt.SENT)
            raise
        except OAuthConnError:
            self._store.grants.release(claim)
            raise
        return Renewal(connection, claim, profile, credentials, margin, started, resource)

    def _check_still_active(self, connection: Connection, claim: Claim) -> None:
        """An edit of the client ends its grants with it: whoever sees the new addresses sees that,
        too, and the old server's refresh token does not go to the new one."""
        grant = claim.grant
        now = self._store.grants.read(grant.owner_id, grant.connection_id, grant.resource)
        if now is not None and now.state is GrantState.REAUTH_REQUIRED:
            raise reauthorization_required(connection, now)

    def _spare_old_token(self, renewal: Renewal) -> None:
        """After a refresh whose answer was lost the token may be spent.

        Where an old refresh token stays valid, or its grace period still runs, it is presented
        again at once. Otherwise presenting it may end the access token that still lives, so that
        one is used up first.
        """
        claim = renewal.claim
        if not may_end_the_grant(renewal):
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

    def _newest_refresh_token(self, renewal: Renewal) -> Secret:
        """The claim's own, unless the one who asked before still comes with its successor.

        A lease that ran out and was not given back had a holder who is dead, or who holds the
        answer while the database is away. Back again, the database gets that answer within one
        of the holder's pauses, by now as a candidate.
        """
        claim, grants = renewal.claim, self._store.grants
        if claim.grant.lease_until is None or not may_end_the_grant(renewal):
            return claim.refresh_token
        deadline = time.monotonic() + _HOLDER_SECONDS
        while (candidate := grants.next_candidate(claim.grant.id)) is None:
            if time.monotonic() > deadline:
                return claim.refresh_token
            time.sleep(_HOLDER_PAUSE)
        grants.use_candidate(candidate.id)
        return candidate.refresh_token

    def _present(self, renewal: Renewal, refresh_token: Secret) -> AccessToken:
        """Sends one refresh request and saves what comes back."""
        connection, claim = renewal.connection, renewal.claim
        request = refresh_request(
            endpoint=renewal.profile.refresh_endpoint,
            credentials=renewal.credentials,
            refresh_token=refresh_token,
            **resource_parameters(renewal.profile, renewal.resource),
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
            grace = grace_left(renewal)
            self._failed(connection, claim, error, spent_unknown=error.request_sent, grace=grace)
            raise
        except ProviderError as error:
            self._failed(connection, claim, error, spent_unknown=True)
            raise
        return self._save(renewal, self._read(renewal, answer, issued_at))

    def _read(self, renewal: Renewal, answer: HttpAnswer, issued_at: datetime) -> NewTokens:
        """Keeps whatever tokens came, then judges the answer."""
        claim = renewal.claim
        access_token, refresh_token = keep_first(answer)
        try:
            validated = validate_token_answer(answer, **renewal.profile.answer_options)
        except ProviderProtocolError as error:
            if access_token is None or refresh_token is None:
                if refresh_token is not None:
                    self._store.grants.keep_candidate(claim, access_token, refresh_token)
                self._failed(renewal.connection, claim, error, spent_unknown=True)
                raise
            # an odd answer that carries both tokens is the only copy of a rotated one
            validated = TokenAnswer(
                access_token=access_token,
                refresh_token=refresh_token,
                expires_in=life_seconds(claim.grant.token),
            )
        except ProviderError as error:
            if refresh_token is not None:
                self._store.grants.keep_candidate(claim, access_token, refresh_token)
            if kind_of(error) is not Kind.PERMANENT and not is_about_resource(renewal, error):
                odd = is_odd(answer.status)
                self._failed(renewal.connection, claim, error, spent_unknown=odd)
            raise
        return new_tokens(
            validated, renewal.profile, issued_at=issued_at, margin=renewal.margin, previous=claim
        )

    def _save(self, renewal: Renewal, tokens: NewTokens) -> AccessToken:
        if renewal.resource:
            return self._save_for_resource(renewal, tokens)
        claim, connection, grants = renewal.claim, renewal.connection, self._store.grants

        def discard() -> Revocation:
            return self._discard(renewal, tokens)

        if self._kept.save(claim, tokens, discard):
            record(self._store, "refreshed", claim.grant.owner_id, connection=connection)
            return saved_token(claim, tokens)
        try:
            current = grants.read(claim.grant.owner_id, connection.id, claim.grant.resource)
            kept = tokens.refresh_token is None or grants.keep_candidate(
                claim, tokens.access_token, tokens.refresh_token
            )
        except StorageError:
            self._kept.hold(claim, tokens, discard)
            raise
        if current is None or not kept:
            # revoked meanwhile: what came back must not stay alive at the provider
            discard()
            raise gone(connection)
        if current.generation > claim.grant.generation:
            return current.token
        return saved_token(claim, tokens)

    def _save_for_resource(self, renewal: Renewal, tokens: NewTokens) -> AccessToken:
        """With the refresh token, in one transaction; the grant's own access token stays."""
        claim, resource = renewal.claim, renewal.resource
        own = with_own_token(claim, tokens, resource)
        if self._kept.save(claim, own, lambda: self._discard(renewal, own)):
            kept = self._store.grants.read(
                claim.grant.owner_id, claim.grant.connection_id, resource
            )
            if kept is not None:
                return kept.token
        elif tokens.refresh_token is not None:
            self._store.grants.keep_candidate(claim, tokens.access_token, tokens.refresh_token)
        raise came_between(renewal.connection)

    def _discard(self, renewal: Renewal, tokens: NewTokens) -> Revocation:
        """What cannot be kept must not stay alive at the provider."""
        return revoke_at_provider(self._transport, renewal.profile, renewal.credentials, tokens)

    def _after_rejection(self, renewal: Renewal, error: ProviderRejectedError) -> AccessToken:
        """`invalid_grant` may be a lost race, or a rotation waiting among the candidates."""
        connection, claim = renewal.connection, renewal.claim
        grants = self._store.grants
        current = grants.read(claim.grant.owner_id, connection.id, claim.grant.resource)
        if current is None or current.id != claim.grant.id:
            raise gone(connection)
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
        reason = reason_of(claim, error)
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
        raise new_sign_in_needed(connection, reason)

    def _failed(
        self,
        connection: Connection,
        claim: Claim,
        error: ProviderError,
        *,
        spent_unknown: bool,
        grace: timedelta | None = None,
    ) -> None:
        """Writes a failure that keeps the grant: back-off, or suspension until it is mended."""
        at = claim.claimed_at
        wait = back_off(claim.grant.failures + 1, error)
        if grace and spent_unknown:
            wait = min(wait, grace * _SHARE_OF_GRACE)
        if kind_of(error) is Kind.CONFIGURATION:
            self._store.grants.suspend(
                claim.grant.id, generation=claim.grant.generation, error=last_error(error, at)
            )
        else:
            self._store.grants.record_failure(
                claim,
                last_error(error, at),
                not_before=at + wait,
                spent_unknown=spent_unknown,
            )
        record(
            self._store,
            "refresh_failed",
            claim.grant.owner_id,
            connection=connection,
            outcome=last_error(error, at).code,
        )
