"""OAuth clients and connections as a TOML document."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from ..call import Call, read_text
from ..output import DONE

if TYPE_CHECKING:
    from jupyter_oauthconn.service.declared.plan import Change


class ChangeLine(TypedDict):
    """One element of `clients import --json`."""

    kind: str
    what: str
    lines: list[str]


def export(call: Call) -> int:
    from jupyter_oauthconn.kernel.clients import document_of

    text = document_of(call.broker, call.arguments.names).rstrip("\n")
    call.show({"toml": text}, lambda: text)
    return DONE


def load(call: Call) -> int:
    from jupyter_oauthconn.kernel.clients import NOTHING_TO_DO, apply_changes, changes_of

    file = call.arguments.file
    where = "Standard input" if str(file) == "-" else str(file)
    changes = changes_of(read_text(file), where, call.broker)
    call.show(
        [_line(one) for one in changes], lambda: "\n".join(map(str, changes)) or NOTHING_TO_DO
    )
    if not call.arguments.dry_run:
        apply_changes(changes)
    return DONE


def _line(change: Change) -> ChangeLine:
    return {"kind": change.kind.value, "what": change.what, "lines": list(change.lines)}
