"""The last part of a sign-in: from the provider's answer to a stored grant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from jupyter_oauthconn.errors import (
    InvalidClientError,
    InvalidIDTokenError,
    StorageError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import (
    AuthorizationState,
    Connection,
    Grant,
    NewTokens,
    PendingAuthorization,
    Secret,
    TokenAnswer,
)
from jupyter_oauthconn.protocol import (
    Transport,
    code_request,
    validate_callback,
    validate_token_answer,
)
from jupyter_oauthconn.storage import HeldTokens, Store

from ..history import record
from ..profile import Profile, Profiles
from ..refresh import new_tokens
from ..revocation import revoke_at_provider
from ..settings import RunningSettings
from .account import account_of


class NewGrants:
    """Exchanges codes and writes grants."""

    def __init__(
        self, store: Store, profiles: Profiles, transport: Transport, settings: RunningSettings
    ) -> None:
        self._store = store
        self._profiles = profiles
        self._transport = transport
        self._settings = settings

    def exchange_code(
        self,
        pending: PendingAuthorization,
        profile: Profile,
        parameters: Sequence[tuple[str, str]],
    ) -> TokenAnswer:
        """Judges the authorization response, then sends its code to the endpoint that was stored
        with the flow (RFC 6749 §4.1.3), whatever the configuration says by now."""
        came_back = validate_callback(
            parameters,
            issuer=pending.issuer,
            iss_required=pending.iss_required,
            keep=profile.entry.callback_keep,
        )
        request = code_request(
            endpoint=pending.token_endpoint,
            credentials=self._profiles.credentials(profile.client),
            code=came_back.code,
            redirect_uri=pending.redirect_uri,
            code_verifier=pending.code_verifier,
        )
        answer = self._transport.send(request, typed_host=profile.is_typed(request.url))
        try:
            validated = validate_token_answer(answer, **profile.answer_options)
        except InvalidClientError as error:
            # whoever reads it did nothing wrong, so the sentence names what is
            raise InvalidClientError(
                f"The OAuth client {profile.client.name!r} does not work. {error.message}",
                hint=error.hint,
                error=error.error,
                status=error.status,
            ) from None
        return replace(validated, extra={**came_back.extra, **validated.extra})

    def store(
        self,
        owner_id: UUID,
        authorization_id: UUID,
        profile: Profile,
        answer: TokenAnswer,
        *,
        requested_scope: str,
        nonce: Secret | None,
        issued_at: datetime,
    ) -> None:
        """Writes the grant and ends the sign-in; another account than before, or than the
        connection means, is only held until the person has seen it.

        Raises:
            InvalidIDTokenError: nothing was written.
        """
        connection = profile.connection
        margin = self._settings.now().refresh_margin
        tokens = new_tokens(answer, profile, issued_at=issued_at, margin=margin)
        try:
            subject, identity = account_of(
                answer, profile, self._profiles, self._transport, nonce=nonce, now=issued_at
            )
        except InvalidIDTokenError:
            # perhaps somebody else's code was slipped in: its tokens must not stay alive
            self._revoke(profile, tokens)
            raise
        before = self._store.grants.read(owner_id, connection.id)
        if _not_meant(connection, identity) or (
            before is not None and _other_account(before, subject, identity)
        ):
            self._store.authorizations.hold_tokens(
                authorization_id,
                tokens,
                identity=identity,
                subject=subject,
                requested_scope=requested_scope,
            )
            return
        held = HeldTokens(
            tokens=tokens, identity=identity, subject=subject, requested_scope=requested_scope
        )
        self.write(owner_id, authorization_id, connection, held)

    def write(
        self, owner_id: UUID, authorization_id: UUID, connection: Connection, held: HeldTokens
    ) -> None:
        """The grant itself, then the end of the sign-in that whoever waits for it sees."""
        try:
            self._store.grants.put(
                owner_id,
                connection.id,
                held.tokens,
                requested_scope=held.requested_scope,
                identity=held.identity,
                subject=held.subject,
            )
        except StorageError:
            if self._store.registry.connection_of_id(connection.id) is None:
                # removed meanwhile: nobody could ever end what the provider has just given
                self.discard(connection, held)
                raise UnknownConnectionError(connection.name) from None
            raise
        self._store.authorizations.finish(
            authorization_id, AuthorizationState.DONE, identity=held.identity
        )
        record(self._store, "connected", owner_id, connection=connection)

    def discard(self, connection: Connection, held: HeldTokens) -> None:
        """Tokens of an account that was not wanted must not stay alive."""
        self._revoke(self._profiles.of(connection), held.tokens)

    def _revoke(self, profile: Profile, tokens: NewTokens) -> None:
        credentials = self._profiles.credentials(profile.client)
        revoke_at_provider(self._transport, profile, credentials, tokens)


def _not_meant(connection: Connection, identity: str | None) -> bool:
    """Whether another account came back than the connection's `login_hint` names; a nameless one
    may be any."""
    hint = connection.login_hint
    return bool(hint) and (identity or "").casefold() != hint.casefold()


def _other_account(before: Grant, subject: str | None, identity: str | None) -> bool:
    if before.subject is not None and subject is not None:
        return before.subject != subject
    # an account that was named before and is nameless now may be any: the person is asked
    known = before.subject is not None or before.identity is not None
    return known and identity != before.identity
