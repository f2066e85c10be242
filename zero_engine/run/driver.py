"""The driver: streams shards through the stages and commits them one by one.

    iter_chunks -> decide -> (executor) run_shard -> ledger.commit -> ... -> finish_dataset

Contract: constant memory (a window of shards in flight, small tallies); only the driver commits;
SIGKILL at any instant loses at most the shards in flight; SIGINT and SIGTERM drain, commit and say
how to go on; the same command resumes. Workers that die are given another try, then the record to
blame is found and rejected (`culprits`).
"""

import dataclasses
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.errors import CheckFailed, Interrupted, OutputError
from zero_engine.hashing import digest
from zero_engine.models.painters.generators import generator_fingerprint
from zero_engine.pipeline import Pipeline, load_pipeline
from zero_engine.read import Chunk, check_input, count_records, iter_chunks
from zero_engine.render.prompts import compile_template
from zero_engine.run import tally
from zero_engine.run.cluster import Died, Executor, Job, open_executor
from zero_engine.run.culprits import find_culprits
from zero_engine.run.ledger import Ledger, open_ledger
from zero_engine.run.plan import Decision, Plan, decide, stage_keys
from zero_engine.run.progress import Progress, Silent
from zero_engine.run.spill import spill
from zero_engine.run.stages import ShardResult, ShardTask, run_shard
from zero_engine.score import check_scores
from zero_engine.write.finish import finish_dataset
from zero_engine.write.manifest import versions


@dataclass(slots=True)
class Summary:
    """What a run did and what the folder now holds."""

    out: str
    counts: dict
    plan: Plan
    drawn: int = 0
    """Pictures drawn in this run; the others were reused."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Worker seconds by stage, in this run."""
    wall_s: float = 0.0
    workers: int = 0

    def as_dict(self) -> dict:
        return {
            "out": self.out,
            "counts": self.counts,
            "plan": self.plan.as_dict(),
            "drawn": self.drawn,
            "reused": self.counts["pictures"] - self.drawn,
            "workers": self.workers,
            "wall_s": round(self.wall_s, 3),
            "pictures_per_s": round(self.drawn / self.wall_s, 2) if self.wall_s else 0.0,
            "seconds": {stage: round(s, 3) for stage, s in self.seconds.items()},
        }


def run_pipeline(
    pipeline: Pipeline | str | Path, *, overwrite: bool = False, progress: Progress | None = None
) -> Summary:
    """Run a pipeline to a finished dataset in `output.path`, resuming what is there.

    Raises PipelineError, InputError, ModelError or OutputError for what the user has to fix,
    Interrupted after a drain, and CheckFailed where traces in != rows + rejections.
    """
    if not isinstance(pipeline, Pipeline):
        pipeline = load_pipeline(pipeline)
    model = check_pipeline(pipeline)
    ledger = open_ledger(Path(pipeline.output.path), pipeline, overwrite)
    driver = _Driver(pipeline, model, ledger, progress or Silent())
    return driver.run()


def plan_run(pipeline: Pipeline) -> Plan:
    """What `run_pipeline` would do, shard by shard, without doing any of it."""
    model = check_pipeline(pipeline)
    out = Path(pipeline.output.path)
    ledger, plan = open_ledger(out, pipeline), Plan()
    for chunk in iter_chunks(pipeline.input, pipeline.output.rows_per_shard):
        plan.add(chunk, decide(ledger.entries.get(chunk.index), stage_keys(pipeline, model, chunk), out))
    return plan


def check_pipeline(pipeline: Pipeline) -> str | None:
    """Find mistakes before any work starts; returns the generator's fingerprint, None without drawing.

    Raises PipelineError, InputError or ModelError.
    """
    check_input(pipeline.input, must_give_rows=True)
    check_scores(pipeline.score)
    compile_template(pipeline.render.template)
    return generator_fingerprint(pipeline.render)


@dataclass(slots=True)
class _Flight:
    """A shard on its way."""

    task: ShardTask
    deadline: float
    attempts: int = 1


class _Driver:
    def __init__(self, pipeline: Pipeline, model: str | None, ledger: Ledger, progress: Progress) -> None:
        self.pipeline, self.model, self.ledger, self.progress = pipeline, model, ledger, progress
        self.out = ledger.out
        self.plan = Plan()
        self.totals = tally.empty()
        self.seconds: Counter = Counter()
        self.drawn = 0
        self.flights: dict[Job, _Flight] = {}
        self.executor: Executor | None = None
        self.workers = 0
        self.began = False
        self.input_digest = ""

    def run(self) -> Summary:
        started = time.monotonic()
        with ExitStack() as stack, _drain_on_signals() as draining:
            try:
                self._stream(stack, draining)
                shards = self.plan.shards
                stale = [i for i in self.ledger.entries if i >= shards]
                if self.began or stale or not self.ledger.finished:
                    self._begin()
                    self.ledger.drop_beyond(shards)
                    self._finish()
            finally:
                self.progress.stop()
                if self.began:
                    self.ledger.close(finished=self.ledger.finished)
        wall_s = time.monotonic() - started
        summary = Summary(
            str(self.out), self.totals, self.plan, self.drawn, dict(self.seconds), wall_s, self.workers
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
            decision = decide(entry, keys, self.out)
            self.plan.add(chunk, decision)
            digests.append(chunk.digest)
            if decision.start is None:
                self.totals = tally.add(self.totals, entry.counts)
                continue
            if not self.began:
                self._begin()
                self.executor = stack.enter_context(
                    open_executor(self.pipeline.dask, self.pipeline.render.device)
                )
                total = count_records(self.pipeline.input)
                self.progress.start(total, self.totals["records"], self.executor.dashboard)
            self._submit(chunk, keys, decision)
            self.workers = self.executor.workers
            window = self.workers * self.pipeline.dask.shards_in_flight
            while len(self.flights) >= window and not draining.is_set():
                self._collect()
        while self.flights:
            self._collect()
        if stopped:
            self._stopped()
        self.input_digest = digest(*digests)

    def _begin(self) -> None:
        if not self.began:
            self.ledger.begin(self.pipeline)
            self.began = True

    def _submit(self, chunk: Chunk, keys: dict[str, str], decision: Decision) -> None:
        entry = self.ledger.entries.get(chunk.index) if decision.start != "render" else None
        chunk, records = spill(chunk, self.ledger.work) if self.executor.is_remote else (chunk, None)
        task = ShardTask(
            chunk, self.pipeline, self.model, keys, str(self.out), decision.start, entry, records
        )
        self._launch(_Flight(task, self._deadline()))

    def _launch(self, flight: _Flight) -> None:
        self.flights[self.executor.submit(run_shard, flight.task)] = flight

    def _deadline(self) -> float:
        """A shard waits for those before it on its worker, so the limit covers the whole window."""
        dask = self.pipeline.dask
        return time.monotonic() + dask.shard_timeout_s * dask.shards_in_flight

    def _collect(self) -> None:
        """Wait a moment and handle what is done or overdue."""
        for job in self.executor.wait(set(self.flights)):
            flight = self.flights.pop(job)
            try:
                self._commit(flight.task, job.result())
            except Died as death:
                self._try_again(flight, str(death))
        for job in [job for job, flight in self.flights.items() if time.monotonic() > flight.deadline]:
            flight = self.flights.pop(job)
            self.executor.abandon(job)
            self._try_again(flight, f"took over {self.pipeline.dask.shard_timeout_s:g} s")

    def _commit(self, task: ShardTask, result: ShardResult) -> None:
        self.ledger.commit(result.entry, result.temporary)
        if task.records:
            Path(task.records).unlink(missing_ok=True)
        if result.model:
            self.ledger.describe(result.model)
        counts = result.entry.counts
        self.totals = tally.add(self.totals, counts)
        self.seconds.update(result.seconds)
        self.drawn += result.drawn
        self.progress.update(
            records=counts["records"],
            drawn=result.drawn,
            pictures=counts["pictures"],
            kept=counts["pictures_kept"],
        )

    def _try_again(self, flight: _Flight, why: str) -> None:
        shard = flight.task.chunk.index
        if flight.attempts < self.pipeline.dask.max_attempts:
            self.progress.say(f"shard {shard}: worker lost, attempt {flight.attempts + 1}: {why}")
            self._launch(_Flight(flight.task, self._deadline(), flight.attempts + 1))
            return
        self.progress.say(f"shard {shard}: lost {flight.attempts} workers; looking for the record to blame")
        culprits = find_culprits(flight.task, self._survive)
        task = dataclasses.replace(flight.task, excluded=culprits)
        result = self._survive(task)
        if result is None:
            raise OutputError(
                f"{self.out}: shard {shard} keeps losing its worker although no single record does. "
                "Give workers more memory (dask.memory_limit) or lower output.rows_per_shard."
            )
        self._commit(task, result)

    def _survive(self, task: ShardTask) -> ShardResult | None:
        """Run one task alone; None where its worker dies or it outruns its limit."""
        job = self.executor.submit(run_shard, task)
        deadline = self._deadline()
        while not self.executor.wait({job}):
            if time.monotonic() > deadline:
                self.executor.abandon(job)
                return None
        try:
            return job.result()
        except Died:
            return None

    def _stopped(self) -> None:
        done = len(self.ledger.entries)
        raise Interrupted(
            f"stopped: {done} shards ({self.totals['records']} records) are committed in {self.out}. "
            "Run the same command again to go on."
        )

    def _finish(self) -> None:
        shards = [self.ledger.entries[index] for index in sorted(self.ledger.entries)]
        manifest = self._manifest(shards)
        stats = {"counts": self.totals, "seconds": {k: round(v, 3) for k, v in self.seconds.items()}}
        finish_dataset(self.out, manifest, stats)
        self.ledger.finished = True

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


@contextmanager
def _drain_on_signals() -> Iterator[threading.Event]:
    """First SIGINT or SIGTERM: finish what is in flight, then stop. Second: stop at once."""
    draining = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield draining
        return

    def drain(number: int, _frame: object) -> None:
        if draining.is_set():
            raise KeyboardInterrupt
        draining.set()

    before = {number: signal.signal(number, drain) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield draining
    except KeyboardInterrupt:
        raise Interrupted("stopped at once: shards in flight are lost, the others are committed.") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
