"""Tests of OAuth clients and connections, and the doctor: one finding a line."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from jupyter_oauthconn.catalog import Catalog
from jupyter_oauthconn.errors import (
    InvalidClientError,
    OAuthConnError,
    ProviderError,
    ProviderRejectedError,
)
from jupyter_oauthconn.model import (
    Check,
    ClientRegistration,
    Connection,
    Event,
    Outcome,
    Secret,
    State,
    Status,
)
from jupyter_oauthconn.protocol import Transport, code_request, validate_token_answer
from jupyter_oauthconn.storage import Store

from .connections import Connections
from .profile import Profile, Profiles
from .tokens import Tokens

_CLOCK_TOLERANCE = timedelta(minutes=2)


class Checks:
    """Looks, asks the provider, and says in words what is wrong and how to mend it."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        *,
        profiles: Profiles,
        transport: Transport,
        tokens: Tokens,
        connections: Connections,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._profiles = profiles
        self._transport = transport
        self._tokens = tokens
        self._connections = connections

    def of_client(self, client: ClientRegistration) -> Sequence[Check]:
        """Metadata, PKCE, client authentication, clock; nothing is changed at the provider.

        A client that works again resumes the grants that the provider had refused it.
        """
        checks = list(self._client_checks(client))
        if all(one.outcome is not Outcome.FAILED for one in checks):
            self._store.grants.resume_client(client.name)
        return checks

    def of_connection(self, owner_id: UUID, connection: Connection) -> Sequence[Check]:
        """Whether its OAuth client works and a token can really be had now."""
        client = self._profiles.client_of(connection)
        checks = list(self.of_client(client))
        checks.append(_tried("token", lambda: self._renew(owner_id, connection)))
        return checks

    def doctor(self, owner_id: UUID, name: str | None) -> Sequence[Check]:
        """Everything here, and the clients; `name` of a connection or client narrows it."""
        if name is None:
            return list(self._everything(owner_id))
        connection = self._store.registry.connection(owner_id, name)
        if connection is not None:
            return self.of_connection(owner_id, connection)
        client = self._store.registry.client(name)
        if client is not None:
            return [*self.of_client(client), *self._traps(client)]
        return [Check(check="name", outcome=Outcome.FAILED, detail=f"There is neither a "
                      f"connection nor an OAuth client named {name!r}.",
                      next_step="`%connect` and `%oauthclient` list them.")]  # fmt: skip

    def _everything(self, owner_id: UUID) -> Iterator[Check]:
        database = _tried("database", self._write_and_read)
        yield database
        if database.outcome is Outcome.FAILED:
            return  # nothing further can be looked at
        for problem in self._store.check_keys():
            yield _failed("keys", problem, "Put keys.json back from where it was saved.")
        for note in self._store.notes:
            yield Check(check="data folder", outcome=Outcome.UNKNOWN, detail=note)
        for client in self._store.registry.clients():
            yield from self._named(client.name, self.of_client(client))
        for connection in self._connections.all(owner_id):
            if connection.status is not None:
                yield _standing(connection.name, connection.status)

    def _write_and_read(self) -> str:
        self._store.journal.add(Event(kind="doctor"))
        self._store.journal.events(None, 1)
        return "The database can be read and written."

    def _client_checks(self, client: ClientRegistration) -> Iterator[Check]:
        if not client.enabled:
            yield _failed("enabled", f"The OAuth client {client.name!r} is switched off.",
                          f"`%oauthclient enable {client.name}`.")  # fmt: skip
            return
        try:
            profile = self._profiles.resolve(client, _probe_connection(client))
            if profile.issuer is not None and profile.entry.discovery:
                self._profiles.metadata(profile.issuer, profile.typed, fresh=True)
        except OAuthConnError as error:
            yield _failed("metadata", error.message, error.hint)
            return
        yield _ok("metadata", f"The endpoints of {profile.entry.title} are known.")
        yield _pkce(profile)
        yield from self._authentication(client, profile)

    def _authentication(self, client: ClientRegistration, profile: Profile) -> Iterator[Check]:
        """A deliberately wrong code: `invalid_grant` shows that the client was accepted."""
        try:
            request = code_request(
                endpoint=profile.token_endpoint,
                credentials=self._profiles.credentials(client),
                code=Secret(f"test-{secrets.token_urlsafe(16)}"),
                redirect_uri=client.redirect_uris[0] if client.redirect_uris else "",
                code_verifier=Secret(secrets.token_urlsafe(48)),
            )
            answer = self._transport.send(request, typed_host=profile.is_typed(request.url))
        except OAuthConnError as error:
            yield _failed("token endpoint", error.message, error.hint)
            return
        yield _clock(answer.date, self._store.now())
        yield _client_accepted(
            client, lambda: validate_token_answer(answer, **profile.answer_options)
        )

    def _renew(self, owner_id: UUID, connection: Connection) -> str:
        grant = self._store.grants.read(owner_id, connection.id)
        if grant is not None and not grant.has_refresh_token:
            token = self._tokens.access_token(owner_id, connection)
            detail = "A token is there; the provider gave no refresh token"
        else:
            token = self._tokens.renew_now(owner_id, connection)
            detail = "The provider has just renewed the token"
        return f"{detail}; granted scope: {token.scope or 'not told'}."

    def _traps(self, client: ClientRegistration) -> Iterator[Check]:
        for trap in self._catalog.entry(client.provider).traps:
            yield Check(check="known trap", outcome=Outcome.UNKNOWN, detail=trap)

    @staticmethod
    def _named(name: str, checks: Sequence[Check]) -> list[Check]:
        return [
            Check(check=f"{name}: {one.check}", outcome=one.outcome, detail=one.detail,
                  next_step=one.next_step)
            for one in checks
        ]  # fmt: skip


def _standing(name: str, status: Status) -> Check:
    outcome = _OUTCOMES.get(status.state, Outcome.FAILED)
    step = "" if outcome is Outcome.OK else status.next_step
    return Check(check=name, outcome=outcome, detail=f"{status.state.words}.", next_step=step)


#: What is neither working nor broken: somebody has not signed in yet.
_OUTCOMES = {
    State.CONNECTED: Outcome.OK,
    State.EXPIRING: Outcome.OK,
    State.NOT_CONNECTED: Outcome.UNKNOWN,
    State.PENDING: Outcome.UNKNOWN,
}


def _client_accepted(client: ClientRegistration, validate: Callable[[], object]) -> Check:
    check = "client authentication"
    try:
        validate()
    except InvalidClientError as error:
        return _failed(check, error.message,
                       f"Compare client ID and secret with the provider's page, then `jupyter "
                       f"oauthconn clients add-secret {client.name} --secret-stdin`.")  # fmt: skip
    except ProviderRejectedError as error:
        if error.error == "invalid_grant":
            return _ok(check, "The provider accepts the client.")
        return Check(check=check, outcome=Outcome.UNKNOWN,
                     detail=f"The provider answered {error.error!r} to a test code.")  # fmt: skip
    except ProviderError as error:
        return _failed(check, error.message, error.hint)
    return _failed(check, "The provider accepted a made-up code.",
                   "Do not use this authorization server.")  # fmt: skip


def _pkce(profile: Profile) -> Check:
    methods = profile.metadata.code_challenge_methods_supported if profile.metadata else ()
    if "S256" in methods:
        return _ok("PKCE", "The provider announces S256.")
    detail = "The provider does not announce S256; it is sent all the same."
    return Check(check="PKCE", outcome=Outcome.UNKNOWN, detail=detail)


def _clock(date: datetime | None, now: datetime) -> Check:
    if date is None:
        return Check(check="clock", outcome=Outcome.UNKNOWN, detail="The provider sends no date.")
    off = abs(date.astimezone(UTC) - now)
    if off <= _CLOCK_TOLERANCE:
        return _ok("clock", "This machine and the provider agree about the time.")
    minutes = off.total_seconds() / 60
    return _failed(
        "clock",
        f"This machine's clock is {minutes:.0f} minutes off the provider's.",
        "Set the clock (NTP): tokens would seem to end too early or too late.",
    )


def _tried(check: str, act: Callable[[], str]) -> Check:
    try:
        return _ok(check, act())
    except OAuthConnError as error:
        return _failed(check, error.message, error.hint)


def _ok(check: str, detail: str) -> Check:
    return Check(check=check, outcome=Outcome.OK, detail=detail)


def _failed(check: str, detail: str, next_step: str) -> Check:
    return Check(check=check, outcome=Outcome.FAILED, detail=detail, next_step=next_step)


def _probe_connection(client: ClientRegistration) -> Connection:
    return Connection(
        id=client.id,
        version=0,
        owner_id=client.id,
        name=client.name,
        client=client.name,
        provider=client.provider,
    )
