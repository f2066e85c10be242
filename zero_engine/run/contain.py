"""One shard, whatever its records do: made in a child process, and made again without the record to blame.

`make_shard` is the function that Dask places, and that a run with `--workers 0` calls. A shard whose child died, hung,
ate memory or raised is tried again (a death may be an accident: up to `dask.max_attempts` times), then record by
record: each is marked before it is touched, so the last mark names the one to blame. A death counts against a
record only when it happens twice. The shard is then made without it; the record becomes a rejection of the stage in
which it fell, with one of four reasons: `worker_died`, `timed_out`, `out_of_memory`, `failed`. The bytes of its
neighbours are those of a shard that never held it in their way, because no drawing depends on its neighbours.

A hang costs `dask.shard_timeout_s` once for the shard and ALONE_SHARE of it once more for the record.
"""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable
from functools import partial

from zero_engine.errors import ModelError, OutputError
from zero_engine.pipeline import Dask, Pipeline
from zero_engine.read import check_input
from zero_engine.run.chamber import Chamber, Ended, Limits, this_chamber
from zero_engine.run.flights import Flight
from zero_engine.run.marks import LOADING
from zero_engine.run.onerecord import Blame
from zero_engine.run.sameness import code_digest
from zero_engine.run.served import drop_answers
from zero_engine.run.stages import ShardResult, ShardTask, run_shard
from zero_engine.write.folder import WORK
from zero_engine.write.place import is_there, named, send

ALONE_SHARE = 0.5
"""Of a shard's time limit, what one of its records may take alone."""
CHECK_S = 300.0
"""Longest look at an input's first records before a run."""
ROUNDS = 4
"""Searches through one shard before it is given up."""


def make_shard(task: ShardTask) -> ShardResult | None:
    """Make one shard; a record that no process survives ends as a rejection. None where the run is to stop by now.

    Raises ZeroEngineError for what the user has to fix, and OutputError where the shard fails although no single
    record does.
    """
    if task.run and is_there(task.out, halt_file(task.run)):
        return None
    with (
        named(task.out),
        this_chamber() as chamber,
        Flight(task.out, task.chunk.index, task.run) as flight,
    ):
        result = _Shard(task, chamber, flight).make()
        if task.pipeline.render.generator == "http":
            drop_answers(
                task.out, *(made for made, name in result.temporary.items() if name.startswith("cand"))
            )
        send(task.out, *result.temporary)
    return dataclasses.replace(result, code=code_digest())


def checked_input(pipeline: Pipeline) -> None:
    """`check_input` where it cannot end this process: what no process can read is left to the shards.

    Raises InputError like `check_input`.
    """
    limits = Limits(min(CHECK_S, pipeline.dask.shard_timeout_s), memory_limit(pipeline.dask))
    with this_chamber() as chamber, contextlib.suppress(Ended):
        chamber.run(partial(check_input, must_give_rows=True), pipeline.input, limits, os.getcwd())


class _Shard:
    def __init__(self, task: ShardTask, chamber: Chamber, flight: Flight) -> None:
        self.task, self.chamber, self.flight = task, chamber, flight
        self.memory_bytes = memory_limit(task.pipeline.dask)
        self.attempts = 0

    def make(self) -> ShardResult:
        ended: Ended | None = None
        while ended is None or (
            ended.reason == "worker_died" and self.attempts < self.task.pipeline.dask.max_attempts
        ):
            try:
                return self._run(self.task)
            except Ended as error:
                ended = error
        for _ in range(ROUNDS):
            result, ended = self._search(ended)
            try:
                return result or self._run(self.task)
            except Ended as error:
                ended = error
        raise self._given_up(ended)

    def _search(self, ended: Ended) -> tuple[ShardResult | None, Ended]:
        """Try the records one by one; those to blame join `task.excluded`. A result where none was."""
        proven: set[str] = set()
        suspect: tuple[str, object] | None = None
        blind = 0
        while True:
            seen: list[str] = []

            def on_mark(stage: str, item: object, seen: list = seen) -> None:
                if isinstance(item, str) and stage in ("render", "score", "gate") and item not in seen:
                    seen.append(item)

            task = dataclasses.replace(self.task, alone=True, proven=frozenset(proven))
            try:
                return self._run(task, on_mark), ended
            except Ended as error:
                ended = error
            proven.update(seen[:-1])
            if ended.position is None:
                blind += 1
                if blind >= max(2, self.task.pipeline.dask.max_attempts):
                    raise self._given_up(ended)
                continue
            item = (ended.stage, ended.position)
            if ended.reason == "worker_died" and suspect != item:
                suspect = item
                continue
            self._blame(ended)
            suspect = None

    def _blame(self, ended: Ended) -> None:
        stage = {"loading": "render", "start": "read"}.get(ended.stage, ended.stage)
        detail = f"{ended.detail} (attempt {self.attempts})"
        blame = Blame(stage, ended.position, ended.reason, detail, ended.exception)
        self.task = dataclasses.replace(self.task, excluded=(*self.task.excluded, blame))

    def _run(self, task: ShardTask, on_mark: Callable = lambda stage, item: None) -> ShardResult:
        dask = self.task.pipeline.dask
        seconds = dask.shard_timeout_s * (ALONE_SHARE if task.alone else 1)
        limits = Limits(seconds, self.memory_bytes, each=task.alone)

        def heard(stage: str, item: object) -> None:
            self.flight.say(stage, self.attempts + 1)
            on_mark(stage, item)

        try:
            folder = task.folder or os.getcwd()
            return self.chamber.run(run_shard, task, limits, folder, heard, self.flight.count)
        except Ended:
            self.attempts += 1
            raise

    def _given_up(self, ended: Ended) -> Exception:
        if ended.reason == "failed":  # a bug of ours, or of a plugin: it keeps its traceback
            return RuntimeError(
                f"shard {self.task.chunk.index}, stage {ended.stage}: {ended.exception}\n{ended.trace}"
            )
        if ended.stage == LOADING and ended.exception == "SIGBUS":
            return ModelError(
                f"{self.task.pipeline.render.model}: a file of the model was cut, or its disk failed, while it was "
                "read (SIGBUS). Mend the disk or mount, or fetch the model again."
            )
        return OutputError(
            f"{self.task.out}: shard {self.task.chunk.index} keeps failing although no single record does "
            f"(stage {ended.stage}: {ended.detail}). Give workers more memory (dask.memory_limit) or time "
            "(dask.shard_timeout_s), or lower output.rows_per_shard."
        )


def halt_file(run: str) -> str:
    """Where the folder has this file, no further shard of the run begins."""
    return f"{WORK}/halt-{run}.tmp"


def memory_limit(dask: Dask) -> int | None:
    """Bytes that a child may hold: the Dask worker's limit, else `dask.memory_limit`, else what is free."""
    if "distributed.worker" in sys.modules:
        from distributed import get_worker

        try:
            return get_worker().memory_manager.memory_limit
        except ValueError:  # not on a worker
            pass
    import psutil

    if dask.memory_limit == "auto":
        return min(psutil.virtual_memory().available, _cgroup_bytes())
    from dask.utils import parse_bytes

    text = dask.memory_limit
    try:
        share = float(text)
    except ValueError:
        return parse_bytes(text) or None
    return (int(share * psutil.virtual_memory().total) if share <= 1 else int(share)) or None


def _cgroup_bytes() -> int:
    """What a container may use."""
    try:
        with open("/sys/fs/cgroup/memory.max") as file:
            return int(file.read())
    except (OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
