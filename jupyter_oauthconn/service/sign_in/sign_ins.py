"""A sign-in: authorization code with PKCE, from the button to the stored grant (RFC 6749 §4.1)."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from jupyter_oauthconn.errors import (
    AccessDeniedError,
    AuthorizationExpiredError,
    AuthorizationFailedError,
    CallbackMismatchError,
    OAuthConnError,
    UnknownAuthorizationError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import (
    Authorization,
    AuthorizationState,
    Connection,
    Flow,
    PendingAuthorization,
    Secret,
    TokenAnswer,
    scope_set,
)
from jupyter_oauthconn.protocol import (
    Transport,
    authorization_request,
)
from jupyter_oauthconn.storage import AuthorizationRow, Store

from ..history import record
from ..profile import Profiles
from ..refresh import last_error
from ..settings import RunningSettings
from .new_grants import NewGrants
from .of_profile import callback_issuer, extra_parameters
from .redirect_uris import Misfit, misfit_of, redirect_uri_for

#: A sign-in whose process does not say so for this time is taken over by the next one.
_HELD = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPage:
    """What the start page tells before its button is pressed."""

    connection: str
    provider: str
    host: str
    client: str
    client_id: str
    scope: str
    connected_as: str | None
    login_hint: str | None = None


class SignIns:
    """Pending sign-ins and their end. Thread-safe."""

    def __init__(
        self,
        store: Store,
        profiles: Profiles,
        transport: Transport,
        settings: RunningSettings,
    ) -> None:
        self._store = store
        self._profiles = profiles
        self._new_grants = NewGrants(store, profiles, transport, settings)
        self._settings = settings

    def start(
        self,
        owner_id: UUID,
        connection: Connection,
        *,
        flow: Flow,
        public_url: str | None,
    ) -> tuple[Authorization, bool]:
        """Starts a sign-in, or joins the pending one (then the second value is False).

        The connection is one that its owner may use (`Connections.usable`).
        """
        row, started = self._store.authorizations.start(
            owner_id,
            connection.id,
            flow=flow,
            lifetime=self._settings.now().authorization_lifetime,
            public_url=public_url,
            holder=f"{socket.gethostname()}:{os.getpid()}",
        )
        return row.authorization, started

    def read(self, owner_id: UUID, id: UUID) -> Authorization:
        """Raises `UnknownAuthorizationError`."""
        return self._row(owner_id, id).authorization

    def hold(self, owner_id: UUID, id: UUID) -> bool:
        """Whether it is still pending; if so, tells other processes that this one serves it."""
        if self.read(owner_id, id).state is not AuthorizationState.PENDING:
            return False
        self._store.authorizations.hold(id, self._store.now() + _HELD)
        return True

    def misfit(self, connection: Connection, callback: str) -> Misfit | None:
        """What is wrong when pages that answer at `callback` cannot finish a sign-in."""
        return misfit_of(self._profiles.client_of(connection), callback)

    def start_page(self, owner_id: UUID, connection: Connection) -> StartPage:
        """May ask the issuer for its metadata."""
        profile = self._profiles.of(connection)
        grant = self._store.grants.read(owner_id, connection.id)
        return StartPage(
            connection=connection.name,
            provider=profile.called,
            host=urlsplit(profile.authorization_endpoint).netloc.rpartition("@")[2],
            client=profile.client.title or profile.client.name,
            client_id=profile.client.client_id,
            scope=profile.scope,
            connected_as=grant.identity if grant else None,
            login_hint=connection.login_hint or None,
        )

    def press(
        self, owner_id: UUID, id: UUID, connection: Connection, *, callback: str, browser: Secret
    ) -> Secret:
        """The button: makes state, PKCE and nonce there and then.

        Args:
            callback: where the pages of this sign-in take the provider's answer, e.g.
                `http://localhost:8888/oauthconn/callback/warehouse`.
            browser: the flow cookie's value, which binds the state to this browser.

        Returns:
            The authorization server's address to send the browser to.

        Raises:
            AuthorizationExpiredError: it has ended; nobody is sent anywhere.
        """
        row = self._row(owner_id, id)
        if row.authorization.state is not AuthorizationState.PENDING:
            raise AuthorizationExpiredError(
                "This sign-in has ended already.", hint="Look at the connection's status first."
            )
        try:
            return self._press(owner_id, id, connection, callback=callback, browser=browser)
        except OAuthConnError as error:
            # whoever waits for the sign-in is told, and not only who looks at the page
            self._refuse(row, error)
            raise

    def callback(
        self,
        owner_id: UUID,
        client_name: str,
        parameters: Sequence[tuple[str, str]],
        *,
        browser: Secret | None,
    ) -> Authorization:
        """The browser came back (RFC 6749 §4.1.2): `use_state` and `finish` in one."""
        pending = self.use_state(owner_id, parameters, browser=browser)
        return self.finish(owner_id, client_name, pending, parameters)

    def use_state(
        self, owner_id: UUID, parameters: Sequence[tuple[str, str]], *, browser: Secret | None
    ) -> PendingAuthorization:
        """The sign-in that an answer belongs to. Its state is used up here, before anything is
        sent, so that a repeated callback sends nothing.

        Raises:
            CallbackMismatchError: none of this owner and browser.
            AuthorizationExpiredError: it was used before, or has ended.
        """
        states = [value for name, value in parameters if name == "state"]
        if len(states) != 1 or browser is None:
            raise CallbackMismatchError(
                "This answer does not belong to a sign-in of this browser.",
                hint="Start again from the notebook, and finish in the same browser.",
            )
        return self._store.authorizations.consume(
            owner_id, _digest(Secret(states[0])), _digest(browser)
        )

    def finish(
        self,
        owner_id: UUID,
        client_name: str,
        pending: PendingAuthorization,
        parameters: Sequence[tuple[str, str]],
    ) -> Authorization:
        """Judges the answer (RFC 6749 §4.1.2, RFC 9207), exchanges the code, stores the grant.

        Raises:
            AuthorizationFailedError, ProviderError: nothing that was stored before is changed;
                whoever waits for the sign-in reads the same.
        """
        row = self._row(owner_id, pending.id)
        try:
            connection = self._connection(row)
            if connection.client != client_name:
                raise CallbackMismatchError(
                    "The answer came back to another OAuth client's address than it was asked for.",
                    hint="Start again from the notebook; tell your administrator if it repeats.",
                    expected=connection.client,
                    received=client_name,
                )
            profile = self._profiles.of(connection)
            if profile.token_endpoint != pending.token_endpoint:
                # neither may the code go to the new server, nor a new secret to the old one
                raise AuthorizationFailedError(
                    f"The OAuth client {client_name!r} was changed during the sign-in.",
                    hint="Start again from the notebook.",
                    code="conflict",
                )
            issued_at = self._store.now()
            answer = self._new_grants.exchange_code(pending, profile, parameters)
            self._new_grants.store(
                owner_id,
                pending.id,
                profile,
                answer,
                requested_scope=pending.requested_scope,
                nonce=pending.nonce,
                issued_at=issued_at,
            )
            return self.read(owner_id, pending.id)
        except OAuthConnError as error:
            self._refuse(row, error)
            raise

    def was_begun_by(self, owner_id: UUID, id: UUID, browser: Secret | None) -> bool:
        """Whether that browser pressed the button last: it may see how the sign-in ended."""
        pressed_by = self._row(owner_id, id).browser_hash
        if browser is None or pressed_by is None:
            return False
        return hmac.compare_digest(_digest(browser), pressed_by)

    def confirm(self, owner_id: UUID, id: UUID) -> Authorization:
        """Another account than before is what the person wants."""
        row = self._row(owner_id, id)
        held = self._store.authorizations.release_tokens(id)
        if held is not None:
            self._new_grants.write(owner_id, id, self._connection(row), held)
        return self.read(owner_id, id)

    def keep_account(self, owner_id: UUID, id: UUID) -> Authorization:
        """Another account came back by mistake: its tokens are revoked, the old ones stay."""
        row = self._row(owner_id, id)
        held = self._store.authorizations.release_tokens(id)
        if held is not None:
            self._new_grants.discard(self._connection(row), held)
            self._refuse(
                row,
                AccessDeniedError(
                    "Another account signed in than was meant, and was not wanted.",
                    hint="Nothing was changed. Sign in again and choose the account.",
                ),
            )
        return self.read(owner_id, id)

    def cancel(self, owner_id: UUID, id: UUID, error: OAuthConnError) -> None:
        """Ends a pending sign-in with `error` as what its owner reads."""
        row = self._row(owner_id, id)
        if row.authorization.state is AuthorizationState.PENDING:
            self._refuse(row, error)

    def store_answer(
        self,
        owner_id: UUID,
        id: UUID,
        connection: Connection,
        answer: TokenAnswer,
        issued_at: datetime,
    ) -> Authorization:
        """Ends a sign-in whose answer came without a callback (RFC 8628)."""
        self._row(owner_id, id)
        profile = self._profiles.of(connection)
        self._new_grants.store(
            owner_id,
            id,
            profile,
            answer,
            requested_scope=profile.scope,
            nonce=None,
            issued_at=issued_at,
        )
        return self.read(owner_id, id)

    def _press(
        self, owner_id: UUID, id: UUID, connection: Connection, *, callback: str, browser: Secret
    ) -> Secret:
        profile = self._profiles.of(connection)
        redirect_uri = redirect_uri_for(profile.client, callback)
        grant = self._store.grants.read(owner_id, connection.id)
        request = authorization_request(
            endpoint=profile.authorization_endpoint,
            client_id=profile.client.client_id,
            redirect_uri=redirect_uri,
            scope=profile.scope,
            extra=extra_parameters(
                profile, grant, choose_account=self._has_another_account(owner_id, connection)
            ),
            openid="openid" in scope_set(profile.scope),
        )
        pending = PendingAuthorization(
            id=id,
            owner_id=owner_id,
            connection_id=connection.id,
            client_id=profile.client.id,
            redirect_uri=redirect_uri,
            issuer=callback_issuer(profile),
            token_endpoint=profile.token_endpoint,
            requested_scope=profile.scope,
            code_verifier=request.code_verifier,
            nonce=request.nonce,
            iss_required=profile.metadata is not None
            and profile.metadata.authorization_response_iss_parameter_supported,
        )
        pressed = self._store.authorizations.press(
            id, pending, state_hash=_digest(request.state), browser_hash=_digest(browser)
        )
        if not pressed:
            raise AuthorizationExpiredError(
                "This sign-in has ended already.", hint="Look at the connection's status first."
            )
        return request.url

    def _has_another_account(self, owner_id: UUID, connection: Connection) -> bool:
        """Whether another connection of the client is signed in: the provider's own session would
        bring that account back without asking."""
        siblings = {
            one.id for one in self._store.registry.connections_of_client(connection.client)
        } - {connection.id}
        return any(one.connection_id in siblings for one in self._store.grants.of_owner(owner_id))

    def _refuse(self, row: AuthorizationRow, error: OAuthConnError) -> None:
        now = self._store.now()
        self._store.authorizations.finish(
            row.authorization.id, AuthorizationState.REFUSED, error=last_error(error, now)
        )
        connection = self._connection(row)
        record(self._store, "connected", row.owner_id, connection=connection, outcome=error.code)

    def _row(self, owner_id: UUID, id: UUID) -> AuthorizationRow:
        row = self._store.authorizations.read(owner_id, id)
        if row is None:
            raise UnknownAuthorizationError(str(id))
        return row

    def _connection(self, row: AuthorizationRow) -> Connection:
        connection = self._store.registry.connection_of_id(row.connection_id)
        if connection is None:
            raise UnknownConnectionError(row.authorization.connection)
        return connection


def _digest(value: Secret) -> bytes:
    # state and flow cookie are stored as hashes only: a reader of the database cannot use them
    return hashlib.sha256(value.reveal().encode()).digest()
