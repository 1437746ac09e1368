"""From a page to HTML: templates that escape everything, one style, one script, strict headers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from jupyter_oauthconn.broker.pages import PALETTE

from . import words

_PACKAGE = "jupyter_oauthconn.web.administration"


def _static(name: str) -> str:
    return files(_PACKAGE).joinpath("static", name).read_text(encoding="utf-8")


def _integrity(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


STYLE = PALETTE + _static("admin.css")
SCRIPT = _static("admin.js")
SCRIPT_INTEGRITY = _integrity(SCRIPT)
#: Part of the script's address, so that it may be cached for ever.
SCRIPT_VERSION = sha256(SCRIPT.encode()).hexdigest()[:16]

#: Style and script are named by their content: nothing else of this origin runs here, where a
#: person's own files are served, too.
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src '{_integrity(STYLE)}'; "
    f"script-src '{SCRIPT_INTEGRITY}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words.FILTERS)
    # our own file, no text of anybody's
    environment.globals["style"] = Markup(STYLE)  # noqa: S704
    return environment


def render(template: str, context: Mapping[str, Any]) -> str:
    """A page as HTML."""
    return _environment().get_template(template).render(context)
