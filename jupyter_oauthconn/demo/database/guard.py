"""A process that outlives the one which has started a PostgreSQL server, and ends the server then.

A killed kernel runs no exit handlers, and the server is no child of it. Run as a file, without the
package: `guard.py DATA [FOLDER]` waits until its standard input says something or is closed, ends
the server whose data is in DATA, and removes FOLDER.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_WAIT_SECONDS = 20
_POLL_SECONDS = 0.02


def main(data: Path, *folders: Path) -> None:
    sys.stdin.buffer.read(1)
    end_server(data)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def end_server(data: Path) -> None:
    """At once, as `pg_ctl stop -m immediate` does, and waits until the server is gone."""
    file = data / "postmaster.pid"
    try:
        server = int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return  # it has ended
    if not _serves(server, data):
        return  # a server that crashed has left its file, and another process has the number now
    with suppress(ProcessLookupError):
        os.kill(server, signal.SIGQUIT)
    end = time.monotonic() + _WAIT_SECONDS
    while file.exists() and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _serves(process: int, data: Path) -> bool:
    """Whether that process is the server with that data; True where the system does not tell."""
    if not Path("/proc/self/cmdline").exists():
        return True
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(data) in command.split(b"\0")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
