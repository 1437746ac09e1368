"""`%oauthclient`: manage OAuth clients."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from jupyter_oauthconn.errors import ConflictError, InvalidParameterError
from jupyter_oauthconn.kernel import current, display, manage
from jupyter_oauthconn.kernel.client_files import read_clients, write_clients
from jupyter_oauthconn.kernel.views import Facts
from jupyter_oauthconn.model import AuthMethod

from .arguments import (
    Parser,
    Verb,
    add_secret_places,
    add_settings,
    given,
    secret_from,
    secret_place,
    words_of,
)

PROG = "%oauthclient"

_SECRET_NOTE = (
    "Note: every program of your user on this machine can read this secret. A public client "
    "(native app with PKCE, without a secret) suits this place better."
)
_FIELDS = {
    "title": "title",
    "issuer": "issuer",
    "auth_method": "auth_method",
    "scope": "scope",
    "access_token_lifetime": "access_token_lifetime",
    "refresh_token_lifetime": "refresh_token_lifetime",
    "inactivity": "inactivity",
    "redirect_uri": "redirect_uris",
    "loopback_port": "loopback_port",
    "allow_user": "allowed_users",
    "allow_group": "allowed_groups",
}


@magics_class
class OAuthClientMagics(Magics):
    """Registers `%oauthclient`."""

    @no_var_expand
    @line_magic("oauthclient")  # type: ignore[arg-type]  # as in connections.py
    def oauthclient(self, line: str) -> object:
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
    fields = _fields(found)
    place = None if found.public else secret_from(found, found.provider)
    made = manage.register_client(
        found.name,
        provider=found.provider,
        client_id=found.client_id,
        secret_from=place,
        **fields,
    )
    if place is not None:
        display.show_text(_SECRET_NOTE)
    return made


def _edit(found: argparse.Namespace) -> Facts:
    changes = _fields(found)
    if found.client_id is not None:
        changes["client_id"] = found.client_id
    return manage.edit_client(found.name, secret_from=secret_place(found), **changes)


def _fields(found: argparse.Namespace) -> dict[str, Any]:
    fields = given(found, _FIELDS)
    if found.public:
        fields["auth_method"] = AuthMethod.NONE
    if found.settings:
        fields["parameters"] = dict(found.settings)
    endpoints = given(found, {"authorization_url": "authorization", "token_url": "token"})
    if endpoints:
        fields["endpoints"] = endpoints
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
    parser.add_argument("--client-id", metavar="ID")
    parser.add_argument("--public", action="store_true", help="the client has no secret")
    add_secret_places(parser)
    add_settings(parser)
    for option in ("--title", "--issuer", "--scope", "--authorization-url", "--token-url"):
        parser.add_argument(option)
    parser.add_argument("--auth-method", metavar="METHOD")
    for option in ("--access-token-lifetime", "--refresh-token-lifetime", "--inactivity"):
        parser.add_argument(option, metavar="S")
    parser.add_argument("--redirect-uri", action="append", metavar="URI")
    parser.add_argument("--loopback-port", metavar="any")
    parser.add_argument("--allow-user", action="append", metavar="U")
    parser.add_argument("--allow-group", action="append", metavar="G")
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
