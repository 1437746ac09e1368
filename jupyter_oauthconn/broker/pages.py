"""The pages that a person sees in the browser during a sign-in. No script, nothing foreign."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # loads the database's libraries, and a page needs their types only
    from jupyter_oauthconn.service.sign_in import Misfit, StartPage

#: Of every page of ours, in both schemes.
PALETTE = """
:root { color-scheme: light dark; --back: #f6f5f3; --card: #fff; --text: #1f1d1b; --line: #8c857d;
  --quiet: #5e5850; --main: #b34700; --on-main: #fff; --done: #1a7f37; --failed: #b42318 }
@media (prefers-color-scheme: dark) { :root { --back: #161514; --card: #211f1d; --text: #f1efec;
  --line: #857d74; --quiet: #bdb5ab; --main: #ffab66; --on-main: #2a1500; --done: #5cc97a;
  --failed: #ff8f80 } }
"""
_STYLE = (
    PALETTE
    + """* { box-sizing: border-box; overflow-wrap: anywhere }
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
code { font: .9em ui-monospace, monospace; user-select: all } a { color: var(--main) }
ul { margin: .6rem 0; padding-left: 1.25rem } li { margin: .6rem 0 }
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
)
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

_START_AGAIN = "Start the sign-in again from the notebook, and finish it in the same browser."
#: Why an answer of a provider led to no sign-in, by the stable code of the error: title, sentence,
#: next step. Fixed texts, so that the address of the page that tells them needs no memory.
_REFUSALS = {
    "callback_mismatch": (
        "Not authenticated",
        "This answer belongs to no sign-in that this browser has under way. It was started in "
        "another browser, or was begun anew meanwhile.",
        _START_AGAIN,
    ),
    "authorization_expired": (
        "This sign-in is over",
        "This answer was used before, or came too late.",
        "It may have gone well: `%connect status` in the notebook says how the connection stands.",
    ),
    "unknown_authorization": (
        "This sign-in is over",
        "This sign-in is not known here any more.",
        "`%connect status` in the notebook says how the connection stands.",
    ),
    "not_signed_in": (
        "Your session ended",
        "You were signed out of Jupyter before the provider's answer came back, so it was not "
        "used.",
        "Sign in to Jupyter, then start the sign-in again from the notebook.",
    ),
    "guest": (
        "Not authenticated",
        "This is another person's server, and a sign-in here would be hers.",
        "Start the sign-in from a notebook on your own server.",
    ),
    "storage_unavailable": (
        "Not authenticated",
        "The token service could not read or write its database.",
        "Try again in a moment; `jupyter oauthconn doctor` says what is wrong.",
    ),
}
_OTHER_REFUSAL = ("Not authenticated", "This answer of a provider was not accepted.", _START_AGAIN)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Where a page's buttons post to, and what comes back with them beside the button's name."""

    action: str
    fields: Mapping[str, str]


def start_page(page: StartPage, form: Form, *, owner: str | None, why: str) -> str:
    """The page with the button.

    Args:
        owner: whose sign-in it is, where there may be several people.
        why: what waits for it, as a sentence.
    """
    scopes = "".join(f"<code>{escape(one)}</code> " for one in page.scope.split())
    known = "" if page.client == page.provider else f"{page.client}, "
    rows = [
        ("Connection", escape(page.connection)),
        ("Jupyter user", escape(owner or "")),
        ("Provider", escape(page.provider)),
        ("You sign in at", escape(page.host)),
        ("OAuth client", escape(f"{known}client ID {page.client_id}")),
        ("Asks for", scopes or "what the provider grants by default"),
        ("Meant for", escape(page.login_hint or "")),
        ("Until now as", escape(page.connected_as or "")),
    ]
    listing = "".join(f"<dt>{term}</dt><dd>{shown}</dd>" for term, shown in rows if shown)
    return _page(
        f"Sign in for {page.connection}",
        f"<p>{escape(why)} <strong>{escape(page.provider)}</strong> will then ask you to sign in "
        f"and to agree.</p><dl>{listing}</dl>{_buttons(form, [('authenticate', 'Authenticate')])}",
        "Your password goes to the provider only. What it grants is kept by the token service, "
        f"until `%connect revoke {page.connection}`.",
    )


def connected_page(connection: str, identity: str | None, form: Form, *, owner: str | None) -> str:
    """Nothing waits, and nothing need be done."""
    who = f" as <strong>{escape(identity)}</strong>" if identity else ""
    for_whom = f" for <strong>{escape(owner)}</strong>" if owner else ""
    return _page(
        f"{connection} is authenticated",
        f"<p><strong>{escape(connection)}</strong> is authenticated{who}{for_whom}. Nothing waits "
        f"for a sign-in.</p>{_buttons(form, [('again', 'Sign in again')])}",
        "Until a new sign-in is finished, the present one stays.",
        kind="done",
    )


def confirm_page(
    connection: str, before: str | None, now: str, form: Form, *, meant: str | None
) -> str:
    """Another account came back than the one before, or than the connection means.

    Args:
        before: None: nobody was signed in until now.
        meant: the connection's `login_hint`.
    """
    means = f"It is meant for <strong>{escape(meant)}</strong>. " if meant else ""
    until_now = (
        f"Until now it was signed in as <strong>{escape(before)}</strong>. " if before else ""
    )
    return _page(
        f"Another account for {connection}?",
        f"<p>{means}{until_now}You have just signed in to "
        f"<strong>{escape(connection)}</strong> as <strong>{escape(now)}</strong>.</p>"
        + _buttons(
            form,
            [("keep", f"Keep {before}" if before else "Not this one"), ("replace", f"Use {now}")],
        ),
    )


def done_page(connection: str, identity: str | None) -> str:
    """The sign-in is finished."""
    who = f" as <strong>{escape(identity)}</strong>" if identity else ""
    return _page(
        "Authenticated",
        f"<p><strong>{escape(connection)}</strong> is authenticated{who}. Notebooks can use "
        "it, and one that waited goes on; you can close this tab.</p>",
        kind="done",
    )


def failed_page(
    message: str, hint: str, *, title: str = "Not authenticated", again: str | None = None
) -> str:
    """The sign-in did not work; nothing that existed before was changed.

    Args:
        again: address of the start page, where a person may open it as she likes.
    """
    advice = f"<p>{_with_code(hint)}</p>" if hint else ""
    link = f'<p><a href="{escape(again)}">Start again on this page</a></p>' if again else ""
    return _page(
        title,
        f"<p>{escape(message)}</p>{advice}{link}",
        "Nothing was changed. You can close this tab and start again from the notebook.",
        kind="failed",
    )


def refused_page(code: str) -> str:
    """An answer of a provider that led to no sign-in."""
    title, message, hint = _REFUSALS.get(code, _OTHER_REFUSAL)
    return failed_page(message, hint, title=title)


def misfit_page(misfit: Misfit, same_page: str | None) -> str:
    """The pages are at an address that the provider would not send anybody back to.

    Args:
        same_page: this page's address under a name that fits.
    """
    registered = "".join(f"<code>{escape(uri)}</code> " for uri in misfit.registered) or "none"
    remedies = [_with_code(one) for one in misfit.remedies]
    if same_page is not None:
        shown = escape(same_page)
        link = f'<a href="{shown}">{shown}</a>'
        remedies.insert(0, f"Open this page at its registered address: {link}. Jupyter may ask "
                        "you to log in there.")  # fmt: skip
    return _page(
        "This address is not registered",
        f"<p>The provider sends people back only to addresses that are registered for the OAuth "
        f"client <strong>{escape(misfit.client)}</strong>, and this server is at another one.</p>"
        f"<dl><dt>Registered</dt><dd>{registered}</dd>"
        f"<dt>This server</dt><dd><code>{escape(misfit.callback)}</code></dd></dl>"
        f"<p>One of these helps:</p>{_list(remedies)}",
        "Nothing was sent to the provider.",
        kind="failed",
    )


def _buttons(form: Form, buttons: Sequence[tuple[str, str]]) -> str:
    """A form; its first button is the one to press."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in form.fields.items()
    )
    row = "".join(
        f'<button name="do" value="{value}"{"" if place else " class=first"}>'
        f"{escape(label)}</button>"
        for place, (value, label) in enumerate(buttons)
    )
    return f'<form method="post" action="{escape(form.action)}">{hidden}{row}</form>'


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _with_code(text: str) -> str:
    """A hint's commands stand between backticks."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _page(title: str, body: str, footer: str = "", *, kind: str = "question") -> str:
    foot = f"<footer>{_with_code(footer)}</footer>" if footer else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f'<body><main class="{kind}"><p class="brand">jupyter-oauthconn</p>'
        f"<h1>{escape(title)}</h1>{body}{foot}</main></body></html>"
    )
