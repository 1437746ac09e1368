"""Everybody's connections: definitions, never credentials. One's own are shared or removed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from jupyter_oauthconn.errors import (
    ConflictError,
    NotAllowedError,
    OAuthConnError,
    UnknownConnectionError,
)
from jupyter_oauthconn.model import EVERYBODY, Connection

from .. import words
from ..desk import AdminPage, Answer, Desk, GoTo, Page
from ..forms.access_form import people_fields, typed_people
from ..forms.connection_form import connection_groups, read_connection
from ..forms.reading import Reading, placed
from ..views import Cell, Field, Group, Link, Option, Table, summary

SECTION = "connections"
_COLUMNS = ("Name", "Owner", "OAuth client", "Asks for", "Seen by", "Last update", "Actions")
_NOBODY = "Nobody else: it is my own connection"


def _look(desk: Desk) -> Answer:
    everybody = desk.service.store.registry.all_connections()
    closed = {
        one.name
        for one in desk.broker.clients()
        if not one.allowed_users and not one.allowed_groups
    }
    return Page(
        template="connections.html",
        title="Connections",
        section=SECTION,
        context={
            "table": Table(
                caption="Connections of everybody here",
                columns=_COLUMNS,
                rows=[
                    _row(desk, one, one.client in closed) for one in sorted(everybody, key=_order)
                ],
                empty="There is no connection yet. People make theirs in a notebook, or you share "
                "one of yours.",
            )
        },
    )


def _order(one: Connection) -> tuple[str, str]:
    return one.name, one.owner


def _row(desk: Desk, one: Connection, closed: bool) -> list[Cell]:
    """`closed`: nobody but administrators may use its OAuth client."""
    mine = one.owner_id == desk.owner.id
    links = (
        Link(text="Share", what=one.name, href=desk.at(f"connections/{one.name}/sharing")),
        Link(text="Remove", what=one.name, href=desk.at(f"connections/{one.name}/remove")),
    )
    values = " ".join(f"{name}={value}" for name, value in one.parameters.items())
    notes = (values, f"for {one.login_hint}" if one.login_hint else "")
    return [
        Cell(
            text=one.name,
            href=f"{desk.host.mount}connect/{one.name}" if mine else None,
            note=f"%connect {one.name}",
        ),
        Cell(text=one.owner, note="you" if mine else ""),
        Cell(text=one.client, href=desk.at(f"clients/{one.client}"), note=one.provider),
        Cell(text=one.scope or "what the client allows", note=", ".join(filter(None, notes))),
        Cell(text=_seen_by(one), note=_CLOSED if closed and _is_shared(one) else ""),
        Cell(text=words.moment(one.updated_at)),
        Cell(links=links if mine else ()),
    ]


_CLOSED = "but only administrators may use its OAuth client"


def _is_shared(one: Connection) -> bool:
    return bool(one.shared_users or one.shared_groups)


def _seen_by(one: Connection) -> str:
    return words.people(one.shared_users, one.shared_groups, nobody="its owner")


# --- a new one


def _new(desk: Desk) -> Answer:
    clients = [one for one in desk.broker.clients() if one.enabled and one.owner is None]
    chosen = desk.query.get("client", "")
    if chosen:
        return _form(desk, chosen, {}, {})
    options = tuple(Option(value=one.name, text=f"{one.name} ({one.title})") for one in clients)
    field = Field(name="client", label="OAuth client", kind="select", options=options)
    return Page(
        template="connection_client.html",
        title="New connection",
        section=SECTION,
        context={"field": field, "any": bool(clients)},
    )


def _create(desk: Desk) -> Answer:
    client = desk.query.get("client", "")
    reading = Reading(desk.form)
    draft = read_connection(client, reading)
    errors = reading.errors
    if not errors:
        try:
            desk.broker.add_connection(draft)
        except NotAllowedError:
            raise
        except OAuthConnError as error:
            errors = placed(error, desk.form)
    if errors:
        return _form(desk, client, desk.form, errors)
    return GoTo(address=desk.at(f"connections/{draft.name}/sharing"), done="connection-added")


def _form(desk: Desk, name: str, typed: Mapping[str, str], errors: Mapping[str, str]) -> Page:
    client = desk.broker.client(name)
    entry = desk.broker.provider(client.provider)
    groups = connection_groups(client, entry, typed, errors)
    return Page(
        template="connection.html",
        title=f"New connection through {client.name}",
        section=SECTION,
        status=HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        context={"client": client, "groups": groups, "errors": summary(groups, errors)},
    )


# --- sharing


def _sharing(desk: Desk) -> Answer:
    one = _own(desk)
    return _sharing_form(desk, one, typed_people(one.shared_users, one.shared_groups), {})


def _share(desk: Desk) -> Answer:
    one, reading = _own(desk), Reading(desk.form)
    users, groups = reading.people()
    if reading.errors:
        return _sharing_form(desk, one, desk.form, reading.errors)
    changes = {"shared_users": users, "shared_groups": groups}
    try:
        desk.broker.edit_connection(one.name, changes, version=desk.version())
    except ConflictError as error:
        told = f"{error.message} Stored now: seen by {_seen_by(_own(desk))}. {error.hint}"
        return _sharing_form(desk, _own(desk), desk.form, {"": told}, status=HTTPStatus.CONFLICT)
    address = f"connections/{one.name}/sharing" if _shut_out(desk, one.name) else "connections"
    return GoTo(address=desk.at(address), done="shared")


def _allow(desk: Desk) -> Answer:
    """Whoever sees the connection may use its OAuth client, too; nobody loses anything."""
    one = _own(desk)
    client = desk.broker.client(one.client)
    desk.broker.edit_client(
        client.name,
        {
            "allowed_users": _with(client.allowed_users, one.shared_users),
            "allowed_groups": _with(client.allowed_groups, one.shared_groups),
        },
        version=client.version,
    )
    return GoTo(address=desk.at("connections"), done="allowed")


def _with(before: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return (EVERYBODY,) if EVERYBODY in more else tuple(dict.fromkeys([*before, *more]))


def _shut_out(desk: Desk, name: str) -> str:
    """Who sees the connection and may not use its OAuth client, in words."""
    one = desk.broker.connection(name)
    client = desk.broker.client(one.client)
    if EVERYBODY in client.allowed_users:
        return ""
    return words.people(
        [user for user in one.shared_users if user not in client.allowed_users],
        [group for group in one.shared_groups if group not in client.allowed_groups],
        nobody="",
    )


def _sharing_form(
    desk: Desk,
    one: Connection,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = HTTPStatus.BAD_REQUEST,
) -> Page:
    group: Group = people_fields(typed, errors, title="Who sees it", nobody=_NOBODY)
    return Page(
        template="sharing.html",
        title=f"Who sees {one.name}?",
        section=SECTION,
        status=status if errors else HTTPStatus.OK,
        context={
            "connection": one,
            "page": f"{desk.origin}{desk.host.mount}connect/{one.name}",
            "shut_out": "" if errors else _shut_out(desk, one.name),
            "groups": [group],
            "errors": summary([group], errors),
        },
    )


# --- removing


def _ask(desk: Desk) -> Answer:
    one = _own(desk)
    use = desk.broker.client_use(one.client).connections
    sign_ins = sum(
        each.sign_ins for each in use if (each.connection, each.owner) == (one.name, one.owner)
    )
    return Page(
        template="confirm.html",
        title=f"Remove the connection {one.name}?",
        section=SECTION,
        context={
            "sentences": [
                f"It is seen by {_seen_by(one)}.",
                f"{words.count(sign_ins, 'sign-in')} of it will be ended, at the provider, too.",
            ],
            "button": "Remove the connection",
            "back": desk.at("connections"),
            "kept": {},
        },
    )


def _remove(desk: Desk) -> Answer:
    desk.broker.remove_connection(_own(desk).name)
    return GoTo(address=desk.at("connections"), done="connection-removed")


def _own(desk: Desk) -> Connection:
    """One of the administrator's own. Raises `UnknownConnectionError`."""
    connection = desk.broker.connection(desk.name)
    if not connection.mine:
        raise UnknownConnectionError(desk.name, hint="Only who owns a connection changes it.")
    return connection


_ONE = "/connections/(?P<name>[^/]+)"
PAGES = (
    AdminPage(path="/connections", look=_look),
    AdminPage(path="/connections/new", look=_new, acts={"create": _create}),
    AdminPage(path=f"{_ONE}/sharing", look=_sharing,
              acts={"share": _share, "allow": _allow}),
    AdminPage(path=f"{_ONE}/remove", look=_ask, acts={"confirm": _remove}),
)  # fmt: skip
