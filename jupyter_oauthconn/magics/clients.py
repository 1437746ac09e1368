"""`%oauthclient`: manage OAuth clients."""

from __future__ import annotations

import argparse
from inspect import cleandoc
from pathlib import Path
from typing import Any

from jupyter_oauthconn.errors import InUseError, InvalidParameterError
from jupyter_oauthconn.kernel import clients, current, display, manage
from jupyter_oauthconn.kernel.drafts import settings
from jupyter_oauthconn.kernel.views import Facts

from .arguments import (
    Parser,
    Verb,
    add_client_fields,
    add_settings,
    client_fields,
    is_call_for_help,
    secret_from,
    secret_place,
    words_of,
)

PROG = "%oauthclient"

_SECRET_NOTE = (
    "Note: every program of your user on this machine can read this secret. A public client "
    "(native app with PKCE, without a secret) suits this place better."
)


def run(line: str, shell: Any) -> object:
    """OAuth clients: the apps that an administrator made at the providers.

    ::

      %oauthclient [list]                    with who may use it, and when its secret ends
      %oauthclient register NAME --provider KEY --client-id ID [--set key=value ...]
          [--secret-env VAR | --secret-file PATH | --secret-keyring SERVICE/NAME | --public]
          [--issuer URL] [--title TEXT] [--description TEXT] [--auth-method METHOD]
          [--scope "..."] [--authorization-url URL --token-url URL]
          [--access-token-lifetime S] [--refresh-token-lifetime S] [--inactivity S]
          [--redirect-uri URI ...] [--loopback-port any] [--allow-user U ...]
          [--allow-group G ...]              U may be *: everyone
      %oauthclient edit NAME [the same options] [--ends DAY] [--dry-run]
                                             says who must sign in again; a place of a secret
                                             adds a second one, which ends on DAY (2027-01-31);
                                             --dry-run only says it
      %oauthclient test NAME                 a real call to the provider
      %oauthclient disable NAME              grants are kept; enable NAME goes on
      %oauthclient rm NAME [--force]         shows what uses it, and asks; --force: with all that
      %oauthclient export [NAME ...]         TOML without secrets; without NAME also my connections
      %oauthclient import FILE [--dry-run]   makes OAuth clients and connections as a TOML file
                                             says, and shows what that changes; --dry-run only
                                             shows it
      %oauthclient request PROVIDER          a message to send to an administrator

    Without a place for the secret you are asked for it, where the provider expects one.
    No secret is an argument: IPython keeps input lines. A file names its place, too:
    secret_reference = "env:VAR", "file:PATH" or "keyring:SERVICE/NAME".
    """
    words = words_of(line, PROG) or ["list"]
    if is_call_for_help(words):
        display.show_text(cleandoc(run.__doc__ or ""))
        return None
    verb = VERBS.get(words[0])
    if verb is None:
        raise InvalidParameterError(
            f"{PROG} has no verb {words[0]!r}.", hint=f"There are {', '.join(VERBS)}."
        )
    if "--help" in words:
        display.show_text(verb.parser.format_help())
        return None
    return verb(words[1:])


def _register(found: argparse.Namespace) -> object:
    if not (found.name and found.provider and found.client_id):
        raise InvalidParameterError(
            "%oauthclient register needs a name, the provider and the client id.",
            hint="`%oauthclient register NAME --provider KEY --client-id ID`; "
            "`oc.providers()` lists the keys.",
        )
    place = secret_from(found)
    made = clients.register_client(
        found.name, provider=found.provider, secret_from=place, **_fields(found)
    )
    if place is not None:
        display.show_text(_SECRET_NOTE)
    return made


def _edit(found: argparse.Namespace) -> Facts:
    return clients.edit_client(
        found.name,
        secret_from=secret_place(found),
        secret_ends=found.ends,
        dry_run=found.dry_run,
        **_fields(found),
    )


def _fields(found: argparse.Namespace) -> dict[str, Any]:
    fields = client_fields(found)
    if found.scope is not None:
        fields["scope"] = found.scope
    if found.settings:
        fields["parameters"] = settings(found.settings)
    return fields


def _rm(found: argparse.Namespace) -> None:
    try:
        clients.remove_client(found.name, force=found.force)
    except InUseError:
        if not display.can_ask():
            raise
        display.show_text(repr(clients.client_use(found.name)))
        question = f"Removing {found.name} removes all of it, and its sign-ins end."
        if not display.ask_name(question, found.name):
            display.show_text(f"{found.name}: kept")
            return
        clients.remove_client(found.name, force=True)
    display.show_text(f"{found.name}: removed")


def _export(found: argparse.Namespace) -> None:
    display.show_text(clients.document_of(current.place().broker, found.names).rstrip())


def _import(found: argparse.Namespace) -> None:
    try:
        text = Path(found.file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InvalidParameterError(
            f"The file {found.file} cannot be read: {reason}.", hint="Check its path."
        ) from None
    changes = clients.changes_of(text, found.file, current.place().broker)
    display.show_text("\n".join(map(str, changes)) or clients.NOTHING_TO_DO)
    if found.dry_run:
        return
    try:
        clients.apply_changes(changes)
    finally:
        clients.forget_all_tokens()
    # Tab knows the new names
    clients.clients()
    manage.connections()


def _request(found: argparse.Namespace) -> None:
    display.show_text(clients.client_request(found.provider))


def _named(verb: str, description: str) -> Parser:
    parser = Parser(f"{PROG} {verb}", description)
    parser.add_argument("name", metavar="NAME")
    return parser


def _with_fields(parser: Parser) -> Parser:
    add_client_fields(parser)
    add_settings(parser)
    parser.add_argument("--scope")
    return parser


def _register_parser() -> Parser:
    parser = Parser(f"{PROG} register", "Registers a client app made at the provider.")
    parser.add_argument("name", metavar="NAME", nargs="?")
    parser.add_argument("--provider", metavar="KEY")
    return _with_fields(parser)


def _rm_parser() -> Parser:
    parser = _named("rm", "Removes an OAuth client.")
    parser.add_argument("--force", action="store_true", help="with all its connections, unasked")
    return parser


def _edit_parser() -> Parser:
    parser = _with_fields(_named("edit", "Changes an OAuth client."))
    parser.add_argument("--ends", metavar="DAY", help="last day of the secret, e.g. 2027-01-31")
    parser.add_argument("--dry-run", action="store_true", help="only say who must sign in again")
    return parser


def _export_parser() -> Parser:
    parser = Parser(f"{PROG} export", "Prints OAuth clients as TOML, without secrets.")
    parser.add_argument("names", metavar="NAME", nargs="*")
    return parser


def _import_parser() -> Parser:
    parser = Parser(f"{PROG} import", "Makes OAuth clients and connections as a TOML file says.")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    return parser


def _request_parser() -> Parser:
    parser = Parser(f"{PROG} request", "Writes what to send to an administrator.")
    parser.add_argument("provider", metavar="PROVIDER")
    return parser


VERBS = {
    "list": Verb(Parser(f"{PROG} list"), lambda _: clients.clients()),
    "register": Verb(_register_parser(), _register),
    "edit": Verb(_edit_parser(), _edit),
    "test": Verb(
        _named("test", "A real call to the provider."),
        lambda found: clients.test_client(found.name),
    ),
    "disable": Verb(
        _named("disable", "Switches it off; grants are kept."),
        lambda found: clients.enable_client(found.name, False),
    ),
    "enable": Verb(
        _named("enable", "Switches it on."), lambda found: clients.enable_client(found.name, True)
    ),
    "rm": Verb(_rm_parser(), _rm),
    "export": Verb(_export_parser(), _export),
    "import": Verb(_import_parser(), _import),
    "request": Verb(_request_parser(), _request),
}
