"""Two pools of threads for the verbs, so that a hanging provider starves nobody who only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Answer = TypeVar("_Answer")

_readers = ThreadPoolExecutor(4, thread_name_prefix="oauthconn-read")
_askers = ThreadPoolExecutor(16, thread_name_prefix="oauthconn-ask")


async def reading(work: Callable[[], _Answer]) -> _Answer:
    """Does what only reads the store."""
    return await asyncio.get_running_loop().run_in_executor(_readers, work)


async def asking(work: Callable[[], _Answer]) -> _Answer:
    """Does what may wait: for a provider, or for the store's write lock."""
    return await asyncio.get_running_loop().run_in_executor(_askers, work)
