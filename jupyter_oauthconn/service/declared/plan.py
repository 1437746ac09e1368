"""What a document would change in a token service, in words; and doing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from jupyter_oauthconn.catalog import ProviderEntry, check_parameters
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    Connection,
    ConnectionDraft,
    Secret,
)

from ..secret_references import secret_at
from .documents import DeclaredClient, Document

#: What the catalog entry decides where a document does not say it: then it stays as it is.
_DECIDED_ELSEWHERE = frozenset({"title", "auth_method", "redirect_uris"})
_NOT_COMPARED = frozenset(
    {"name", "provider", "client_secret", "secret_reference", "secret_ends_at"}
)


class Target(Protocol):
    """The verbs that a plan needs; every broker has them."""

    def provider(self, key: str) -> ProviderEntry: ...

    def clients(self) -> Sequence[ClientRegistration]: ...

    def connections(self) -> Sequence[Connection]: ...

    def add_client(self, draft: ClientDraft) -> ClientRegistration: ...

    def edit_client(self, name: str, changes: Mapping[str, Any]) -> ClientRegistration: ...

    def add_client_secret(
        self, name: str, secret: Secret | None, *, reference: str | None = None
    ) -> ClientRegistration: ...

    def add_connection(self, draft: ConnectionDraft) -> Connection: ...

    def edit_connection(self, name: str, changes: Mapping[str, Any]) -> Connection: ...


class Kind(StrEnum):
    ADD = "add"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is other than the document says.

    Attributes:
        what: e.g. `OAuth client sales-app`.
        lines: `field: before → after`, without secrets.
        apply: makes it so.
    """

    kind: Kind
    what: str
    lines: tuple[str, ...]
    apply: Callable[[], object] = field(repr=False, compare=False)

    def __str__(self) -> str:
        mark = "+" if self.kind is Kind.ADD else "~"
        return "\n".join((f"{mark} {self.kind} {self.what}", *(f"    {one}" for one in self.lines)))


def changes_for(
    document: Document,
    target: Target,
    *,
    environ: Mapping[str, str] | None = None,
    knows_secret: Callable[[ClientRegistration, str, Secret], bool] | None = None,
) -> list[Change]:
    """What is to be done, in the order in which it is applied; none: all is as declared.

    Args:
        environ: where `env:` references look; None: the environment of this process.
        knows_secret: whether the client has that secret; None: told by its reference alone.

    Raises:
        OAuthConnError: the document names what there is not, or a secret cannot be read.
    """
    knows = knows_secret or _has_reference
    stored = {one.name: one for one in target.clients()}
    mine = {one.name: one for one in target.connections() if one.mine}
    found: list[Change] = []
    for declared in document.clients:
        secret = _secret_of(declared.draft, environ)
        before = stored.get(declared.draft.name)
        if before is None:
            found.append(_added_client(declared, secret, target))
        else:
            found += _changed_client(before, declared, secret, target, knows)
    providers = {one.name: one.provider for one in stored.values()}
    providers |= {one.draft.name: one.draft.provider for one in document.clients}
    for draft in document.connections:
        connection = mine.get(draft.name)
        if connection is None:
            found.append(_added_connection(draft, target))
        else:
            found += _changed_connection(connection, draft, providers, target)
    return found


def _secret_of(draft: ClientDraft, environ: Mapping[str, str] | None) -> Secret | None:
    return None if draft.secret_reference is None else secret_at(draft.secret_reference, environ)


def _has_reference(client: ClientRegistration, reference: str, _secret: Secret) -> bool:
    return any(one.reference == reference for one in client.secrets)


def _added_client(declared: DeclaredClient, secret: Secret | None, target: Target) -> Change:
    draft = declared.draft
    target.provider(draft.provider)  # says what there is, if there is none of that key

    def apply() -> None:
        target.add_client(replace(draft, client_secret=secret))
        if not declared.enabled:
            target.edit_client(draft.name, {"enabled": False})

    empty = ClientDraft(name=draft.name, provider="", client_id="")
    lines = [
        f"{one.name}: {_shown(value)}"
        for one in fields(draft)
        if one.name not in {"name", "client_secret"}
        and (value := getattr(draft, one.name)) != getattr(empty, one.name)
    ]
    if not declared.enabled:
        lines.append("enabled: no")
    return Change(kind=Kind.ADD, what=f"OAuth client {draft.name}", lines=tuple(lines), apply=apply)


def _changed_client(
    before: ClientRegistration,
    declared: DeclaredClient,
    secret: Secret | None,
    target: Target,
    knows: Callable[[ClientRegistration, str, Secret], bool],
) -> Iterator[Change]:
    draft, entry = declared.draft, target.provider(declared.draft.provider)
    what = f"OAuth client {draft.name}"
    wanted = _wanted(draft, before, entry)
    wanted["enabled"] = declared.enabled
    differing = {name: one for name, one in wanted.items() if one != getattr(before, name)}
    if draft.provider != before.provider:
        differing["provider"] = draft.provider  # which the service refuses, and says why
    if differing:
        lines = tuple(
            f"{name}: {_shown(getattr(before, name))} → {_shown(one)}"
            for name, one in differing.items()
        )
        sent = {**differing}
        if "parameters" in sent:
            gone = dict.fromkeys(before.parameters.keys() - sent["parameters"].keys())
            sent["parameters"] = {**sent["parameters"], **gone}
        yield Change(
            kind=Kind.CHANGE,
            what=what,
            lines=lines,
            apply=lambda: target.edit_client(draft.name, sent),
        )
    reference = draft.secret_reference
    if secret is not None and reference is not None and not knows(before, reference, secret):
        yield Change(
            kind=Kind.CHANGE,
            what=what,
            lines=(f"client secret: the one at {reference}",),
            apply=lambda: target.add_client_secret(draft.name, secret, reference=reference),
        )


def _wanted(draft: ClientDraft, before: ClientRegistration, entry: ProviderEntry) -> dict[str, Any]:
    """The fields as they should be."""
    found: dict[str, Any] = {}
    for one in fields(draft):
        value = getattr(draft, one.name)
        if one.name in _NOT_COMPARED or (one.name in _DECIDED_ELSEWHERE and not value):
            continue
        if one.name == "parameters":
            value = check_parameters(entry, value, at="client")
        found[one.name] = value
    if draft.secret_reference and not draft.auth_method and before.auth_method is AuthMethod.NONE:
        # a public client that gets a secret
        methods = (*entry.auth_methods, AuthMethod.CLIENT_SECRET_BASIC)
        found["auth_method"] = next(one for one in methods if one is not AuthMethod.NONE)
    return found


def _added_connection(draft: ConnectionDraft, target: Target) -> Change:
    empty = ConnectionDraft(name=draft.name, client="")
    lines = tuple(
        f"{one.name}: {_shown(value)}"
        for one in fields(draft)
        if (value := getattr(draft, one.name)) != getattr(empty, one.name)
    )
    return Change(
        kind=Kind.ADD,
        what=f"connection {draft.name}",
        lines=lines,
        apply=lambda: target.add_connection(draft),
    )


def _changed_connection(
    before: Connection, draft: ConnectionDraft, providers: Mapping[str, str], target: Target
) -> Iterator[Change]:
    wanted = {one.name: getattr(draft, one.name) for one in fields(draft) if one.name != "name"}
    entry = target.provider(providers.get(draft.client, before.provider))
    wanted["parameters"] = check_parameters(entry, draft.parameters, at="connection")
    differing = {name: one for name, one in wanted.items() if one != getattr(before, name)}
    if not differing:
        return
    lines = tuple(
        f"{name}: {_shown(getattr(before, name))} → {_shown(one)}"
        for name, one in differing.items()
    )
    if "parameters" in differing:
        gone = dict.fromkeys(before.parameters.keys() - wanted["parameters"].keys())
        differing["parameters"] = {**wanted["parameters"], **gone}
    yield Change(
        kind=Kind.CHANGE,
        what=f"connection {draft.name}",
        lines=lines,
        apply=lambda: target.edit_connection(draft.name, differing),
    )


def _shown(value: object) -> str:
    match value:
        case None | "" | ():
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case timedelta():
            return f"{value.total_seconds():g} s"
        case tuple():
            return ", ".join(map(str, value))
        case Mapping():
            return ", ".join(f"{key}={one}" for key, one in value.items()) or "nothing"
        case StrEnum():
            return value.value
        case datetime():
            return f"{value:%Y-%m-%d %H:%M} UTC"
        case str():
            return value
    named = {one.name: getattr(value, one.name) for one in fields(value)}  # type: ignore[arg-type]
    return ", ".join(f"{name}={one}" for name, one in named.items() if one) or "nothing"
