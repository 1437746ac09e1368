"""Who may use an OAuth client."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from jupyter_oauthconn.errors import ConflictError
from jupyter_oauthconn.model import ClientRegistration

from ... import words
from ...desk import AdminPage, Answer, Desk, GoTo, Page
from ...forms.access_form import people_fields, typed_people
from ...forms.reading import Reading
from ...views import summary
from .facts import ONE
from .listing import SECTION, management
from .register import STEPS


def _look(desk: Desk) -> Answer:
    client = desk.broker.client(desk.name)
    desk.service.access.check_change(desk.actor, client)
    typed = typed_people(client.allowed_users, client.allowed_groups)
    return _form(desk, client, typed, {})


def _save(desk: Desk) -> Answer:
    client = desk.broker.client(desk.name)
    reading = Reading(desk.form)
    users, groups = reading.people()
    if reading.errors:
        return _form(desk, client, desk.form, reading.errors)
    try:
        desk.broker.edit_client(
            desk.name,
            {"allowed_users": users, "allowed_groups": groups},
            version=desk.version(),
        )
    except ConflictError:
        client = desk.broker.client(desk.name)
        by = f" by {client.updated_by}" if client.updated_by else ""
        told = (
            f"The OAuth client was changed meanwhile{by}. Stored now: {words.may_use(client)}. "
            "Save again to replace that."
        )
        return _form(desk, client, desk.form, {"": told}, status=HTTPStatus.CONFLICT)
    return GoTo(address=desk.at(f"clients/{desk.name}"), done="access")


def _form(
    desk: Desk,
    client: ClientRegistration,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = HTTPStatus.BAD_REQUEST,
) -> Page:
    group = people_fields(typed, errors, title="Who may use it", nobody="Nobody but administrators")
    return Page(
        template="access.html",
        title=f"Who may use {client.name}?",
        section=SECTION,
        status=status if errors else HTTPStatus.OK,
        context={
            **management(desk),
            "client": client,
            "steps": STEPS if desk.in_wizard else (),
            "groups": [group],
            "errors": summary([group], errors),
        },
    )


PAGES = (AdminPage(path=f"{ONE}/access", look=_look, acts={"save": _save}),)
