"""A child that outlives the process it was forked from, and refreshes when that one has ended.

python outlive.py HOME DATABASE_URL CATALOG_FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.model import Settings


def main(home: str, database_url: str, catalog: str) -> None:
    settings = Settings(database_url=database_url or None, catalog_paths=(catalog,))
    broker = LocalBroker(settings, Path(home))
    first = broker.access_token("sales").generation
    reading, writing = os.pipe()
    if os.fork():
        os.close(reading)
        # the parent ends here, as a notebook does; the pipe ends with it
        return
    os.close(writing)
    # a token in the child while its parent may still be there, another one when it has gone
    print(broker.access_token("sales", rejected_generation=first).generation, flush=True)
    os.read(reading, 1)
    print(broker.access_token("sales", rejected_generation=first + 1).generation, flush=True)
    sys.stdin.read()
    print(broker.access_token("sales", rejected_generation=first + 2).generation, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
