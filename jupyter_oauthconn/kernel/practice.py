"""The practice provider's robot: signs in like a person with a browser, there and nowhere else."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from http.client import HTTPException
from http.cookiejar import CookieJar
from typing import IO, Any, NoReturn
from urllib.parse import urlencode, urljoin, urlsplit

from jupyter_oauthconn.errors import (
    AuthorizationFailedError,
    InvalidParameterError,
    NotAllowedError,
    ServiceUnreachableError,
)

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_TIMEOUT_SECONDS = 30
_MOST_REDIRECTS = 10
_LONGEST_PAGE = 256 * 1024
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_WELL_KNOWN = "/.well-known/oauth-authorization-server"


def consent(start_url: str, *, account: str | None = None, allow: bool = True) -> None:
    """Walks through a sign-in: our start page, its button, the consent page, back to our callback.

    Returns when the last page is there; what became of the sign-in, the token service knows.

    Args:
        start_url: the link that a person would open.
        account: who signs in at the practice provider; None: whom its page proposes.
        allow: False presses Deny.

    Raises:
        NotAllowedError: a host is not this machine, or the provider is no practice provider.
        AuthorizationFailedError: a page on the way says no; the message quotes its title.
        ServiceUnreachableError: nothing answers.
    """
    browser = _Browser()
    start = browser.open_start(_Address(start_url))
    provider = browser.press(start, {}, None)
    _check_practice(browser, provider, start.address)
    question = browser.open(provider)
    account = account or question.form.proposed
    if account not in question.form.accounts:
        raise InvalidParameterError(
            f"The practice provider has no account {account!r}.",
            hint=f"It has {' and '.join(question.form.accounts) or 'none on this page'}.",
            parameter="account",
        )
    choice = "allow" if allow else "deny"
    back = browser.press(question, {"account": account}, choice)
    # a denied sign-in ends on a page of ours that says so, with whatever status
    browser.open(back, or_refused=not allow)


@dataclass(frozen=True, slots=True)
class _Address:
    """A URL that shows no query, also where a traceback prints locals: state and code are there."""

    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def here(self) -> bool:
        """Whether it leads to this machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname in _LOOPBACK

    def __repr__(self) -> str:
        return f"_Address({self.shown!r})"

    def joined(self, reference: str) -> _Address:
        return _Address(urljoin(self.url, reference))


@dataclass(frozen=True, slots=True)
class _Page:
    address: _Address
    status: int
    title: str
    form: _Form


class _Form(HTMLParser):
    """The title of a page, and its one form."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.count = 0
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.accounts: list[str] = []
        self.proposed = ""
        self.buttons: list[tuple[str, str]] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title"
        name, value, kind = (given.get(one, "") for one in ("name", "value", "type"))
        if tag == "form" and given.get("method", "").lower() == "post":
            self.count += 1
            self.action = given.get("action", "")
        elif tag == "button" or (tag == "input" and kind == "submit"):
            self.buttons.append((name, value))
        elif tag == "input" and kind == "hidden":
            self.hidden[name] = value
        elif tag == "input" and kind == "radio":
            self.accounts.append(value)
            if "checked" in given:
                self.proposed = value

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Every redirect is looked at before it is followed."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class _Browser:
    """Cookies, redirects by hand, no proxy, this machine only."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(CookieJar()),
            _NoRedirects(),
        )

    def open(self, address: _Address, *, or_refused: bool = False) -> _Page:
        """The page at the end of the redirects."""
        for _ in range(_MOST_REDIRECTS):
            status, location, text = self.send(address)
            if location is None:
                break
            address = location
        else:
            _failed(address, "redirects without an end")
        form = _Form()
        form.feed(text)
        title = " ".join(form.title.split()) or f"status {status}"
        refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if status >= HTTPStatus.BAD_REQUEST and not (or_refused and refused):
            _failed(address, f"“{title}”")
        return _Page(address, status, title, form)

    def open_start(self, address: _Address) -> _Page:
        """Our own start page, which a server shows to those who are signed in there only."""
        page = self.open(address, or_refused=True)
        if page.status in _REFUSED or page.address.shown != address.shown:
            raise NotAllowedError(
                f"The practice robot cannot sign in at a Jupyter server's page: {address.shown} "
                f"answers with “{page.title}”.",
                hint="Sign in yourself (`%env JUPYTER_OAUTHCONN_INTERACTION=auto`), or run it "
                "outside the server, with JUPYTER_OAUTHCONN_URL unset.",
            )
        if page.status >= HTTPStatus.BAD_REQUEST:
            _failed(address, f"“{page.title}”")
        return page

    def press(self, page: _Page, chosen: dict[str, str], value: str | None) -> _Address:
        """Submits the page's form and returns where it leads; `value` names the button."""
        form = page.form
        buttons = [one for one in form.buttons if value in {None, one[1]}]
        target = page.address.joined(form.action)
        if form.count != 1 or not buttons or target.origin != page.address.origin:
            _failed(page.address, f"no form to submit on “{page.title}”")
        name, pressed = buttons[0]
        fields = form.hidden | chosen | ({name: pressed} if name else {})
        status, location, text = self.send(target, urlencode(fields).encode())
        if location is None:
            answer = _Form()
            answer.feed(text)
            _failed(target, f"“{' '.join(answer.title.split()) or f'status {status}'}”")
        return location

    def send(
        self, address: _Address, body: bytes | None = None
    ) -> tuple[int, _Address | None, str]:
        """One request: status, where it redirects to, and the page."""
        if not address.here:
            raise NotAllowedError(
                f"The practice robot does not go to {address.origin}: it signs in on this "
                "machine only.",
                hint="Use `interaction` = auto or wait, and sign in yourself.",
            )
        try:
            with self._opener.open(address.url, body, timeout=_TIMEOUT_SECONDS) as answer:
                return answer.status, None, _text(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                redirects = answer.code < HTTPStatus.BAD_REQUEST and "Location" in answer.headers
                location = address.joined(answer.headers["Location"]) if redirects else None
                return answer.code, location, _text(answer)
        except (OSError, HTTPException, ValueError):
            raise ServiceUnreachableError(
                f"Nothing answers the practice robot at {address.shown}.", url=address.shown
            ) from None


def _check_practice(browser: _Browser, endpoint: _Address, start: _Address) -> None:
    """Refuses any authorization server but a practice provider, before it is sent anything.

    The metadata must name this very authorization endpoint: neither an issuer elsewhere on the
    same port nor a parameter in the address can vouch for it.
    """
    folders = urlsplit(endpoint.shown).path.split("/")[1:-1]
    for length in range(len(folders), -1, -1):
        path = "".join(f"/{one}" for one in folders[:length])
        issuer = endpoint.origin + path
        # RFC 8414 §3.1, and below the issuer where the root belongs to another application
        for place in (f"{endpoint.origin}{_WELL_KNOWN}{path}", f"{issuer}{_WELL_KNOWN}"):
            status, _, text = browser.send(_Address(place))
            told = _json(text) if status == HTTPStatus.OK else {}
            if (
                told.get("practice") is True
                and told.get("issuer") == issuer
                and told.get("authorization_endpoint") == endpoint.shown
            ):
                return
    raise NotAllowedError(
        f"The sign-in that starts at {start.shown} leads to {endpoint.origin}, which is not a "
        "practice provider.",
        hint="The practice robot consents there only. Use `interaction` = auto or wait.",
    )


def _json(text: str) -> dict[str, object]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _text(answer: IO[bytes]) -> str:
    return answer.read(_LONGEST_PAGE).decode("utf-8", "replace")


def _failed(address: _Address, what: str) -> NoReturn:
    raise AuthorizationFailedError(
        f"The practice sign-in stopped at {address.shown}: {what}.",
        hint="Open the same link in a browser to see the page.",
    )
