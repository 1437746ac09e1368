"""A notebook in a browser, in JupyterLab or Notebook 7: cells are run by keyboard and menu."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page, expect

#: a kernel starts and imports in this time also on a busy machine
SLOW = 30_000
_RAN = re.compile(r"^\[\d+\]:$")
_RUNS = re.compile(r"^\[\*\]:$")


def write_notebook(path: Path, *cells: str) -> None:
    """Code cells only; without the kernel's name Lab would ask which one."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")


class NotebookPage:
    """What a person sees and does. Cells are counted from 0, code cells only."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.path = path

    def wait_until_ready(self) -> None:
        """Shown, and its kernel answers."""
        self.code(0).wait_for(timeout=SLOW)
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for(
            timeout=SLOW
        )
        if "/lab/" in self.page.url:
            # the indicator says idle before there is a kernel at all, the status bar does not
            status = self.page.get_by_role("button", name=re.compile(r"\| Idle$"))
            expect(status).to_be_visible(timeout=SLOW)

    def code(self, number: int) -> Locator:
        return self.page.locator(".jp-CodeCell:visible").nth(number)

    def prompt(self, number: int) -> Locator:
        return self.code(number).locator(".jp-InputPrompt")

    def output(self, number: int) -> Locator:
        """The whole output area of a cell."""
        return self.code(number).locator(".jp-Cell-outputArea")

    def card(self, number: int = 0) -> Locator:
        """The live card of a sign-in."""
        return self.output(number).get_by_role("group", name=re.compile("^Sign-in for "))

    def open_tab(self, number: int = 0, link: str = "Authenticate") -> Page:
        """Presses the card's link; returns the new tab."""
        with self.page.context.expect_page() as opened:
            self.card(number).get_by_role("link", name=link).click()
        tab = opened.value
        tab.wait_for_load_state()
        return tab

    def focus(self, number: int) -> None:
        """Command mode, this cell chosen."""
        self.prompt(number).click()

    def start(self, number: int) -> None:
        """Runs a cell and does not wait for its end."""
        before = self.prompt(number).inner_text()
        for _ in range(10):
            self.focus(number)
            self.page.keyboard.press("Control+Enter")
            with suppress(AssertionError):  # before its kernel is connected a key does nothing
                expect(self.prompt(number)).not_to_have_text(before, timeout=5_000)
                return
        raise AssertionError(f"cell {number} does not start")

    def run(self, number: int) -> Locator:
        """Runs a cell to its end; returns its output."""
        self.start(number)
        return self.wait(number)

    def wait(self, number: int) -> Locator:
        """Waits until the cell has ended."""
        expect(self.prompt(number)).to_have_text(_RAN, timeout=SLOW)
        return self.output(number)

    def is_waiting(self, number: int) -> None:
        expect(self.prompt(number)).to_have_text(_RUNS)

    def menu(self, *names: str) -> None:
        """Chooses from the menu bar, e.g. `menu("Run", "Run All Cells")`."""
        self.page.get_by_role("menubar").get_by_role("menuitem", name=names[0], exact=True).click()
        for name in names[1:]:
            self.page.get_by_role("menu").get_by_role(
                "menuitem", name=re.compile(rf"^{re.escape(name)}\b(?! and)")
            ).first.click()

    def run_all(self) -> None:
        self.menu("Run", "Run All Cells")

    def interrupt(self) -> None:
        self.page.get_by_role("button", name="Interrupt the kernel").click()

    def restart(self) -> None:
        """A new kernel; outputs and numbers of cells are cleared."""
        self.menu("Kernel", "Restart Kernel and Clear Outputs of All Cells")
        self.page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
        expect(self.prompt(0)).to_have_text("[ ]:")
        self.wait_until_ready()

    def save(self) -> dict[str, Any]:
        """Saves as a person does; returns what is in the file then."""
        with self.page.expect_response(
            lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url
        ):
            self.focus(0)
            self.page.keyboard.press("Control+s")
        saved: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return saved
