"""The robot: walks a sign-in on this machine, and refuses everything else."""

from __future__ import annotations

import secrets
import threading
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from jupyter_oauthconn.errors import (
    AuthorizationFailedError,
    InvalidParameterError,
    NotAllowedError,
    ServiceUnreachableError,
)
from jupyter_oauthconn.kernel.practice import consent

STATE = "CANARY-state"
START = "CANARY-start"


class _Site(ThreadingHTTPServer):
    """A start page, its button, a callback: what a token service shows."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.callback = f"{self.origin}/oauthconn/callback/practice"
        self.location = ""
        self.cookie = secrets.token_urlsafe(8)
        self.page = (
            '<title>Sign in</title><form method="post" action="/connect/sales?x=1">'
            f'<input type="hidden" name="start" value="{START}">'
            '<button name="do" value="authenticate">Authenticate</button></form>'
        )
        self.after = 200
        self.back = None


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path == "/oauthconn/callback/practice":
            assert SimpleCookie(self.headers["Cookie"])["flow"].value == self.server.cookie
            self.server.back = parse_qs(parts.query)
            self._send(303, location="/done")
        elif parts.path == "/done":
            self._send(self.server.after, "<title>Outcome\n page</title>")
        else:
            self._send(200, self.server.page)

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert form == {"start": [START], "do": ["authenticate"]}
        assert self.path == "/connect/sales?x=1"
        self._send(303, location=self.server.location, cookie=f"flow={self.server.cookie}; Path=/")

    def _send(self, status, text="", location=None, cookie=None):
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format, *args):
        """Silent."""


@pytest.fixture
def site(app):
    with _Site() as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.01,))
        thread.start()
        site.location = str(_request(app, site).url)
        yield site
        site.shutdown()
        thread.join()


def _request(app, site, **changes):
    return app.question(**{"redirect_uri": site.callback, "state": STATE} | changes)


def test_it_signs_in(app, site):
    consent(f"{site.origin}/connect/sales?start={START}")
    assert site.back["state"] == [STATE]
    assert site.back["iss"] == [app.server.issuer]
    answer = app.exchange(site.back["code"][0], redirect_uri=site.callback)
    assert app.data("whoami", answer.json()["access_token"]).json()["name"] == "Ana Lyst"


def test_it_signs_in_as_the_other_account(app, site):
    consent(f"{site.origin}/connect/sales", account="guest@example.com")
    answer = app.exchange(site.back["code"][0], redirect_uri=site.callback)
    assert app.data("whoami", answer.json()["access_token"]).json()["name"] == "Gus T. Guest"


@pytest.mark.parametrize("after", [200, 400])
def test_it_denies_and_is_content_with_our_page_that_says_so(site, after):
    site.after = after
    consent(f"{site.origin}/connect/sales", allow=False)
    assert site.back["error"] == ["access_denied"]
    assert "code" not in site.back


@pytest.mark.parametrize(("after", "allow"), [(400, True), (500, True), (500, False)])
def test_it_says_which_page_stopped_it(site, after, allow):
    site.after = after
    with pytest.raises(AuthorizationFailedError, match="/done: “Outcome page”") as caught:
        consent(f"{site.origin}/connect/sales", allow=allow)
    assert "CANARY" not in _everything(caught)


def test_an_unknown_account(site):
    with pytest.raises(InvalidParameterError, match=r"no account 'boss@example\.com'") as caught:
        consent(f"{site.origin}/connect/sales", account="boss@example.com")
    assert "guest@example.com" in caught.value.hint
    assert site.back is None


def test_a_provider_that_refuses_the_address(app, site):
    site.location = str(_request(app, site, redirect_uri="http://127.0.0.1:1/x").url)
    with pytest.raises(AuthorizationFailedError, match="redirect URI is not registered") as caught:
        consent(f"{site.origin}/connect/sales")
    assert "CANARY" not in _everything(caught)


@pytest.mark.parametrize(
    "address",
    [
        "https://login.example.com/authorize",
        "http://127.0.0.1.example.com/authorize",
        "http://127.0.0.1@example.com/authorize",
        "http://10.0.0.1/authorize",
        "file:///etc/passwd",
        "//example.com/authorize",
    ],
)
def test_it_stays_on_this_machine(site, address):
    site.location = f"{address}?state={STATE}"
    with pytest.raises(NotAllowedError, match="this machine only") as caught:
        consent(f"{site.origin}/connect/sales")
    assert "CANARY" not in _everything(caught)


def test_a_start_page_elsewhere():
    with pytest.raises(NotAllowedError, match=r"https://hub\.example\.com"):
        consent(f"https://hub.example.com/connect/sales?start={START}")


def test_a_provider_on_this_machine_that_does_not_say_practice(app, site):
    app.provider.faults.plan("patch:practice=false", 2, "metadata")
    with pytest.raises(NotAllowedError, match="not a practice provider") as caught:
        consent(f"{site.origin}/connect/sales")
    assert "CANARY" not in _everything(caught)
    assert app.provider.requests("authorize") == []


@pytest.mark.parametrize("path", ["/tenant/authorize", "/authorize/", "/device"])
def test_another_page_beside_a_practice_provider(app, site, path):
    site.location = f"{app.server.issuer}{path}?iss={app.server.issuer}&state={STATE}"
    with pytest.raises(NotAllowedError, match="not a practice provider"):
        consent(f"{site.origin}/connect/sales")


def test_a_practice_provider_below_a_path(http, site):
    from jupyter_oauthconn.demo import PracticeServer

    with PracticeServer(path="/user/ana/practice", host="localhost") as server:
        site.location = site.location.replace(
            urlsplit(site.location)._replace(path="", query="").geturl(), server.issuer
        )
        consent(f"{site.origin}/connect/sales")
        assert site.back["iss"] == [server.issuer]


@pytest.mark.parametrize(
    "page",
    [
        "<title>No</title>nothing here",
        '<title>No</title><form method="post"></form><form method="post"><button></form>',
        '<title>No</title><form method="post" action="http://localhost:1/x"><button></form>',
    ],
)
def test_a_start_page_must_have_one_form_of_its_own(site, page):
    site.page = page
    with pytest.raises(AuthorizationFailedError, match="no form to submit on “No”"):
        consent(f"{site.origin}/connect/sales")


def test_nothing_listens(site, app):
    app.server.stop()
    with pytest.raises(ServiceUnreachableError) as caught:
        consent(f"{site.origin}/connect/sales")
    assert "CANARY" not in _everything(caught)
    assert caught.value.url.startswith(app.server.issuer)


def _everything(caught):
    """The text, and what `%xmode Verbose` would print of the robot's own frames."""
    frames = [one for one in caught.traceback if one.path.parts[-2:] == ("kernel", "practice.py")]
    assert frames
    shown = [repr(one.frame.f_locals) for one in frames]
    assert STATE not in "".join(shown)
    return f"{caught.value} {caught.value.hint}"
