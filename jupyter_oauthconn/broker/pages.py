"""The pages that a person sees in the browser during a sign-in. No script, nothing foreign."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

from jupyter_oauthconn.service.sign_in import StartPage

_STYLE = """
:root { color-scheme: light dark; --back: #f6f5f3; --card: #fff; --text: #1f1d1b; --line: #8c857d;
  --quiet: #5e5850; --main: #b34700; --on-main: #fff; --done: #1a7f37; --failed: #b42318 }
@media (prefers-color-scheme: dark) { :root { --back: #161514; --card: #211f1d; --text: #f1efec;
  --line: #857d74; --quiet: #bdb5ab; --main: #ffab66; --on-main: #2a1500; --done: #5cc97a;
  --failed: #ff8f80 } }
* { box-sizing: border-box; overflow-wrap: anywhere }
body { margin: 0; padding: 1rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif }
main { max-width: 34rem; margin: 9vh auto; padding: 1.5rem 2rem 1.75rem; background: var(--card);
  border: 1px solid var(--line); border-top: 5px solid var(--main); border-radius: 8px }
main.done { border-top-color: var(--done) } main.failed { border-top-color: var(--failed) }
.brand { margin: 0; color: var(--quiet); font-size: .875rem }
h1 { font-size: 1.4rem; line-height: 1.3; margin: .25rem 0 1rem } p { margin: .6rem 0 }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.25rem;
  margin: 1.1rem 0 }
dt { color: var(--quiet) } dd { margin: 0 }
code { font: .9em ui-monospace, monospace }
dd code { display: inline-block; margin: .1rem .4rem .1rem 0; padding: 0 .4rem;
  border: 1px solid var(--line); border-radius: 4px }
form { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.4rem }
button { font: inherit; font-weight: 600; min-height: 2.75rem; padding: .5rem 1.4rem;
  border: 1px solid var(--main); border-radius: 6px; background: transparent; color: var(--main);
  cursor: pointer }
button.first { background: var(--main); color: var(--on-main) }
:focus-visible { outline: 3px solid var(--main); outline-offset: 3px }
footer { color: var(--quiet); font-size: .875rem; margin-top: 1.4rem; padding-top: .9rem;
  border-top: 1px solid var(--line) }
@media (max-width: 30rem) { body { padding: .5rem } main { margin: 2vh auto; padding: 1rem 1.25rem }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0 } dd { margin-bottom: .6rem }
  button { flex: 1 1 100% } }
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
    scopes = "".join(f"<code>{escape(one)}</code> " for one in page.scope.split())
    rows = [
        ("Connection", escape(page.connection)),
        ("Provider", escape(page.provider)),
        ("OAuth client", escape(page.client_id)),
        ("Asks for", scopes or "what the provider grants by default"),
    ]
    if page.connected_as:
        rows.append(("Until now as", escape(page.connected_as)))
    listing = "".join(f"<dt>{term}</dt><dd>{shown}</dd>" for term, shown in rows)
    return _page(
        f"Sign in for {page.connection}",
        "<p>Your notebook asks for access to your data. Go on only if you have started this "
        f"yourself: <strong>{escape(page.provider)}</strong> will then ask you to sign in and to "
        f"agree.</p><dl>{listing}</dl>"
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
        f"<p><strong>{escape(connection)}</strong> is authenticated{who}. Your notebook goes on "
        "by itself; you can close this tab.</p>",
        kind="done",
    )


def failed_page(message: str, hint: str, *, title: str = "Not authenticated") -> str:
    """The sign-in did not work; nothing that existed before was changed."""
    advice = f"<p>{_with_code(hint)}</p>" if hint else ""
    return _page(
        title,
        f"<p>{escape(message)}</p>{advice}",
        "Nothing was changed. You can close this tab and start again from the notebook.",
        kind="failed",
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


def _page(title: str, body: str, footer: str = "", *, kind: str = "question") -> str:
    foot = f"<footer>{escape(footer)}</footer>" if footer else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f'<body><main class="{kind}"><p class="brand">jupyter-oauthconn</p>'
        f"<h1>{escape(title)}</h1>{body}{foot}</main></body></html>"
    )
