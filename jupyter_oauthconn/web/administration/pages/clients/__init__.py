"""The pages of OAuth clients: all of them, the way to a new one, and one with all its parts."""

from ...desk import AdminPage
from . import access, editing, facts, listing, register, removal, secrets, testing

PAGES: tuple[AdminPage, ...] = (
    *listing.PAGES,
    *register.PAGES,
    *facts.PAGES,
    *editing.PAGES,
    *testing.PAGES,
    *access.PAGES,
    *secrets.PAGES,
    *removal.PAGES,
)
