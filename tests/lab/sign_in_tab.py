"""What a person does in the tab of a sign-in: our page, then the provider's."""

from __future__ import annotations

from playwright.sync_api import Page, expect

ANALYST, GUEST = "analyst@example.com", "guest@example.com"


def heading(tab: Page, text: str) -> None:
    expect(tab.get_by_role("heading", level=1)).to_have_text(text)


def press(tab: Page, client_id: str = "notebook") -> None:
    """Our page's button, up to the practice provider's consent page."""
    tab.get_by_role("button", name="Authenticate").click()
    heading(tab, f"Allow {client_id} to use your account?")


def allow(tab: Page, account: str = ANALYST) -> None:
    """The practice provider's button, back to our page."""
    tab.get_by_role("radio", name=account).check()
    tab.get_by_role("button", name="Allow").click()


def sign_in(tab: Page, account: str = ANALYST) -> None:
    """The whole way, which must succeed."""
    press(tab)
    allow(tab, account)
    heading(tab, "Authenticated")
