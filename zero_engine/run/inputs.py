"""Whether the input stayed what it was while it was read: a file that changes meanwhile makes a mixed dataset."""

import os
from collections.abc import Iterator

from zero_engine.pipeline import Input
from zero_engine.read.folders import find_inputs, is_remote

Stamps = dict[str, tuple[int, int]]
"""Bytes and time of change, by path."""


def stamps(spec: Input) -> Stamps:
    """Of the input's local files, now. Raises InputError like `find_inputs`."""
    found = {}
    for file in find_inputs(spec):
        if not is_remote(file.path) and os.path.isfile(file.path):
            status = os.stat(file.path)
            found[file.path] = (status.st_size, status.st_mtime_ns)
    return found


def changes(before: Stamps) -> Iterator[str]:
    """What happened to the files since, one line each."""
    for path, (size, changed) in before.items():
        try:
            status = os.stat(path)
        except OSError:
            yield f"{path} is gone since the run began. The dataset holds what was read of it."
            continue
        if status.st_size != size:
            what = "grew" if status.st_size > size else "shrank"
            yield (
                f"{path} {what} from {size:,} to {status.st_size:,} bytes while it was read. "
                "Run the same command again to take it as it is now."
            )
        elif status.st_mtime_ns != changed:
            yield f"{path} was changed while it was read. Run the same command again to take it as it is now."
