"""`python -m jupyter_oauthconn.demo`: a practice provider in a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys

from jupyter_oauthconn.errors import OAuthConnError

from .server import PracticeServer


def main() -> int:
    """Serves until interrupted; prints the issuer on the first line."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_oauthconn.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1 (default) or localhost")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (
            contextlib.suppress(KeyboardInterrupt),
            PracticeServer(port=options.port, host=options.host) as server,
        ):
            sys.stdout.write(f"{server.issuer}\n")
            sys.stdout.flush()
            server.wait()
    except OAuthConnError as error:
        sys.stderr.write(f"{error.message} {error.hint}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
