"""Only plain files, only inside the folder: what lies in an output folder is not trusted to be what its name says.

A folder that was copied, mounted or tampered with may hold links, pipes and folders where files are due. No link is
followed (it may lead out of the folder), a pipe never waited on, and what is in the way is moved to `strays/`, never
deleted. Names that a manifest or a ledger gives are taken only where a run could have written them.
"""

import errno
import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from zero_engine.errors import OutputError
from zero_engine.hashing import digest_file
from zero_engine.write.atomic import disk_errors, sync_folder
from zero_engine.write.folder import ANSWERS, OURS, REPORT_PAGES, SHARD_FOLDERS, STRAYS, UNUSED, WORK

_NAME = re.compile(r"data/data-\d{5,9}\.arrow|candidates/part-\d{5,9}\.arrow|rejected/part-\d{5,9}\.jsonl")
LARGE_BYTES = 1 << 30
FOLDERS = (*SHARD_FOLDERS, UNUSED, STRAYS, WORK, REPORT_PAGES)


def is_name(name: str) -> bool:
    """Whether a run could have given a shard's file this name."""
    return _NAME.fullmatch(name) is not None


def plain_size(out: Path, name: str) -> int | None:
    """Bytes of a plain file of the folder; None where it is missing, a link, a pipe or anything else."""
    path = out / name
    try:
        if path.parent != out and not stat.S_ISDIR(os.lstat(path.parent).st_mode):
            return None
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def digest_now(path: Path) -> str:
    """sha256 of a file, computed once for each state of it that a process meets; empty where it cannot be read.

    It is empty, too, for a huge file of holes: reading a terabyte of nothing would take as long as of something.
    """
    try:
        status = os.stat(path)
        if status.st_size > LARGE_BYTES and _is_of_holes(path, status.st_size):
            return ""
        return _digest(str(path), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=65536)
def _digest(path: str, *_: int) -> str:
    return digest_file(path)


def _is_of_holes(path: Path, size: int) -> bool:
    """Whether under a hundredth of a file lies on the disk, where the file system tells."""
    position = held = 0
    with open_plain(path) as file:
        while held * 100 < size:
            try:
                start = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                return error.errno == errno.ENXIO  # nothing but a hole is left
            position = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            held += position - start
    return False


def forget_digests() -> None:
    """A run begins: every file is read again, once."""
    _digest.cache_clear()


@contextmanager
def open_plain(path: Path, flags: int = os.O_RDONLY) -> Iterator[IO[Any]]:
    """Open a plain file, to read bytes. Raises OSError where it is a link, a pipe or anything else."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path}: not a plain file")
        yield file


def read_plain(path: Path) -> str:
    """The text of a plain file. Raises OSError, UnicodeDecodeError."""
    with open_plain(path) as file:
        return file.read().decode("utf-8")


def put_aside(out: Path, name: str) -> str:
    """Move whatever lies under a name to `strays/`, and say under which name it lies now."""
    place = f"{STRAYS}/{name.replace('/', '-')}"
    with disk_errors(out):
        if not stat.S_ISDIR(_mode(out / STRAYS)):
            if os.path.lexists(out / STRAYS):
                os.replace(out / STRAYS, out / f"{STRAYS}-{uuid.uuid4().hex[:8]}")
            (out / STRAYS).mkdir()
        if os.path.lexists(out / place):
            place = f"{place}.{uuid.uuid4().hex[:8]}"
        try:
            os.rename(out / name, out / place)
        except FileNotFoundError:
            return place
        sync_folder(out / STRAYS)
    return place


def clear_the_way(out: Path) -> dict[str, str]:
    """Move to `strays/` what is no plain file, or no folder, where one is due. Old name -> new name."""
    moved = {}
    for name in sorted(OURS):
        mode = _mode(out / name)
        if mode and not (stat.S_ISDIR(mode) if name in FOLDERS else stat.S_ISREG(mode)):
            moved[name] = put_aside(out, name)
    for folder in FOLDERS:
        if folder == STRAYS or not stat.S_ISDIR(_mode(out / folder)):
            continue
        for entry in sorted(os.scandir(out / folder), key=lambda entry: entry.name):
            if f"{folder}/{entry.name}" == ANSWERS and entry.is_dir(follow_symlinks=False):
                continue
            if not entry.is_file(follow_symlinks=False):
                moved[f"{folder}/{entry.name}"] = put_aside(out, f"{folder}/{entry.name}")
    return moved


def is_in_the_way(path: Path) -> bool:
    """Whether something lies under the name of a file that is no plain one."""
    mode = _mode(path)
    return bool(mode) and not stat.S_ISREG(mode)


def require_folder(out: Path) -> None:
    """Raise OutputError where `out` is no folder that can be looked into."""
    try:
        os.listdir(out)
    except OSError as error:
        raise OutputError(f"{out}: {os.strerror(error.errno or 0)}. Check the path.") from None


def _mode(path: Path) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0
