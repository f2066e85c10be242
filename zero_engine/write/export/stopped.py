"""What an export leaves that is stopped: its whole shards, with which the same command goes on, or nothing at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ASIDE = ".export"
"""Folder of an export under way: a shard that is done has its account there."""


def shards_kept(directory: str | Path) -> int:
    """How many shards of an export that was stopped are done."""
    return len(list((Path(directory) / ASIDE).glob("done-*.json")))


@contextmanager
def shards_or_nothing(target: Path, there: bool) -> Iterator[None]:
    """Who is stopped inside before a shard is done leaves the folder as it was before: `there`, or not."""
    try:
        yield
    except BaseException:
        if not shards_kept(target):
            shutil.rmtree(target / ASIDE, ignore_errors=True)
            if not there and not any(target.iterdir()):
                target.rmdir()
        raise


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
