"""The practice provider inside a Jupyter server that asks everybody else for a login."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from jupyter_oauthconn.demo import Practice
from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import Secret
from tests.demo.conftest import App
from tests.jupyter import START_SECONDS, JupyterServer, jupyter_server

EXTENSIONS = {"jupyter_oauthconn": False, "jupyter_oauthconn.demo": True}


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """As strict as a Jupyter server can be, but for origins; a base URL full of traps."""
    folder = tmp_path_factory.mktemp("mounted")
    config = {
        "ServerApp": {
            "jpserver_extensions": EXTENSIONS,
            "allow_unauthenticated_access": False,
            "allow_origin": "*",
        }
    }
    with jupyter_server(folder, config=config, base_url="/a%40b/c.d+e/", ready=False) as server:
        server.wait_for(lambda: _answers(Mounted(server)), "no practice provider", START_SECONDS)
        yield server


def _answers(server: Mounted) -> bool:
    try:
        Practice().attach(server.issuer)
    except ServiceUnreachableError:
        return False
    return True


class Mounted:
    """Looks like a `PracticeServer` to the client of these tests."""

    def __init__(self, jupyter: JupyterServer) -> None:
        address = urlsplit(jupyter.url)
        self.port = address.port
        self.issuer = f"http://localhost:{address.port}{address.path}oauthconn/practice"
        self.data_url = f"{self.issuer}/data"


@pytest.fixture
def server(jupyter: JupyterServer) -> Mounted:
    return Mounted(jupyter)


@pytest.fixture
def practice(server: Mounted) -> Iterator[Practice]:
    practice = Practice().attach(server.issuer)
    yield practice
    practice.reset()


def test_a_sign_in_from_metadata_to_rows_and_revocation(app: App, practice: Practice) -> None:
    place = f"{app.server.issuer}/.well-known/oauth-authorization-server"
    told = app.http.get(place).json()
    assert (told["issuer"], told["practice"]) == (app.server.issuer, True)
    at_root = urlsplit(app.server.issuer)
    path = f"/.well-known/oauth-authorization-server{at_root.path}"
    assert app.http.get(at_root._replace(path=path).geturl()).json() == told

    tokens = app.sign_in()
    assert len(app.data("sales", tokens["access_token"]).json()) > 10
    assert app.refresh(tokens["refresh_token"]).status_code == 200
    practice.revoke_token(Secret(tokens["access_token"]))
    assert app.data("sales", tokens["access_token"]).status_code == 401


def test_jupyter_neither_warns_of_it_nor_logs_what_apps_ask(
    app: App, jupyter: JupyterServer
) -> None:
    app.sign_in(state="state-that-no-log-shows")
    assert "state-that-no-log-shows" not in jupyter.log
    # other extensions are warned of
    assert "TokenHandler" not in jupyter.log
    # the server is strict with everything else
    assert jupyter.request("GET", "api", below=jupyter.url).status == 302


def test_its_cookie_stays_with_it(app: App) -> None:
    app.question()
    (cookie,) = app.http.cookies.jar
    assert cookie.name == f"practice-{app.server.port}"
    assert cookie.path == urlsplit(app.server.issuer).path
    assert cookie.has_nonstandard_attr("HttpOnly")


DIALS = {"X-Practice": "dials", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        DIALS | {"Origin": "http://evil.example"},
        DIALS | {"Origin": "null"},
        DIALS | {"Sec-Fetch-Site": "same-origin"},
        DIALS | {"Host": "evil.example"},
    ],
    ids=["form", "foreign page", "sandboxed page", "page of this server", "foreign name"],
)
def test_no_web_page_turns_the_dials(
    server: Mounted, practice: Practice, http: httpx2.Client, headers: dict[str, str]
) -> None:
    """Not even where Jupyter itself lets every origin in."""
    dials = f"{server.issuer}/practice/dials"
    answer = http.patch(dials, headers=headers, content=json.dumps({"down": True}))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert practice.down is False


def test_a_page_that_asks_first_is_told_no(server: Mounted, http: httpx2.Client) -> None:
    answer = http.request(
        "OPTIONS",
        f"{server.issuer}/practice/dials",
        headers={
            "Origin": "http://evil.example",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "x-practice",
        },
    )
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_there_is_none_where_others_could_reach_it(tmp_path: Path) -> None:
    config = {"ServerApp": {"jpserver_extensions": EXTENSIONS, "ip": "0.0.0.0"}}
    with jupyter_server(tmp_path, config=config, ready=False) as jupyter:
        jupyter.wait_for(jupyter._answers, "it does not answer", START_SECONDS)
        path = "oauthconn/practice/.well-known/openid-configuration"
        assert jupyter.request("GET", path, below=jupyter.url).status == 404
        assert "The practice provider is for this machine only" in jupyter.log
