"""`keys …` and `db …`: the database of this machine's token service and its keys."""

from __future__ import annotations

from .call import Call, Commands, add_command, add_group


def add_commands(commands: Commands) -> None: ...
