"""`grants …`: everybody's sign-ins, to be seen and ended, never used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict
from uuid import UUID

from jupyter_oauthconn import wire
from jupyter_oauthconn.model import Outcome, OwnedGrant

from ..call import Call, Commands, add_command, add_group
from ..output import DONE, FAILED, for_terminal, local_time, say, table


class RevokedLine(TypedDict):
    """One element of `grants revoke --json`."""

    id: str
    at_provider: str
    detail: str


def add_commands(commands: Commands) -> None:
    verbs = add_group(commands, "grants", "everybody's sign-ins, for administrators")
    listing = add_command(verbs, "list", _list, "whose they are and how they stand; no token")
    revoke = add_command(verbs, "revoke", _revoke, "end them, at the provider too")
    revoke.add_argument("ids", metavar="ID", nargs="*", type=UUID, help="see `grants list`")
    for command in (listing, revoke):
        command.add_argument("--owner", metavar="USER", help="those of that user")
        command.add_argument("--client", metavar="CLIENT", help="those of that OAuth client")


def _chosen(call: Call) -> Sequence[OwnedGrant]:
    return call.broker.grants(owner=call.arguments.owner, client=call.arguments.client)


def _list(call: Call) -> int:
    grants = _chosen(call)
    call.show([wire.grant_json(one) for one in grants], lambda: _table(grants))
    return DONE


def _table(grants: Sequence[OwnedGrant]) -> str:
    return table(
        ("ID", "OWNER", "CONNECTION", "CLIENT", "STATUS", "CONNECTED AS", "SIGNED IN"),
        [
            (
                str(one.id),
                one.owner,
                one.connection,
                one.client,
                one.status.state.words,
                one.status.identity or "",
                local_time(one.status.connected_at),
            )
            for one in grants
        ],
        empty="Nobody is signed in.",
    )


def _revoke(call: Call) -> int:
    given = call.arguments
    filtered = given.owner is not None or given.client is not None
    if bool(given.ids) == filtered:
        say("Name sign-ins by their ids, or all of a user or OAuth client: --owner U, --client C.")
        return FAILED
    ids = [one.id for one in _chosen(call)] if filtered else given.ids
    lines: list[RevokedLine] = []
    for id in ids:
        done = call.broker.revoke_grant(id)
        lines.append({"id": str(id), "at_provider": done.at_provider.value, "detail": done.detail})
    call.show(lines, lambda: _told(lines))
    failed = [one["id"] for one in lines if one["at_provider"] == Outcome.FAILED]
    if failed:
        say(f"Forgotten here, but not confirmed by the provider: {', '.join(failed)}.")
    return FAILED if failed else DONE


def _told(lines: Sequence[RevokedLine]) -> str:
    told = [f"{one['id']}: ended here. {for_terminal(one['detail'])}" for one in lines]
    return "\n".join(told) or "There was nothing to revoke."
