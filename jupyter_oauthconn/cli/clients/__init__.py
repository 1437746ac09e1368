"""`clients …`: register OAuth clients and look after them.

`options` reads what a person gives for one, `registry` has the commands of one client, `as_code`
those of TOML files. All through the broker's verbs (2026-11).
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from ..call import Commands, add_command, add_group, add_secret_options, day
from . import as_code, registry
from .options import add_fields


def add_commands(commands: Commands) -> None:
    verbs = add_group(
        commands, "clients", "OAuth clients: who signs in people, where and how", registry.show
    )
    add_command(verbs, "list", registry.show, "all OAuth clients")
    add = add_command(verbs, "add", registry.add, "register one that exists at the provider")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--provider", required=True, metavar="KEY", help="see `providers`")
    add_fields(add, id_required=True)
    add_secret_options(add, required=False)
    edit = add_command(verbs, "edit", registry.edit, "change one; says who must sign in again")
    edit.add_argument("name", metavar="NAME")
    edit.add_argument("--dry-run", action="store_true", help="only say who must sign in again")
    add_fields(edit, id_required=False)
    for name, run, help in (
        ("test", registry.test, "ask the provider whether it is accepted"),
        ("disable", registry.disable, "switch it off; nothing is forgotten"),
        ("enable", registry.enable, "switch it on again"),
    ):
        add_command(verbs, name, run, help).add_argument("name", metavar="NAME")
    remove = add_command(verbs, "rm", registry.remove, "forget one; asks where it is used")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument(
        "--force", action="store_true", help="remove everybody's connections of it, too, unasked"
    )
    _add_secrets(verbs)
    request = add_command(
        verbs, "request", registry.request, "write what to send to an administrator"
    )
    request.add_argument("provider", metavar="PROVIDER", help="see `providers`")
    _add_files(verbs)


def _add_secrets(verbs: Commands) -> None:
    secret = add_command(verbs, "add-secret", registry.add_secret, "add its new client secret")
    secret.add_argument("name", metavar="NAME")
    secret.add_argument(
        "--ends", type=day, metavar="DAY", help="the last day of it, e.g. 2027-01-31"
    )
    add_secret_options(secret, required=True)
    old = add_command(verbs, "rm-secret", registry.remove_secret, "forget one of its two secrets")
    old.add_argument("name", metavar="NAME")
    old.add_argument("id", metavar="ID", type=UUID, help="see `clients list --json`")


def _add_files(verbs: Commands) -> None:
    export = add_command(verbs, "export", as_code.export, "write them as TOML, without secrets")
    export.add_argument(
        "names", metavar="NAME", nargs="*", help="default: all, and your own connections"
    )
    load = add_command(
        verbs, "import", as_code.load, "make OAuth clients and connections as a TOML file says"
    )
    load.add_argument("file", metavar="FILE", type=Path, help="`-` reads standard input")
    load.add_argument("--dry-run", action="store_true", help="only show what would change")
