"""Lists and facts that show themselves as a table, in a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from typing import Generic, TypeVar, overload
from urllib.parse import urlsplit

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.model import (
    EVERYBODY,
    IN_DATABASE,
    Check,
    ClientRegistration,
    ClientSecretInfo,
    ClientUse,
    Connection,
    ConnectionUse,
    Endurance,
    Event,
    Outcome,
    Revocation,
    State,
    Status,
)

from . import drafts

T = TypeVar("T")
Columns = Mapping[str, Callable[[T], str]]


class Listing(Sequence[T], Generic[T]):
    """A sequence of values that prints as a table of some of their fields."""

    def __init__(self, items: Sequence[T], columns: Columns[T], *, empty: str) -> None:
        self._items = tuple(items)
        self._columns = columns
        self._empty = empty

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return _plain(list(self._columns), self._rows()) if self._items else self._empty

    def _repr_html_(self) -> str:
        return _html(list(self._columns), self._rows()) if self._items else escape(self._empty)

    def _rows(self) -> list[list[str]]:
        return [[text(item) for text in self._columns.values()] for item in self._items]


class Facts(Mapping[str, str]):
    """What there is to say about one thing, one line for each; `value` is the thing itself."""

    def __init__(self, facts: Mapping[str, str | None], value: object = None) -> None:
        self._facts = {name: text for name, text in facts.items() if text}
        self.value = value

    def __getitem__(self, name: str) -> str:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __repr__(self) -> str:
        width = max(map(len, self._facts), default=0)
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self._facts.items())

    def _repr_html_(self) -> str:
        return _html([], [[name, text] for name, text in self._facts.items()])


def connections(items: Sequence[Connection], *, long: bool = False) -> Listing[Connection]:
    own = {one.name for one in items if one.mine}
    columns: dict[str, Callable[[Connection], str]] = {
        "Name": lambda one: named(one, own),
        "Status": lambda one: _status(one).state.words,
        "Connected as": lambda one: _status(one).identity or "",
    }
    if long:
        columns |= {
            "OAuth client": lambda one: one.client,
            "Signed in": lambda one: when(_status(one).connected_at),
            "Last refresh": lambda one: when(_status(one).refreshed_at),
            "Expires": lambda one: when(_status(one).expires_at),
            "Next step": lambda one: _status(one).next_step,
        }
    return Listing(items, columns, empty="No connections yet. `%connect add` makes one.")


def clients(items: Sequence[ClientRegistration]) -> Listing[ClientRegistration]:
    return Listing(
        items,
        {
            "Name": lambda one: one.name,
            "Provider": lambda one: one.provider,
            "Client id": lambda one: one.client_id,
            "Enabled": lambda one: "yes" if one.enabled else "no",
            "May use it": who_may_use,
            "Secret ends": secret_end,
            "Connections": lambda one: str(one.used_by),
        },
        empty="No OAuth clients yet. `%oauthclient register` makes one.",
    )


def providers(items: Sequence[ProviderEntry]) -> Listing[ProviderEntry]:
    return Listing(
        items,
        {
            "Key": lambda one: one.key,
            "Provider": lambda one: one.title,
            "Checked": lambda one: one.checked,
            "Confidence": lambda one: one.confidence,
        },
        empty="The catalog is empty.",
    )


def checks(items: Sequence[Check]) -> Listing[Check]:
    words = {Outcome.OK: "ok", Outcome.FAILED: "failed", Outcome.UNKNOWN: "not known"}
    return Listing(
        items,
        {
            "Check": lambda one: one.check,
            "Outcome": lambda one: words[one.outcome],
            "Detail": lambda one: one.detail,
            "Next step": lambda one: one.next_step,
        },
        empty="Nothing to report.",
    )


def events(items: Sequence[Event]) -> Listing[Event]:
    return Listing(
        items,
        {
            "When": lambda one: when(one.at),
            "What": lambda one: one.kind.replace("_", " "),
            "Outcome": lambda one: one.outcome,
            "OAuth client": lambda one: one.client or "",
            "Connection": lambda one: one.connection or "",
        },
        empty="Nothing has happened yet.",
    )


def status(connection: Connection, *, edited: bool = False) -> Facts:
    """Everything about one connection, its next step last.

    Args:
        edited: says in words whether the change needs a new sign-in.
    """
    now = _status(connection)
    return Facts(
        {
            "Name": connection.name,
            "Status": now.state.words,
            "Connected as": now.identity,
            "Meant for": connection.login_hint,
            "Shared by": None if connection.mine else connection.owner,
            "Shared with": shared_with(connection),
            "OAuth client": connection.client,
            "Provider": connection.provider,
            "Parameters": _pairs(connection.parameters),
            "Scope": now.scope or connection.scope,
            "Missing scope": now.missing_scope,
            "Signed in": when(now.connected_at),
            "Last refresh": when(now.refreshed_at),
            "Access token until": when(now.expires_at),
            "Sign-in until": when(now.refresh_expires_at),
            "Last error": now.last_error.message if now.last_error else None,
            "New sign-in": new_sign_in(connection) if edited else None,
            "Next step": now.next_step,
        },
        connection,
    )


def client(one: ClientRegistration, *, ended: ClientUse | None = None) -> Facts:
    """An OAuth client, with the redirect URIs that must be entered at the provider.

    Args:
        ended: what a change that was just made has ended.
    """
    return Facts(
        {
            "Name": one.name,
            "Description": one.description,
            "Provider": one.provider,
            "Client id": one.client_id,
            "Issuer": one.issuer,
            "Endpoints": _pairs(drafts.present(asdict(one.endpoints))),
            "Authentication": one.auth_method.value,
            "Secrets": "; ".join(secret_words(each) for each in one.secrets),
            "Parameters": _pairs(one.parameters),
            "Scope": one.scope,
            "Redirect URIs": "  ".join(redirect_uris(one)),
            "May use it": who_may_use(one),
            "Enabled": "yes" if one.enabled else "no",
            "Managed by": None if one.managed_by == IN_DATABASE else one.managed_by,
            "Sign in again": str(ended) if ended is not None and ended.sign_ins else None,
        },
        one,
    )


def client_use(use: ClientUse) -> Listing[ConnectionUse]:
    """What hangs on an OAuth client."""
    return Listing(
        use.connections,
        {
            "Connection": lambda one: one.connection,
            "Owner": lambda one: one.owner,
            "Sign-ins": lambda one: str(one.sign_ins),
        },
        empty="No connection uses it.",
    )


def preview(name: str, ended: ClientUse) -> Facts:
    """What a change of an OAuth client would end."""
    return Facts({"Name": name, "Sign in again": str(ended) if ended.sign_ins else "nobody"}, ended)


def who_may_use(one: ClientRegistration) -> str:
    """An access list in words."""
    if one.owner is not None:
        return f"{one.owner} only"
    if EVERYBODY in one.allowed_users:
        return "everyone"
    who = (*one.allowed_users, *(f"group {group}" for group in one.allowed_groups))
    return ", ".join((*who, "administrators")) if who else "administrators only"


def secret_words(one: ClientSecretInfo) -> str:
    """`set 2026-11-01 12:00 UTC, ends 2027-10-31, from env:NAME`; never the secret."""
    ends = f", ends {_day(one.ends_at)}" if one.ends_at else ""
    return f"set {when(one.set_at)}{ends}" + (f", from {one.reference}" if one.reference else "")


def secret_end(one: ClientRegistration) -> str:
    """When the newest client secret ends: that is the one in use."""
    if not one.secrets:
        return "no secret"
    ends_at = one.secrets[0].ends_at
    return _day(ends_at) if ends_at else "not known"


def redirect_uris(one: ClientRegistration) -> list[str]:
    """As they are entered at the provider: those of a native app without port (RFC 8252 §7.3)."""
    if one.loopback_port != "any":
        return list(one.redirect_uris)
    parts = [urlsplit(uri) for uri in one.redirect_uris]
    shown = [
        f"{part._replace(netloc=part.netloc.removesuffix(f':{part.port}')).geturl()} (any port)"
        if part.scheme == "http"
        else part.geturl()
        for part in parts
    ]
    return list(dict.fromkeys(shown))


def shared_with(one: Connection) -> str:
    """In words; what is shared is the definition."""
    if EVERYBODY in one.shared_users:
        return "everyone"
    return ", ".join((*one.shared_users, *(f"group {group}" for group in one.shared_groups)))


def named(one: Connection, own: Collection[str]) -> str:
    """Its name, and of one that is shared by whom; `own`: the names of one's own."""
    if one.mine:
        return one.name
    hidden = ", hidden by yours" if one.name in own else ""
    return f"{one.name} (shared by {one.owner}{hidden})"


def new_sign_in(one: Connection) -> str:
    """Whether its owner has to sign in (again) before there is another token."""
    return "needed" if _status(one).state in _WITHOUT_SIGN_IN else "not needed"


_WITHOUT_SIGN_IN = frozenset({State.NOT_CONNECTED, State.PENDING, State.REAUTH_REQUIRED})


def endurance(one: Endurance) -> Facts:
    return Facts(
        {
            "Lasts": "not known" if one.lasts is None else "yes" if one.lasts else "no",
            "Detail": one.detail,
            "Access token until": when(one.expires_at),
            "Sign-in until": when(one.refresh_expires_at),
        },
        one,
    )


def revocation(one: Revocation) -> Facts:
    words = {Outcome.OK: "revoked", Outcome.FAILED: "not confirmed", Outcome.UNKNOWN: "not known"}
    return Facts(
        {
            "Here": "forgotten",
            "At the provider": words[one.at_provider],
            "Detail": one.detail,
            "Also ended": ", ".join(one.siblings),
        },
        one,
    )


def when(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if at is not None else ""


def _day(end: datetime) -> str:
    return f"{end.astimezone(UTC):%Y-%m-%d}"


def _status(one: Connection) -> Status:
    return one.status or Status(state=State.NOT_CONNECTED, next_step="")


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _plain(heads: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = (
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    )
    return "\n".join(lines)


def _html(heads: list[str], rows: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    head = f"<thead><tr>{head}</tr></thead>" if heads else ""
    body = "".join(_row(row, header=not heads) for row in rows)
    return f"<table>{head}<tbody>{body}</tbody></table>"


def marked(text: str) -> str:
    """A next step's commands stand between backticks."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{one}</code>" if i % 2 else one for i, one in enumerate(parts))


def _row(row: list[str], *, header: bool) -> str:
    cells = [f"<td>{marked(one)}</td>" for one in row]
    if header:
        cells[0] = f'<th scope="row">{escape(row[0])}</th>'
    return f"<tr>{''.join(cells)}</tr>"
