"""The provider's pages: sign in and allow, type a device code, what went wrong. No script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape

from ..provider import ACCOUNTS, SCOPES

_STYLE = """
:root { color-scheme: light dark; --back: #f2f4f8; --card: #fff; --text: #1b1f27; --line: #8a93a3;
  --quiet: #505968; --main: #0b57c2; --on-main: #fff }
@media (prefers-color-scheme: dark) { :root { --back: #14171d; --card: #1e232c; --text: #eceff4;
  --line: #7d8797; --quiet: #b4bdcb; --main: #8ab4f8; --on-main: #10141b } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif }
main { max-width: 30rem; margin: 8vh auto; padding: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px }
.brand { display: flex; align-items: center; gap: .6rem; margin: 0; font-weight: 600 }
.brand::before { content: ""; width: 1.2rem; height: 1.2rem; border-radius: 50%;
  border: .35rem solid var(--main) }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 1rem 0 }
h2 { font-size: 1rem; margin: 1.2rem 0 0 }
ul { margin: .4rem 0; padding-left: 1.3rem } li { margin: .25rem 0 }
fieldset { margin: 0; padding: 0; border: 0 } legend { font-weight: 600; padding: 0 }
.account { display: flex; align-items: center; gap: .8rem; margin: .5rem 0; padding: .6rem .9rem;
  border: 1px solid var(--line); border-radius: 8px; cursor: pointer }
.account:has(:checked) { border-color: var(--main); box-shadow: inset 0 0 0 1px var(--main) }
.account input { accent-color: var(--main); width: 1.1rem; height: 1.1rem; margin: 0 }
small, footer { color: var(--quiet); font-size: .875rem } small { display: block }
.code { font: inherit; font-size: 1.3rem; letter-spacing: .1em; width: 100%; padding: .5rem .7rem;
  margin: .3rem 0 0; color: inherit; background: transparent; border: 1px solid var(--line);
  border-radius: 8px; text-transform: uppercase }
.row { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0 0 }
button { font: inherit; font-weight: 600; min-width: 8rem; padding: .6rem 1.4rem; cursor: pointer;
  border: 1px solid var(--main); border-radius: 8px; background: transparent; color: var(--main) }
button.first { background: var(--main); color: var(--on-main) }
:focus-visible { outline: 3px solid var(--main); outline-offset: 3px }
strong { overflow-wrap: anywhere } p { overflow-wrap: anywhere }
footer { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line) }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

#: No `form-action`: Chromium applies it to the redirect to the app behind the button as well.
#: The opener policy is what large providers send; it must not hinder anybody's sign-in.
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


def consent_page(
    client_id: str,
    scope: str,
    *,
    action: str,
    key: str,
    login_hint: str | None = None,
    returns_to: str | None = None,
) -> str:
    """Asks which account, and whether the app may. `key` comes back with the button's POST.

    Args:
        returns_to: origin that the browser is sent to; None for a device.
    """
    goes_on = (
        f"<p>You will then be sent to <strong>{escape(returns_to)}</strong>.</p>"
        if returns_to
        else "<p>Allow only if you have just started this sign-in yourself: whoever sent you "
        "the code would get access.</p>"
    )
    return _page(
        f"Allow {client_id} to use your account?",
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="request" value="{escape(key)}">'
        f"{_accounts(login_hint)}"
        f"<h2>The app {escape(client_id)} will be able to</h2><ul>{_abilities(scope.split())}</ul>"
        f"{goes_on}"
        + _buttons(("decision", "allow", "Allow"), ("decision", "deny", "Deny"))
        + "</form>",
    )


def device_page(*, action: str, user_code: str = "", problem: str = "") -> str:
    """Asks for the code that a device shows (RFC 8628 §3.3)."""
    trouble = f'<p role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    described = ' aria-describedby="problem" aria-invalid="true"' if problem else ""
    return _page(
        "Connect a device",
        f'{trouble}<form method="post" action="{escape(action)}">'
        '<label for="code">Type the code that is shown where you started</label>'
        f'<input class="code" id="code" name="user_code" value="{escape(user_code)}" '
        f'autocomplete="off" spellcheck="false" required maxlength="20"{described}>'
        + _buttons(("", "", "Continue"))
        + "</form>",
    )


def message_page(title: str, text: str) -> str:
    """Says one thing: it is done, or what went wrong."""
    return _page(title, f"<p>{escape(text)}</p>")


def _accounts(login_hint: str | None) -> str:
    chosen = login_hint if login_hint in ACCOUNTS else next(iter(ACCOUNTS))
    rows = "".join(
        '<label class="account"><input type="radio" name="account" '
        f'value="{escape(one.email)}"{" checked" if one.email == chosen else ""}>'
        f"<span>{escape(one.name)}<small>{escape(one.email)}</small></span></label>"
        for one in ACCOUNTS.values()
    )
    return f"<fieldset><legend>Choose an account</legend>{rows}</fieldset>"


def _abilities(scopes: Sequence[str]) -> str:
    return "".join(f"<li>{escape(SCOPES[one])} <small>{escape(one)}</small></li>" for one in scopes)


def _buttons(*buttons: tuple[str, str, str]) -> str:
    row = "".join(
        f"<button{f' name={name} value={value}' if name else ''}"
        f"{' class=first' if index == 0 else ''}>{escape(label)}</button>"
        for index, (name, value, label) in enumerate(buttons)
    )
    return f'<div class="row">{row}</div>'


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} – Practice Provider</title><style>{_STYLE}</style></head>"
        '<body><main><p class="brand">Practice Provider</p>'
        f"<h1>{escape(title)}</h1>{body}"
        "<footer>For learning and testing on this computer. The accounts are made up, the figures "
        "too, and no password is needed.</footer></main></body></html>"
    )
