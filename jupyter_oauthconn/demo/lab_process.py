"""`python -m jupyter_oauthconn.demo.lab_process`: JupyterLab that ends with who started it."""

from __future__ import annotations

import os
import signal
import sys
import threading


def main() -> None:
    """Serves until standard input ends: however the demo goes, its server goes with it."""
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]

    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    # everything it needs to know is in its configuration folder: arguments are seen by others
    LabApp.launch_instance([])


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
