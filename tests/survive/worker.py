"""A process with a token service of its own; it does what it is told, one JSON object a line.

    python worker.py HOME DATABASE_URL CATALOG_FOLDER

`DATABASE_URL` and `CATALOG_FOLDER` may be empty. What it tells of tokens are fingerprints.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import Settings
from jupyter_oauthconn.service.refresh import flight

Result = dict[str, Any]
_stopping = threading.Event()
_asking: list[threading.Thread] = []
_results: list[Result] = []


def result_of(broker: LocalBroker, name: str, rejected: int | None) -> Result:
    """Generation and fingerprint of the token, or the error's code and reason."""
    try:
        token = broker.access_token(name, rejected_generation=rejected)
    except OAuthConnError as error:
        return {"error": error.code, "reason": getattr(error, "reason", None)}
    except KeyboardInterrupt:
        return {"error": "interrupted"}
    return {
        "generation": token.generation,
        "token": sha256(token.reveal().encode()).hexdigest()[:8],
    }


def ask(
    broker: LocalBroker, names: list[str], threads: int, at: float, rejected: int | None = None
) -> None:
    """Begins to ask for the token of each connection in so many threads, at that moment."""

    def one(name: str) -> None:
        time.sleep(max(0.0, at - time.time()))
        _results.append(result_of(broker, name, rejected))

    for name in names:
        _asking.extend(threading.Thread(target=one, args=(name,)) for _ in range(threads))
    for thread in _asking:
        thread.start()


def answers(broker: LocalBroker) -> list[Result]:
    for thread in _asking:
        thread.join()
    told = list(_results)
    _asking.clear()
    _results.clear()
    return told


def ask_again_and_again(broker: LocalBroker, names: list[str]) -> None:
    """One thread for each connection reports every token it gets as rejected, until stopped."""
    _stopping.clear()

    def one(name: str) -> None:
        rejected = None
        while not _stopping.is_set():
            result = result_of(broker, name, rejected)
            _results.append(result)
            rejected = result.get("generation", rejected)

    _asking.extend(threading.Thread(target=one, args=(name,)) for name in names)
    for thread in _asking:
        thread.start()


def stop_asking(broker: LocalBroker) -> list[Result]:
    _stopping.set()
    return answers(broker)


def ask_and_answer(broker: LocalBroker, name: str, rejected: int | None = None) -> Result:
    """In the main thread, like a cell of a notebook."""
    return result_of(broker, name, rejected)


def shorten_lease(broker: LocalBroker, seconds: float) -> None:
    flight.LEASE = timedelta(seconds=seconds)


def die(broker: LocalBroker, step: str, after: bool) -> None:
    """The process is killed before or after that step of its next refresh."""
    grants: Any = broker._service.store.grants
    real: Callable[..., object] = getattr(grants, step)

    def deadly(*args: object, **kwargs: object) -> object:
        if after:
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    setattr(grants, step, deadly)


def unsaved(broker: LocalBroker) -> int:
    """How many answers are in memory and not in the database."""
    return len(broker._service._kept._unsaved)


VERBS: dict[str, Callable[..., object]] = {
    one.__name__: one
    for one in (
        ask,
        answers,
        ask_again_and_again,
        stop_asking,
        ask_and_answer,
        shorten_lease,
        die,
        unsaved,
    )
}


def tell(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def main(home: str, database_url: str, catalog: str) -> None:
    settings = Settings(
        database_url=database_url or None, catalog_paths=(catalog,) if catalog else ()
    )
    broker = LocalBroker(settings, Path(home))
    tell("ready")
    for line in sys.stdin:
        command = json.loads(line)
        tell(VERBS[command.pop("do")](broker, **command))
    broker.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
