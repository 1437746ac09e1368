"""A connection as a cell shows it: what it is, as whom, until when, and which handles it has.

It is kept in the notebook. So it says how long things last in round words that are true when they
are shown, no time of day, and no id, host or port.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape

from jupyter_oauthconn.model import State, Status

from .. import views
from ..current import Place
from .opening import kinds_of

_FINE = frozenset({State.CONNECTED, State.EXPIRING})
_STEP_MINUTES = 5
#: Up to these, a duration is told in minutes, and in hours.
_MINUTES, _HOURS = timedelta(minutes=50), timedelta(hours=36)


def card_of(place: Place, name: str) -> str:
    """HTML: a table whose caption names the connection. No colour says anything."""
    connection = place.broker.connection(name)
    entry = place.broker.provider(connection.provider)
    status = connection.status or Status(state=State.NOT_CONNECTED, next_step="")
    handles = ", ".join(f"<code>{escape(one)}</code>" for one in kinds_of(connection, entry))
    facts = {
        "Provider": escape(entry.title),
        "Status": escape(status.state.words),
        "Connected as": escape(status.identity or ""),
        "Access token": _left(status.expires_at, "renewed by itself"),
        "Sign-in": _left(status.refresh_expires_at, ""),
        "Handles": handles,
        "Next step": "" if status.state in _FINE else views.marked(status.next_step),
    }
    rows = "".join(
        f'<tr><th scope="row">{label}</th><td>{text}</td></tr>'
        for label, text in facts.items()
        if text
    )
    return (
        f"<table><caption>Connection <em>{escape(name)}</em></caption><tbody>{rows}</tbody></table>"
    )


def _left(end: datetime | None, then: str) -> str:
    """`good for about 5 minutes when shown`, empty where nobody knows."""
    if end is None:
        return ""
    left = end - datetime.now(UTC)
    if left <= timedelta(0):
        return "has ended"
    return f"good for {in_words(left)} when shown" + (f", {then}" if then else "")


def in_words(duration: timedelta) -> str:
    """A duration in round words: the same for every run of a notebook."""
    if duration < timedelta(minutes=1):
        return "less than a minute"
    if duration < _MINUTES:
        minutes = duration / timedelta(minutes=1)
        # a token that was just issued lives a moment less than five minutes
        if minutes < _STEP_MINUTES / 2:
            return "a few minutes"
        return f"about {_STEP_MINUTES * round(minutes / _STEP_MINUTES)} minutes"
    if duration < _HOURS:
        hours = round(duration / timedelta(hours=1))
        return "about an hour" if hours == 1 else f"about {hours} hours"
    return f"about {round(duration / timedelta(days=1))} days"
