"""Everybody's sign-ins: seen and ended by an administrator, never used."""

from __future__ import annotations

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import Outcome, OwnedGrant, State

from .. import words
from ..desk import AdminPage, Answer, Desk, GoTo, Page
from ..views import Cell, Field, Link, Option, Table

SECTION = "sign-ins"
_COLUMNS = ("Owner", "Connection", "OAuth client", "State", "Connected as", "Since",
            "Last refresh", "Actions")  # fmt: skip
_MOODS = {State.CONNECTED: "ok", State.EXPIRING: "waiting", State.DEGRADED: "waiting",
          State.PENDING: "waiting"}  # fmt: skip


def choice(name: str, label: str, values: list[str], chosen: str) -> Field:
    """A filter: everything, or one of these."""
    options = (Option(value="", text="all"), *(Option(value=one, text=one) for one in values))
    return Field(name=name, label=label, kind="select", value=chosen, options=options)


def _look(desk: Desk) -> Answer:
    owner, client = desk.query.get("owner", ""), desk.query.get("client", "")
    found = desk.broker.grants(owner=owner or None, client=client or None)
    owners = sorted(set(desk.service.store.owners.names().values()))
    clients = [one.name for one in desk.broker.clients()]
    return Page(
        template="sign_ins.html",
        title="Sign-ins",
        section=SECTION,
        context={
            "filters": [
                choice("owner", "Owner", owners, owner),
                choice("client", "OAuth client", clients, client),
            ],
            "table": Table(
                caption=f"{words.count(len(found), 'sign-in')}",
                columns=_COLUMNS,
                rows=[_row(desk, one) for one in found],
                empty="Nobody is signed in."
                if not owner and not client
                else "There is none of these. Choose others above.",
            ),
        },
    )


def _row(desk: Desk, one: OwnedGrant) -> list[Cell]:
    status = one.status
    ends = status.refresh_expires_at
    revoke = Link(
        text="End",
        what=f"the sign-in of {one.owner} for {one.connection}",
        href=desk.at(f"sign-ins/{one.id}"),
    )
    return [
        Cell(text=one.owner),
        Cell(text=one.connection),
        Cell(text=one.client, href=desk.at(f"clients/{one.client}")),
        Cell(text=status.state.words, mood=_MOODS.get(status.state, "failed")),
        Cell(text=status.identity or "not told"),
        Cell(
            text=words.moment(status.connected_at),
            note=f"until {words.moment(ends)}" if ends else "",
        ),
        Cell(text=words.moment(status.refreshed_at) or "none yet"),
        Cell(links=(revoke,)),
    ]


def _ask(desk: Desk) -> Answer:
    grant = _grant(desk)
    client = next((one for one in desk.broker.clients() if one.name == grant.client), None)
    entry = desk.service.catalog.find(client.provider) if client is not None else None
    as_whom = f" as {grant.status.identity}" if grant.status.identity else ""
    sentences = [
        f"{grant.owner} is signed in for {grant.connection}{as_whom}. Notebooks that use it get "
        "no token until that person signs in again.",
        "The tokens are forgotten here at once, and the provider is asked to end them.",
    ]
    return Page(
        template="confirm.html",
        title=f"End the sign-in of {grant.owner} for {grant.connection}?",
        section=SECTION,
        context={
            "sentences": [*sentences, *([entry.revocation_note] if entry else [])],
            "button": "End the sign-in",
            "back": desk.at("sign-ins"),
            "kept": {},
        },
    )


def _revoke(desk: Desk) -> Answer:
    outcome = desk.broker.revoke_grant(_grant(desk).id)
    done = "revoked" if outcome.at_provider is Outcome.OK else "revoked-here"
    return GoTo(address=desk.at("sign-ins"), done=done)


def _grant(desk: Desk) -> OwnedGrant:
    """Raises `InvalidParameterError`."""
    for one in desk.broker.grants():
        if str(one.id) == desk.path["id"]:
            return one
    raise InvalidParameterError(
        "There is no such sign-in, or not any more.", hint="List them again.", parameter="id"
    )


PAGES = (
    AdminPage(path="/sign-ins", look=_look),
    AdminPage(path="/sign-ins/(?P<id>[^/]+)", look=_ask, acts={"confirm": _revoke}),
)
