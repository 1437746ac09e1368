"""Testing an OAuth client, and trying a sign-in of one's own with it."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_oauthconn.errors import InvalidNameError, InvalidParameterError, NotAllowedError
from jupyter_oauthconn.model import Check, ConnectionDraft, check_name

from ... import words
from ...desk import AdminPage, Answer, Desk, GoTo, Page
from ...views import Cell, Table
from .facts import ONE
from .listing import SECTION, management
from .register import STEPS


def findings_table(caption: str, findings: Sequence[Check]) -> Table:
    """One line each: ok, failed or cannot be told, with the next step."""
    return Table(
        caption=caption,
        columns=("Looked at", "Outcome", "Found", "Next step"),
        rows=[
            [
                Cell(text=one.check),
                Cell(text=words.outcome(one.outcome), mood=one.outcome.value),
                Cell(text=one.detail),
                Cell(text=one.next_step),
            ]
            for one in findings
        ],
        empty="Nothing was looked at.",
    )


def _look(desk: Desk) -> Answer:
    return _page(desk, None)


def _test(desk: Desk) -> Answer:
    """Changes nothing, so its outcome is shown at once."""
    return _page(desk, desk.broker.test_client(desk.name))


def _page(desk: Desk, findings: Sequence[Check] | None) -> Page:
    client = desk.broker.client(desk.name)
    return Page(
        template="test.html",
        title=f"Test {client.name}",
        section=SECTION,
        context={
            **management(desk),
            "client": client,
            "steps": STEPS if in_wizard(desk) else (),
            "table": findings and findings_table("What was found", findings),
        },
    )


def _try(desk: Desk) -> Answer:
    """Leads to the start page of a connection of one's own, made if there is none."""
    client = desk.broker.client(desk.name)
    own = [one.name for one in desk.broker.connections() if one.mine and one.client == client.name]
    if own:
        return GoTo(address=f"{desk.host.mount}connect/{own[0]}")
    try:
        made = desk.broker.add_connection(
            ConnectionDraft(name=_free_name(desk, client.name), client=client.name)
        )
    except InvalidParameterError:
        address = desk.at("connections/new", client=client.name)
        return GoTo(address=address, done="needs-parameters")
    return GoTo(address=f"{desk.host.mount}connect/{made.name}")


def _free_name(desk: Desk, wanted: str) -> str:
    """Raises `NotAllowedError`: nobody has a hundred of them."""
    taken = {one.name for one in desk.broker.connections()}
    for name in (wanted, *(f"{wanted[:36]}-{number}" for number in range(2, 100))):
        try:
            if name not in taken:
                return check_name(name, "connection")
        except InvalidNameError:
            continue  # a verb of %connect
    raise NotAllowedError(
        f"There are too many connections named like {wanted!r}.", hint="Create one by hand."
    )


def in_wizard(desk: Desk) -> bool:
    """Whether the page is a step on the way to a new OAuth client."""
    return "step" in desk.query


PAGES = (AdminPage(path=f"{ONE}/test", look=_look, acts={"test": _test, "try": _try}),)
