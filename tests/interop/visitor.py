"""A person with a browser that has cookies and forms, and no script."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """The forms and links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "input" and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button" and given.get("name"):
            self.forms[-1].buttons.append((given["name"], given.get("value", "")))


class Visitor:
    """One browser. `at` is the page that it shows."""

    def __init__(self) -> None:
        self.http = httpx2.Client(trust_env=False, timeout=60)
        self.at: httpx2.Response | None = None
        self.visited: list[str] = []

    def open(self, url: str, *, stop_at: str | None = None) -> str:
        """Follows redirects; returns the last address, unopened where it contains `stop_at`."""
        return self._follow(self.http.get(url), url, stop_at)

    def submit(self, *, stop_at: str | None = None, **fields: str) -> str:
        """Fills in the page's first form and sends it."""
        assert self.at is not None
        form = Forms(self.at.text).forms[0]
        target = urljoin(str(self.at.url), form.action)
        return self._follow(self.http.post(target, data={**form.fields, **fields}), target, stop_at)

    def start(self, public_url: str) -> str:
        """Our start page and its button: where at the provider it leads."""
        self.open(public_url)
        assert self.at is not None
        assert self.at.status_code == 200, self.at.text
        return self.submit(do="authenticate", stop_at="/auth?")

    def log_in(self, account: str = "ada") -> None:
        """The provider's login page."""
        self.submit(login=account, password="x")

    def consent(self, url: str, account: str = "ada", *, stop_at: str | None = "code=") -> str:
        """The provider's pages from login to consent: the callback's address, unopened."""
        self.open(url)
        self.log_in(account)
        return self.submit(stop_at=stop_at)

    def sign_in(self, public_url: str, account: str = "ada") -> httpx2.Response:
        """The whole way, back to our own page."""
        self.open(self.consent(self.start(public_url), account))
        assert self.at is not None
        return self.at

    def abort(self) -> httpx2.Response:
        """The provider's cancel link."""
        assert self.at is not None
        links = Forms(self.at.text).links
        target = next(one for one in links if one.endswith("/abort"))
        self.open(urljoin(str(self.at.url), target))
        return self.at

    def close(self) -> None:
        self.http.close()

    def _follow(self, answer: httpx2.Response, url: str, stop_at: str | None) -> str:
        for _ in range(10):
            self.visited.append(url)
            location = answer.headers.get("Location")
            if location is None:
                break
            url = urljoin(url, location)
            if stop_at is not None and stop_at in url:
                return url
            answer = self.http.get(url)
        self.at = answer
        return url


def changed(url: str, **parameters: str | None) -> str:
    """The address with other query parameters; None removes one."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | parameters
    kept = {name: value for name, value in query.items() if value is not None}
    return parts._replace(query=urlencode(kept)).geturl()


def parameter(url: str, name: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))[name]
