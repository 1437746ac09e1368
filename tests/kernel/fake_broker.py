"""A token service in memory: the protocols, without provider, database or HTTP."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from jupyter_oauthconn.catalog import ProviderEntry, Variable
from jupyter_oauthconn.errors import (
    ConflictError,
    ConsentRequiredError,
    InUseError,
    InvalidParameterError,
    UnknownAuthorizationError,
    UnknownClientError,
    UnknownConnectionError,
    UnknownProviderError,
)
from jupyter_oauthconn.model import (
    ALL_EVENTS,
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    AuthMethod,
    Authorization,
    AuthorizationState,
    Check,
    ClientDraft,
    ClientRegistration,
    ClientSecretInfo,
    ClientUse,
    Connection,
    ConnectionDraft,
    ConnectionUse,
    Endpoints,
    Endurance,
    Event,
    EventFilter,
    Flow,
    LastError,
    Outcome,
    OwnedGrant,
    Revocation,
    Secret,
    SettingInForce,
    Settings,
    State,
    Status,
)

MARKER = "canary-token-value"
OWNER = UUID(int=1)
SALES_API = "api.sales.example"


def entry(key: str = "acme", **changes: Any) -> ProviderEntry:
    made = ProviderEntry(
        key=key,
        title="Acme",
        checked="2026-11-01",
        source="https://acme.example/docs",
        confidence="high",
        issuer=None,
        discovery=False,
        endpoints=Endpoints(
            authorization="https://login.acme.example/authorize",
            token="https://login.acme.example/token",
        ),
        variables=(
            Variable(name="host", title="Host", pattern=".+", at="client", required=False),
            Variable(name="role", title="Role", pattern=".+", at="connection", required=False),
        ),
    )
    return replace(made, **changes)


def _merged(before: Mapping[str, str], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The service merges parameters, and None takes one away."""
    if "parameters" not in changes:
        return dict(changes)
    both = {**before, **changes["parameters"]}
    return {**changes, "parameters": {key: one for key, one in both.items() if one is not None}}


class FakeBroker:
    """Grants appear when a test calls `sign_in`; every call of a verb is noted in `calls`."""

    def __init__(self, *names: str) -> None:
        self.calls: list[str] = []
        self.life = timedelta(hours=1)
        self.entries = {
            "acme": entry(),
            "secretless": entry("secretless", auth_methods=(AuthMethod.NONE,)),
            "anywhere": entry("anywhere", endpoints=Endpoints()),
        }
        self.secrets: dict[str, Secret] = {}
        self.pasted: list[Secret] = []
        self.generations: dict[str, int] = {}
        self.identities: dict[str, str] = {}
        self.scopes: dict[str, str] = {}
        self._clients: dict[str, ClientRegistration] = {}
        self._connections: dict[str, Connection] = {}
        self._authorizations: dict[UUID, Authorization] = {}
        self._changed = threading.Condition()
        self.on_authorize: Any = None
        if names:
            self.add_client(ClientDraft(name="app", provider="acme", client_id="id-1"))
        for name in names:
            self.add_connection(ConnectionDraft(name=name, client="app"))
        self.calls.clear()

    # --- what a test does in the person's or provider's place

    def sign_in(self, name: str, identity: str = "you@example.com", scope: str = "read") -> None:
        with self._changed:
            self.generations[name] = self.generations.get(name, 0) + 1
            self.identities[name] = identity
            self.scopes[name] = scope
            self._end(name, state=AuthorizationState.DONE, identity=identity)

    def come_back_as(self, name: str, identity: str) -> None:
        with self._changed:
            self._end(name, confirm=True, identity=identity)

    def refuse(self, name: str, code: str = "access_denied", message: str = "You refused.") -> None:
        error = LastError(code=code, message=message, at=datetime.now(UTC))
        with self._changed:
            self._end(name, state=AuthorizationState.REFUSED, error=error)

    def expire(self, name: str) -> None:
        with self._changed:
            self._end(name, state=AuthorizationState.EXPIRED)

    def pending(self, name: str) -> Authorization | None:
        for one in self._authorizations.values():
            if one.connection == name and one.state is AuthorizationState.PENDING:
                return one
        return None

    def _end(self, name: str, **changes: Any) -> None:
        pending = self.pending(name)
        if pending is not None:
            changes = {"confirm": False, **changes}
            self._authorizations[pending.id] = replace(pending, **changes)
        self._changed.notify_all()

    # --- Broker

    def connections(self) -> Sequence[Connection]:
        self.calls.append("connections")
        return [self._seen(one) for one in self._connections.values()]

    def connection(self, name: str) -> Connection:
        self.calls.append("connection")
        return self._seen(self._get(name))

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
        self.calls.append("access_token")
        self._get(name)
        generation = self.generations.get(name)
        if generation is None:
            raise ConsentRequiredError(
                f"Nobody has signed in for {name!r}.",
                hint=f"Sign in: `%connect auth {name}`.",
                authorization=self._start(name, None) if interactive else None,
            )
        if rejected_generation == generation:
            generation = self.generations[name] = generation + 1
        now = datetime.now(UTC)
        return AccessToken(
            value=Secret(f"{MARKER}-{name}-{generation}{f'-{resource}' if resource else ''}"),
            resource=resource,
            generation=generation,
            token_type="bearer",
            issued_at=now,
            expires_at=now + self.life if self.life else None,
            refresh_at=now + self.life * 0.8 if self.life else None,
            scope=self.scopes[name],
        )

    def authorize(self, name: str, *, flow: Flow | None = None) -> Authorization:
        self.calls.append("authorize")
        return self._start(name, flow)

    def _start(self, name: str, flow: Flow | None) -> Authorization:
        with self._changed:
            return self._start_or_join(name, flow)

    def _start_or_join(self, name: str, flow: Flow | None) -> Authorization:
        pending = self.pending(name)
        if pending is not None:
            return pending
        flow = flow or Flow.LOOPBACK
        device = flow is Flow.DEVICE
        made = Authorization(
            id=uuid4(),
            connection=name,
            flow=flow,
            state=AuthorizationState.PENDING,
            path=f"connect/{name}",
            expires_at=datetime.now(UTC) + timedelta(minutes=10),
            public_url=None
            if flow in {Flow.DEVICE, Flow.PASTE}
            else f"http://127.0.0.1:49152/oauthconn/connect/{name}",
            user_code="WDJB-MJHT" if device else None,
            verification_uri="https://login.acme.example/device"
            if device
            else "https://login.acme.example/authorize?state=1"
            if flow is Flow.PASTE
            else None,
        )
        self._authorizations[made.id] = made
        if self.on_authorize is not None:
            self.on_authorize(made)
        return made

    def authorization(self, id: UUID, *, wait: timedelta = timedelta(0)) -> Authorization:
        self.calls.append("authorization")
        if id not in self._authorizations:
            raise UnknownAuthorizationError(str(id))

        def over() -> bool:
            now = self._authorizations[id]
            return now.state is not AuthorizationState.PENDING or now.confirm

        with self._changed:
            self._changed.wait_for(over, wait.total_seconds())
            return self._authorizations[id]

    def finish_by_paste(self, id: UUID, address: Secret) -> Authorization:
        self.pasted.append(address)
        self.sign_in(self._authorizations[id].connection)
        return self._authorizations[id]

    def confirm(self, id: UUID) -> Authorization:
        self.calls.append("confirm")
        one = self._authorizations[id]
        self._authorizations[id] = replace(one, confirm=False)
        self.sign_in(one.connection, one.identity or "")
        return self._authorizations[id]

    def cancel(self, id: UUID) -> None:
        self.calls.append("cancel")
        one = self._authorizations[id]
        self._authorizations[id] = replace(one, state=AuthorizationState.REFUSED)

    def test(self, name: str) -> Sequence[Check]:
        self._get(name)
        return [Check(check="provider", outcome=Outcome.OK, detail="answered")]

    def ensure(self, name: str, lasts: timedelta) -> Endurance:
        known = None if lasts > timedelta(days=30) else lasts < timedelta(hours=8)
        return Endurance(lasts=known, detail=f"asked for {lasts}")

    def revoke(self, name: str) -> Revocation:
        self.generations.pop(name, None)
        return Revocation(at_provider=Outcome.OK, detail="revoked")

    def doctor(
        self, *, client: str | None = None, connection: str | None = None
    ) -> Sequence[Check]:
        if connection is not None:
            self._get(connection)
        if client is not None:
            self.client(client)
        name = client or connection
        return [Check(check=name or "all", outcome=Outcome.FAILED, detail="d", next_step="mend")]

    # --- Registry

    def providers(self) -> Sequence[ProviderEntry]:
        return list(self.entries.values())

    def provider(self, key: str) -> ProviderEntry:
        if key not in self.entries:
            raise UnknownProviderError(key, known=self.entries)
        return self.entries[key]

    def client_request(self, provider: str) -> str:
        return f"To: an administrator\nProvider: {self.provider(provider).title}"

    def clients(self) -> Sequence[ClientRegistration]:
        self.calls.append("clients")
        return list(self._clients.values())

    def client(self, name: str) -> ClientRegistration:
        if name not in self._clients:
            raise UnknownClientError(name, known=self._clients)
        return self._clients[name]

    def add_client(self, draft: ClientDraft) -> ClientRegistration:
        self.provider(draft.provider)
        if draft.name in self._clients:
            raise ConflictError(f"{draft.name!r} is taken.")
        if draft.client_secret is not None:
            self.secrets[draft.name] = draft.client_secret
        info = ClientSecretInfo(
            id=uuid4(), set_at=datetime.now(UTC), reference=draft.secret_reference
        )
        made = ClientRegistration(
            id=uuid4(),
            version=1,
            name=draft.name,
            title=draft.title or draft.name,
            description=draft.description,
            secrets=() if draft.client_secret is None else (info,),
            provider=draft.provider,
            client_id=draft.client_id,
            auth_method=draft.auth_method or AuthMethod.CLIENT_SECRET_BASIC,
            parameters=draft.parameters,
            issuer=draft.issuer,
            endpoints=draft.endpoints,
            scope=draft.scope,
            access_token_lifetime=draft.access_token_lifetime,
            redirect_uris=draft.redirect_uris
            or (f"http://127.0.0.1:8888/oauthconn/callback/{draft.name}",),
            loopback_port=draft.loopback_port,
            allowed_users=draft.allowed_users,
            allowed_groups=draft.allowed_groups,
        )
        self._clients[draft.name] = made
        return made

    def edit_client(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> ClientRegistration:
        before = self.client(name)
        if version not in {None, before.version}:
            raise ConflictError(f"{name!r} was changed.")
        after = _merged(before.parameters, changes)
        self._clients[name] = replace(before, version=before.version + 1, **after)
        return self._clients[name]

    def client_use(self, name: str) -> ClientUse:
        self.client(name)
        return ClientUse(
            connections=tuple(
                ConnectionUse(
                    owner="you", connection=one.name, sign_ins=int(one.name in self.generations)
                )
                for one in self._connections.values()
                if one.client == name
            )
        )

    def preview_client(self, name: str, changes: Mapping[str, Any]) -> ClientUse:
        """Another client id ends every sign-in, and nothing else does."""
        self.calls.append("preview_client")
        use = self.client_use(name)
        ended = use.connections if "client_id" in changes else ()
        return ClientUse(connections=tuple(one for one in ended if one.sign_ins))

    def add_client_secret(
        self,
        name: str,
        secret: Secret | None,
        *,
        ends_at: datetime | None = None,
        reference: str | None = None,
    ) -> ClientRegistration:
        assert secret is not None
        self.secrets[name] = secret
        info = ClientSecretInfo(
            id=uuid4(), set_at=datetime.now(UTC), ends_at=ends_at, reference=reference
        )
        before = self.client(name)
        self._clients[name] = replace(before, secrets=(info, *before.secrets))
        return self._clients[name]

    def remove_client_secret(self, name: str, id: UUID) -> ClientRegistration:
        before = self.client(name)
        kept = tuple(one for one in before.secrets if one.id != id)
        self._clients[name] = replace(before, secrets=kept)
        return self._clients[name]

    def remove_client(self, name: str, *, force: bool = False, version: int | None = None) -> None:
        self.calls.append("remove_client")
        use = self.client_use(name)
        if use.connections and not force:
            raise InUseError(f"The OAuth client {name!r} is used by {use}.", hint="Give --force.")
        for one in use.connections:
            self.remove_connection(one.connection)
        del self._clients[name]

    def test_client(self, name: str) -> Sequence[Check]:
        self.client(name)
        return [Check(check="metadata", outcome=Outcome.OK, detail="read")]

    def add_connection(self, draft: ConnectionDraft) -> Connection:
        client = self.client(draft.client)
        if draft.name in self._connections:
            raise ConflictError(f"{draft.name!r} is taken.")
        made = Connection(
            id=uuid4(),
            version=1,
            owner_id=OWNER,
            name=draft.name,
            client=draft.client,
            provider=client.provider,
            parameters=draft.parameters,
            scope=draft.scope,
            login_hint=draft.login_hint,
            shared_users=draft.shared_users,
            shared_groups=draft.shared_groups,
        )
        self._connections[draft.name] = made
        return self._seen(made)

    def edit_connection(
        self, name: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Connection:
        before = self._get(name)
        if version not in {None, before.version}:
            raise ConflictError(f"{name!r} was changed.")
        after = _merged(before.parameters, changes)
        self._connections[name] = replace(before, version=before.version + 1, **after)
        return self._seen(self._connections[name])

    def remove_connection(self, name: str) -> None:
        self._get(name)
        del self._connections[name]
        self.generations.pop(name, None)

    def grants(
        self, *, owner: str | None = None, client: str | None = None
    ) -> Sequence[OwnedGrant]:
        return []

    def revoke_grant(self, id: UUID) -> Revocation:
        raise InvalidParameterError("There is no such sign-in.")

    def settings(self) -> Sequence[SettingInForce]:
        return Settings().in_force()

    def change_settings(self, changes: Mapping[str, str | None]) -> Sequence[SettingInForce]:
        return Settings().in_force()

    def events(self, *, limit: int = 50, wanted: EventFilter = ALL_EVENTS) -> Sequence[Event]:
        return [Event(kind="token_issued", connection="sales", at=datetime.now(UTC))][:limit]

    def close(self) -> None:
        """There is nothing to save."""

    def _get(self, name: str) -> Connection:
        if name not in self._connections:
            raise UnknownConnectionError(name, known=self._connections)
        return self._connections[name]

    def _seen(self, one: Connection) -> Connection:
        signed_in = one.name in self.generations
        status = Status(
            state=State.CONNECTED if signed_in else State.NOT_CONNECTED,
            next_step="" if signed_in else f"`%connect auth {one.name}`",
            identity=self.identities.get(one.name) if signed_in else None,
            scope=self.scopes.get(one.name) if signed_in else None,
            connected_at=datetime.now(UTC) if signed_in else None,
        )
        return replace(one, status=status)
