"""`jupyter oauthconn …`: the verbs of `%connect` and `%oauthclient` in a terminal.

May import everything below, but only when a command runs: `--help` loads the standard library and
nothing else. Each module declares its commands (`add_commands`) beside the functions that run
them; `call` is what such a function gets, `output` how it answers. Exit codes: 0 done, 1 refused
or failed, 2 wrong usage, 3 a person must sign in. Results go to stdout, everything else to
stderr. No option takes a secret: arguments are seen by every program of the machine (2026-11).
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from jupyter_oauthconn.errors import InteractionRequiredError, OAuthConnError

from . import clients, connections, demo, purge, reports, sign_in, store
from .administration import grants, settings
from .call import Call
from .output import DONE, FAILED, PERSON_NEEDED, complain


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. `arguments` None: those of the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that cannot show ✓ shows ?, not a traceback
            stream.reconfigure(errors="replace")
    call = Call(parser().parse_args(arguments))
    try:
        code = call.run()
        sys.stdout.flush()
    except OAuthConnError as error:
        complain(error)
        return PERSON_NEEDED if isinstance(error, InteractionRequiredError) else FAILED
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # the reader went away (`| head`); the interpreter's last flush would say it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="jupyter oauthconn",
        description="OAuth connections for Jupyter: register OAuth clients, sign in, get tokens.",
        epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 a person must sign in.",
        allow_abbrev=False,
    )
    top.add_argument("--json", action="store_true", help="answer in JSON")
    top.add_argument(
        "--service",
        metavar="URL",
        help="use the token service of this Jupyter server of yours, which must be running",
    )
    commands = top.add_subparsers(metavar="COMMAND", title="commands", required=True)
    for part in (
        demo,
        reports,
        clients,
        connections,
        sign_in,
        grants,
        settings,
        store,
        purge,
    ):
        part.add_commands(commands)
    return top
