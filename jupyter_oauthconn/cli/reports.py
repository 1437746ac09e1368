"""`providers`, `doctor`, `events`: commands that only tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_oauthconn import wire
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import AuthMethod, Event, Outcome

from .administration.settings import settings_table
from .call import Call, Commands, add_command, count
from .output import DONE, FAILED, facts, findings, local_time, table

if TYPE_CHECKING:
    from jupyter_oauthconn.catalog import ProviderEntry


def add_commands(commands: Commands) -> None:
    group = add_command(commands, "providers", _list, "the providers that are known")
    group.set_defaults(key=None)
    verbs = group.add_subparsers(metavar="COMMAND", title="commands")
    show = add_command(verbs, "show", _show, "what is known of one, and how to set it up")
    show.add_argument("key", metavar="KEY")
    doctor = add_command(commands, "doctor", _doctor, "what is wrong and how to mend it")
    doctor.add_argument("name", metavar="NAME", nargs="?", help="connection or OAuth client")
    events = add_command(commands, "events", _events, "what happened, the newest first")
    events.add_argument("--limit", type=count, default=50, metavar="N")


def _list(call: Call) -> int:
    from jupyter_oauthconn.catalog.bodies import provider_json

    entries = call.broker.providers()
    call.show(
        [provider_json(one) for one in entries],
        lambda: table(
            ("KEY", "PROVIDER", "HANDLES", "CHECKED", "CONFIDENCE"),
            [
                (one.key, one.title, ", ".join(_handles(one)), one.checked, one.confidence)
                for one in entries
            ],
            empty="The catalog is empty.",
        ),
    )
    return DONE


def _show(call: Call) -> int:
    from jupyter_oauthconn.catalog.bodies import provider_json

    entry = call.broker.provider(call.arguments.key)
    call.show(provider_json(entry), lambda: _page(entry, call.settings.public_url))
    return DONE


def _handles(entry: ProviderEntry) -> list[str]:
    return list(dict.fromkeys(one.kind for one in entry.handles))


def _page(entry: ProviderEntry, public_url: str | None) -> str:
    """What an administrator reads beside the provider's own console."""
    from jupyter_oauthconn.catalog import resolve_steps
    from jupyter_oauthconn.service.sign_in.redirect_uris import usual_redirect_uris

    redirect_uri = usual_redirect_uris("NAME", entry, public_url)[0]
    parts = [
        f"{entry.title} ({entry.key})",
        facts(
            [
                ("issuer", entry.issuer or ""),
                ("scope", " ".join(entry.scopes.default)),
                ("client authentication", ", ".join(one.value for one in entry.auth_methods)),
                ("checked", f"{entry.checked} against {entry.source} ({entry.confidence})"),
                ("revocation", entry.revocation_note),
            ]
        ),
    ]
    steps = resolve_steps(entry, {}, redirect_uri=redirect_uri)
    if steps:
        parts.append("Steps at the provider (NAME is the OAuth client's name here)")
        parts.append("\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1)))
    if entry.variables:
        parts.append(_variables(entry))
    parts.append(_table_of_handles(entry))
    if entry.traps:
        parts.append("Known traps")
        parts.append("\n".join(f"- {trap}" for trap in entry.traps))
    parts.append(f"Then here\n\n{_command(entry)}")
    return "\n\n".join(parts)


def _command(entry: ProviderEntry) -> str:
    words = [f"jupyter oauthconn clients add NAME --provider {entry.key} --client-id ID"]
    words += [
        f"--set {one.name}={one.example or '…'}"
        for one in entry.variables
        if one.at == "client" and one.required and one.default is None
    ]
    if entry.issuer is None and entry.endpoints.authorization is None:
        words.append("--issuer URL")
    if entry.auth_methods[0] is not AuthMethod.NONE:
        words.append("--secret-stdin")
    return " ".join(words)


def _variables(entry: ProviderEntry) -> str:
    return table(
        ("--set", "MEANING", "GIVEN TO", "NEEDED", "EXAMPLE"),
        [
            (
                one.name,
                one.title,
                f"{one.at}s add",
                "yes" if one.required and one.default is None else "no",
                one.example or one.default or "",
            )
            for one in entry.variables
        ],
        empty="",
    )


def _table_of_handles(entry: ProviderEntry) -> str:
    """What an analyst gets from a connection, the usual one first."""
    return table(
        ("--handle", "WHAT IT IS", "NEEDS"),
        [(one.kind, one.title, " ".join(one.requires)) for one in entry.handles],
        empty="",
    )


def _doctor(call: Call) -> int:
    from jupyter_oauthconn.kernel.current import Place
    from jupyter_oauthconn.kernel.doctor import examine

    checks = examine(Place(lambda: call.broker, call.settings), call.arguments.name)
    call.show(
        [wire.check_json(one) for one in checks],
        lambda: f"{findings(checks)}\n\n{_in_force(call)}",
    )
    return FAILED if any(one.outcome is Outcome.FAILED for one in checks) else DONE


def _in_force(call: Call) -> str:
    """The settings of the service that answers; of this command where none does."""
    try:
        return settings_table(call.broker.settings())
    except OAuthConnError:
        # why is a finding of the doctor already
        heading = "Of this command, because the service does not tell its own:"
        return f"{heading}\n{settings_table(call.settings.in_force())}"


def _events(call: Call) -> int:
    events = call.broker.events(limit=call.arguments.limit)
    call.show([wire.event_json(one) for one in events], lambda: _history(events))
    return DONE


def _history(events: Sequence[Event]) -> str:
    return table(
        ("AT", "WHAT", "OUTCOME", "CONNECTION", "CLIENT", "BY"),
        [
            (
                local_time(one.at),
                one.kind.replace("_", " "),
                one.outcome,
                one.connection or "",
                one.client or "",
                one.actor,
            )
            for one in events
        ],
        empty="Nothing has happened yet.",
    )
