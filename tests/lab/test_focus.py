"""Who has the keyboard after a sign-in: the notebook, so that Shift+Enter runs the next cell."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Lab
from .notebook_page import NotebookPage
from .sign_in_tab import ANALYST, sign_in

CHOSEN = re.compile(r"\bjp-mod-active\b")


def waiting(lab: Lab, name: str) -> NotebookPage:
    """The first of three cells waits, and the second is chosen."""
    notebook = lab.open(
        f"{name}.ipynb",
        f"%load_ext jupyter_oauthconn\n%connect {name} as conn",
        "print('the second of', conn.identity)",
        "print('the third of', conn.identity)",
    )
    notebook.focus(0)
    notebook.page.keyboard.press("Shift+Enter")
    expect(notebook.card()).to_be_visible()
    expect(notebook.code(1)).to_have_class(CHOSEN)
    return notebook


def goes_on_by_keyboard(notebook: NotebookPage) -> None:
    """Nothing is clicked."""
    notebook.page.bring_to_front()
    expect(notebook.wait(0)).to_contain_text(f"authenticated as {ANALYST}")
    expect(notebook.card()).to_have_count(0)
    expect(notebook.code(1)).to_have_class(CHOSEN)
    number = notebook.prompt(0).inner_text()
    keys = notebook.page.keyboard
    keys.press("ArrowDown")
    expect(notebook.code(2)).to_have_class(CHOSEN)
    keys.press("ArrowUp")
    keys.press("Shift+Enter")
    expect(notebook.wait(1)).to_contain_text(f"the second of {ANALYST}")
    keys.press("Shift+Enter")
    expect(notebook.wait(2)).to_contain_text(f"the third of {ANALYST}")
    assert notebook.prompt(0).inner_text() == number  # it did not run again


def tab_to(page: Page, key: str, wanted: Locator) -> None:
    # a card has no buttons until the service has answered it, and Tab goes past such a one
    expect(wanted).to_be_visible()
    for _ in range(12):
        page.keyboard.press(key)
        if wanted.evaluate("node => node === document.activeElement"):
            return
    raise AssertionError(f"{key} does not lead to {wanted}")


def test_after_a_press_with_the_mouse(lab: Lab) -> None:
    notebook = waiting(lab, lab.new_connection())
    sign_in(notebook.open_tab())
    goes_on_by_keyboard(notebook)


def test_after_a_press_by_keyboard(lab: Lab) -> None:
    notebook = waiting(lab, lab.new_connection())
    page = notebook.page
    tab_to(page, "Shift+Tab", notebook.card().get_by_role("link", name="Authenticate"))
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    sign_in(opened.value)
    goes_on_by_keyboard(notebook)


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_after_cancel(lab: Lab, by: str) -> None:
    notebook = waiting(lab, lab.new_connection())
    cancel = notebook.card().get_by_role("button", name="Cancel")
    if by == "mouse":
        cancel.click()
    else:
        tab_to(notebook.page, "Shift+Tab", cancel)
        notebook.page.keyboard.press("Enter")
    expect(notebook.wait(0)).to_contain_text("not authenticated")
    expect(notebook.card()).to_have_count(0)
    notebook.page.keyboard.press("Shift+Enter")
    expect(notebook.wait(1)).to_contain_text("NameError")
