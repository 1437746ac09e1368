"""Editing an OAuth client: nothing of another administrator is overwritten unseen, and no sign-in
ends without a question."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from jupyter_oauthconn.errors import ConflictError, NotAllowedError, OAuthConnError
from jupyter_oauthconn.model import ClientRegistration

from ... import words
from ...desk import AdminPage, Answer, Desk, GoTo, Page
from ...forms.client_form import ClientForm, typed_of
from ...forms.client_values import read_changes
from ...forms.reading import placed
from ...views import Group, Table, summary, texts
from .facts import ONE, use_table
from .listing import SECTION, management
from .register import STEPS


def _look(desk: Desk) -> Answer:
    client = desk.broker.client(desk.name)
    desk.service.access.check_change(desk.actor, client)
    return _form(desk, client, typed_of(client), {})


def _save(desk: Desk) -> Answer:
    client = desk.broker.client(desk.name)
    desk.service.access.check_change(desk.actor, client)
    changes, errors = read_changes(client, desk.form)
    if desk.version() != client.version:
        return _conflict(desk, client)
    if errors:
        return _form(desk, client, desk.form, errors)
    if not changes:
        return GoTo(address=desk.afterwards(), done="unchanged")
    try:
        return _changed(desk, client, changes)
    except NotAllowedError:
        raise
    except ConflictError:
        return _conflict(desk, desk.broker.client(desk.name))
    except OAuthConnError as error:
        return _form(desk, client, desk.form, placed(error, desk.form))


def _changed(desk: Desk, client: ClientRegistration, changes: Mapping[str, Any]) -> Answer:
    """Saves, or asks first. Raises `OAuthConnError`."""
    ended = desk.broker.preview_client(client.name, changes)
    if ended.sign_ins and desk.do != "confirm":
        count = words.count(ended.sign_ins, "sign-in")
        return Page(
            template="edit_confirm.html",
            title=f"{count} will have to be repeated",
            section=SECTION,
            context={
                **management(desk),
                "name": client.name,
                "count": count,
                "kept": _kept(desk.form) | {"version": str(client.version)},
                "table": use_table(ended, "Connections whose people sign in again"),
            },
        )
    desk.broker.edit_client(client.name, changes, version=client.version)
    return GoTo(address=desk.afterwards(), done="saved")


def _back(desk: Desk) -> Answer:
    """From the question to the form, with what was typed."""
    client = desk.broker.client(desk.name)
    return _form(desk, client, desk.form, {}, version=desk.version())


def _conflict(desk: Desk, client: ClientRegistration) -> Page:
    """What was typed is kept; saving it again is about what is stored now."""
    by = f" by {client.updated_by}" if client.updated_by else ""
    return _form(
        desk,
        client,
        desk.form,
        {"": f"The OAuth client was changed meanwhile{by}, {words.moment(client.updated_at)}. "
         "Compare below, then save again: that replaces what is stored now."},
        conflict=True,
    )  # fmt: skip


def _compared(client: ClientRegistration, typed: Mapping[str, str], groups: list[Group]) -> Table:
    stored = typed_of(client)
    shown = [one for group in groups for one in group.fields]
    return Table(
        caption="Stored now, and typed by you",
        columns=("Field", "Stored now", "Typed by you"),
        rows=[
            texts(one.label, stored.get(one.name) or "empty", typed.get(one.name) or "empty")
            for one in shown
            if typed.get(one.name, "").split() != stored.get(one.name, "").split()
        ],
        empty="You typed the same as is stored now.",
    )


def _form(
    desk: Desk,
    client: ClientRegistration,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    version: int | None = None,
    conflict: bool = False,
) -> Page:
    entry = desk.broker.provider(client.provider)
    groups = ClientForm(entry=entry, typed=typed, errors=errors).everything(
        all_open=desk.came_from_test
    )
    wrong = HTTPStatus.CONFLICT if conflict else HTTPStatus.BAD_REQUEST
    return Page(
        template="edit.html",
        title=f"Edit {client.name}",
        section=SECTION,
        status=wrong if errors else HTTPStatus.OK,
        context={
            **management(desk),
            "steps": STEPS if desk.in_wizard else (),
            "name": client.name,
            "version": client.version if version is None else version,
            "back": desk.afterwards(),
            "groups": groups,
            "errors": summary(groups, errors),
            "compared": _compared(client, typed, groups) if conflict else None,
        },
    )


def _kept(typed: Mapping[str, str]) -> dict[str, str]:
    return {name: one for name, one in typed.items() if name not in {"_xsrf", "page_key"}}


PAGES = (
    AdminPage(path=f"{ONE}/edit", look=_look,
              acts={"save": _save, "confirm": _save, "back": _back}),
)  # fmt: skip
