"""The pages that a person sees in the browser during a sign-in. No script, nothing foreign."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

from jupyter_oauthconn.service.sign_in import StartPage

_STYLE = """
:root { color-scheme: light dark; --line: #bdbdbd; --brand: #c75300; --quiet: #5f5f5f }
@media (prefers-color-scheme: dark) {
  :root { --line: #5a5a5a; --brand: #ff9d4d; --quiet: #b0b0b0 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1rem }
main { border: 1px solid var(--line); border-radius: 8px; padding: 1.5rem 2rem }
h1 { font-size: 1.35rem; margin: 0 0 1rem } p { margin: .6rem 0 } code { word-break: break-all }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1rem; margin: 1rem 0 }
dt { color: var(--quiet) } dd { margin: 0 }
button { font: inherit; padding: .55rem 1.4rem; border-radius: 6px; cursor: pointer;
  border: 1px solid var(--brand); background: transparent; color: inherit; margin-right: .6rem }
button.first { background: #b34700; border-color: #b34700; color: #fff; font-weight: 600 }
:focus-visible { outline: 3px solid var(--brand); outline-offset: 2px }
footer { color: var(--quiet); font-size: .85rem; margin-top: 1rem }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

#: No `form-action`: Chromium applies it to the whole redirect chain behind the button.
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def start_page(page: StartPage, *, action: str, key: str) -> str:
    """The page with the button. `key` comes back with the button's POST."""
    rows = [
        ("Connection", page.connection),
        ("Provider", page.provider),
        ("OAuth client", page.client_id),
        ("Asks for", page.scope or "what the provider grants by default"),
    ]
    if page.connected_as:
        rows.append(("Until now as", page.connected_as))
    listing = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in rows)
    return _page(
        f"Sign in for {page.connection}",
        f"<p>Your notebook asks for access to your data. {escape(page.provider)} will ask you "
        f"to sign in and to agree.</p><dl>{listing}</dl>"
        + _form(action, key, [("authenticate", "Authenticate", True)]),
        "The token stays with the token service on this computer; the notebook never sees your "
        "password.",
    )


def confirm_page(connection: str, before: str, now: str, *, action: str, key: str) -> str:
    """Another account than before came back."""
    return _page(
        f"Another account for {connection}?",
        f"<p>Until now <strong>{escape(connection)}</strong> was signed in as "
        f"<strong>{escape(before)}</strong>. You have just signed in as "
        f"<strong>{escape(now)}</strong>.</p>"
        + _form(
            action,
            key,
            [("keep", f"Keep {before}", True), ("replace", f"Use {now}", False)],
        ),
    )


def done_page(connection: str, identity: str | None) -> str:
    """The sign-in is finished."""
    who = f" as <strong>{escape(identity)}</strong>" if identity else ""
    return _page(
        "Authenticated",
        f"<p><strong>{escape(connection)}</strong> is authenticated{who}. Your notebook has gone "
        "on; you can close this tab.</p>",
    )


def failed_page(message: str, hint: str) -> str:
    """The sign-in did not work; nothing that existed before was changed."""
    return _page(
        "Not authenticated",
        f"<p>{escape(message)}</p><p>{_with_code(hint)}</p>",
        "Nothing was changed. You can close this tab and start again from the notebook.",
    )


def _form(action: str, key: str, buttons: list[tuple[str, str, bool]]) -> str:
    row = "".join(
        f'<button name="do" value="{value}"{" class=first" if first else ""}>'
        f"{escape(label)}</button>"
        for value, label, first in buttons
    )
    return (
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="start" value="{escape(key)}">{row}</form>'
    )


def _with_code(text: str) -> str:
    """A hint's commands stand between backticks."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _page(title: str, body: str, footer: str = "") -> str:
    foot = f"<footer>{escape(footer)}</footer>" if footer else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}{foot}</main></body></html>"
    )
