"""`%connect`: use and manage connections."""

from __future__ import annotations

import argparse
import keyword
from inspect import cleandoc
from typing import Any, NoReturn

from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError
from jupyter_oauthconn.kernel import display, manage
from jupyter_oauthconn.kernel.connect import connect
from jupyter_oauthconn.kernel.drafts import settings
from jupyter_oauthconn.model.names import RESERVED

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

PROG = "%connect"


def run(line: str, shell: Any) -> object:
    """Connections to data behind OAuth 2.

    ::

      %connect [list]                        mine, and those shared with me; --long adds times
      %connect NAME [as VAR] [--handle KIND] sign in if needed; bind it to VAR
      %connect add NAME --client CLIENT [--set key=value ...] [--scope "..."]
                   [--login-hint ACCOUNT] [--share-with user:U|group:G|user:* ...]
      %connect add NAME --provider KEY --client-id ID    client and connection in one step,
                   with the options of `%oauthclient register`
      %connect edit NAME [the same options] [--client CLIENT] [--unshare]
      %connect auth NAME [--again] [--flow auto|callback|loopback|device|paste] [--no-wait]
      %connect status [NAME]                 what it is, and the next step
      %connect test NAME                     a real call to the provider and to the data
      %connect ensure NAME --for 6h          refresh now; does it last that long?
      %connect revoke NAME                   revoke at the provider and forget
      %connect rm NAME                       remove the connection
      %connect doctor [NAME]                 what is wrong and how to mend it

    KIND is engine, httpx, session, filesystem and others: Tab lists those that are installed.
    Without --handle, VAR is the connection. Values with blanks stand in quotation marks.
    Two accounts at one provider are two connections, each with its --login-hint. Sharing is for
    administrators: a definition is shared, and everybody signs in for himself.
    No secret is an argument: IPython keeps input lines.
    """
    words = words_of(line, PROG)
    if is_call_for_help(words):
        display.show_text(cleandoc(run.__doc__ or ""))
        return None
    if words[:1] == ["check"]:
        return _check()
    if not words or words[0] == "--long":
        return TABLE(words)
    verb = VERBS.get(words[0])
    if verb is None:
        return _bind(words, shell)
    if "--help" in words:
        display.show_text(verb.parser.format_help())
        return None
    return verb(words[1:])


def _bind(words: list[str], shell: Any) -> object:
    found = BIND.read(_options_last(words))
    if found.name in RESERVED:
        raise InvalidParameterError(
            f"{PROG} has no verb {found.name!r}.",
            hint=f"There are {', '.join(VERBS)}. `%connect auth NAME` signs in.",
        )
    variable = _variable(found.binding)
    connection = connect(found.name)
    result: object = connection.handle(found.handle) if found.handle else connection
    if variable is not None:
        shell.user_ns[variable] = result
    return result


def _options_last(words: list[str]) -> list[str]:
    """`NAME as VAR --handle KIND`, also where the option stands in the middle."""
    if "as" not in words[2:]:
        return words
    at = words.index("as", 2)
    return [words[0], *words[at : at + 2], *words[1:at], *words[at + 2 :]]


def _variable(binding: list[str]) -> str | None:
    if not binding:
        return None
    if len(binding) != 2 or binding[0] != "as":  # noqa: PLR2004 - "as VAR"
        raise InvalidParameterError(
            f"{PROG} NAME is followed by `as VAR` and --handle KIND only.",
            hint="For example `%connect sales --handle engine as eng`.",
        )
    name = binding[1]
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InvalidParameterError(
            f"{name!r} cannot name a variable.", hint="Use letters, digits and _ after `as`."
        )
    return name


def _status(found: argparse.Namespace) -> object:
    return manage.status(found.name) if found.name else manage.connections(long=True)


def _add(found: argparse.Namespace) -> object:
    if found.name is None:
        raise InvalidParameterError(
            "%connect add needs the connection's name and its OAuth client.",
            hint="`%connect add NAME --client CLIENT`; `%oauthclient` lists the clients. Or make "
            "both: `%connect add NAME --provider KEY --client-id ID`.",
        )
    one_step = found.client is None and found.provider and found.client_id
    manage.add(
        found.name,
        found.client,
        provider=found.provider,
        secret_from=secret_from(found) if one_step else secret_place(found),
        share_with=found.share_with,
        **_definition(found),
        **client_fields(found),
    )
    return manage.status(found.name)


def _edit(found: argparse.Namespace) -> object:
    if found.unshare and found.share_with:
        raise InvalidParameterError(
            "A connection cannot be shared and unshared at once.",
            hint="--share-with replaces whom it was shared with before; --unshare names nobody.",
        )
    shared = [] if found.unshare else found.share_with
    changes = {**_definition(found), "client": found.client}
    return manage.edit(found.name, share_with=shared, **changes)


def _definition(found: argparse.Namespace) -> dict[str, Any]:
    return {
        "scope": found.scope,
        "login_hint": found.login_hint,
        **settings(found.settings),
    }


def _auth(found: argparse.Namespace) -> object:
    return manage.authenticate(found.name, found.again, flow=found.flow, wait=not found.no_wait)


def _check() -> NoReturn:
    raise ConfigurationError(
        "%connect check cannot tell yet which connections a notebook declares.",
        hint="Name them: `%connect test NAME` or `%connect ensure NAME --for 6h`.",
    )


def _rm(found: argparse.Namespace) -> object:
    manage.remove(found.name)
    display.show_text(f"{found.name}: removed")
    return None


def _named(verb: str, description: str, *, optional: bool = False) -> Parser:
    parser = Parser(f"{PROG} {verb}", description)
    parser.add_argument("name", metavar="NAME", nargs="?" if optional else None)
    return parser


def _add_parser() -> Parser:
    parser = _named("add", "Creates a connection.", optional=True)
    parser.add_argument("--client", metavar="CLIENT")
    parser.add_argument("--provider", metavar="KEY")
    add_client_fields(parser)
    return _with_definition(parser)


def _with_definition(parser: Parser) -> Parser:
    add_settings(parser)
    parser.add_argument("--scope")
    parser.add_argument("--login-hint", metavar="ACCOUNT", help="which account is meant")
    parser.add_argument(
        "--share-with",
        action="append",
        metavar="user:U|group:G|user:*",
        help="who else may use its definition, in place of whoever might before",
    )
    return parser


def _edit_parser() -> Parser:
    parser = _with_definition(_named("edit", "Changes a connection."))
    parser.add_argument("--client", metavar="CLIENT", help="use another OAuth client")
    parser.add_argument("--unshare", action="store_true", help="share it with nobody any more")
    return parser


def _auth_parser() -> Parser:
    parser = _named("auth", "Signs in.")
    parser.add_argument("--again", action="store_true", help="although a sign-in is there")
    parser.add_argument("--flow", metavar="FLOW", help="auto, callback, loopback, device, paste")
    parser.add_argument("--no-wait", action="store_true", help="show the sign-in and return")
    return parser


def _ensure_parser() -> Parser:
    parser = _named("ensure", "Refreshes now and says whether the connection lasts.")
    parser.add_argument("--for", dest="lasts", required=True, metavar="6h")
    return parser


def _table_parser() -> Parser:
    parser = Parser(PROG)
    parser.add_argument("--long", action="store_true")
    return parser


def _bind_parser() -> Parser:
    parser = Parser(PROG)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("binding", metavar="as VAR", nargs="*")
    parser.add_argument("--handle", metavar="KIND")
    return parser


TABLE = Verb(_table_parser(), lambda found: manage.connections(long=found.long))
BIND = _bind_parser()

VERBS = {
    "list": TABLE,
    "add": Verb(_add_parser(), _add),
    "edit": Verb(_edit_parser(), _edit),
    "auth": Verb(_auth_parser(), _auth),
    "status": Verb(_named("status", "What it is, and its next step.", optional=True), _status),
    "test": Verb(
        _named("test", "A real call to the provider and to the data."),
        lambda found: manage.test(found.name),
    ),
    "ensure": Verb(_ensure_parser(), lambda found: manage.ensure(found.name, found.lasts)),
    "revoke": Verb(
        _named("revoke", "Revokes at the provider and forgets."),
        lambda found: manage.revoke(found.name),
    ),
    "rm": Verb(_named("rm", "Removes the connection."), _rm),
    "doctor": Verb(
        _named("doctor", "What is wrong and how to mend it.", optional=True),
        lambda found: manage.doctor(found.name),
    ),
}
