"""An administrator's browser without script: pages, forms as a browser fills them in, buttons."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2
from two_users import SESSION, XSRF, Person, TwoUsers


@dataclass
class PageForm:
    """A form: what it sends unless somebody types, and its buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


class PageForms(HTMLParser):
    """All forms of a page, with what is typed, chosen and ticked."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self._area: str | None = None
        self._select: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "form":
            self.forms.append(PageForm(given.get("action", ""), given.get("method", "get")))
        elif tag == "button" and name and self.forms:
            self.forms[-1].buttons.append(value)
        elif tag == "input" and name:
            ticked = given.get("type") not in {"radio", "checkbox"} or "checked" in given
            if ticked:
                self.forms[-1].fields[name] = value
        elif tag == "textarea":
            self._area = name
            self.forms[-1].fields[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select is not None:
            fields = self.forms[-1].fields
            chosen = "selected" in given or self._select not in fields
            fields[self._select] = value if chosen else fields[self._select]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            # a browser drops the line end behind the tag (HTML, section 13.2.6.4.7)
            before = self.forms[-1].fields[self._area]
            self.forms[-1].fields[self._area] = (before + data).removeprefix("\n")


class AdministratorsBrowser:
    """One browser. `at` is the page that it shows, at the end of the redirects."""

    def __init__(self, users: TwoUsers, person: Person | None, **headers: str) -> None:
        self.users = users
        self.http = httpx2.Client(trust_env=False, timeout=60, headers=headers)
        if person is not None:
            for name, value in ((SESSION, person.session), (XSRF, person.xsrf)):
                self.http.cookies.set(name, value, domain="127.0.0.1", path="/")
        self.at: httpx2.Response

    def see(self, path: str = "") -> httpx2.Response:
        """A page below `admin/`."""
        return self._follow(self.http.get(f"{self.users.url}admin/{path}"))

    def press(self, do: str, **typed: str | None) -> httpx2.Response:
        """The button with that value, after typing; None: unticked. Names have `_` for `-`."""
        form = self.form_of(do)
        given = {name.replace("parameter_", "parameter-"): value for name, value in typed.items()}
        unknown = given.keys() - form.fields.keys() - {"loopback_any", "credential"}
        assert not unknown, f"the form has no {unknown}"
        sent = {name: value for name, value in (form.fields | given).items() if value is not None}
        return self.post(str(self.at.url), {**sent, "do": do})

    def post(self, url: str, sent: Mapping[str, str], **headers: str) -> httpx2.Response:
        return self._follow(self.http.post(url, data=dict(sent), headers=headers))

    def form_of(self, do: str) -> PageForm:
        forms = [one for one in PageForms(self.at.text).forms if do in one.buttons]
        assert len(forms) == 1, (do, self.at.status_code, self.heading, self.text)
        return forms[0]

    @property
    def buttons(self) -> list[str]:
        return [value for one in PageForms(self.at.text).forms for value in one.buttons]

    @property
    def heading(self) -> str:
        return unescape(self.at.text.partition("<h1>")[2].partition("</h1>")[0])

    @property
    def text(self) -> str:
        """What is read on the page, without what only a menu says."""
        main = re.sub(r"<style>.*?</style>", "", self.at.text, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())

    @property
    def errors(self) -> dict[str, str]:
        """By field, as they stand there."""
        found = re.findall(
            r'<p class="error" id="([^"]+)-error">(.*?)</p>', self.at.text, flags=re.DOTALL
        )
        return {
            name: unescape(re.sub(r"<[^>]*>", "", text)).removeprefix("Error: ")
            for name, text in found
        }

    def rows(self) -> Iterator[str]:
        """The rows of the page's tables, as texts."""
        for row in re.findall(r'<tr role="row">(.*?)</tr>', self.at.text, flags=re.DOTALL):
            yield " ".join(unescape(re.sub(r"<[^>]*>", " ", row)).split())

    def close(self) -> None:
        self.http.close()

    def _follow(self, answer: httpx2.Response) -> httpx2.Response:
        while (location := answer.headers.get("Location")) is not None:
            target = urljoin(str(answer.url), location)
            if "/admin/" not in target and "/connect/" not in target:
                break
            answer = self.http.get(target)
        self.at = answer
        return answer
