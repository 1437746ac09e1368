"""`connections …`, `status`, `ensure`, `revoke`: use what is registered."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, TypedDict

from jupyter_oauthconn import wire
from jupyter_oauthconn.model import Connection, ConnectionDraft, Outcome, State, Status

from .call import Call, Commands, add_command, add_group, add_pairs, duration
from .output import (
    DONE,
    FAILED,
    facts,
    findings,
    for_terminal,
    local_time,
    say,
    table,
    time_left,
)


class StatusLine(TypedDict):
    """One element of `status --json`."""

    name: str
    client: str
    provider: str
    status: str
    identity: str | None
    expires_at: str | None
    scope: str | None
    reason: str | None
    next_step: str


def add_commands(commands: Commands) -> None:
    verbs = add_group(commands, "connections", "connections: named uses of OAuth clients", _list)
    add_command(verbs, "list", _list, "all of yours, and those that are shared with you")
    add = add_command(verbs, "add", _add, "make one")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--client", required=True, metavar="CLIENT", help="see `clients list`")
    edit = add_command(verbs, "edit", _edit, "change one; says whether a new sign-in is needed")
    edit.add_argument("name", metavar="NAME")
    edit.add_argument("--client", metavar="CLIENT", help="use another OAuth client")
    for command in (add, edit):
        add_pairs(
            command,
            "--set",
            "a value of the provider's variables, e.g. role=…; role= takes it away",
        )
        command.add_argument("--scope", metavar="SCOPE", help="default: what the client allows")
        command.add_argument("--connector", metavar="KIND", help="how its data is reached")
        command.add_argument(
            "--login-hint", metavar="ACCOUNT", help="which of your accounts there is meant"
        )
    _add_sharing(add)
    sharing = edit.add_mutually_exclusive_group()
    _add_sharing(sharing)
    sharing.add_argument("--unshare", action="store_true", help="share it with nobody any more")
    for name, run, help in (
        ("test", _test, "a real call to the provider"),
        ("rm", _remove, "revoke its sign-in and forget both"),
    ):
        add_command(verbs, name, run, help).add_argument("name", metavar="NAME")
    status = add_command(commands, "status", _status, "where connections stand")
    status.add_argument("name", metavar="NAME", nargs="?")
    ensure = add_command(commands, "ensure", _ensure, "refresh now; does it last so long?")
    ensure.add_argument("name", metavar="NAME")
    ensure.add_argument(
        "--for", dest="lasts", required=True, type=duration, metavar="DURATION", help="e.g. 6h"
    )
    revoke = add_command(commands, "revoke", _revoke, "end a sign-in here and at the provider")
    revoke.add_argument("name", metavar="NAME")


def _add_sharing(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--share-with",
        metavar="user:U|group:G|user:*",
        action="append",
        help="who else may use its definition, * is everyone; each signs in for himself",
    )


def _status_of(connection: Connection) -> Status:
    return connection.status or Status(state=State.NOT_CONNECTED, next_step="")


def _status_line(connection: Connection) -> StatusLine:
    status = wire.status_json(_status_of(connection))
    return {
        "name": connection.name,
        "client": connection.client,
        "provider": connection.provider,
        "status": status["state"],
        "identity": status["identity"],
        "expires_at": status["expires_at"],
        "scope": status["scope"],
        "reason": status["reason"],
        "next_step": for_terminal(status["next_step"]),
    }


def _list(call: Call) -> int:
    connections = call.broker.connections()
    call.show([wire.connection_json(one) for one in connections], lambda: _table(connections))
    return DONE


def _table(connections: Sequence[Connection]) -> str:
    from jupyter_oauthconn.kernel.views import named

    own = {one.name for one in connections if one.mine}
    return table(
        ("NAME", "CLIENT", "STATUS", "CONNECTED AS", "TOKEN ENDS"),
        [
            (
                named(one, own),
                one.client,
                _status_of(one).state.words,
                _status_of(one).identity or "",
                time_left(_status_of(one).expires_at),
            )
            for one in connections
        ],
        empty="There is no connection yet. `%connect add` makes one.",
    )


def _add(call: Call) -> int:
    from jupyter_oauthconn.kernel.drafts import present, settings, share_with

    given = call.arguments
    connection = call.broker.add_connection(
        ConnectionDraft(
            name=call.name,
            client=given.client,
            parameters=present(settings(given.set or ())),
            scope=given.scope or "",
            connector=given.connector,
            login_hint=given.login_hint or "",
            **share_with(given.share_with),
        )
    )
    call.show(
        wire.connection_json(connection),
        lambda: (
            f"The connection {connection.name!r} is there. "
            f"Next: jupyter oauthconn auth {connection.name}"
        ),
    )
    return DONE


def _edit(call: Call) -> int:
    from jupyter_oauthconn.kernel.drafts import settings, share_with

    given = call.arguments
    changes: dict[str, Any] = {
        "client": given.client,
        "parameters": settings(given.set) if given.set else None,
        "scope": given.scope,
        "connector": given.connector,
        "login_hint": given.login_hint,
        **share_with([] if given.unshare else given.share_with),
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        say("Nothing was given to change; see `jupyter oauthconn connections edit --help`.")
        return FAILED
    connection = call.broker.edit_connection(call.name, changes)
    call.show(wire.connection_json(connection), lambda: for_terminal(_changed(connection)))
    return DONE


def _changed(connection: Connection) -> str:
    from jupyter_oauthconn.kernel.views import new_sign_in

    status = _status_of(connection)
    return (
        f"The connection {connection.name!r} is changed. "
        f"A new sign-in is {new_sign_in(connection)}. {status.next_step}"
    )


def _test(call: Call) -> int:
    checks = call.broker.test(call.name)
    call.show([wire.check_json(one) for one in checks], lambda: findings(checks))
    return FAILED if any(one.outcome is Outcome.FAILED for one in checks) else DONE


def _remove(call: Call) -> int:
    call.broker.remove_connection(call.name)
    call.show(
        {"name": call.name, "removed": True},
        lambda: f"The connection {call.name!r} and its sign-in are forgotten.",
    )
    return DONE


def _status(call: Call) -> int:
    if call.arguments.name is None:
        connections = call.broker.connections()
        call.show([_status_line(one) for one in connections], lambda: _table(connections))
    else:
        connection = call.broker.connection(call.name)
        call.show([_status_line(connection)], lambda: _details(connection))
    return DONE


def _details(connection: Connection) -> str:
    from jupyter_oauthconn.kernel.views import shared_with

    status = _status_of(connection)
    error = status.last_error
    return facts(
        [
            ("connection", connection.name),
            ("OAuth client", f"{connection.client} ({connection.provider})"),
            ("status", status.state.words),
            ("connected as", status.identity or ""),
            ("meant for", connection.login_hint),
            ("shared by", "" if connection.mine else connection.owner),
            ("shared with", shared_with(connection)),
            ("scope", status.scope or connection.scope),
            ("not granted", status.missing_scope or ""),
            ("signed in", local_time(status.connected_at)),
            ("last refresh", local_time(status.refreshed_at)),
            ("token ends", time_left(status.expires_at)),
            ("sign-in ends", local_time(status.refresh_expires_at)),
            ("last error", f"{error.message} ({local_time(error.at)})" if error else ""),
            ("next step", for_terminal(status.next_step)),
        ]
    )


def _ensure(call: Call) -> int:
    endurance = call.broker.ensure(call.name, call.arguments.lasts)
    call.show(wire.endurance_json(endurance), lambda: for_terminal(endurance.detail))
    return FAILED if endurance.lasts is False else DONE


def _revoke(call: Call) -> int:
    revocation = call.broker.revoke(call.name)
    call.show(wire.revocation_json(revocation), lambda: for_terminal(revocation.detail))
    if revocation.siblings:
        say(f"The provider may have ended {', '.join(revocation.siblings)}, too.")
    if revocation.at_provider is Outcome.FAILED:
        say("The tokens are forgotten here, but the provider did not confirm that they ended.")
        return FAILED
    return DONE
