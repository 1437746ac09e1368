"""Settings: those that may change while the service runs, and where each one comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus

from jupyter_oauthconn.errors import NotAllowedError, OAuthConnError
from jupyter_oauthconn.model import SettingInForce
from jupyter_oauthconn.model.settings import CHANGEABLE, CHANGED_HERE

from .. import words
from ..desk import AdminPage, Answer, Desk, GoTo, Page
from ..forms.reading import placed
from ..views import Field, Group, Option, Table, summary, texts

_BOOLEANS = (Option(value="true", text="Yes"), Option(value="false", text="No"))


def _look(desk: Desk) -> Answer:
    return _page(desk, {}, {})


def _save(desk: Desk) -> Answer:
    free = {one.name: one for one in desk.broker.settings() if one.changeable}
    changes = {
        name: desk.form[name].strip()
        for name, one in free.items()
        if name in desk.form and desk.form[name].strip() != one.value
    }
    if not changes:
        return GoTo(address=desk.at("settings"), done="unchanged")
    try:
        desk.broker.change_settings(changes)
    except NotAllowedError:
        raise
    except OAuthConnError as error:
        return _page(desk, desk.form, placed(error, free))
    return GoTo(address=desk.at("settings"), done="settings")


def _default(desk: Desk) -> Answer:
    desk.broker.change_settings({desk.detail: None})
    return GoTo(address=desk.at("settings"), done="default")


def _page(desk: Desk, typed: Mapping[str, str], errors: Mapping[str, str]) -> Page:
    found = {one.name: one for one in desk.broker.settings()}
    free = [found[name] for name in CHANGEABLE if found[name].changeable]
    fixed = [one for one in found.values() if not one.changeable]
    fields = tuple(_field(one, typed, errors) for one in free)
    group = Group(title="May be changed now", fields=fields)
    return Page(
        template="settings.html",
        title="Settings",
        section="settings",
        status=HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        context={
            "groups": [group],
            "errors": summary([group], errors),
            "changed": [(one.name, title(one.name)) for one in free if one.origin == CHANGED_HERE],
            "fixed": settings_table(
                "Fixed while the service runs", fixed, empty="Nothing is fixed."
            ),
        },
    )


def settings_table(caption: str, settings: Sequence[SettingInForce], *, empty: str) -> Table:
    """Each with its value and where that comes from."""
    return Table(
        caption=caption,
        columns=("Setting", "Value", "Comes from"),
        rows=[texts(one.name, _in_words(one.value) or "not set", one.origin) for one in settings],
        empty=empty,
    )


def title(name: str) -> str:
    """`client_management_enabled` as people read it."""
    return words.plain(name).capitalize()


def _field(one: SettingInForce, typed: Mapping[str, str], errors: Mapping[str, str]) -> Field:
    boolean = one.value in {"true", "false"}
    now = "" if boolean or not one.value else f" Now: {_in_words(one.value)}."
    return Field(
        name=one.name,
        label=title(one.name),
        kind="radio" if boolean else "text",
        options=_BOOLEANS if boolean else (),
        value=typed.get(one.name, one.value),
        help=f"{CHANGEABLE[one.name]}{now} From: {one.origin}.",
        error=errors.get(one.name, ""),
    )


def _in_words(value: str) -> str:
    try:
        seconds = float(value)
    except ValueError:
        return value
    return words.length(timedelta(seconds=seconds))


PAGES = (AdminPage(path="/settings", look=_look, acts={"save": _save, "default": _default}),)
