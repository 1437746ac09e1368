"""Whom something is for: nobody else, everyone, or these users and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupyter_oauthconn.model import EVERYBODY

from ..views import Field, Group, Option
from .reading import EVERYONE, NOBODY, THESE


def typed_people(users: Sequence[str], groups: Sequence[str]) -> dict[str, str]:
    """An access list as it would be typed."""
    if EVERYBODY in users:
        return {"who": EVERYONE}
    who = THESE if users or groups else NOBODY
    return {"who": who, "users": ", ".join(users), "groups": ", ".join(groups)}


def people_fields(
    typed: Mapping[str, str], errors: Mapping[str, str], *, title: str, nobody: str
) -> Group:
    """The fields; `nobody` says what the first answer means."""
    return Group(
        title=title,
        fields=(
            Field(
                name="who",
                label=title,
                kind="radio",
                value=typed.get("who", NOBODY),
                error=errors.get("who", ""),
                options=(
                    Option(value=NOBODY, text=nobody),
                    Option(value=EVERYONE, text="Everyone"),
                    Option(value=THESE, text="These users and groups"),
                ),
            ),
            Field(
                name="users",
                label="Users",
                value=typed.get("users", ""),
                error=errors.get("users", ""),
                help="Their names here, with commas between them.",
            ),
            Field(
                name="groups",
                label="Groups",
                value=typed.get("groups", ""),
                error=errors.get("groups", ""),
                help="With commas between them.",
            ),
        ),
    )
