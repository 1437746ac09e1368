"""`settings …`: what is in force, where it comes from, and changing it while the service runs."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_oauthconn import wire
from jupyter_oauthconn.model import SettingInForce

from ..call import Call, Commands, add_command, add_group
from ..output import DONE, table


def add_commands(commands: Commands) -> None:
    verbs = add_group(commands, "settings", "what is in force, and where it comes from", _list)
    add_command(verbs, "list", _list, "all of them")
    change = add_command(verbs, "set", _set, "change one while the service runs")
    change.add_argument("name", metavar="NAME")
    change.add_argument("value", metavar="VALUE", help="true, a text, or a number of seconds")
    add_command(verbs, "unset", _unset, "take a change back").add_argument("name", metavar="NAME")


def settings_table(settings: Iterable[SettingInForce]) -> str:
    return table(
        ("SETTING", "IN FORCE", "FROM", "CHANGE IT HERE"),
        [
            (one.name, one.value or "-", one.origin, "yes" if one.changeable else "no")
            for one in settings
        ],
        empty="",
    )


def _list(call: Call) -> int:
    settings = call.broker.settings()
    call.show([wire.setting_json(one) for one in settings], lambda: settings_table(settings))
    return DONE


def _set(call: Call) -> int:
    return _change(call, call.arguments.value)


def _unset(call: Call) -> int:
    return _change(call, None)


def _change(call: Call, value: str | None) -> int:
    settings = call.broker.change_settings({call.name: value})
    changed = [one for one in settings if one.name == call.name]
    call.show([wire.setting_json(one) for one in changed], lambda: settings_table(changed))
    return DONE
