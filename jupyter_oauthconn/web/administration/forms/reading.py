"""From texts to values; each fault is kept as a sentence at its field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from jupyter_oauthconn.errors import (
    ConflictError,
    InvalidNameError,
    InvalidParameterError,
    OAuthConnError,
)
from jupyter_oauthconn.kernel import drafts
from jupyter_oauthconn.model import EVERYBODY

PARAMETER = "parameter-"
EVERYONE, NOBODY, THESE = "everyone", "nobody", "these"

#: Where an error of the service names a field otherwise than the form does.
_FIELDS = {"redirect_uri": "redirect_uris", "ends_at": "secret_ends", "shared_users": "users",
           "shared_groups": "groups", "allowed_users": "users", "allowed_groups": "groups",
           "share_with": "who"}  # fmt: skip
#: What a person does about it here, where the service's hint is about commands.
_HINTS = {
    "client_id": "Copy it from the provider's page of the client app.",
    "client_secret": "Copy it from the provider's page of the client app, name where it is, or "
    "say that it is a public client.",
    "issuer": "Give the issuer, or both the authorization and the token address.",
}
_COMMAND = re.compile(r"(?:, for example)? --set \S+=(?P<example>\S*)")


class Reading:
    """Reads the fields of one form. `errors`: by field, a sentence each."""

    def __init__(self, typed: Mapping[str, str]) -> None:
        self._typed = typed
        self.errors: dict[str, str] = {}

    def text(self, name: str) -> str:
        """Without the blanks around it; empty where nothing was typed."""
        return self._typed.get(name, "").strip()

    def optional(self, name: str) -> str | None:
        return self.text(name) or None

    def checked(self, name: str) -> bool:
        return bool(self.text(name))

    def lines(self, name: str) -> tuple[str, ...]:
        """One value a line."""
        found = (one.strip() for one in self.text(name).splitlines())
        return tuple(dict.fromkeys(one for one in found if one))

    def names(self, name: str) -> tuple[str, ...]:
        """Names with commas or line ends between them; none may be `*`, which is a choice."""
        found = tuple(
            dict.fromkeys(one.strip() for one in re.split(r"[,\n]", self.text(name)) if one.strip())
        )
        if EVERYBODY in found:
            self.errors[name] = "`*` means everyone: choose that above."
        return found

    def pairs(self, name: str) -> dict[str, str]:
        """`name=value`, one a line."""
        found = {}
        for line in self.lines(name):
            key, equals, value = line.partition("=")
            if not equals or not key.strip():
                self.errors[name] = "Write one name=value a line, for example prompt=consent."
            found[key.strip()] = value.strip()
        return found

    def parameters(self) -> dict[str, str]:
        """Values of the catalog entry's variables, also the empty ones."""
        return {
            name.removeprefix(PARAMETER): self.text(name)
            for name in self._typed
            if name.startswith(PARAMETER)
        }

    def duration(self, name: str, *, zero: bool = False) -> timedelta | None:
        """None where nothing was typed; `zero`: 0 means something."""
        text = self.text(name)
        if not text:
            return None
        if zero and text == "0":
            return timedelta(0)
        try:
            return drafts.duration(text)
        except InvalidParameterError:
            self.errors[name] = "Write a length of time: 90d, 8h, 30m, or a number of seconds."
            return None

    def last_day(self, name: str, now: datetime) -> datetime | None:
        """The end of a day that is not over."""
        try:
            found = drafts.day(self.optional(name))
        except InvalidParameterError:
            self.errors[name] = "Write the day as year, month and day: 2027-01-31."
            return None
        if found is not None and found <= now:
            self.errors[name] = "That day has passed."
        return found

    def people(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Users and groups of an access list."""
        who = self.text("who")
        if who == EVERYONE:
            return (EVERYBODY,), ()
        if who == NOBODY:
            return (), ()
        users, groups = self.names("users"), self.names("groups")
        if who != THESE:
            self.errors["who"] = "Choose one of these."
        elif not users and not groups:
            self.errors["users"] = "Name somebody, or choose another answer above."
        return users, groups


def placed(error: OAuthConnError, fields: Mapping[str, object] | set[str]) -> dict[str, str]:
    """The error at its field; at "" where it belongs to none of them."""
    field, hint = "", error.hint
    match error:
        case InvalidNameError():
            field = "name"
        case InvalidParameterError(parameter=parameter):
            field = _FIELDS.get(parameter, parameter)
            if PARAMETER + field in fields:
                field = PARAMETER + field
            hint = _HINTS.get(field, hint)
        case ConflictError() if "name" in fields:
            field = "name"
    hint = _COMMAND.sub(r", for example \g<example>", hint)
    return {field if field in fields else "": f"{error.message} {hint}".strip()}
