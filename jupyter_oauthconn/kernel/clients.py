"""The functions of `import jupyter_oauthconn as oc` for OAuth clients, and clients as code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from jupyter_oauthconn.catalog import ProviderEntry
from jupyter_oauthconn.errors import InvalidParameterError, OAuthConnError
from jupyter_oauthconn.model import (
    Check,
    ClientDraft,
    ClientRegistration,
    ClientUse,
    ConnectionUse,
    Secret,
)

from . import current, display, drafts, views
from .views import Facts, Listing

if TYPE_CHECKING:
    from jupyter_oauthconn.broker import TokenServiceBroker
    from jupyter_oauthconn.service.declared.plan import Change

#: What `import` says when there is nothing to change.
NOTHING_TO_DO = "Nothing to do: everything is as the file says."


def clients() -> Listing[ClientRegistration]:
    """The OAuth clients that I may use; an administrator's: all."""
    place = current.place()
    found = place.broker.clients()
    place.names.clients = {one.name for one in found}
    return views.clients(found)


def register_client(
    name: str,
    *,
    provider: str,
    client_id: str,
    secret_from: str | None = None,
    **fields: Any,
) -> Facts:
    """Registers an OAuth client that an administrator made at the provider.

    Args:
        secret_from: where its secret is: `env:NAME`, `file:PATH`, `keyring:SERVICE/NAME`, or
            `prompt` to be asked; None: it has none. The secret itself is never an argument:
            notebooks keep their input.
        fields: further fields of `ClientDraft`, e.g. `parameters`, `issuer`, `scope`,
            `redirect_uris`, `description`; durations in seconds, as timedelta or as "6h".

    Returns:
        The client, with the redirect URIs to enter at the provider.
    """
    place = current.place()
    read = drafts.client_fields({"provider": provider, "client_id": client_id, **fields})
    read["parameters"] = drafts.present(read.get("parameters", {}))
    _require_address(place.broker.provider(provider), read)
    secret = _secret(name, secret_from)
    draft = ClientDraft(
        name=name, client_secret=secret, secret_reference=_reference(secret_from), **read
    )
    made = place.broker.add_client(draft)
    place.names.clients.add(made.name)
    return views.client(made)


def edit_client(
    name: str,
    *,
    secret_from: str | None = None,
    secret_ends: str | date | None = None,
    dry_run: bool = False,
    **changes: Any,
) -> Facts:
    """Changes an OAuth client; of `parameters` and `endpoints` only what is named.

    Args:
        secret_from: where a second secret is, as in `register_client`.
        secret_ends: the last day on which the provider takes that one, a date or `"2027-01-31"`.
        dry_run: changes nothing, only says who would have to sign in again.
        changes: fields of `ClientDraft`; None takes a parameter away.

    Returns:
        The client, and who must sign in again because of the change.
    """
    place = current.place()
    ends_at = _end_of_secret(secret_from, secret_ends)
    after = place.broker.client(name)
    read = drafts.client_fields(changes)
    if isinstance(changes.get("endpoints"), Mapping):
        read["endpoints"] = replace(after.endpoints, **changes["endpoints"])
    ended = place.broker.preview_client(name, read) if read else ClientUse()
    if dry_run:
        return views.preview(name, ended)
    secret = _secret(name, secret_from)
    if read:
        version = after.version if "endpoints" in read else None
        after = place.broker.edit_client(name, read, version=version)
    if secret is not None:
        after = place.broker.add_client_secret(
            name, secret, ends_at=ends_at, reference=_reference(secret_from)
        )
    forget_all_tokens()
    return views.client(after, ended=ended)


def enable_client(name: str, enabled: bool) -> Facts:
    """Switches an OAuth client on or off; grants are kept."""
    after = current.place().broker.edit_client(name, {"enabled": enabled})
    forget_all_tokens()
    return views.client(after)


def client_use(name: str) -> Listing[ConnectionUse]:
    """What an OAuth client carries: everybody's connections, and how many sign-ins each has."""
    return views.client_use(current.place().broker.client_use(name))


def client_request(provider: str) -> str:
    """A message to whoever administers OAuth clients here: what is needed for that provider.

    It has several lines: `print` it.
    """
    return current.place().broker.client_request(provider)


def remove_client(name: str, *, force: bool = False) -> None:
    """Removes an OAuth client; `force` removes everybody's connections of it, too.

    Raises:
        InUseError: connections use it; `client_use` shows them.
    """
    place = current.place()
    forget_all_tokens()
    place.broker.remove_client(name, force=force)
    place.names.clients.discard(name)


def test_client(name: str) -> Listing[Check]:
    """A real call to the provider for an OAuth client."""
    return views.checks(current.place().broker.test_client(name))


def document_of(broker: TokenServiceBroker, names: Sequence[str] = ()) -> str:
    """OAuth clients as a TOML document, without secrets.

    Args:
        names: of the clients; none: all of them, and one's own connections beside them.

    Raises:
        UnknownClientError: there is none of a name.
    """
    from jupyter_oauthconn.service.declared.documents import write_document

    if names:
        return write_document([broker.client(one) for one in names])
    # what a user registered for herself stays in her own trust domain
    chosen = [one for one in broker.clients() if one.owner is None]
    exported = {one.name for one in chosen}
    mine = [one for one in broker.connections() if one.mine and one.client in exported]
    return write_document(chosen, mine)


def changes_of(text: str, where: str, broker: TokenServiceBroker) -> list[Change]:
    """What a TOML document would change there; `where` names it in errors.

    Raises:
        OAuthConnError: it cannot be read, or names what there is not.
    """
    from jupyter_oauthconn.service.declared.documents import read_document
    from jupyter_oauthconn.service.declared.plan import changes_for

    return changes_for(read_document(text, where), broker)


def apply_changes(changes: Sequence[Change]) -> None:
    """Raises `OAuthConnError`, whose hint says how far it came."""
    for done, change in enumerate(changes):
        try:
            change.apply()
        except OAuthConnError as error:
            came = f"{done} of {len(changes)} changes are made; the same import goes on from there."
            error.hint = f"{error.hint} {came}".strip()
            raise


def forget_all_tokens() -> None:
    """An OAuth client changed: which connections use it is not worth a question to the service."""
    current.place().tokens = current.TokenCache()


def _end_of_secret(secret_from: str | None, secret_ends: str | date | None) -> datetime | None:
    if secret_ends is not None and secret_from is None:
        raise InvalidParameterError(
            "The end of a secret is given with the secret.",
            hint="Say where the new one is, too: --secret-env VAR, --secret-file PATH or "
            "--secret-keyring SERVICE/NAME (secret_from=…).",
            parameter="secret_ends",
        )
    return drafts.day(secret_ends)


def _secret(name: str, secret_from: str | None) -> Secret | None:
    if secret_from is None:
        return None
    if secret_from != "prompt":
        from jupyter_oauthconn.service.secret_references import secret_at

        return secret_at(secret_from)
    if not display.can_ask():
        raise InvalidParameterError(
            f"The secret of {name!r} cannot be asked for: nobody can answer here.",
            hint="Give its place: --secret-env VAR, --secret-file PATH or --secret-keyring "
            'SERVICE/NAME (secret_from="env:VAR", "file:PATH" or "keyring:SERVICE/NAME").',
            parameter="secret_from",
        )
    return display.ask_secret(f"Client secret of {name}: ")


def _reference(secret_from: str | None) -> str | None:
    """What is kept beside the secret, so that an export can name it again."""
    if secret_from is None or secret_from == "prompt":
        return None
    return drafts.lasting_reference(secret_from)


def _require_address(entry: ProviderEntry, fields: Mapping[str, Any]) -> None:
    """Said before anybody is asked for a secret."""
    typed = fields.get("endpoints")
    if entry.issuer or entry.endpoints.authorization or fields.get("issuer"):
        return
    if typed is None or typed.authorization is None:
        raise InvalidParameterError(
            f"The provider {entry.key!r} has no address of its own: the OAuth client names it.",
            hint="Give --issuer URL, or --authorization-url URL and --token-url URL.",
            parameter="issuer",
        )
