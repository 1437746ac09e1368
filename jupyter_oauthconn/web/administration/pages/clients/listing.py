"""All OAuth clients."""

from __future__ import annotations

from datetime import datetime

from jupyter_oauthconn.model import ClientRegistration

from ... import words
from ...desk import AdminPage, Desk, Page
from ...views import Cell, Table

SECTION = "clients"
_COLUMNS = ("Name", "Provider", "Last update", "Used by", "Secret", "May use it", "State",
            "Managed by")  # fmt: skip


def management(desk: Desk) -> dict[str, bool]:
    """For the banner of the pages of clients."""
    return {"managed": desk.service.settings.now().client_management_enabled}


def _look(desk: Desk) -> Page:
    now = desk.now
    return Page(
        template="clients.html",
        title="OAuth clients",
        section=SECTION,
        context={
            **management(desk),
            "table": Table(
                caption="OAuth clients that are registered here",
                columns=_COLUMNS,
                rows=[_row(desk, one, now) for one in desk.broker.clients()],
                empty="No OAuth client is registered yet. Register the first one: it takes a few "
                "minutes, and people can connect at once.",
            ),
        },
    )


def _row(desk: Desk, client: ClientRegistration, now: datetime) -> list[Cell]:
    secret, mood = words.secret_end(client, now)
    provider = client.title if client.title != client.name else ""
    date, _, time = words.moment(client.updated_at).partition(", ")
    by = f" by {client.updated_by}" if client.updated_by else ""
    return [
        Cell(text=client.name, href=desk.at(f"clients/{client.name}"), note=client.description),
        Cell(text=provider or client.provider, note=client.provider if provider else ""),
        Cell(text=date, note=f"{time}{by}"),
        used_by(desk, client),
        Cell(text=secret, mood=mood),
        Cell(text=words.may_use(client)),
        enabled(client),
        Cell(text=words.managed_by(client)),
    ]


def used_by(desk: Desk, client: ClientRegistration) -> Cell:
    """How many connections, and how many sign-ins."""
    if not client.used_by:
        return Cell(text="nothing yet")
    use = desk.broker.client_use(client.name)
    return Cell(
        text=words.count(len(use.connections), "connection"),
        note=words.count(use.sign_ins, "sign-in"),
    )


def enabled(client: ClientRegistration) -> Cell:
    if client.enabled:
        return Cell(text="Enabled", mood="ok")
    return Cell(text="Switched off", mood="failed")


PAGES = (AdminPage(path="/?", look=_look),)
