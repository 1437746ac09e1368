"""The token service over HTTP: JSON routes, the token route, the pages of a sign-in and those of
the administration.

Host-independent: a Jupyter server, a Hub service and the two-user host of the tests bring a
`Host`, which knows their people, and a `PersonHandler`, which says who calls. What may be called
by whom is data (`routes.ROUTES`); the dispatch, the tests and the OpenAPI document read the same
table. HTTP statuses live in `problems` alone. May import `broker` and what is below it, tornado,
jupyter_server and Jinja2 (2026-11: verbs run in two pools of threads, the event loop only waits).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dispatch import Rule
    from .host import Host, PersonHandler

__all__ = ["handlers"]


def handlers(host: Host, person: type[PersonHandler]) -> list[Rule]:
    """Tornado's rules for everything below the host's mount."""
    from .administration import administration_handlers
    from .dispatch import api_handlers
    from .routes import ROUTES
    from .sign_in_pages import page_handlers
    from .token_handler import token_handlers

    return [
        *token_handlers(host),  # first: the table names its address, too
        *api_handlers(host, person, ROUTES),
        *page_handlers(host, person),
        *administration_handlers(host, person),
    ]
