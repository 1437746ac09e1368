"""A second client secret, and removing one: in the page that is typed, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from jupyter_oauthconn.errors import InvalidParameterError, NotAllowedError, OAuthConnError
from jupyter_oauthconn.model import ClientRegistration, ClientSecretInfo

from ... import words
from ...desk import AdminPage, Answer, Desk, GoTo, Page
from ...forms.reading import Reading, placed
from ...views import Cell, Field, Group, Link, Table, summary
from .facts import ONE, changeable
from .listing import SECTION, management
from .register import STEPS


def _look(desk: Desk) -> Answer:
    return _page(desk, {}, {})


def _add(desk: Desk) -> Answer:
    reading = Reading(desk.form)
    reference = reading.optional("secret_reference")
    ends_at = reading.last_day("secret_ends", desk.now)
    if (desk.secret is None) == (reference is None):
        reading.errors["client_secret"] = "Type the secret, or say below where it is kept."
    if reading.errors:
        return _page(desk, desk.form, reading.errors)
    try:
        desk.broker.add_client_secret(desk.name, desk.secret, ends_at=ends_at, reference=reference)
    except NotAllowedError:
        raise
    except OAuthConnError as error:
        return _page(desk, desk.form, placed(error, {*desk.form, "client_secret"}))
    return GoTo(address=desk.afterwards(), done="secret-added")


def _page(desk: Desk, typed: Mapping[str, str], errors: Mapping[str, str]) -> Page:
    client = desk.broker.client(desk.name)
    group = Group(
        title="Add a secret",
        intro="Two may live at once, so that nothing stops while the provider changes over.",
        fields=(
            Field(name="client_secret", label="Client secret", kind="password",
                  error=errors.get("client_secret", ""),
                  help="It is sealed, and never shown again."),
            Field(name="secret_reference", label="Or where it is kept",
                  value=typed.get("secret_reference", ""), example="env:SALES_SECRET",
                  error=errors.get("secret_reference", ""),
                  help="env:NAME, file:/run/secrets/x or keyring:SERVICE/NAME, read by the token "
                  "service."),
            Field(name="secret_ends", label="Last day of the secret", kind="date",
                  value=typed.get("secret_ends", ""), error=errors.get("secret_ends", "")),
        ),
    )  # fmt: skip
    return Page(
        template="secrets.html",
        title=f"Secrets of {client.name}",
        section=SECTION,
        status=HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        context={
            **management(desk),
            "steps": STEPS if desk.in_wizard else (),
            "client": client,
            "changeable": changeable(client),
            "back": desk.afterwards(),
            "table": _table(desk, client),
            "groups": [group],
            "errors": summary([group], errors),
        },
    )


def _table(desk: Desk, client: ClientRegistration) -> Table:
    def row(one: ClientSecretInfo) -> list[Cell]:
        set_at = words.moment(one.set_at)
        remove = Link(
            text="Remove",
            what=f"the secret that was set on {set_at}",
            href=desk.at(f"clients/{client.name}/secrets/{one.id}"),
        )
        return [
            Cell(text=set_at),
            Cell(text=words.end(one.ends_at, desk.now) if one.ends_at else "no end known"),
            Cell(
                text=f"sealed here, read from {one.reference}" if one.reference else "sealed here"
            ),
            Cell(links=(remove,) if changeable(client) else ()),
        ]

    return Table(
        caption="Client secrets",
        columns=("Set on", "End", "Kept", "Actions"),
        rows=[row(one) for one in client.secrets],
        empty="No secret is set.",
    )


def _ask(desk: Desk) -> Answer:
    client, secret = _secret(desk)
    desk.service.access.check_change(desk.actor, client)
    last = len(client.secrets) == 1
    return Page(
        template="confirm.html",
        title=f"Remove a secret of {client.name}?",
        section=SECTION,
        context={
            **management(desk),
            "sentences": [
                f"The secret that was set on {words.moment(secret.set_at)} is forgotten here. "
                "Nobody can bring it back.",
                "It is the only one: until another is added nobody can sign in, and tokens are "
                "not renewed." if last else "The other secret is used from then on.",
            ],
            "button": "Remove the secret",
            "back": desk.at(f"clients/{client.name}/secrets"),
            "kept": {},
        },
    )  # fmt: skip


def _remove(desk: Desk) -> Answer:
    client, secret = _secret(desk)
    desk.broker.remove_client_secret(client.name, secret.id)
    return GoTo(address=desk.at(f"clients/{client.name}"), done="secret-removed")


def _secret(desk: Desk) -> tuple[ClientRegistration, ClientSecretInfo]:
    """Raises `InvalidParameterError`: there is no such secret (any more)."""
    client = desk.broker.client(desk.name)
    for one in client.secrets:
        if str(one.id) == desk.path["id"]:
            return client, one
    raise InvalidParameterError(
        f"The OAuth client {client.name!r} has no such secret, or not any more.",
        hint="Look at its secrets again.",
        parameter="id",
    )


PAGES = (
    AdminPage(path=f"{ONE}/secrets", look=_look, acts={"add": _add}),
    AdminPage(path=f"{ONE}/secrets/(?P<id>[^/]+)", look=_ask, acts={"confirm": _remove}),
)
