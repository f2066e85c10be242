"""Which records kill a worker: bisection over one shard, by running parts of it.

A shard whose worker died `dask.max_attempts` times holds at least one record that no process
survives. Parts of the shard are run alone until each such record is known; the shard is then made
without them, and they become rejections (`worker_died`). The parts' files are thrown away.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from zero_engine.errors import InputError
from zero_engine.run.stages import ShardResult, ShardTask


class Everything(frozenset):
    """A set that holds every position, so that a shard can be read without doing its work."""

    def __contains__(self, position: object) -> bool:
        return True

    def __reduce__(self) -> tuple:
        return (Everything, ())


def find_culprits(task: ShardTask, survive: Callable[[ShardTask], ShardResult | None]) -> frozenset[int]:
    """Positions, inside the shard, of the records that kill a worker.

    `survive` runs a task and returns its result, or None where the worker died.
    Raises InputError where just reading the records is what kills.
    """
    read_only = _probe(task, Everything(), survive)
    if read_only is None:
        first, last = task.chunk.first_row, task.chunk.first_row + task.chunk.rows - 1
        raise InputError(
            f"records {first} to {last} of {task.pipeline.input.path}: the worker dies when it reads them. "
            "Take them out, or give workers more memory (dask.memory_limit)."
        )
    positions = range(read_only.entry.counts["traces"])
    culprits: set[int] = set()
    suspects = [positions]
    while suspects:
        part = suspects.pop()
        others = frozenset(positions) - frozenset(part)
        if not part or _probe(task, others, survive) is not None:
            continue
        if len(part) == 1:
            culprits.update(part)
        else:
            half = len(part) // 2
            suspects += [part[half:], part[:half]]
    return frozenset(culprits)


def _probe(
    task: ShardTask, excluded: frozenset[int], survive: Callable[[ShardTask], ShardResult | None]
) -> ShardResult | None:
    result = survive(dataclasses.replace(task, excluded=excluded))
    for path in result.temporary if result else ():
        Path(path).unlink(missing_ok=True)
    return result
