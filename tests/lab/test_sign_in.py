"""Ways through a sign-in that people take: refused, closed, back, reload, cancelled, twice."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from jupyter_oauthconn.model import State

from .conftest import Lab
from .notebook_page import NotebookPage
from .sign_in_tab import ANALYST, GUEST, allow, heading, press, sign_in


def connecting(lab: Lab, name: str, *, page: Page | None = None) -> NotebookPage:
    """A notebook whose first cell waits for the sign-in."""
    notebook = lab.open(
        f"{name}.ipynb", f"%load_ext jupyter_oauthconn\n%connect {name} as conn", page=page
    )
    notebook.start(0)
    expect(notebook.card()).to_be_visible()
    return notebook


def exchanges(lab: Lab) -> int:
    return len(lab.provider.provider.requests("token", grant_type="authorization_code"))


def test_a_refusal_is_told_and_the_second_run_works(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = connecting(lab, name)
    tab = notebook.open_tab()
    press(tab)
    tab.get_by_role("button", name="Deny").click()
    heading(tab, "Not authenticated")
    told = notebook.wait(0)
    expect(told).to_contain_text(f"{name}: not authenticated")
    expect(told).to_contain_text("refused")
    expect(told).not_to_contain_text("Traceback")
    expect(notebook.card()).to_have_count(0)
    assert exchanges(lab) == 0

    notebook.start(0)
    sign_in(notebook.open_tab())
    expect(notebook.wait(0)).to_contain_text(f"{name}: authenticated as {ANALYST}")


def test_a_closed_tab_is_opened_again_from_the_card(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = connecting(lab, name)
    tab = notebook.open_tab()
    press(tab)
    expect(notebook.card()).to_contain_text("Continue in the other tab")
    tab.close()
    notebook.is_waiting(0)
    sign_in(notebook.open_tab(link="Open the page again"))
    expect(notebook.wait(0)).to_contain_text(f"{name}: authenticated as {ANALYST}")
    assert exchanges(lab) == 1


def test_back_and_reload_at_every_page(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = connecting(lab, name)
    tab = notebook.open_tab()
    tab.reload()
    heading(tab, f"Sign in for {name}")
    press(tab)
    tab.reload()
    heading(tab, "Allow notebook to use your account?")
    tab.go_back()
    heading(tab, f"Sign in for {name}")
    tab.go_forward()
    tab.go_back()
    sign_in(tab)
    expect(notebook.wait(0)).to_contain_text(f"{name}: authenticated as {ANALYST}")
    tab.reload()
    heading(tab, "Authenticated")
    tab.go_back()
    assert "code=" not in tab.url
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    assert exchanges(lab) == 1
    assert lab.status(name).state is State.CONNECTED


def clean(tab: Page) -> None:
    """Nothing of the protocol stays in our address."""
    assert not parse_qs(urlsplit(tab.url).query).keys() & {"code", "state", "error", "iss"}


def test_back_and_reload_at_the_denied_and_the_refused_page(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = connecting(lab, name)
    tab = notebook.open_tab()
    press(tab)
    consent = tab.url
    tab.get_by_role("button", name="Deny").click()
    heading(tab, "Not authenticated")
    expect(notebook.wait(0)).to_contain_text(f"{name}: not authenticated")
    clean(tab)
    tab.reload()
    heading(tab, "Not authenticated")
    tab.go_back()
    assert tab.url == consent
    tab.go_forward()
    heading(tab, "Not authenticated")

    tab.go_back()
    allow(tab)  # she changes her mind, where it is too late
    heading(tab, "This sign-in is over")
    clean(tab)
    tab.reload()
    heading(tab, "This sign-in is over")
    tab.go_back()
    tab.go_forward()
    heading(tab, "This sign-in is over")
    assert exchanges(lab) == 0
    assert lab.status(name).state is State.NOT_CONNECTED

    notebook.start(0)
    sign_in(notebook.open_tab())
    expect(notebook.wait(0)).to_contain_text(f"{name}: authenticated as {ANALYST}")


def test_back_and_reload_at_the_question_about_another_account(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = connecting(lab, name)
    sign_in(notebook.open_tab())
    notebook.wait(0)
    again = lab.open("asked.ipynb", f"%load_ext jupyter_oauthconn\n%connect auth {name} --again")
    again.start(0)
    tab = again.open_tab()
    press(tab)
    allow(tab, GUEST)
    question = f"Another account for {name}?"
    heading(tab, question)
    clean(tab)
    tab.reload()
    heading(tab, question)
    tab.go_back()  # the provider answers a second time, and its answer decides nothing
    heading(tab, "This sign-in is over")
    clean(tab)
    tab.go_forward()
    heading(tab, question)
    assert lab.status(name).identity == ANALYST
    again.is_waiting(0)
    tab.get_by_role("button", name=f"Use {GUEST}").click()
    heading(tab, "Authenticated")
    expect(again.wait(0)).to_contain_text(f"{name}: authenticated as {GUEST}")
    asked = exchanges(lab)
    tab.go_back()
    tab.go_forward()
    heading(tab, "Authenticated")
    assert exchanges(lab) == asked == 2
    assert lab.status(name).identity == GUEST


def test_cancel_in_the_card_and_start_again(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = connecting(lab, name)
    notebook.card().get_by_role("button", name="Cancel").click()
    expect(notebook.wait(0)).to_contain_text(f"{name}: not authenticated")
    assert lab.status(name).state is State.NOT_CONNECTED
    notebook.start(0)
    sign_in(notebook.open_tab())
    expect(notebook.wait(0)).to_contain_text(f"{name}: authenticated as {ANALYST}")


def test_two_views_of_one_notebook(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = connecting(lab, name)
    notebook.menu("File", "New View for Notebook")
    cards = notebook.page.get_by_role("group", name=f"Sign-in for {name}")
    expect(cards).to_have_count(2)
    with notebook.page.context.expect_page() as opened:
        cards.nth(1).get_by_role("link", name="Authenticate").click()
    sign_in(opened.value)
    expect(cards).to_have_count(0)
    lines = notebook.page.get_by_text(f"{name}: authenticated as {ANALYST}")
    expect(lines).to_have_count(2)
    assert exchanges(lab) == 1


def test_another_account_than_before_is_confirmed_on_the_page(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = connecting(lab, name)
    sign_in(notebook.open_tab())
    notebook.wait(0)
    again = lab.open("again.ipynb", f"%load_ext jupyter_oauthconn\n%connect auth {name} --again")
    again.start(0)
    tab = again.open_tab()
    press(tab)
    allow(tab, GUEST)
    heading(tab, f"Another account for {name}?")
    assert lab.status(name).identity == ANALYST
    tab.get_by_role("button", name=f"Use {GUEST}").click()
    heading(tab, "Authenticated")
    expect(again.wait(0)).to_contain_text(f"{name}: authenticated as {GUEST}")


def test_the_card_works_where_pop_ups_are_blocked(lab: Lab) -> None:
    """It is a link: a page whose `window.open` does nothing opens it all the same."""
    name = lab.new_connection()
    page = lab.browser()
    page.add_init_script("window.open = () => null")
    notebook = connecting(lab, name, page=page)
    sign_in(notebook.open_tab())
    expect(notebook.wait(0)).to_contain_text(f"{name}: authenticated as {ANALYST}")
