"""The administration page: OAuth clients, connections, sign-ins, settings, history, health.

Server-rendered, below `<mount>admin/`, for administrators in a browser. A page is data
(`desk.AdminPage`): an address, what is looked at, and what its buttons do; each act is a call of
one of the broker's verbs, then a redirect. `forms` reads what was typed, `views` is what the
templates show. Jinja2 stays in `rendering` (2026-12: no build step; one script that adds
convenience only, because everything must work without it).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..host import Host, PersonHandler
    from ..sign_in_pages import Rule

__all__ = ["administration_handlers"]


def administration_handlers(host: Host, person: type[PersonHandler]) -> list[Rule]:
    """Tornado's rules of the administration page."""
    from .handler import AdminHandler, NothingHandler, ScriptHandler
    from .pages import PAGES

    below = f"{re.escape(host.mount)}admin"
    rules: list[Rule] = [
        (f"{below}/script\\.js", _of(ScriptHandler, person), {"host": host}),
        *(
            (f"{below}{page.path}", _of(AdminHandler, person, page=page), {"host": host})
            for page in PAGES
        ),
    ]
    return [*rules, (f"{below}/.*", _of(NothingHandler, person), {"host": host})]


def _of(handler: type, person: type[PersonHandler], **members: object) -> type:
    return type(handler.__name__, (handler, person), members)
