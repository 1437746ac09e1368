"""One OAuth client: what it is and what uses it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from jupyter_oauthconn.model import IN_DATABASE, AuthMethod, ClientRegistration, ClientUse

from ... import words
from ...desk import AdminPage, Answer, Desk, GoTo, Page
from ...forms.client_form import METHODS
from ...views import Cell, Facts, Table, texts
from .listing import SECTION, enabled, management

ONE = "/clients/(?P<name>[^/]+)"


def changeable(client: ClientRegistration) -> bool:
    """Whether it may be changed here at all."""
    return client.managed_by == IN_DATABASE


def use_table(use: ClientUse, caption: str) -> Table:
    """Connections and how many are signed in there."""
    return Table(
        caption=caption,
        columns=("Connection", "Owner", "Sign-ins"),
        rows=[texts(one.connection, one.owner, str(one.sign_ins)) for one in use.connections],
        empty="Nothing uses it.",
    )


def _look(desk: Desk) -> Answer:
    client = desk.broker.client(desk.name)
    return Page(
        template="client.html",
        title=client.name,
        section=SECTION,
        context={
            **management(desk),
            "client": client,
            "changeable": changeable(client),
            "facts": _facts(client, desk.now),
            "has_secrets": client.auth_method is not AuthMethod.NONE,
            "use": use_table(desk.broker.client_use(client.name), "What uses this OAuth client"),
        },
    )


def _facts(client: ClientRegistration, now: datetime) -> Facts:
    secret, mood = words.secret_end(client, now)
    addresses = {"Issuer": client.issuer, **{
        f"{name.replace('_', ' ').capitalize()} address": address
        for name, address in asdict(client.endpoints).items()
    }}  # fmt: skip
    pairs = [*client.parameters.items(), *client.authorization_parameters.items()]
    facts = [
        ("State", enabled(client)),
        ("May use it", Cell(text=words.may_use(client))),
        ("Provider", Cell(text=client.title, note=client.provider)),
        ("Description", Cell(text=client.description)),
        ("Client ID", Cell(codes=(client.client_id,))),
        ("Client secret", Cell(text=secret, mood=mood)),
        ("Client authentication", Cell(text=METHODS[client.auth_method])),
        ("PKCE", Cell(text="always, with S256")),
        *((name, Cell(codes=(address,))) for name, address in addresses.items() if address),
        ("Values", Cell(codes=tuple(f"{name}={value}" for name, value in pairs))),
        ("Scope", Cell(text=client.scope or "what is usual for the provider")),
        ("Redirect URIs", Cell(codes=client.redirect_uris, note=_ports(client))),
        ("How long tokens last", Cell(text=_lifetimes(client))),
        ("Last update", Cell(text=words.moment(client.updated_at), note=f"by {client.updated_by}")),
        ("Managed by", Cell(text=words.managed_by(client))),
    ]
    return [(name, cell) for name, cell in facts if cell.text or cell.codes]


def _ports(client: ClientRegistration) -> str:
    return "any port of a person's own machine" if client.loopback_port == "any" else ""


def _lifetimes(client: ClientRegistration) -> str:
    access, refresh = client.access_token_lifetime, client.refresh_token_lifetime
    parts = [
        f"access token {words.length(access)}" if access else "",
        f"refresh token {words.length(refresh)}" if refresh else "",
        f"ends when unused for {words.length(client.inactivity)}" if client.inactivity else "",
    ]
    return ", ".join(one for one in parts if one) or "as the provider says"


def _switch(desk: Desk) -> Answer:
    wanted = desk.do == "enable"
    desk.broker.edit_client(desk.name, {"enabled": wanted}, version=desk.version())
    done = "enabled" if wanted else "disabled"
    return GoTo(address=desk.at(f"clients/{desk.name}"), done=done)


PAGES = (AdminPage(path=ONE, look=_look, acts={"enable": _switch, "disable": _switch}),)
