"""The driver: streams shards through the stages and commits them one by one.

    iter_chunks -> decide -> (executor) run_shard -> ledger.commit -> ... -> finish_dataset

Contract: constant memory (a window of shards in flight, small tallies); only the driver commits; SIGKILL at any instant
loses at most the shards in flight; SIGINT and SIGTERM finish the shards that are begun, begin no other, and say how to
go on. What a record does to the process it is in ends there (`contain`); a lost worker costs its shards another try.
"""

import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from zero_engine.errors import CheckFailed, Interrupted, OutputError, command
from zero_engine.hashing import digest
from zero_engine.pipeline import Pipeline, load_pipeline
from zero_engine.progress import Progress, shown
from zero_engine.read import Chunk, count_records, iter_chunks
from zero_engine.run import tally
from zero_engine.run.chamber import close_chamber
from zero_engine.run.checks import check_pipeline
from zero_engine.run.cluster import open_executor
from zero_engine.run.contain import halt_file
from zero_engine.run.flights import listening, topic
from zero_engine.run.inputs import Stamps, changes, stamps
from zero_engine.run.launch import Launcher
from zero_engine.run.ledger import Ledger, open_ledger
from zero_engine.run.local_cluster import leave_a_worker
from zero_engine.run.plan import Decision, Plan, decide, stage_keys
from zero_engine.run.progress import Account
from zero_engine.run.reuse import Sources, grows
from zero_engine.run.sameness import look_around, misfit
from zero_engine.run.served import forget_answers
from zero_engine.run.signals import drain_on_signals
from zero_engine.run.spill import spill
from zero_engine.run.stages import ShardResult, ShardTask
from zero_engine.run.summary import Summary, is_untidy, manifest_of
from zero_engine.run.twin import held_folder
from zero_engine.run.watch import Watch
from zero_engine.write.atomic import disk_errors
from zero_engine.write.finish import finish_dataset
from zero_engine.write.folder import INDEX, WORK
from zero_engine.write.place import as_named, discard, place_of, say_there, tidy
from zero_engine.write.plain import forget_digests
from zero_engine.write.store import DrawingFile, Store
from zero_engine.write.unused import compact, set_strays_aside, unused


def run_pipeline(
    pipeline: Pipeline | Mapping[str, Any] | str | Path,
    *,
    overwrite: bool = False,
    reuse: Sequence[str | Path] = (),
    progress: Progress | bool | None = None,
    retry: frozenset[int] = frozenset(),
) -> Summary:
    """Run a pipeline to a finished dataset in `output.path`, resuming what is there.

        summary = run_pipeline("pipeline.yaml")
        summary = run_pipeline({"input": {"path": "my.jsonl"}, "output": {"path": "out/mine"}})

    `pipeline` is a `Pipeline`, a dictionary with the keys of a pipeline file, or such a file's path. Only drawings that
    neither this folder nor one of the folders in `reuse` holds are made. `overwrite` lets the rows of a pipeline of
    another name be replaced. `progress` shows how far the run is: by default on a terminal and in a notebook; True
    always, False never, or a `zero_engine.progress.Progress` of your own. `retry` names shards (by index) to make again
    although they are done.

    Returns a `Summary`: `summary.out` is the folder, `summary.counts` what it holds.
    Raises PipelineError, InputError, ModelError or OutputError for what the user has to fix,
    Interrupted after a Ctrl-C, and CheckFailed where traces in != rows + rejections.
    """
    leave_a_worker()
    if not isinstance(pipeline, Pipeline):
        pipeline = load_pipeline(pipeline)
    progress = shown(progress)
    try:
        progress.stage(f"reading {_few(pipeline.input.path)}")
        forget_digests()
        model = check_pipeline(pipeline)
        with held_folder(pipeline.output.path) as (out, twin):
            ledger = open_ledger(out, pipeline, overwrite, twin)
            sources = Sources(pipeline.output.path, ledger.held, reuse)
            return _Driver(pipeline, model, ledger, sources, progress, retry).run()
    finally:
        progress.stop()


def _few(paths: str | list[str]) -> str:
    """An input's paths, short enough for a line."""
    return paths if isinstance(paths, str) else paths[0] + f" and {len(paths) - 1} more" * (len(paths) > 1)


class _Driver:
    def __init__(
        self,
        pipeline: Pipeline,
        model: str | None,
        ledger: Ledger,
        sources: Sources,
        progress: Progress,
        retry: frozenset[int] = frozenset(),
    ) -> None:
        self.pipeline, self.model, self.ledger, self.progress = pipeline, model, ledger, progress
        self.sources = sources
        self.retry = retry
        """Shards to make once more although they are done."""
        self.index: str | None = None
        """File of the index of drawings inside the folder, once there is one."""
        self.store: Store | None = None
        """It, where what is committed joins it."""
        self.out = ledger.out
        self.place = place_of(pipeline.output.path)
        """The folder as workers are told of it: an absolute path, or an address in a store."""
        self.plan = Plan()
        self.totals = tally.empty()
        self.seconds: Counter = Counter()
        self.drawn = self.encoded = self.commits = 0
        self.launcher: Launcher | None = None
        self.watch = Watch(ledger.out)
        self.inputs: Stamps = {}
        self.workers = 0
        self.began = self.mixes_devices = False
        self.input_digest = ""
        self.name = uuid.uuid4().hex
        """This run's own name, for its workers."""
        named = pipeline.render.model if pipeline.render.generator == "unified" else pipeline.render.generator
        self.account = Account(progress, Path(named).name)

    def run(self) -> Summary:
        started = time.monotonic()
        with (
            drain_on_signals(self._halt, lambda: self._say(self.account.drain())) as draining,
            ExitStack() as stack,
            listening(self.name, self.account.heard),
        ):
            try:
                self._stream(stack, draining)
                shards = self.plan.shards
                stale = [i for i in self.ledger.entries if i >= shards]
                if self.began or stale or not self.ledger.finished or is_untidy(self.out, self.pipeline):
                    self._begin()
                    self.ledger.drop_beyond(shards)
                    self._finish()
            except BaseException as error:
                self.watch.ended(error)
                raise
            finally:
                if self.began:
                    self.ledger.close()
        wall_s = time.monotonic() - started
        summary = Summary(
            out=tidy(self.pipeline.output.path),
            counts=self.totals,
            plan=self.plan,
            drawn=self.drawn,
            encoded=self.encoded,
            unused=unused(self.out),
            seconds=dict(self.seconds),
            wall_s=wall_s,
            workers=self.workers,
        )
        if self.totals["traces"] != self.totals["rows"] + self.totals["rejected_traces"]:
            raise CheckFailed(
                f"{self.out}: {self.totals['traces']} traces in, but {self.totals['rows']} rows and "
                f"{self.totals['rejected_traces']} rejected traces out. Run `{command('validate', self.out)}`."
            )
        return summary

    def _stream(self, stack: ExitStack, draining: threading.Event) -> None:
        digests, stopped = [], False
        if self.ledger.entries:
            self.progress.stage("comparing what is there", len(self.ledger.entries), "shards")
        for chunk in iter_chunks(self.pipeline.input, self.pipeline.output.rows_per_shard):
            if draining.is_set():
                stopped = True
                break
            keys = stage_keys(self.pipeline, self.model, chunk)
            entry = self.ledger.entries.get(chunk.index)
            decision = decide(entry, keys, self.out, chunk.index in self.retry)
            self.plan.add(chunk, decision)
            digests.append(chunk.digest)
            if entry is not None and decision.start is None:
                self.totals = tally.add(self.totals, entry.counts)
                if self.launcher is None:
                    self.progress.update(self.plan.shards)
                continue
            self._begin()
            if self.launcher is None:
                self.launcher = self._open(stack, draining)
            self._submit(self.launcher, chunk, keys, decision)
            self.workers = self.launcher.workers
            while self.launcher.is_full and not draining.is_set():
                self._collect(self.launcher)
        while self.launcher and self.launcher.flights:
            self._collect(self.launcher)
        if stopped or (self.launcher and self.launcher.unbegun):
            raise self._stopped()
        self.input_digest = digest(*digests)

    def _halt(self) -> None:
        """Begin no further shard."""
        with suppress(OSError, OutputError):  # no folder yet, or a full disk: what was handed out is made
            say_there(self.place, halt_file(self.name), "")

    def _open(self, stack: ExitStack, draining: threading.Event) -> Launcher:
        """Find who works, and say that the run begins."""
        dask, render = self.pipeline.dask, self.pipeline.render
        folder, token = os.getcwd(), f"{WORK}/token-{uuid.uuid4().hex}.tmp"
        with disk_errors(self.out):
            (self.out / token).touch()
        self.ledger.twin.send_work(token)
        executor = stack.enter_context(
            open_executor(
                dask,
                render.device,
                partial(look_around, self.place, token, folder, render),
                lambda said: misfit(said, render, self.place, folder),
                self.progress,
                draining,
            )
        )
        executor.listen(topic(self.name), self.account.heard)
        if executor.is_remote:
            close_chamber()  # it has checked the input; from here on others work
        self.progress.stage("counting records")
        self.inputs = stamps(self.pipeline.input)
        total = count_records(self.pipeline.input)
        if executor.is_remote:
            many = "s" * (executor.workers != 1)
            self.progress.say(f"{executor.workers} worker{many}, dashboard: {executor.dashboard}")
        self.account.begin(total, self.totals["records"])
        self.watch.began(self.pipeline, total, self.totals["records"], executor.workers)
        self.ledger.twin.tell(now=True)
        return Launcher(executor, dask, self.place, self._say)

    def _say(self, message: str) -> None:
        message = as_named(self.pipeline.output.path, message)
        self.progress.say(message)
        self.watch.note(message)

    def _begin(self) -> None:
        if self.began:
            return
        self.ledger.begin(self.pipeline)
        self.began = True
        for line in self.ledger.noticed:
            self._say(line)
        if self.model and (grows(self.pipeline) or self.sources.any()):
            store = self.sources.index(self.out / INDEX)
            self.store = store if grows(self.pipeline) else None
            self.ledger.twin.send_work(INDEX)
            self.index = INDEX
        if self.model and self.sources.passed_over:
            self._say(f"{_few(self.sources.passed_over)}: damaged, missing, or not to be read; not reused.")
        known = self.sources.model(self.model)
        if known:
            self.ledger.describe(known)
        if self.ledger.held.settings and self.pipeline.input.ids == "content":
            self.progress.say(
                f"{self.place} is of version 1, which called traces without ids by their position: "
                "--set input.ids=position finds the drawings of such traces again."
            )

    def _submit(self, launcher: Launcher, chunk: Chunk, keys: dict[str, str], decision: Decision) -> None:
        entry = self.ledger.entries.get(chunk.index)
        chunk, records = spill(chunk, self.place) if launcher.is_remote else (chunk, None)
        task = ShardTask(
            chunk=chunk,
            pipeline=self.pipeline,
            model=self.model,
            keys=keys,
            out=self.place,
            start=decision.start or "render",
            committed=entry if decision.trusts_files else None,
            index=self.index,
            known=self.sources.model(self.model),
            records=records,
            folder=os.getcwd(),
            run=self.name,
        )
        self.account.placed(chunk.index, chunk.rows)
        launcher.launch(task)

    def _collect(self, launcher: Launcher) -> None:
        """Wait a moment and commit what is done."""
        for task, result in launcher.collect():
            self._commit(task, result)
        self.account.refresh()

    def _commit(self, task: ShardTask, result: ShardResult) -> None:
        self.ledger.commit(result.entry, result.temporary)
        self.commits += 1
        if self.store is not None and result.entry.candidates and (result.drawn or result.encoded):
            made = result.entry.candidates
            self.store.add(DrawingFile(self.place, made.name, made.sha256))
        if self.pipeline.render.generator == "http" and result.entry.candidates:
            forget_answers(self.place, result.entry.candidates.name)
        if task.records:
            discard(self.place, task.records)
        if result.model:
            self._compare_devices(self.ledger.describe(result.model), result.model.device)
        counts = result.entry.counts
        self.totals = tally.add(self.totals, counts)
        self.seconds.update(result.seconds)
        self.drawn += result.drawn
        self.encoded += result.encoded
        self.watch.committed(counts["records"], result.drawn, self.workers, result.entry)
        self.ledger.twin.tell()
        self.account.committed(task.chunk.index, counts, result.drawn)

    def _compare_devices(self, before: str | None, device: str | None) -> None:
        """A GPU and a CPU draw different pictures: say once where a folder has both."""
        if before and not self.mixes_devices:
            self.mixes_devices = True
            self._say(f"some is drawn on {before}, some on {device}: set render.device to draw all on one.")

    def _stopped(self) -> Interrupted:
        done = self.plan.starts["done"] + self.commits
        shards = f"{done} shard{'s' * (done != 1)}"
        return Interrupted(
            f"stopped with {shards} ({self.totals['records']:,} records) committed in {self.out}. "
            "Run the same command again to go on.",
            at_once=True,
        )

    def _finish(self) -> None:
        self.progress.stage("checking and writing the manifest")
        if damage := self.plan.damage():
            self._say(f"{self.out}: {damage}")
        shards = [self.ledger.entries[index] for index in sorted(self.ledger.entries)]
        names = [entry.candidates.name for entry in shards if entry.candidates]
        set_strays_aside(self.out, names, self.ledger.held.trusts)
        compact(self.out, names, self.ledger.held.identify)
        manifest = manifest_of(
            self.pipeline, self.model, self.ledger.model, shards, self.totals, self.input_digest
        )
        stats = {"counts": self.totals, "seconds": {k: round(v, 3) for k, v in self.seconds.items()}}
        for name in finish_dataset(self.out, manifest, stats):
            self._say(f"{self.out / name} is no shard of this run: moved to strays/")
        self.ledger.finish()
        self.watch.finished(self.totals)
        for message in changes(self.inputs):
            self._say(message)
