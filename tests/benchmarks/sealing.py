"""What sealing a token costs, against Fernet: `python tests/benchmarks/sealing.py`.

Both in one run, in alternating rounds; the smallest of all rounds counts, and only as a ratio.
Goal: at most a third of Fernet, the key derivation included.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from uuid import uuid4

import cryptography
from cryptography.fernet import Fernet
from rounds import microseconds

from jupyter_oauthconn.model import Secret
from jupyter_oauthconn.storage.sealing import Place, Sealer

BYTES = 2048
ROUNDS, CALLS = 25, 200
GOAL = 1 / 3


class OneKey:
    """A ring in memory."""

    active = "benchmark"
    _key = os.urandom(32)

    def key(self, key_id: str) -> bytes:
        return self._key


def cases() -> dict[str, Callable[[], object]]:
    text = os.urandom(BYTES // 2).hex()
    fernet, sealer = Fernet(Fernet.generate_key()), Sealer(OneKey())
    place = Place("grants", "access_sealed", uuid4(), uuid4(), 7)
    secret = Secret(text)
    encrypted, sealed = fernet.encrypt(text.encode()), sealer.seal(secret, place)
    assert sealer.unseal(sealed, place).reveal() == fernet.decrypt(encrypted).decode()
    return {
        "Fernet encrypt": lambda: fernet.encrypt(text.encode()),
        "seal": lambda: sealer.seal(secret, place),
        "Fernet decrypt": lambda: fernet.decrypt(encrypted).decode(),
        "unseal": lambda: sealer.unseal(sealed, place),
    }


def main() -> int:
    print(f"Python {platform.python_version()}, cryptography {cryptography.__version__}")
    took = microseconds(cases(), rounds=ROUNDS, calls=CALLS)
    for name, each in took.items():
        print(f"{name:15} {each:7.2f} µs")
    worst = 0.0
    for ours, theirs in (("seal", "Fernet encrypt"), ("unseal", "Fernet decrypt")):
        ratio = took[ours] / took[theirs]
        worst = max(worst, ratio)
        print(f"{ours} / {theirs}: {ratio:.2f} (goal {GOAL:.2f})")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
