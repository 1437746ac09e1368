"""`%oauthclient`: manage OAuth clients."""

from __future__ import annotations

import argparse
from inspect import cleandoc
from pathlib import Path
from typing import Any

from jupyter_oauthconn.errors import ConflictError, InvalidParameterError
from jupyter_oauthconn.kernel import current, display, manage
from jupyter_oauthconn.kernel.client_files import read_clients, write_clients
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

      %oauthclient [list]
      %oauthclient register NAME --provider KEY --client-id ID [--set key=value ...]
          [--secret-env VAR | --secret-file PATH | --public] [--issuer URL] [--title TEXT]
          [--auth-method METHOD] [--scope "..."] [--authorization-url URL --token-url URL]
          [--access-token-lifetime S] [--refresh-token-lifetime S] [--inactivity S]
          [--redirect-uri URI ...] [--loopback-port any] [--allow-user U ...]
          [--allow-group G ...]
      %oauthclient edit NAME [the same options]
      %oauthclient test NAME                 a real call to the provider
      %oauthclient disable NAME              grants are kept; enable NAME goes on
      %oauthclient rm NAME [--force]         --force: with its connections
      %oauthclient export [NAME ...]         TOML, without secrets
      %oauthclient import FILE               TOML with secret_reference = "env:VAR"

    Without a place for the secret you are asked for it, where the provider expects one.
    No secret is an argument: IPython keeps input lines.
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
    made = manage.register_client(
        found.name, provider=found.provider, secret_from=place, **_fields(found)
    )
    if place is not None:
        display.show_text(_SECRET_NOTE)
    return made


def _edit(found: argparse.Namespace) -> Facts:
    return manage.edit_client(found.name, secret_from=secret_place(found), **_fields(found))


def _fields(found: argparse.Namespace) -> dict[str, Any]:
    fields = client_fields(found)
    if found.scope is not None:
        fields["scope"] = found.scope
    if found.settings:
        fields["parameters"] = settings(found.settings)
    return fields


def _rm(found: argparse.Namespace) -> None:
    manage.remove_client(found.name, force=found.force)
    display.show_text(f"{found.name}: removed")


def _export(found: argparse.Namespace) -> None:
    broker = current.place().broker
    chosen = [broker.client(name) for name in found.names] or list(broker.clients())
    display.show_text(write_clients(chosen).rstrip())


def _import(found: argparse.Namespace) -> object:
    try:
        text = Path(found.file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InvalidParameterError(
            f"The file {found.file} cannot be read: {reason}.", hint="Check its path."
        ) from None
    drafts = read_clients(text)
    broker = current.place().broker
    taken = {one.name for one in broker.clients()} & {one.name for one in drafts}
    if taken:
        raise ConflictError(
            f"There are OAuth clients named {', '.join(sorted(taken))} already; nothing was "
            "imported.",
            hint="Remove them from the file, or change them with `%oauthclient edit`.",
        )
    for draft in drafts:
        broker.add_client(draft)
    return manage.clients()


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
    parser.add_argument("--force", action="store_true", help="with its connections")
    return parser


def _export_parser() -> Parser:
    parser = Parser(f"{PROG} export", "Prints clients as TOML, without secrets.")
    parser.add_argument("names", metavar="NAME", nargs="*")
    return parser


def _import_parser() -> Parser:
    parser = Parser(f"{PROG} import", "Registers the clients of a TOML file.")
    parser.add_argument("file", metavar="FILE")
    return parser


VERBS = {
    "list": Verb(Parser(f"{PROG} list"), lambda _: manage.clients()),
    "register": Verb(_register_parser(), _register),
    "edit": Verb(_with_fields(_named("edit", "Changes an OAuth client.")), _edit),
    "test": Verb(
        _named("test", "A real call to the provider."), lambda found: manage.test_client(found.name)
    ),
    "disable": Verb(
        _named("disable", "Switches it off; grants are kept."),
        lambda found: manage.enable_client(found.name, False),
    ),
    "enable": Verb(
        _named("enable", "Switches it on."), lambda found: manage.enable_client(found.name, True)
    ),
    "rm": Verb(_rm_parser(), _rm),
    "export": Verb(_export_parser(), _export),
    "import": Verb(_import_parser(), _import),
}
