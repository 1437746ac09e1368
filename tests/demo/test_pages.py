"""The pages: no script, strict headers, usable by keyboard and screen reader."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest


class _Outline(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.text = ""
        self.style = ""
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if self._in_style:
            self.style += data
        else:
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(params=["consent", "wrong_address", "unknown_client", "stale", "device", "404"])
def page(request, app):
    match request.param:
        case "consent":
            return app.question()
        case "wrong_address":
            return app.question(redirect_uri="http://evil.example/")
        case "unknown_client":
            return app.question(client_id="x")
        case "stale":
            shown = app.question()
            app.answer(shown)
            return app.answer(shown)
        case "device":
            return app.http.get(f"{app.server.issuer}/device", params={"user_code": '"><i>'})
    return app.http.put(f"{app.server.issuer}/device")


def test_headers(page):
    policy = page.headers["Content-Security-Policy"]
    style = _Outline(page.text).style
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in page.headers
    assert "Access-Control-Allow-Origin" not in page.headers


def test_no_script_and_nothing_foreign(page):
    outline = _Outline(page.text)
    assert not {"script", "link", "img", "iframe", "object", "base", "i"} & {
        tag for tag, _ in outline.tags
    }
    for _, attributes in outline.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not {"src", "href"} & attributes.keys()


def test_structure(page):
    outline = _Outline(page.text)
    assert outline.all("html") == [{"lang": "en"}]
    assert len(outline.all("main")) == 1
    assert len(outline.all("h1")) == 1
    assert len(outline.all("title")) == 1
    assert "Practice Provider" in outline.text
    labels = {one.get("for") for one in outline.all("label")}
    for one in outline.all("input"):
        wrapped = one.get("type") in {"hidden", "radio"}
        assert wrapped or one["id"] in labels


def test_the_consent_page_names_account_app_scopes_and_where_it_leads(app):
    page = app.question(scope="openid offline_access sales.read sales.write")
    outline = _Outline(page.text)
    for text in (
        "Allow notebook to use your account?",
        "analyst@example.com",
        "guest@example.com",
        "Read the sales figures",
        "Add sales figures",
        "Stay connected while you are away",
        "http://127.0.0.1:8888",
        "Deny",
    ):
        assert text in outline.text
    assert "See your email address" not in outline.text
    radios = [one for one in outline.all("input") if one["type"] == "radio"]
    assert [one["value"] for one in radios if "checked" in one] == ["analyst@example.com"]
    assert outline.text.index("Choose an account") < outline.text.index("analyst@example.com")
    assert len(outline.all("fieldset")) == len(outline.all("legend")) == 1


def test_light_and_dark_text_can_be_read(app):
    style = _Outline(app.question().text).style
    assert "prefers-color-scheme: dark" in style
    light, dark = (
        dict(
            part.strip().split(": ", 1)
            for part in block.split("}")[0].split("{")[-1].split(";")
            if part.strip().startswith("--")
        )
        for block in (style, style.split("prefers-color-scheme: dark")[1])
    )
    for colours in (light, dark):
        for front, back in [
            ("--text", "--card"),
            ("--quiet", "--card"),
            ("--main", "--card"),
            ("--on-main", "--main"),
        ]:
            assert _contrast(colours[front], colours[back]) >= 4.5, (front, back)
        assert _contrast(colours["--line"], colours["--card"]) >= 3


def _contrast(one, other):
    """WCAG 2.2, contrast ratio."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour):
    digits = colour.strip().lstrip("#")
    digits = "".join(2 * one for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(share * one for share, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_answer_is_sent_with_303_and_kept_nowhere(app):
    response = app.answer(app.question())
    assert response.status_code == 303
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    (cookie,) = app.http.cookies.jar
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert str(app.server.port) in cookie.name
