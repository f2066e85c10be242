"""One shard from records to files: the function that Dask places.

`run_shard` reads, parses, draws, scores, gates and writes one fixed range of records. It is a pure
function of its task and the model's files: it writes under temporary names in the run's work
folder and returns what the driver needs to commit. It never raises for bad data; each record ends
as a row or as a rejection. A model lives in this process's cache (`models.get_model`), never in
the task graph.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from zero_engine.contracts.manifest import ModelInfo, ShardEntry, ShardFile
from zero_engine.errors import ZeroEngineError
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Pipeline
from zero_engine.read import Chunk, read_chunk
from zero_engine.records import Candidate, ParsedTrace, Rejection, Trajectory
from zero_engine.run import tally
from zero_engine.run.spill import fetch
from zero_engine.score.gate import judge
from zero_engine.write.shards import (
    read_candidates,
    read_rejections,
    write_candidates,
    write_rejections,
    write_trajectories,
)


@dataclass(frozen=True, slots=True)
class ShardTask:
    """All that a worker needs to make one shard. Small and picklable: paths, never pictures."""

    chunk: Chunk
    pipeline: Pipeline
    model: str | None
    """Fingerprint of the generator; None where drawing is switched off."""
    keys: dict[str, str]
    out: str
    start: str = "render"
    """render, score (reuse the stored drawings) or gate (reuse their scores, too)."""
    committed: ShardEntry | None = None
    """What the folder holds of this shard, where something of it is reused."""
    records: str | None = None
    """File with the chunk's records, where they do not travel inside the task (`spill`)."""
    excluded: frozenset[int] = frozenset()
    """Positions inside the chunk of records that killed a worker; they are rejected unread."""


@dataclass(slots=True)
class ShardResult:
    """What came of a task: the entry to commit, and where the new files lie until then."""

    entry: ShardEntry
    temporary: dict[str, str]
    """Temporary path -> final name inside the output folder."""
    seconds: Counter = field(default_factory=Counter)
    drawn: int = 0
    """Pictures drawn by this task; 0 where stored ones were reused."""
    model: ModelInfo | None = None
    """The model that drew, where this task drew."""


def run_shard(task: ShardTask) -> ShardResult:
    """Make one shard. Raises ZeroEngineError only for what the user has to fix (disk, model, output)."""
    clock = _Clock()
    with clock.measure("read"):
        everything = read_chunk(fetch(task.chunk, task.records), task.pipeline.input)
        records, rejections = _exclude(everything, task)
    with clock.measure("parse"):
        parsed, refused = parse_all(records, task.pipeline)
        rejections += refused
    candidates, refused, drawn = _candidates(task, parsed, clock)
    rejections += refused
    with clock.measure("gate"):
        rows, refused = gate_all(parsed, candidates, task.pipeline)
        rejections += refused
    with clock.measure("write"):
        files, temporary = _write(task, rows, candidates, parsed, rejections)
    counts = tally.count(task.chunk.rows, len(everything), parsed, candidates, rows, rejections)
    entry = ShardEntry(
        index=task.chunk.index,
        first_row=task.chunk.first_row,
        records=task.chunk.rows,
        digest=task.chunk.digest,
        keys=task.keys,
        counts=counts,
        **files,
    )
    return ShardResult(entry, temporary, clock.seconds, drawn, _describe(task) if drawn else None)


def parse_all(records: Iterable[object], pipeline: Pipeline) -> tuple[list[ParsedTrace], list[Rejection]]:
    """Parse every trace; a record that was rejected already, or cannot be parsed, ends as a rejection."""
    parsed: list[ParsedTrace] = []
    rejections: list[Rejection] = []
    for record in records:
        if not isinstance(record, Rejection):
            try:
                record = parse_trace(record, pipeline.parse)
            except Exception as error:  # one bad trace must not cost its shard
                record = _failed(record.id, "parse", error, record.record)
        (rejections if isinstance(record, Rejection) else parsed).append(record)
    return parsed, rejections


def draw_all(parsed: Sequence[ParsedTrace], pipeline: Pipeline) -> tuple[list[Candidate], list[Rejection]]:
    """Draw every step of a shard's traces with the pipeline's generator."""
    from zero_engine.models.painters.generators import get_generator
    from zero_engine.render.renderer import draw_steps

    render = pipeline.render
    if render.generator == "none":
        return [], []
    with _one_thread():
        model = get_generator(render)
        return draw_steps(parsed, model, render, pipeline.seed, pipeline.output.image_format)


def score_all(
    candidates: Sequence[Candidate], parsed: Sequence[ParsedTrace], pipeline: Pipeline
) -> tuple[list[Candidate], list[Rejection]]:
    """Score every drawing of a shard."""
    if not candidates:
        return [], []
    from zero_engine.models import get_model
    from zero_engine.score import score_candidates

    render = pipeline.render
    with _one_thread():
        model = get_model(render.model, device=render.device, dtype=render.dtype)
        return score_candidates(candidates, parsed, model, pipeline.score)


def gate_all(
    parsed: Sequence[ParsedTrace], candidates: Sequence[Candidate], pipeline: Pipeline
) -> tuple[list[Trajectory], list[Rejection]]:
    """Judge every trace; `candidates` are in the order of the traces."""
    by_trace: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_trace.setdefault(candidate.trace_id, []).append(candidate)
    rows: list[Trajectory] = []
    rejections: list[Rejection] = []
    for trace in parsed:
        try:
            outcome, refused = judge(trace, by_trace.get(trace.trace.id, []), pipeline.gate)
        except Exception as error:  # one bad trace must not cost its shard
            outcome, refused = _failed(trace.trace.id, "gate", error, trace.trace.record), []
        rejections += refused
        if isinstance(outcome, Rejection):
            rejections.append(outcome)
        else:
            rows.append(outcome)
    return rows, rejections


def _candidates(
    task: ShardTask, parsed: Sequence[ParsedTrace], clock: "_Clock"
) -> tuple[list[Candidate], list[Rejection], int]:
    """Draw and score, or take from the committed shard what still holds."""
    if task.start == "render":
        with clock.measure("render"):
            candidates, rejections = draw_all(parsed, task.pipeline)
        with clock.measure("score"):
            candidates, refused = score_all(candidates, parsed, task.pipeline)
        return candidates, rejections + refused, len(candidates)
    kept = ("render",) if task.start == "score" else ("render", "score")
    candidates, rejections = _stored(task, kept)
    if task.start == "score":
        with clock.measure("score"):
            candidates, refused = score_all(candidates, parsed, task.pipeline)
        rejections += refused
    return candidates, rejections, 0


def _stored(task: ShardTask, stages: tuple[str, ...]) -> tuple[list[Candidate], list[Rejection]]:
    """Drawings of the committed shard, and the rejections that the given stages left with them."""
    out, entry = Path(task.out), task.committed
    candidates = read_candidates(out / entry.candidates.name) if entry.candidates else []
    rejections = []
    if entry.rejections:
        rejections = [r for r in read_rejections(out / entry.rejections.name) if r.stage in stages]
    return candidates, rejections


def _write(
    task: ShardTask,
    rows: Sequence[Trajectory],
    candidates: Sequence[Candidate],
    parsed: Sequence[ParsedTrace],
    rejections: Sequence[Rejection],
) -> tuple[dict, dict[str, str]]:
    """Write the shard's files under temporary names; nothing is left behind where one fails."""
    index, unique = task.chunk.index, uuid.uuid4().hex
    texts = {(p.trace.id, s.index): s.text for p in parsed for s in p.steps}
    writers: dict[str, tuple[str, Callable[[Path], ShardFile]]] = {
        "data": (
            f"data/data-{index:05d}.arrow",
            lambda path: write_trajectories(path, rows, task.pipeline.fingerprint, task.model),
        )
    }
    if candidates and task.start != "gate":
        name = f"candidates/part-{index:05d}.arrow"
        writers["candidates"] = (name, lambda path: write_candidates(path, candidates, texts))
    if rejections:
        name = f"rejected/part-{index:05d}.jsonl"
        writers["rejections"] = (name, lambda path: write_rejections(path, rejections))
    files: dict = {"candidates": task.committed.candidates} if task.start == "gate" else {}
    temporary: dict[str, str] = {}
    try:
        for kind, (name, write) in writers.items():
            path = Path(task.out) / ".work" / f"{kind}-{index:05d}-{unique}.tmp"
            temporary[str(path)] = name
            files[kind] = write(path).renamed(name)
    except BaseException:
        for path in temporary:
            Path(path).unlink(missing_ok=True)
        raise
    return files, temporary


def _exclude(records: list, task: ShardTask) -> tuple[list, list[Rejection]]:
    """Take out the records that killed a worker. Positions are those in the chunk's own list."""
    kept, rejections = [], []
    for position, record in enumerate(records):
        if position not in task.excluded:
            kept.append(record)
        elif isinstance(record, Rejection):
            rejections.append(record)
        else:
            rejections.append(
                Rejection(
                    record.id,
                    "render",
                    "worker_died",
                    "the worker process died whenever this trace was in it",
                    record=record.record,
                )
            )
    return kept, rejections


def _describe(task: ShardTask) -> ModelInfo:
    """What the manifest says of the model, which this process has loaded."""
    from zero_engine.models.painters.generators import get_generator

    render = task.pipeline.render
    model = get_generator(render)
    rows, columns = model.grid
    return ModelInfo(
        name=render.model if render.generator == "unified" else model.name,
        fingerprint=task.model,
        codebook_size=model.codebook_size,
        codes_per_picture=rows * columns,
        height=model.image_size,
        width=model.image_size,
    )


def _failed(trace_id: str, stage: str, error: Exception, record: object) -> Rejection:
    if isinstance(error, ZeroEngineError):
        raise error
    return Rejection(trace_id, stage, "error", str(error), exception=type(error).__name__, record=record)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The number of threads decides how sums are split, so bytes are those of one thread everywhere."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Clock:
    """Seconds spent by stage."""

    def __init__(self) -> None:
        self.seconds: Counter = Counter()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started
