"""Testing an OAuth client, and trying a sign-in of one's own with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from jupyter_oauthconn.errors import InvalidNameError, InvalidParameterError, NotAllowedError
from jupyter_oauthconn.model import (
    AuthMethod,
    Check,
    ClientRegistration,
    ConnectionDraft,
    Outcome,
    check_name,
)
from jupyter_oauthconn.service.checks.redirect_uris import redirect_uris

from ... import words
from ...desk import AdminPage, Answer, Desk, GoTo, Page
from ...views import Cell, Link, Table
from .facts import ONE, changeable
from .listing import SECTION, management
from .register import STEPS

#: Where on these pages a failed check is mended: words of the link, page and field.
_EDIT_ADDRESSES = ("Edit the addresses", "edit", "issuer")
_PLACES = {
    "enabled": ("Switch it on", "", ""),
    "metadata": _EDIT_ADDRESSES,
    "provider": _EDIT_ADDRESSES,
    "token endpoint": _EDIT_ADDRESSES,
    "client secret": ("Add a client secret", "secrets", "client_secret"),
    "client authentication": ("Edit the client ID", "edit", "client_id"),
    "redirect URI": ("Or edit those stored here", "edit", "redirect_uris"),
    "refresh token": ("Edit the scope", "edit", "scope"),
}


def findings_table(
    caption: str,
    findings: Sequence[Check],
    links: Callable[[Check], tuple[Link, ...]] = lambda _: (),
) -> Table:
    """One line each: ok, failed or cannot be told, with the next step and where to take it."""
    return Table(
        caption=caption,
        columns=("Looked at", "Outcome", "Found", "Next step"),
        rows=[
            [
                Cell(text=one.check),
                Cell(text=words.outcome(one.outcome), mood=one.outcome.value),
                Cell(text=one.detail),
                Cell(text=_here(one) if place else _step_here(one), links=place),
            ]
            for one in findings
            for place in [links(one)]
        ],
        empty="Nothing was looked at.",
    )


def _here(check: Check) -> str:
    """A next step without the command that the link beside it stands for."""
    spoken = re.sub(r"(, then )?`jupyter oauthconn [^`]*`\.?", "", check.next_step).strip()
    return spoken if not spoken or spoken.endswith(".") else f"{spoken}."


def _step_here(check: Check) -> str:
    """A next step as it is taken on these pages."""
    if (check.check, check.outcome) == ("refresh token", Outcome.UNKNOWN):
        return "Try a sign-in below, then run the test again."
    return check.next_step


def _look(desk: Desk) -> Answer:
    return _page(desk, None)


def _test(desk: Desk) -> Answer:
    """Changes nothing, so its outcome is shown at once."""
    here = redirect_uris(desk.broker.client(desk.name), f"{desk.origin}{desk.host.mount}")
    return _page(desk, [here, *desk.broker.test_client(desk.name)])


def _links(desk: Desk, client: ClientRegistration, check: Check) -> tuple[Link, ...]:
    """To the fields that a failed check is about; saving them leads back to the test."""
    kind = "redirect URI" if check.check.startswith("redirect URI") else check.check
    if check.outcome is not Outcome.FAILED or kind not in _PLACES or not changeable(client):
        return ()
    places = [_PLACES[kind]]
    if kind == "client authentication" and client.auth_method is not AuthMethod.NONE:
        places.append(_PLACES["client secret"])
    step = {"step": desk.query["step"]} if desk.in_wizard else {}
    return tuple(
        Link(
            text=text,
            what=f"of {client.name}",
            href=desk.at(f"clients/{client.name}/{page}".rstrip("/"), after="test", **step)
            + (f"#{field}" if field else ""),
        )
        for text, page, field in places
    )


def _page(desk: Desk, findings: Sequence[Check] | None) -> Page:
    client = desk.broker.client(desk.name)
    links = partial(_links, desk, client)
    return Page(
        template="test.html",
        title=f"Test {client.name}",
        section=SECTION,
        context={
            **management(desk),
            "client": client,
            "steps": STEPS if desk.in_wizard else (),
            "table": findings and findings_table("What was found", findings, links),
            "failed": sum(one.outcome is Outcome.FAILED for one in findings or ()),
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


PAGES = (AdminPage(path=f"{ONE}/test", look=_look, acts={"test": _test, "try": _try}),)
