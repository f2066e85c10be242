"""Files that are complete or absent, whatever happens to the process or the machine.

Contract: a file under its final name is complete. `atomic_write` writes a temporary name in the same
folder, then flush, fsync, rename, fsync of the folder. A shard takes the same road in two parts: the worker
makes it durable under a temporary name (`durable_write`), the driver gives it its name (`commit`).
A full disk is an OutputError of one line, and leaves nothing half-written behind.
A killed process leaves its temporary name; `sweep` deletes those of a folder, told from others' by a lock.
"""

import contextlib
import errno
import fcntl
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from zero_engine.config import refuse_address
from zero_engine.errors import OutputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS}
_GONE = {errno.ENOENT, errno.ENOTDIR}
_BROKEN = {errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.ENOTCONN, errno.EREMOTEIO}
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp", re.DOTALL)
_YOUNG_S = 1.0
"""A younger temporary file may not have its lock yet."""


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file that appears under `path` only when the block ends well. `mode` is "wb" or "w" (UTF-8).

    Raises OutputError where the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name[:100]}.{uuid.uuid4().hex}.tmp"
    with contextlib.ExitStack() as held:
        with durable_write(temporary, mode, named=path) as file:
            held.callback(os.close, _lock(file))
            yield file
        try:
            with disk_errors(path):
                commit(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def sweep(folder: str | Path, name: str | None = None) -> None:
    """Delete the temporary files that killed calls of `atomic_write` left in a folder; those of living ones stay.

    With `name`, only those of the file of that name.
    """
    start = "." if name is None else f".{name[:100]}."
    for left in Path(folder).glob(".*.tmp"):
        if left.name.startswith(start) and _TEMPORARY.fullmatch(left.name):
            with contextlib.suppress(OSError), open(left, "r+b") as file:  # locked, or not ours to delete
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(file.fileno()).st_mtime > _YOUNG_S:
                    left.unlink()


@contextlib.contextmanager
def durable_write(path: str | Path, mode: str = "wb", named: Path | None = None) -> Iterator[IO[Any]]:
    """Open exactly `path`; at the end its bytes are on the disk. On an error the file is removed.

    `named` is the path that an error message should give. Raises OutputError like `atomic_write`.
    """
    path = Path(path)
    refuse_address(named or path)
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    with disk_errors(named or path):
        # outside the try: a failed open must not remove what lies there
        file = open(path, mode, encoding=encoding, newline=newline)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def make_folder(folder: Path) -> None:
    """Make a folder and those above it. Raises OutputError where the path, the disk or its owner does not let us."""
    refuse_address(folder)
    with disk_errors(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in _NO_ROOM | _NOT_OURS:
                raise
            raise OutputError(
                f"{folder}: this folder cannot be made ({os.strerror(error.errno or 0)}). Choose another."
            ) from error


def commit(temporary: str | Path, final: str | Path) -> None:
    """Give a durable temporary file its final name, durably. Both must be on one file system."""
    final = Path(final)
    os.replace(temporary, final)
    sync_folder(final.parent)


def sync_folder(folder: str | Path) -> None:
    """Make renames and removals in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def disk_errors(path: str | Path) -> Iterator[None]:
    """Turn what a full, read-only or failing disk raises, or a folder that is gone, into an OutputError.

    A missing file in a folder that is there stays the FileNotFoundError that it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _GONE and (gone := _lost_folder(error)) is not None:
            raise OutputError(
                f"{gone}: this folder is gone, or was never made. Put it back or make it, then run the same command "
                "again: it goes on from what is done."
            ) from error
        if error.errno in _BROKEN:
            raise OutputError(
                f"{path}: the disk fails ({os.strerror(error.errno or 0)}). When it is back, run the same command "
                "again: it goes on from what is done."
            ) from error
        if error.errno in _NO_ROOM:
            raise OutputError(
                f"{path}: no room to write ({_free(Path(path))} bytes free: {os.strerror(error.errno)}). "
                "Free some space, then run the same command again: it goes on from what is done."
            ) from error
        if error.errno in _NOT_OURS:
            raise OutputError(
                f"{path}: cannot be written ({os.strerror(error.errno)}). "
                "Check the folder's permissions, or choose another place."
            ) from error
        raise


def _lost_folder(error: OSError) -> Path | None:
    """The folder that is missing on the way to the files of an error."""
    for name in (error.filename, error.filename2):
        if isinstance(name, (str, os.PathLike)) and not Path(name).parent.is_dir():
            return Path(name).parent
    return None


def _lock(file: IO[Any]) -> int:
    """A descriptor that holds a lock on the file until it is closed or the process ends."""
    held = os.dup(file.fileno())
    with contextlib.suppress(OSError):  # a file system without locks: `sweep` cannot lock there either
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return held


def _free(path: Path) -> str:
    folder = next((p for p in (path, *path.parents) if p.is_dir()), Path("/"))
    try:
        status = os.statvfs(folder)
    except OSError:
        return "?"
    return f"{status.f_bavail * status.f_frsize:,}"
