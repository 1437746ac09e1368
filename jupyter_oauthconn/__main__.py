"""`python -m jupyter_oauthconn …` is `jupyter oauthconn …`."""

from __future__ import annotations

import sys

from jupyter_oauthconn.cli import main

if __name__ == "__main__":
    sys.exit(main())
