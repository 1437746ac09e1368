"""A notebook's process that forks. Run as a script; it finds its service by the environment.

python forks.py fork|loky|multiprocessing
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys

import jupyter_oauthconn as oc
from jupyter_oauthconn.model import AccessToken, Secret

CHILDREN = 4


def token_of(name: str, rejected: int | None = None) -> tuple[int, int]:
    """Process id and generation of the token, asked for there."""
    # a token is not pickled: the child makes one that has its number
    refused = None if rejected is None else AccessToken(value=Secret(""), generation=rejected)
    return os.getpid(), oc.connect(name).token(rejected=refused).generation


def with_fork(name: str, rejected: int | None) -> list[tuple[int, int]]:
    with multiprocessing.get_context("fork").Pool(CHILDREN) as pool:
        return pool.starmap(token_of, [(name, rejected)] * CHILDREN, chunksize=1)


def with_joblib(backend: str, name: str, rejected: int | None) -> list[tuple[int, int]]:
    import joblib

    asked = [joblib.delayed(token_of)(name, rejected) for _ in range(CHILDREN)]
    return list(joblib.Parallel(n_jobs=CHILDREN, backend=backend)(asked))


def main(way: str) -> None:
    parent = os.getpid()
    token = oc.connect("sales").token()
    first = token.generation
    before = with_fork("sales", None) if way == "fork" else with_joblib(way, "sales", None)
    during = with_fork("sales", first) if way == "fork" else with_joblib(way, "sales", first)
    after = oc.connect("sales").token(rejected=token)
    renewed = oc.connect("sales").token(rejected=after)
    children = {process for process, _ in (*before, *during)} - {parent}
    print(
        json.dumps(
            {
                "first": first,
                "before": [generation for _, generation in before],
                "during": [generation for _, generation in during],
                "after": after.generation,
                "renewed": renewed.generation,
                "children": len(children),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
