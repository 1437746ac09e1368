"""Deleting an OAuth client: what it breaks is shown, and its name must be typed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from jupyter_oauthconn.errors import ConflictError

from ...desk import AdminPage, Answer, Desk, GoTo, Page
from ...views import Field, Group, summary
from .facts import ONE, use_table
from .listing import SECTION, management


def _look(desk: Desk) -> Answer:
    return _page(desk, {})


def _delete(desk: Desk) -> Answer:
    if desk.form.get("typed_name", "").strip() != desk.name:
        return _page(desk, {"typed_name": f"Type {desk.name} exactly, to say that you mean it."})
    changed = "It or what uses it was changed meanwhile. Look again, then delete it."
    if desk.form.get("seen") != str(desk.broker.client_use(desk.name)):
        return _page(desk, {"": changed}, status=HTTPStatus.CONFLICT)
    try:
        desk.broker.remove_client(desk.name, force=True, version=desk.version())
    except ConflictError:
        return _page(desk, {"": changed}, status=HTTPStatus.CONFLICT)
    return GoTo(address=desk.at(""), done="client-deleted")


def _page(desk: Desk, errors: Mapping[str, str], *, status: int = HTTPStatus.BAD_REQUEST) -> Page:
    client = desk.broker.client(desk.name)
    desk.service.access.check_change(desk.actor, client)
    use = desk.broker.client_use(client.name)
    group = Group(
        title="Confirm",
        fields=(
            Field(name="typed_name", label=f"Type the name {client.name}", required=True,
                  error=errors.get("typed_name", "")),
        ),
    )  # fmt: skip
    return Page(
        template="delete.html",
        title=f"Delete {client.name}?",
        section=SECTION,
        status=status if errors else HTTPStatus.OK,
        context={
            **management(desk),
            "client": client,
            "use": use,
            "table": use_table(use, "What is removed with it"),
            "groups": [group],
            "errors": summary([group], errors),
        },
    )


PAGES = (AdminPage(path=f"{ONE}/delete", look=_look, acts={"delete": _delete}),)
