"""The driver: streams shards through the stages and commits them one by one.

    iter_chunks -> decide -> (executor) run_shard -> ledger.commit -> ... -> finish_dataset

Contract: constant memory (a window of shards in flight, small tallies); only the driver commits;
SIGKILL at any instant loses at most the shards in flight; SIGINT and SIGTERM drain, commit and say
how to go on; the same command resumes. What a record does to the process it is in ends there (`contain`); a worker
that is lost costs its shards another try (`launch`).
"""

import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.contracts.rows import SCHEMA_VERSION
from zero_engine.errors import CheckFailed, Interrupted
from zero_engine.hashing import digest
from zero_engine.models.painters.generators import generator_fingerprint
from zero_engine.pipeline import Pipeline, load_pipeline
from zero_engine.read import Chunk, count_records, iter_chunks
from zero_engine.render.prompts import compile_template
from zero_engine.run import tally
from zero_engine.run.chamber import close_chamber
from zero_engine.run.cluster import open_executor
from zero_engine.run.contain import checked_input
from zero_engine.run.inputs import Stamps, changes, stamps
from zero_engine.run.launch import Launcher
from zero_engine.run.ledger import Ledger, open_ledger
from zero_engine.run.plan import Decision, Plan, decide, stage_keys
from zero_engine.run.progress import Progress, Silent
from zero_engine.run.reuse import Sources
from zero_engine.run.sameness import look_around, misfit
from zero_engine.run.signals import drain_on_signals
from zero_engine.run.spill import spill
from zero_engine.run.stages import ShardResult, ShardTask
from zero_engine.run.summary import Summary
from zero_engine.run.twin import held_folder
from zero_engine.run.watch import Watch
from zero_engine.score import check_scores
from zero_engine.write.atomic import disk_errors
from zero_engine.write.finish import finish_dataset, side_files, unlisted_files
from zero_engine.write.folder import INDEX, WORK
from zero_engine.write.manifest import read_manifest, versions
from zero_engine.write.place import as_named, discard, place_of, tidy
from zero_engine.write.plain import forget_digests
from zero_engine.write.unused import compact, set_strays_aside, unused


def run_pipeline(
    pipeline: Pipeline | str | Path,
    *,
    overwrite: bool = False,
    reuse: Sequence[str | Path] = (),
    progress: Progress | None = None,
    retry: frozenset[int] = frozenset(),
) -> Summary:
    """Run a pipeline to a finished dataset in `output.path`, resuming what is there.

    Only drawings that neither this folder nor one of `reuse` holds are made. `overwrite` lets the rows of a
    pipeline of another name be replaced. `retry` names shards to make again although they are done.

    Raises PipelineError, InputError, ModelError or OutputError for what the user has to fix,
    Interrupted after a drain, and CheckFailed where traces in != rows + rejections.
    """
    if not isinstance(pipeline, Pipeline):
        pipeline = load_pipeline(pipeline)
    forget_digests()
    model = check_pipeline(pipeline)
    with held_folder(pipeline.output.path) as (out, twin):
        ledger = open_ledger(out, pipeline, overwrite, twin)
        sources = Sources(pipeline.output.path, ledger.held, reuse)
        return _Driver(pipeline, model, ledger, sources, progress or Silent(), retry).run()


def check_pipeline(pipeline: Pipeline) -> str | None:
    """Find mistakes before any work starts; returns the generator's fingerprint, None without drawing.

    Raises PipelineError, InputError or ModelError.
    """
    checked_input(pipeline)
    check_scores(pipeline.score)
    compile_template(pipeline.render.template)
    return generator_fingerprint(pipeline.render)


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
        self.out = ledger.out
        self.place = place_of(pipeline.output.path)
        """The folder as workers are told of it: an absolute path, or an address in a store."""
        self.plan = Plan()
        self.totals = tally.empty()
        self.seconds: Counter = Counter()
        self.drawn = 0
        self.launcher: Launcher | None = None
        self.watch = Watch(ledger.out)
        self.inputs: Stamps = {}
        self.workers = 0
        self.began = False
        self.input_digest = ""

    def run(self) -> Summary:
        started = time.monotonic()
        with ExitStack() as stack, drain_on_signals() as draining:
            try:
                self._stream(stack, draining)
                shards = self.plan.shards
                stale = [i for i in self.ledger.entries if i >= shards]
                if self.began or stale or not self.ledger.finished or self._is_untidy():
                    self._begin()
                    self.ledger.drop_beyond(shards)
                    self._finish()
            except BaseException as error:
                self.watch.ended(error)
                raise
            finally:
                self.progress.stop()
                if self.began:
                    self.ledger.close()
        wall_s = time.monotonic() - started
        summary = Summary(
            out=tidy(self.pipeline.output.path),
            counts=self.totals,
            plan=self.plan,
            drawn=self.drawn,
            unused=unused(self.out),
            seconds=dict(self.seconds),
            wall_s=wall_s,
            workers=self.workers,
        )
        if self.totals["traces"] != self.totals["rows"] + self.totals["rejected_traces"]:
            raise CheckFailed(
                f"{self.out}: {self.totals['traces']} traces in, but {self.totals['rows']} rows and "
                f"{self.totals['rejected_traces']} rejected traces out. Run `zero-engine validate {self.out}`."
            )
        return summary

    def _stream(self, stack: ExitStack, draining: threading.Event) -> None:
        digests, stopped = [], False
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
                continue
            self._begin()
            if self.launcher is None:
                self.launcher = self._open(stack)
            self._submit(self.launcher, chunk, keys, decision)
            self.workers = self.launcher.workers
            while self.launcher.is_full and not draining.is_set():
                self._collect(self.launcher)
        while self.launcher and self.launcher.flights:
            self._collect(self.launcher)
        if stopped:
            self._stopped()
        self.input_digest = digest(*digests)

    def _open(self, stack: ExitStack) -> Launcher:
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
                self.progress.say,
            )
        )
        if executor.is_remote:
            close_chamber()  # it has checked the input; from here on others work
        self.inputs = stamps(self.pipeline.input)
        total = count_records(self.pipeline.input)
        self.progress.start(total, self.totals["records"], executor.dashboard)
        self.watch.began(self.pipeline, total, self.totals["records"], executor.workers)
        self.ledger.twin.tell(now=True)
        return Launcher(executor, dask, self.place, self._say)

    def _say(self, message: str) -> None:
        message = as_named(self.pipeline.output.path, message)
        self.progress.say(message)
        self.watch.note(message)

    def _is_untidy(self) -> bool:
        """Whether a finished folder holds files that nobody lists, or lacks what loads it."""
        manifest = read_manifest(self.out)
        return bool(
            manifest.schema_version == SCHEMA_VERSION
            and (unlisted_files(self.out, manifest) or side_files(self.out, manifest))
        )

    def _begin(self) -> None:
        if self.began:
            return
        self.ledger.begin(self.pipeline)
        self.began = True
        for name, place in self.ledger.moved.items():
            self._say(f"{self.out / name} is no plain file: moved to {place}")
        if self.model and self.sources.any():
            self.sources.index(self.out / INDEX)
            self.ledger.twin.send_work(INDEX)
            self.index = INDEX
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
            committed=entry,
            index=self.index,
            known=self.sources.model(self.model),
            records=records,
            folder=os.getcwd(),
        )
        launcher.launch(task)

    def _collect(self, launcher: Launcher) -> None:
        """Wait a moment and commit what is done."""
        for task, result in launcher.collect():
            self._commit(task, result)

    def _commit(self, task: ShardTask, result: ShardResult) -> None:
        self.ledger.commit(result.entry, result.temporary)
        if task.records:
            discard(self.place, task.records)
        if result.model:
            self.ledger.describe(result.model)
        counts = result.entry.counts
        self.totals = tally.add(self.totals, counts)
        self.seconds.update(result.seconds)
        self.drawn += result.drawn
        self.watch.committed(counts["records"], result.drawn, self.workers, result.entry)
        self.ledger.twin.tell()
        self.progress.update(
            records=counts["records"],
            drawn=result.drawn,
            pictures=counts["pictures"],
            kept=counts["pictures_kept"],
        )

    def _stopped(self) -> None:
        done = len(self.ledger.entries)
        raise Interrupted(
            f"stopped: {done} shards ({self.totals['records']} records) are committed in {self.out}. "
            "Run the same command again to go on."
        )

    def _finish(self) -> None:
        shards = [self.ledger.entries[index] for index in sorted(self.ledger.entries)]
        names = [entry.candidates.name for entry in shards if entry.candidates]
        set_strays_aside(self.out, names, self.ledger.held.trusts)
        compact(self.out, names, self.ledger.held.identify)
        manifest = self._manifest(shards)
        stats = {"counts": self.totals, "seconds": {k: round(v, 3) for k, v in self.seconds.items()}}
        for name in finish_dataset(self.out, manifest, stats):
            self._say(f"{self.out / name} is no shard of this run: moved to strays/")
        self.ledger.finish()
        self.watch.finished(self.totals)
        for message in changes(self.inputs):
            self._say(message)

    def _manifest(self, shards: list[ShardEntry]) -> Manifest:
        pipeline, paths = self.pipeline, self.pipeline.input.path
        fingerprints = {"pipeline": pipeline.fingerprint}
        if self.model:
            fingerprints["model"] = self.model
        return Manifest(
            name=pipeline.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=versions(),
            pipeline=pipeline.model_dump(mode="json"),
            fingerprints=fingerprints,
            model=self._model_info(),
            input=InputInfo(
                paths=[paths] if isinstance(paths, str) else paths,
                records=self.totals["records"],
                digest=self.input_digest,
            ),
            shards=shards,
            counts=self.totals,
        )

    def _model_info(self) -> ModelInfo | None:
        """As the workers described it; by name alone where nothing was ever drawn with it."""
        known = self.ledger.model
        if self.model and (known is None or known.fingerprint != self.model):
            return ModelInfo(name=self.pipeline.render.model, fingerprint=self.model)
        return known if self.model else None
