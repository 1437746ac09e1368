"""The verbs: what a notebook may ask of a token service, wherever that runs.

`Broker` uses connections, `Registry` manages them; one object speaks both. `LocalBroker` answers
in process; over HTTP the same verbs are `POST …/token` and its neighbours. May import `service`
and everything below it; the protocols themselves import `model` only, so that a kernel that talks
HTTP loads no database (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.model import (
    ALL_EVENTS,
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    Authorization,
    Check,
    ClientDraft,
    ClientRegistration,
    ClientUse,
    Connection,
    ConnectionDraft,
    Endurance,
    Event,
    EventFilter,
    Flow,
    OwnedGrant,
    Revocation,
    Secret,
    SettingInForce,
)


class Broker(Protocol):
    """Use connections. Every method may raise `OAuthConnError`."""

    def connections(self) -> Sequence[Connection]:
        """All connections of the owner with their status, by name; never calls a provider."""
        ...

    def connection(self, name: str) -> Connection:
        """One connection with its status. Raises `UnknownConnectionError`."""
        ...

    def access_token(
        self,
        name: str,
        *,
        min_validity: timedelta = DEFAULT_MIN_VALIDITY,
        exact: bool = False,
        rejected_generation: int | None = None,
        resource: str | None = None,
        interactive: bool = False,
    ) -> AccessToken:
        """A token that lives `min_validity` longer (clamped to 20 % of its life unless `exact`).

        Args:
            rejected_generation: a resource answered 401 to that token; refreshed only if it is
                still the current one.
            resource: a token for that one instead, by the same sign-in (RFC 8707).
            interactive: when a person must act, start (or join) the sign-in and put it into the
                error's `authorization`.

        Raises:
            InteractionRequiredError: a person must act.
            ProviderUnavailableError: no valid token is left and the provider does not answer.
            InvalidClientError: the provider refuses the OAuth client.
            InvalidParameterError: the provider gives no token for that resource.
        """
        ...

    def authorize(self, name: str, *, flow: Flow | None = None) -> Authorization:
        """Starts the sign-in, or joins the pending one; a grant that is there is replaced."""
        ...

    def authorization(self, id: UUID, *, wait: timedelta = timedelta(0)) -> Authorization:
        """Where a sign-in stands; returns after `wait` at the latest, at once when it ended.

        Raises `UnknownAuthorizationError`; a refused or expired one is returned, not raised.
        """
        ...

    def finish_by_paste(self, id: UUID, address: Secret) -> Authorization:
        """Ends a sign-in of flow `paste` with the address of the page that did not load."""
        ...

    def confirm(self, id: UUID) -> Authorization:
        """Accepts that another account than before signed in."""
        ...

    def cancel(self, id: UUID) -> None:
        """Gives a pending sign-in up; its start page and callback answer no more."""
        ...

    def test(self, name: str) -> Sequence[Check]:
        """A real call to the provider for this connection, one finding a line."""
        ...

    def ensure(self, name: str, lasts: timedelta) -> Endurance:
        """Refreshes now and says whether the connection lasts that long without a person."""
        ...

    def revoke(self, name: str) -> Revocation:
        """Revokes at the provider and forgets the tokens at once; the connection stays."""
        ...

    def doctor(
        self, *, client: str | None = None, connection: str | None = None
    ) -> Sequence[Check]:
        """What is wrong and how to mend it; the name of a client or a connection narrows it."""
        ...


class Registry(Protocol):
    """Manage providers, OAuth clients and connections. Every method may raise `OAuthConnError`.

    `changes` name fields of the draft; a `version` other than the stored one raises
    `ConflictError`, None takes whatever is stored.
    """

    def providers(self) -> Sequence[ProviderEntry]: ...

    def provider(self, key: str) -> ProviderEntry: ...

    def client_request(self, provider: str) -> str:
        """What somebody without an OAuth client for that provider sends to an administrator."""
        ...

    def clients(self) -> Sequence[ClientRegistration]:
        """Those that the owner may use, an administrator's: all; by name."""
        ...

    def client(self, name: str) -> ClientRegistration: ...

    def add_client(self, draft: ClientDraft) -> ClientRegistration: ...

    def edit_client(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> ClientRegistration:
        """Also `{"enabled": False}`. What changes the authorization marks the grants."""
        ...

    def client_use(self, name: str) -> ClientUse:
        """What the client carries: everybody's connections and sign-ins."""
        ...

    def preview_client(self, name: str, changes: Mapping[str, Any]) -> ClientUse:
        """Of what it carries, the part whose people would have to sign in again; no change."""
        ...

    def add_client_secret(
        self,
        name: str,
        secret: Secret | None,
        *,
        ends_at: datetime | None = None,
        reference: str | None = None,
    ) -> ClientRegistration:
        """A second live secret; the newest that has not ended is used.

        Args:
            secret: None: the service reads it from where `reference` says.
            reference: where it came from, e.g. `env:SALES_SECRET`.
        """
        ...

    def remove_client_secret(self, name: str, id: UUID) -> ClientRegistration: ...

    def remove_client(self, name: str, *, force: bool = False, version: int | None = None) -> None:
        """Raises `InUseError` when connections use it, unless `force`: that removes everybody's."""
        ...

    def test_client(self, name: str) -> Sequence[Check]: ...

    def add_connection(self, draft: ConnectionDraft) -> Connection: ...

    def edit_connection(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Connection:
        """The returned status says whether a new sign-in is needed."""
        ...

    def remove_connection(self, name: str) -> None:
        """Revokes its grants and forgets all of it."""
        ...

    def grants(
        self, *, owner: str | None = None, client: str | None = None
    ) -> Sequence[OwnedGrant]:
        """Everybody's, for administrators."""
        ...

    def revoke_grant(self, id: UUID) -> Revocation:
        """Ends one's own sign-in; an administrator's: anybody's."""
        ...

    def settings(self) -> Sequence[SettingInForce]:
        """Each with its value and where that comes from."""
        ...

    def change_settings(self, changes: Mapping[str, str | None]) -> Sequence[SettingInForce]:
        """At run time, as texts; None takes a change back. For administrators."""
        ...

    def events(self, *, limit: int = 50, wanted: EventFilter = ALL_EVENTS) -> Sequence[Event]:
        """The newest first; an administrator's: everybody's."""
        ...


class TokenServiceBroker(Broker, Registry, Protocol):
    """Both, as `LocalBroker` is."""

    def close(self) -> None:
        """Ends what waits here; whatever is under way is finished and saved first."""
