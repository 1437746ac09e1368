"""The first tutorial as a new user goes through it, and the pictures of the README."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import ROOT, Lab
from .sign_in_tab import ANALYST, allow, heading, press

TUTORIAL = ROOT / "notebooks" / "01_first_connection.ipynb"


def copy_without_outputs(path: Path) -> dict[str, int]:
    """The tutorial as if nobody had run it; returns the number of each code cell by its first
    line."""
    notebook = nbformat.read(TUTORIAL, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)
    return {cell.source.splitlines()[0]: number for number, cell in enumerate(cells)}


def narrow(card: Locator) -> None:
    """WCAG 2.2 §1.4.10: readable at 320 pixels without scrolling to the side."""
    inside, whole = card.evaluate(
        """card => {
            card.style.maxWidth = '320px';
            const found = [card.clientWidth, card.scrollWidth];
            card.style.maxWidth = '';
            return found;
        }"""
    )
    assert whole <= inside <= 320


def violations(page: Page, axe: str, selector: str) -> list[str]:
    """What axe-core finds in our own nodes; JupyterLab's are its own matter."""
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(
        "at => axe.run(at, {resultTypes: ['violations']})", selector
    )
    return [
        f"{one['id']}: {one['help']}: {node['html']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_from_the_first_cell_to_rows(
    lab: Lab,
    axe: str,
    picture: Callable[..., None],
    check_page: Callable[[Page, str], None],
    scheme: str,
) -> None:
    def of_notebook(name: str) -> None:
        chapter = page.get_by_role("heading", name="3. Connect")
        picture(page, f"{name}-{scheme}", chapter, page.locator(".jp-Notebook:visible"))

    def of_tab(name: str) -> None:
        main = tab.get_by_role("main")
        picture(tab, f"{name}-{scheme}", main, main, margin=32)

    numbers = copy_without_outputs(lab.server.work / "tutorial.ipynb")
    connect = numbers["%connect sales as conn"]
    page = lab.browser(color_scheme=scheme, viewport={"width": 1100, "height": 850})
    notebook = lab.open("tutorial.ipynb", page=page)
    for cell in range(connect):
        shown = notebook.run(cell)
    expect(shown).to_contain_text("Not authenticated")
    notebook.start(connect)
    card = notebook.card(connect)
    expect(card.get_by_role("link", name="Authenticate")).to_be_visible()
    expect(card).to_contain_text(re.compile(r"\d+ minutes left"))
    assert violations(page, axe, ".jp-OAuthConnCard") == []
    narrow(card)
    of_notebook("1-before")

    tab = notebook.open_tab(connect)
    heading(tab, "Sign in for sales")
    check_page(tab, f"start-{scheme}")
    of_tab("2-start-page")
    press(tab)
    expect(card).to_contain_text("Continue in the other tab")
    assert violations(page, axe, ".jp-OAuthConnCard") == []
    of_notebook("3-during")
    of_tab("4-provider")
    allow(tab)
    heading(tab, "Authenticated")
    check_page(tab, f"done-{scheme}")
    of_tab("5-done-page")

    done = notebook.wait(connect)
    expect(done).to_contain_text(f"sales: authenticated as {ANALYST}")
    expect(notebook.card(connect)).to_have_count(0)
    for source, text in (
        ("conn.status.words, conn.identity", ANALYST),
        ("from collections import Counter", "█"),
        ("conn.token()", "AccessToken"),
    ):
        expect(notebook.run(numbers[source])).to_contain_text(text)
    of_notebook("6-after")
    notebook.run(numbers["%connect revoke sales"])
    notebook.run(numbers["%connect rm sales"])
    assert lab.provider.provider.requests("revocation")
