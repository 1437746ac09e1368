"""The Jupyter servers of this user that run a token service, and the way to talk to them.

Each writes one file into Jupyter's runtime folder. It holds the kernel credential, so it is for
its owner alone; no environment ever holds one. Read by kernels: nothing but the standard library
and jupyter_core is loaded here (2026-11).
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import Secret

_OTHERS = 0o077
_LONGEST_BYTES = 256 * 1024
_GONE = (
    "The Jupyter server has ended or is restarting: wait for it, or restart the kernel so that it "
    "learns where its server is now."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFile:
    """What a server tells its kernels.

    Attributes:
        url: the mount, with its slash at the end.
        certificate: PEM of the one certificate to trust there; None: not https.
        store: `store_fingerprint` of the database behind it.
        pid: the server's process.
        version: of this package in the server.
    """

    url: str
    credential: Secret
    certificate: str | None = field(default=None, repr=False)
    store: str
    pid: int
    version: str

    def write(self, path: Path) -> None:
        """Replaces `path` as a whole, mode 0600. Raises `OSError`, `RuntimeError`."""
        from jupyter_core.paths import secure_write

        body = {
            "url": self.url,
            "credential": self.credential.reveal(),
            "certificate": self.certificate,
            "store": self.store,
            "pid": self.pid,
            "version": self.version,
        }
        # a kernel that reads meanwhile gets the old file or the new one, never half of one
        new = path.with_name(f".{path.name}.new")
        with secure_write(str(new)) as file:
            json.dump(body, file)
        new.replace(path)

    @classmethod
    def read(cls, path: Path) -> ServiceFile:
        """Raises `ServiceUnreachableError`: there is none, or it is not ours alone."""
        try:
            # parsed elsewhere: a frame that an error goes through shows its variables
            return cls._parsed(_private_bytes(path))
        except FileNotFoundError:
            raise ServiceUnreachableError(
                f"The file {path}, by which this kernel finds its token service, is gone.",
                hint=_GONE,
            ) from None
        except OSError as error:
            reason = error.strerror or "it cannot be read"
        except (KeyError, TypeError, ValueError, RecursionError):
            # never quoted: it may hold a credential all the same
            reason = "it is not what a Jupyter server writes"
        raise ServiceUnreachableError(
            f"The file {path} does not lead to a token service: {reason}.",
            hint="Restart the Jupyter server; it writes the file anew.",
        )

    @classmethod
    def _parsed(cls, content: bytes) -> ServiceFile:
        body = json.loads(content)
        return cls(
            url=_text(body["url"]),
            credential=Secret(_text(body["credential"])),
            certificate=None if body["certificate"] is None else _text(body["certificate"]),
            store=_text(body["store"]),
            pid=int(body["pid"]),
            version=_text(body["version"]),
        )


def running(folder: Path) -> list[ServiceFile]:
    """Those of this user whose server is alive; what cannot be read or is not ours is left out.

    Args:
        folder: Jupyter's runtime folder.
    """
    found = []
    for path in sorted(folder.glob("oauthconn-*.json")):
        with suppress(ServiceUnreachableError):
            one = ServiceFile.read(path)
            if process_is_alive(one.pid):
                found.append(one)
    return found


def store_fingerprint(home: Path, database_url: str | None) -> str:
    """Tells whether two token services keep their things in one place; reveals neither."""
    return sha256(f"{home}\n{database_url or ''}".encode()).hexdigest()


def process_is_alive(pid: int) -> bool:
    """False only when there is certainly no such process on this machine."""
    if os.name == "nt":
        return True  # there os.kill ends the process whatever the signal
    if pid <= 0:
        return False  # would ask about whole groups of processes
    try:
        os.kill(pid, 0)  # asks only
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _private_bytes(path: Path) -> bytes:
    """Raises `OSError`; also when others may read or write the file."""
    # non-blocking: a pipe of that name would hold us for ever
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        if os.name != "nt":
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError(0, "it is no file")
            if found.st_uid != os.geteuid() and not _insecure_writes_allowed():
                raise OSError(0, "it belongs to another user")
            if found.st_mode & _OTHERS and not _insecure_writes_allowed():
                raise OSError(0, "others can read it")
        return file.read(_LONGEST_BYTES)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _insecure_writes_allowed() -> bool:
    # the variable and its meaning are jupyter_core's
    return os.environ.get("JUPYTER_ALLOW_INSECURE_WRITES", "").lower() in {"true", "1"}
