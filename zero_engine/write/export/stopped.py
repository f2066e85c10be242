"""What an export leaves that is stopped: its whole shards, with which the same command goes on, or nothing at all.

One export at a time writes into a folder, and none goes on with a dataset that is no longer what it was.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from zero_engine.contracts.manifest import ShardFile
from zero_engine.errors import OutputError
from zero_engine.write.atomic import make_folder, sweep
from zero_engine.write.dataset import is_whole

ASIDE = ".export"
"""Folder of an export under way: a shard that is done has its account there."""
THREADS = min(4, os.cpu_count() or 1)
"""Threads that hash files, and write shards where a format's work is done outside Python."""
WAIT_S = 0.5
Item = TypeVar("Item")
Result = TypeVar("Result")
RECORD = "export.json"
"""Written last: an export with it is whole."""


def said_of(path: Path) -> dict[str, Any]:
    """What an export has written about itself."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise OutputError(f"{path}: damaged. Remove this export's folder and export again.")
    return said


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], stop: Callable[[], None] | None = None
) -> Iterator[Result]:
    """What `work` returns of each item, in their order. At the end `stop` is called, and what it stops is waited for,
    but WAIT_S at most: a thread that reads gigabytes for their checksum cannot be stopped.
    """
    pool = ThreadPoolExecutor(THREADS)
    due = [pool.submit(work, item) for item in items]
    try:
        for one in due:
            yield one.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if stop is not None:
            stop()
            wait([one for one in due if not one.cancelled()], WAIT_S)


def shards_kept(directory: str | Path) -> int:
    """How many shards of an export that was stopped are done."""
    return len(list((Path(directory) / ASIDE).glob("done-*.json")))


@contextmanager
def shards_or_nothing(target: Path) -> Iterator[None]:
    """The folder, for one export. Who is stopped inside before a shard is done leaves it as it was before.

    Raises OutputError where another process exports into it, or it cannot be made.
    """
    there = target.exists()
    make_folder(target)
    make_folder(target / ASIDE)
    lock = os.open(
        target / ASIDE, os.O_RDONLY
    )  # the folder itself: a file in there could not be removed on NFS
    try:
        _take(lock, target)
        yield
    except _Taken:
        raise
    except BaseException:
        if not shards_kept(target):
            shutil.rmtree(target / ASIDE, ignore_errors=True)
            if not there and not any(target.iterdir()):
                target.rmdir()
        raise
    finally:
        os.close(lock)


class _Taken(OutputError):
    """Another process has the folder."""


def _take(lock: int, target: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _Taken(
            f"{target}: another export is writing to this folder. Wait for it, or choose another --output."
        ) from None
    except OSError:  # a file system without locks
        pass


@contextmanager
def unchanged(out: Path, files: Sequence[ShardFile]) -> Iterator[None]:
    """Raises OutputError where a file is no longer the one that was checked: a run may have begun to write there.

    Reads only what has changed since it was checked.
    """
    try:
        yield
    except (OSError, pa.ArrowException):
        _check(out, files)
        raise
    _check(out, files)


def _check(out: Path, files: Sequence[ShardFile]) -> None:
    for file in files:
        if not is_whole(out, file):
            raise OutputError(
                f"{out}: {file.name} was changed while it was exported. Does a run write to this folder? "
                "Export again once it is done."
            )


@contextmanager
def whole_folder(folder: Path) -> Iterator[None]:
    """A new, empty folder; who is stopped inside takes it along."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def tidy(target: Path) -> None:
    """What is left to do once an export is whole; the folder of what was under way goes last."""
    sweep(target)
    for path in target.glob("*"):
        if path.is_file():
            path.chmod(0o644)
    shutil.rmtree(target / ASIDE, ignore_errors=True)
