"""One command: its options, its token service, and how what was typed is read."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import Secret, Settings

from .output import show_json

if TYPE_CHECKING:
    from jupyter_oauthconn.broker import TokenServiceBroker

#: What `add_subparsers` returns.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Call:
    """What a command's function gets."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments

    def run(self) -> int:
        run: Callable[[Call], int] = self.arguments.run
        try:
            return run(self)
        finally:
            self._close()

    @cached_property
    def broker(self) -> TokenServiceBroker:
        """The token service, opened at the first use."""
        from jupyter_oauthconn.broker.choice import choose

        return choose(self.arguments.service)

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environ(os.environ)

    def _close(self) -> None:
        # what is opened in this process is also saved and closed here; a remote one has no end
        if "broker" in self.__dict__:
            self.broker.close()

    @property
    def name(self) -> str:
        """The command's NAME."""
        name: str = self.arguments.name
        return name

    def show(self, body: object, text: Callable[[], str]) -> None:
        """The answer: `body` with `--json`, else `text()`."""
        if self.arguments.json:
            show_json(body)
        else:
            print(text())


def add_command(
    commands: Commands, name: str, run: Callable[[Call], int], help: str
) -> argparse.ArgumentParser:
    """Declares a command that answers in JSON too."""
    command = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    # not set here it would overwrite the `--json` before the command
    command.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="answer in JSON"
    )
    command.set_defaults(run=run)
    return command


def add_group(
    commands: Commands, name: str, help: str, run: Callable[[Call], int] | None = None
) -> Commands:
    """Declares `name` as the first word of several commands; `run` answers to it alone."""
    if run is None:
        group = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    else:
        group = add_command(commands, name, run, help)
    return group.add_subparsers(metavar="COMMAND", title="commands", required=run is None)


def add_pairs(command: argparse.ArgumentParser, option: str, help: str) -> None:
    """An option `key=value`, as often as wanted."""
    command.add_argument(option, metavar="KEY=VALUE", action="append", type=_pair, help=help)


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    return key, value


def count(text: str) -> int:
    """Reads a number from 1 on."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def duration(text: str) -> timedelta:
    """Reads `6h`, `90m`, `30s`, `2d` or a number of seconds; `0` too, where it means never."""
    from jupyter_oauthconn.kernel.drafts import duration as read

    try:
        return timedelta(0) if text == "0" else read(text)
    except InvalidParameterError as error:
        raise argparse.ArgumentTypeError(f"{error.message} {error.hint}") from None


def day(text: str) -> datetime:
    """Reads `2027-01-31`: the end of that day, aware UTC."""
    from jupyter_oauthconn.kernel.drafts import day as read

    try:
        end = read(text)
    except InvalidParameterError as error:
        raise argparse.ArgumentTypeError(f"{error.message} {error.hint}") from None
    assert end is not None, "a text is a day or no day"
    return end


def terminal_is_there() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def somebody_types(word: str, question: str) -> bool:
    """Whether a person types that very word."""
    # on stderr: stdout is what a script reads
    print(f"{question} Type {word} to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == word


def add_secret_options(command: argparse.ArgumentParser, *, required: bool) -> None:
    """The ways to hand over a client secret; none of them is an argument."""
    group = command.add_mutually_exclusive_group(required=required)
    group.add_argument("--secret-env", metavar="VAR", help="take the secret from this variable")
    group.add_argument("--secret-file", metavar="PATH", help="take the secret from this file")
    group.add_argument(
        "--secret-keyring", metavar="SERVICE/NAME", help="take the secret from the keyring"
    )
    group.add_argument(
        "--secret-stdin", action="store_true", help="take the secret from standard input"
    )


def given_secret(call: Call) -> Secret | None:
    """The client secret that the options point to; None: no option was given.

    Raises:
        InvalidParameterError: the variable, file or input is empty or cannot be read.
    """
    from jupyter_oauthconn.service.secret_references import secret_at

    given = call.arguments
    reference = given_reference(call)
    if reference is not None:
        return secret_at(reference)
    if not given.secret_stdin:
        return None
    text = _ask().strip()
    if not text:
        raise InvalidParameterError(
            "Standard input holds no secret.",
            hint="Copy the client secret from the provider's page of the client app.",
            parameter="client_secret",
        )
    return Secret(text)


def given_reference(call: Call) -> str | None:
    """Where the client secret is that the options name; None: it was typed or not given."""
    from jupyter_oauthconn.kernel.drafts import lasting_reference

    for kind in ("env", "file", "keyring"):
        place = getattr(call.arguments, f"secret_{kind}")
        if place is not None:
            return lasting_reference(f"{kind}:{place}")
    return None


def read_text(path: Path) -> str:
    """A file's text, or standard input's for `-`. Raises `InvalidParameterError`."""
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        reason = "it is no text"
    raise InvalidParameterError(f"{path}: {reason}.", hint="Check the path.", parameter="file")


def _ask() -> str:
    if not terminal_is_there():
        return sys.stdin.read()
    import getpass

    return getpass.getpass("Client secret: ")
