"""A connection as a cell shows it: what it is, as whom, until when, and which handles it has."""

from __future__ import annotations

from html import escape

from jupyter_oauthconn.model import State, Status

from .. import views
from ..current import Place
from .opening import kinds_of, spelled


def card_of(place: Place, name: str) -> str:
    """HTML: a table whose caption names the connection. No id, no port, no colour that says
    anything."""
    connection = place.broker.connection(name)
    entry = place.broker.provider(connection.provider)
    status = connection.status or Status(state=State.NOT_CONNECTED, next_step="")
    titles = {spelled(one.kind): one.title for one in reversed(entry.handles)}
    handles = ", ".join(
        f"<code>{escape(kind)}</code>" + (f" ({escape(titles[kind])})" if titles.get(kind) else "")
        for kind in kinds_of(connection, entry)
    )
    facts = {
        "Provider": escape(entry.title),
        "Status": escape(status.state.words),
        "Connected as": escape(status.identity or ""),
        "Access token until": escape(views.when(status.expires_at)),
        "Sign-in until": escape(views.when(status.refresh_expires_at)),
        "Handles": handles,
        "Next step": views.marked(status.next_step),
    }
    rows = "".join(
        f'<tr><th scope="row">{label}</th><td>{text}</td></tr>'
        for label, text in facts.items()
        if text
    )
    return (
        f"<table><caption>Connection <em>{escape(name)}</em></caption><tbody>{rows}</tbody></table>"
    )
