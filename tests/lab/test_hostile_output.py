"""A notebook of somebody else: what its outputs can and cannot do in the browser of a person who
is logged in to Jupyter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Response, expect

from jupyter_oauthconn.model import Endpoints, State

from .conftest import Lab
from .front_door import front_door
from .notebook_page import NotebookPage
from .sign_in_tab import heading, sign_in

MIME = "application/vnd.jupyter-oauthconn.authorization+json"

#: Calls an address as the page's own scripts do, with cookie and XSRF token.
SCRIPT = """
from IPython.display import HTML, Javascript, display
display(HTML('<pre id="found">…</pre>'))
display(Javascript('''
(async () => {
  const xsrf = document.cookie.match('_xsrf=([^;]*)')?.[1] ?? '';
  const headers = {'X-XSRFToken': xsrf, 'Content-Type': 'application/json'};
  const found = {xsrf: xsrf !== ''};
  %s
  document.getElementById('found').textContent = JSON.stringify(found);
})();
'''))
"""


def run_script(lab: Lab, script: str) -> dict[str, Any]:
    """Runs JavaScript in an output cell; returns its object `found`."""
    notebook = lab.open("script.ipynb", SCRIPT % script)
    found = notebook.run(0).locator("#found")
    expect(found).not_to_have_text("…")
    answer: dict[str, Any] = json.loads(found.inner_text())
    assert answer["xsrf"], "the script had no XSRF token, so nothing was tried"
    return answer


def connected(lab: Lab) -> str:
    """A connection whose owner has signed in."""
    name = lab.new_connection()
    tab = lab.browser()
    tab.goto(f"{lab.server.mount}connect/{name}")
    sign_in(tab)
    return name


def test_sec_30_a_script_in_an_output_gets_no_token(lab: Lab) -> None:
    name = connected(lab)
    found = run_script(
        lab,
        f"""
  const token = '/oauthconn/api/v1/connections/{name}/token';
  const tries = {{
    cookie: [token, {{method: 'POST', headers, body: '{{}}'}}],
    form: [token + '?_xsrf=' + xsrf,
      {{method: 'POST', body: new URLSearchParams({{_xsrf: xsrf}})}}],
    jupyter: [token, {{method: 'POST', headers: {{...headers,
      Authorization: 'token ' + JSON.parse(
        document.getElementById('jupyter-config-data').textContent).token}}, body: '{{}}'}}],
    status: ['/oauthconn/api/v1/connections/{name}', {{}}],
  }};
  for (const [what, [address, init]] of Object.entries(tries)) {{
    const answer = await fetch(address, init);
    found[what] = [answer.status, await answer.text()];
  }}""",
    )
    for way in ("cookie", "form", "jupyter"):
        assert found[way][0] in {401, 403}, found[way]
        assert "access_token" not in found[way][1]
    # the control: the same session may ask how the connection stands
    assert found["status"][0] == 200
    assert "access_token" not in found["status"][1]


#: How a script might press our page's button and be carried through a provider that asks nobody.
WAYS = {
    "fetch": "await fetch(page, {method: 'POST', body: fields}).catch(() => null);",
    "fetch_without_cors": """
  await fetch(page, {method: 'POST', body: fields, mode: 'no-cors', credentials: 'include'})
    .catch(() => null);""",
    "form_in_a_frame": """
  const frame = Object.assign(document.createElement('iframe'), {name: 'unseen'});
  const form = Object.assign(document.createElement('form'),
    {method: 'post', action: page, target: 'unseen'});
  for (const [name, value] of fields) {
    form.append(Object.assign(document.createElement('input'), {name, value, type: 'hidden'}));
  }
  document.body.append(frame, form);
  const loaded = new Promise(resolve => frame.addEventListener('load', resolve));
  form.submit();
  await loaded;""",
    "form_in_a_tab": """
  const form = Object.assign(document.createElement('form'),
    {method: 'post', action: page, target: '_blank'});
  for (const [name, value] of fields) {
    form.append(Object.assign(document.createElement('input'), {name, value, type: 'hidden'}));
  }
  document.body.append(form);
  form.submit();
  await new Promise(resolve => setTimeout(resolve, 1000));""",
}


@pytest.fixture(scope="module")
def remembering(running_lab: Lab) -> Iterator[str]:
    """An OAuth client at a provider that asks nobody any more."""
    issuer = running_lab.provider.issuer
    with front_door(issuer, remembers_consent=True) as door:
        endpoints = Endpoints(authorization=f"{door}/authorize", token=f"{issuer}/token")
        running_lab.add_client("remembering", endpoints=endpoints)
        yield "remembering"


@pytest.mark.parametrize("way", WAYS)
def test_sec_60_a_script_in_an_output_finishes_no_sign_in(
    lab: Lab, remembering: str, way: str
) -> None:
    name = lab.new_connection(remembering)
    run_script(
        lab,
        f"""
  const page = '/oauthconn/connect/{name}';
  const api = '/oauthconn/api/v1/connections/{name}/authorizations';
  await fetch(api, {{method: 'POST', headers, body: '{{}}'}});
  const shown = await fetch(page).then(answer => answer.text());
  const seen = new DOMParser().parseFromString(shown, 'text/html');
  const fields = new URLSearchParams({{_xsrf: xsrf, do: 'authenticate'}});
  for (const one of seen.querySelectorAll('input')) fields.set(one.name, one.value);
  found.fields = [...fields.keys()];
  {WAYS[way]}""",
    )
    assert lab.status(name).state is not State.CONNECTED
    assert lab.provider.provider.requests("token") == []


def test_the_same_provider_and_a_person(lab: Lab, remembering: str) -> None:
    """What the scripts tried works with a gesture on our page."""
    name = lab.new_connection(remembering)
    tab = lab.browser()
    tab.goto(f"{lab.server.mount}connect/{name}")
    tab.get_by_role("button", name="Authenticate").click()
    heading(tab, "Authenticated")


def test_sec_58_a_page_of_ours_stays_blank_in_an_output(lab: Lab) -> None:
    name = lab.new_connection()
    notebook = lab.open(
        "frame.ipynb",
        f"""
from IPython.display import HTML
HTML('<iframe id="ours" src="/oauthconn/connect/{name}"></iframe>'
     '<iframe id="control" src="/api/status"></iframe>')
""",
    )
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    notebook.page.on("response", note)
    # the control may be there first: nothing can be said of our page before it is answered
    with notebook.page.expect_response(lambda one: f"/connect/{name}" in one.url):
        shown = notebook.run(0)
    expect(shown.frame_locator("#control").locator("body")).to_contain_text("kernels")
    expect(shown.frame_locator("#ours").get_by_role("button")).to_have_count(0)
    expect(shown.frame_locator("#ours").get_by_text(name)).to_have_count(0)
    ours = [one for one in answers if f"/connect/{name}" in one.url]
    assert ours, "the frame asked for nothing, so nothing was tried"
    for one in ours:
        assert "frame-ancestors 'none'" in one.headers["content-security-policy"]
        assert one.headers["x-frame-options"] == "DENY"


def old_card(lab: Lab, file: str, data: dict[str, object]) -> NotebookPage:
    """Opens a notebook that came with a card in it, which nobody here has run or trusts."""
    page = "https://evil.example/"
    output = nbformat.v4.new_output(
        "display_data",
        data={
            MIME: data,
            "text/html": f'<a href="{page}">sign in</a>',
            "text/plain": f"sign in at {page}",
        },
    )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("%connect", execution_count=1, outputs=[output])],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    (lab.server.work / file).write_text(nbformat.writes(notebook), encoding="utf-8")
    return lab.open(file)


@pytest.mark.parametrize("flow", ["callback", "loopback", "device", "paste"])
def test_an_old_card_of_somebody_else_starts_nothing(lab: Lab, flow: str) -> None:
    name = lab.new_connection()
    data = {
        "id": "11111111-2222-4333-8444-555555555555",
        "connection": name,
        "flow": flow,
        "path": "https://evil.example/",
        "public_url": "https://evil.example/",
        "user_code": "EVIL-CODE",
        "verification_uri": "https://evil.example/",
    }
    notebook = old_card(lab, f"old-{flow}.ipynb", data)
    card = notebook.card()
    expect(card).to_contain_text("This sign-in is over")
    links = notebook.output(0).get_by_role("link").all()
    assert [one.get_attribute("href") for one in links] == []
    assert "evil" not in notebook.output(0).inner_text().lower()
    assert lab.provider.provider.requests("authorize") == []
    assert lab.status(name).state is State.NOT_CONNECTED


def test_a_card_that_is_none_shows_no_html_of_its_own(lab: Lab) -> None:
    notebook = old_card(
        lab, "broken.ipynb", {"id": "<img src=x onerror=alert(1)>", "connection": "../evil"}
    )
    expect(notebook.output(0)).to_contain_text("This sign-in cannot be read")
    expect(notebook.output(0).locator("img")).to_have_count(0)
