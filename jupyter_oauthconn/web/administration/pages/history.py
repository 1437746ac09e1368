"""What happened: filtered, in pages, and as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jupyter_oauthconn.model import ALL_EVENTS, Event, EventFilter

from .. import words
from ..desk import AdminPage, Answer, Desk, Download, Page
from ..views import Cell, Field, Table
from .sign_ins import choice

_FILTERS = ("kind", "owner", "client", "connection", "outcome")
_COLUMNS = ("When", "What", "Outcome", "Owner", "Done by", "OAuth client", "Connection")
_A_PAGE = 50
_AT_ONCE = 1000
#: So that one file stays readable, and one request ends.
_MOST_EXPORTED = 100_000
_LONGEST_ID = 18
#: Spreadsheets calculate what begins so (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def _look(desk: Desk) -> Answer:
    filters, wanted = _wanted(desk)
    before, trail = _number(desk.query.get("before")), desk.query.get("trail", "")
    found = desk.broker.events(limit=_A_PAGE + 1, wanted=replace(wanted, before=before))
    shown, more = found[:_A_PAGE], len(found) > _A_PAGE
    older = newer = None
    if more:
        behind = ".".join(filter(None, (trail, str(before or 0))))
        older = desk.at("history", **filters, before=str(shown[-1].id), trail=behind)
    if before is not None:
        *earlier, last = trail.split(".")
        place = {"before": last} if _number(last) else {}
        newer = desk.at("history", **filters, **place, **({"trail": ".".join(earlier)}
                                                          if earlier else {}))  # fmt: skip
    return Page(
        template="history.html",
        title="History",
        section="history",
        context={
            "filters": _fields(desk),
            "older": older,
            "newer": newer,
            "most": f"{_MOST_EXPORTED:,}",
            "export": desk.at("history.csv", **filters),
            "table": Table(
                caption="What happened, the newest first",
                columns=_COLUMNS,
                rows=[_row(one) for one in shown],
                empty="Nothing of that kind has happened.",
            ),
        },
    )


def _wanted(desk: Desk) -> tuple[dict[str, str], EventFilter]:
    """The filters of the address, as they stand there and as they are asked for."""
    given = {name: desk.query[name] for name in _FILTERS if desk.query.get(name)}
    wanted: dict[str, Any] = dict(given)
    return given, replace(ALL_EVENTS, **wanted)


def _fields(desk: Desk) -> list[Field]:
    store, query = desk.service.store, desk.query
    owners = sorted(set(store.owners.names().values()))
    clients = [one.name for one in desk.broker.clients()]
    return [
        choice("kind", "What", store.journal.kinds(), query.get("kind", "")),
        choice("owner", "Owner", owners, query.get("owner", "")),
        choice("client", "OAuth client", clients, query.get("client", "")),
        Field(name="connection", label="Connection", value=query.get("connection", "")),
        Field(name="outcome", label="Outcome", value=query.get("outcome", ""), example="ok"),
    ]


def _row(one: Event) -> list[Cell]:
    good = one.outcome == "ok"
    return [
        Cell(text=words.moment(one.at)),
        Cell(text=words.plain(one.kind)),
        Cell(text=words.plain(one.outcome), mood="ok" if good else "unknown"),
        Cell(text=one.owner),
        Cell(text=one.actor or one.owner),
        Cell(text=one.client or ""),
        Cell(text=one.connection or ""),
    ]


def _export(desk: Desk) -> Answer:
    written = io.StringIO()
    rows = csv.writer(written, quoting=csv.QUOTE_ALL)
    rows.writerow(["id", "at", "kind", "outcome", "owner", "actor", "client", "connection"])
    for one in _all(desk, _wanted(desk)[1]):
        at = one.at.isoformat() if one.at else ""
        texts = (at, one.kind, one.outcome, one.owner, one.actor, one.client, one.connection)
        rows.writerow([one.id, *(harmless(text or "") for text in texts)])
    return Download(
        filename="oauthconn-history.csv",
        content_type="text/csv; charset=utf-8",
        content=written.getvalue(),
    )


def _all(desk: Desk, wanted: EventFilter) -> Iterator[Event]:
    """The newest first, and not without end."""
    for _ in range(0, _MOST_EXPORTED, _AT_ONCE):
        found = desk.broker.events(limit=_AT_ONCE, wanted=wanted)
        yield from found
        if len(found) < _AT_ONCE:
            return
        wanted = replace(wanted, before=found[-1].id)


def harmless(text: str) -> str:
    """A value that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _number(text: str | None) -> int | None:
    """Of a place in the history; None for what is none."""
    if text is None or not text.isdecimal() or len(text) > _LONGEST_ID:
        return None
    return int(text) or None


PAGES = (
    AdminPage(path="/history", look=_look),
    AdminPage(path="/history\\.csv", look=_export),
)
