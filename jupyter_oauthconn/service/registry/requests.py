"""What somebody without an OAuth client sends to her administrator."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_oauthconn.catalog import ProviderEntry, resolve_scopes


def request_text(
    entry: ProviderEntry, *, person: str, contact: str, redirect_uris: Sequence[str]
) -> str:
    """A message, ready to be sent: provider, redirect URIs, scopes, and where it is entered.

    Args:
        contact: whom it goes to, in words.
        redirect_uris: where `NAME` stands for the OAuth client's name.
    """
    scopes = resolve_scopes(entry, {})
    asked = " ".join((*scopes.identity, *scopes.default, *scopes.offline)) or "(to be chosen)"
    uris = "\n".join(f"  {one}" for one in redirect_uris)
    return (
        f"To: {contact}\n"
        f"Subject: OAuth client for {entry.title}\n\n"
        f"I would like to reach {entry.title} from Jupyter. Please register a client app there, "
        "and an OAuth client for it in Jupyter's token service.\n\n"
        f"Provider: {entry.title} (key {entry.key})\n"
        f"Redirect URIs (NAME is the name that you give the OAuth client):\n{uris}\n"
        f"Scopes: {asked}\n"
        f"Jupyter user who needs it: {person}\n\n"
        f"The steps at the provider: jupyter oauthconn providers show {entry.key}"
    )
