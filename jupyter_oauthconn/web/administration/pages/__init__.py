"""The pages of the administration, a module for each noun; the handler reads this table."""

from ..desk import AdminPage
from . import clients, connections, health, history, settings, sign_ins

PAGES: tuple[AdminPage, ...] = (
    *clients.PAGES,
    *connections.PAGES,
    *sign_ins.PAGES,
    *settings.PAGES,
    *history.PAGES,
    *health.PAGES,
)
