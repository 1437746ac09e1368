"""What a person gives to make or change OAuth clients and connections, as request bodies.

A writer leaves out what the person did not give, so that an older service meets no member that it
does not know. The readers are strict for the same reason: a member that means nothing to this
version is refused rather than lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from jupyter_oauthconn import model

from . import requests
from .walk import hints, plain, rfc3339, typed

_SECONDS = "_seconds"
_SHARED = {"users": "shared_users", "groups": "shared_groups"}
_LISTS = Mapping[str, tuple[str, ...]]
_PARAMETERS = Mapping[str, str | None]
_Draft = TypeVar("_Draft", model.ClientDraft, model.ConnectionDraft)


def client_draft_json(draft: model.ClientDraft) -> requests.ClientDraft:
    """With the client secret: the one way in which it travels is to the service."""
    body = _given(draft)
    if draft.client_secret is not None:
        body["client_secret"] = draft.client_secret.reveal()
    return cast(requests.ClientDraft, body)


def read_client_draft(body: requests.ClientDraft) -> model.ClientDraft:
    members = _members(body)
    secret = typed(str | None, members.pop("client_secret", None))
    return _draft(
        model.ClientDraft,
        members,
        requests.ClientDraft,
        client_secret=None if secret is None else model.Secret(secret),
    )


def client_secret_json(
    secret: model.Secret | None, reference: str | None, ends_at: datetime | None
) -> requests.ClientSecret:
    """With the client secret: the one way in which it travels is to the service."""
    given = {
        "client_secret": None if secret is None else secret.reveal(),
        "secret_reference": reference,
        "ends_at": None if ends_at is None else rfc3339(ends_at),
    }
    return cast(
        requests.ClientSecret, {name: one for name, one in given.items() if one is not None}
    )


def read_client_secret(
    body: requests.ClientSecret,
) -> tuple[model.Secret | None, str | None, datetime | None]:
    """The secret, its reference, and its end."""
    members = _members(body)
    secret = typed(str | None, members.get("client_secret"))
    return (
        None if secret is None else model.Secret(secret),
        typed(str | None, members.get("secret_reference")),
        typed(datetime | None, members.get("ends_at")),
    )


def connection_draft_json(draft: model.ConnectionDraft) -> requests.ConnectionDraft:
    return cast(requests.ConnectionDraft, _share(_given(draft)))


def read_connection_draft(body: requests.ConnectionDraft) -> model.ConnectionDraft:
    members = _members(body)
    shared = _shared(members)
    return _draft(model.ConnectionDraft, members, requests.ConnectionDraft, **shared)


def client_changes_json(changes: Mapping[str, Any], version: int | None) -> requests.ClientChanges:
    """`changes` as `Registry.edit_client` takes them."""
    return cast(requests.ClientChanges, _changes_json(changes, requests.ClientChanges, version))


def read_client_changes(body: requests.ClientChanges) -> tuple[dict[str, Any], int | None]:
    """The changes, and the version that they are meant for."""
    return _read_changes(_members(body), model.ClientRegistration, requests.ClientChanges)


def connection_changes_json(
    changes: Mapping[str, Any], version: int | None
) -> requests.ConnectionChanges:
    """`changes` as `Registry.edit_connection` takes them."""
    body = _changes_json(_share(changes), requests.ConnectionChanges, version)
    return cast(requests.ConnectionChanges, body)


def read_connection_changes(body: requests.ConnectionChanges) -> tuple[dict[str, Any], int | None]:
    """The changes, and the version that they are meant for."""
    members = _members(body)
    shared = _shared(members)
    changes, version = _read_changes(members, model.Connection, requests.ConnectionChanges)
    return changes | shared, version


def _given(draft: model.ClientDraft | model.ConnectionDraft) -> dict[str, Any]:
    body = {}
    for one in fields(draft):
        value = getattr(draft, one.name)
        required = one.default is MISSING and one.default_factory is MISSING
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if one.name != "client_secret" and (required or value != default):
            suffix = _SECONDS if isinstance(value, timedelta) else ""
            body[one.name + suffix] = plain(value)
    return body


def _share(values: Mapping[str, Any]) -> dict[str, Any]:
    """`shared_users` and `shared_groups` as one member."""
    shared = {word: values[name] for word, name in _SHARED.items() if name in values}
    rest = {name: value for name, value in values.items() if name not in _SHARED.values()}
    return {**rest, "shared_with": shared} if shared else rest


def _shared(members: dict[str, Any]) -> dict[str, Any]:
    shared = typed(_LISTS, members.pop("shared_with", {}))
    return {_SHARED[word]: names for word, names in shared.items()}


def _members(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise TypeError("a body is a JSON object")
    return dict(body)


def _draft(kind: type[_Draft], members: dict[str, Any], shape: type, **instead: Any) -> _Draft:
    types = hints(cast(type, kind))
    for one in fields(kind):
        if one.default is MISSING and one.default_factory is MISSING and one.name not in members:
            raise KeyError(one.name)
    found = {}
    for member, value in members.items():
        if member not in shape.__annotations__:
            raise ValueError(f"unknown member {member!r}")
        name = member.removesuffix(_SECONDS)
        found[name] = _value(types[name], value)
    return kind(**found, **instead)


def _changes_json(changes: Mapping[str, Any], shape: type, version: int | None) -> dict[str, Any]:
    body: dict[str, Any] = {} if version is None else {"version": version}
    known = shape.__annotations__
    for name, value in changes.items():
        if name in known:
            body[name] = plain(value)
        elif name + _SECONDS in known:
            body[name + _SECONDS] = plain(value)
        else:
            # the service refuses it by name; its value may be a secret
            body[name] = None
    return body


def _read_changes(
    members: dict[str, Any], kind: type, shape: type
) -> tuple[dict[str, Any], int | None]:
    types = hints(kind)
    spelled_otherwise = {one.removesuffix(_SECONDS) for one in shape.__annotations__}
    spelled_otherwise |= types.keys() & set(_SHARED.values())
    version = typed(int | None, members.pop("version", None))
    changes = {}
    for member, value in members.items():
        name = member.removesuffix(_SECONDS)
        if member in shape.__annotations__:
            hint = _PARAMETERS if name == "parameters" else types[name]
            changes[name] = _value(hint, value)
        elif member in spelled_otherwise:
            raise ValueError(f"unknown member {member!r}")
        else:
            changes[member] = None  # the service says that it cannot be changed
    return changes, version


def _value(hint: Any, value: object) -> Any:
    if hint is not model.Endpoints:
        return typed(hint, value)
    # of the endpoints only those that are typed in are given
    given = typed(Mapping[str, str | None], value)
    unknown = given.keys() - hints(model.Endpoints).keys()
    if unknown:
        raise ValueError(f"unknown endpoint {min(unknown)!r}")
    return model.Endpoints(**given)
