"""The folder of a store and the files in it: for their owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_core.paths import secure_write

from jupyter_oauthconn.errors import StorageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "fuse", "9p", "ceph", "glusterfs", "afs")
)


def make_private_folder(folder: Path) -> tuple[str, ...]:
    """Makes `folder` if it is missing; returns notes. Raises `StorageError`.

    One that was there keeps its rights: it may be shared for good reason, or be `/tmp`.
    """
    if folder.is_dir():
        return _note_writable(folder)
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be made: {error.strerror}.",
            hint="JUPYTER_OAUTHCONN_HOME moves it.",
        ) from None
    return ()


def _note_writable(folder: Path) -> tuple[str, ...]:
    mode = folder.stat().st_mode
    if os.name == "nt" or not mode & _OTHERS_WRITE or mode & stat.S_ISVTX:
        return ()
    return (f"Others can write into {folder}, and so put their own files in place of ours.",)


def make_private_file(path: Path) -> tuple[str, ...]:
    """Makes `path` empty with mode 0600 if it is missing; returns notes.

    Raises `StorageError`.
    """
    if path.exists() and not path.is_file():
        raise StorageError(
            f"{path} is not a file.",
            hint="Correct database_url, or move the folder with JUPYTER_OAUTHCONN_HOME.",
        )
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, _FILE_MODE))
    except OSError as error:
        raise StorageError(
            f"The file {path} cannot be opened: {error.strerror}.",
            hint="Look at its owner and mode, or move the folder with JUPYTER_OAUTHCONN_HOME.",
        ) from None
    return keep_private(path)


def keep_private(path: Path) -> tuple[str, ...]:
    """Takes the rights of others on a file of ours away; returns notes.

    Only what we own is judged: a Kubernetes Secret or a mounted volume belongs to somebody else.

    Raises:
        StorageError: the rights stay, and JUPYTER_ALLOW_INSECURE_WRITES does not allow it.
    """
    if os.name == "nt":
        return ()
    before = path.stat()
    if before.st_uid != os.geteuid() or not before.st_mode & _OTHERS:
        return ()
    if _insecure_writes_allowed():
        return (f"{path} can be read by others (JUPYTER_ALLOW_INSECURE_WRITES is set).",)
    path.chmod(before.st_mode & ~_OTHERS)
    if path.stat().st_mode & _OTHERS:
        raise StorageError(
            f"Others can read {path}, and this file system does not let us change that.",
            hint="Move the folder with JUPYTER_OAUTHCONN_HOME, or set "
            "JUPYTER_ALLOW_INSECURE_WRITES=1 if nobody else uses this machine.",
        )
    return (f"{path} could be read by others until now.",)


def write_private(path: Path, data: bytes) -> None:
    """Replaces `path` as a whole, mode 0600, on the disk when this returns.

    Raises `StorageError`.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with secure_write(str(new), binary=True) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        # jupyter_core says with a RuntimeError that the mode could not be set
        new.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else "its mode cannot be set"
        raise StorageError(
            f"The file {path} cannot be written: {reason}.",
            hint="Look at the folder's owner and mode, and at the free space.",
        ) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits until no other process holds the file's lock; where a system has none, not at all."""
    make_private_file(path)
    with path.open("rb") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_on_network(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether `path` lies on a network file system, as far as the kernel tells (Linux only)."""
    kind = file_system_of(path, mounts) or ""
    return kind in _NETWORK or kind.startswith("fuse.")


def file_system_of(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of file system below `path`, e.g. `ext4`; None where nothing tells it."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found, kind = "", None
    real = path.resolve()
    for line in lines:
        left, _, right = line.partition(" - ")
        mounted = left.split()[4].replace("\\040", " ")
        # a later line hides an earlier one of the same place
        if real.is_relative_to(mounted) and len(mounted) >= len(found):
            found, kind = mounted, right.split()[0]
    return kind


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _insecure_writes_allowed() -> bool:
    # the variable and its meaning are jupyter_core's
    return os.environ.get("JUPYTER_ALLOW_INSECURE_WRITES", "").lower() in {"true", "1"}
