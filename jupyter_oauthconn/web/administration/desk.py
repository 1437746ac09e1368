"""A page of the administration as data, and what its functions get and answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jupyter_oauthconn.broker import TokenServiceBroker
from jupyter_oauthconn.errors import ConfigurationError
from jupyter_oauthconn.model import Actor, Owner, Secret

from ..host import Host

if TYPE_CHECKING:
    # loads the database's libraries, which a starting server does in a thread
    from jupyter_oauthconn.service.token_service import TokenService


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One request of an administrator.

    Attributes:
        do: the button that was pressed; `detail`: what it means, where there are several alike.
        form: what was typed, without the client secret, so that no page can show it again.
        secret: the client secret that was typed.
    """

    host: Host
    owner: Owner
    origin: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    do: str = ""
    detail: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    secret: Secret | None = None

    @property
    def broker(self) -> TokenServiceBroker:
        return self.host.broker(self.owner, administrator=True)

    @property
    def actor(self) -> Actor:
        return Actor(owner=self.owner, administrator=True)

    @property
    def service(self) -> TokenService:
        """For what administrators see of everybody's; changes go through the broker."""
        return self.host.service

    @property
    def name(self) -> str:
        """`name` of the address."""
        return self.path["name"]

    @property
    def now(self) -> datetime:
        return self.service.store.now()

    def at(self, place: str, **query: str) -> str:
        """An address of the administration, e.g. `clients/sales-app/edit`."""
        more = f"?{urlencode(query)}" if query else ""
        return f"{self.host.mount}admin/{quote(place)}{more}"

    @property
    def in_wizard(self) -> bool:
        """Whether the page is a step on the way to a new OAuth client."""
        return "step" in self.query

    @property
    def came_from_test(self) -> bool:
        """Whether a failed test led here, to what it said to mend."""
        return self.query.get("after") == "test"

    def afterwards(self) -> str:
        """Where saving leads: back to the test that led here, else to the OAuth client."""
        if not self.came_from_test:
            return self.at(f"clients/{self.name}")
        step = {"step": self.query["step"]} if self.in_wizard else {}
        return self.at(f"clients/{self.name}/test", **step)

    def version(self) -> int:
        """Of what the form was about. Raises `ConfigurationError`."""
        typed = self.form.get("version", "")
        if not typed.isdecimal() or len(typed) > _LONGEST_NUMBER:
            raise ConfigurationError(
                "The form does not say which version it is about.", hint="Open the page again."
            )
        return int(typed)


_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Shown. `section` is the part of the menu where it stands."""

    template: str
    title: str
    section: str
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = HTTPStatus.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class GoTo:
    """A redirect after something was done. `done` is a code of `messages`."""

    address: str
    done: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to keep."""

    filename: str
    content_type: str
    content: str


Answer = Page | GoTo | Download
Act = Callable[[Desk], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminPage:
    """One address below `admin`.

    Attributes:
        path: a regular expression, e.g. `/clients/(?P<name>[^/]+)`.
        look: what a GET shows; it changes nothing.
        acts: by the button that was pressed.
    """

    path: str
    look: Act
    acts: Mapping[str, Act] = field(default_factory=dict)
