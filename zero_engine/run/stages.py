"""One shard from records to files: the function that Dask places.

`run_shard` reads, parses, draws, scores, gates and writes one fixed range of records. It is a pure
function of its task and the model's files: it writes under temporary names in the run's work
folder and returns what the driver needs to commit. It never raises for bad data; each record ends
as a row or as a rejection. A model lives in this process's cache (`models.get_model`), never in
the task graph.
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from zero_engine.contracts.manifest import ModelInfo, ShardEntry, ShardFile
from zero_engine.errors import OutputError, ZeroEngineError
from zero_engine.models.batching import auto_batch_size
from zero_engine.models.devices import device_kind
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Pipeline
from zero_engine.read import Chunk
from zero_engine.read.given import loaded, redrawn
from zero_engine.read.images import PictureRules
from zero_engine.records import Candidate, ParsedTrace, Rejection, Trace, Trajectory
from zero_engine.run import marks, tally
from zero_engine.run.drawings import Outcome, make_drawings, with_pixels
from zero_engine.run.onerecord import Blame, read_all
from zero_engine.run.plan import scoring_key
from zero_engine.run.spill import fetch
from zero_engine.score.gate import judge
from zero_engine.write.folder import WORK, candidates_name, data_name, rejections_name
from zero_engine.write.place import bring, here
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
    """render or score (take what lies somewhere already, make the rest), or gate (take the shard's own as they are)."""
    committed: ShardEntry | None = None
    """What the folder holds of this shard."""
    index: str | None = None
    """File of the folder: the `Store` by which drawings may be found."""
    known: ModelInfo | None = None
    """What is known of the generator without loading it."""
    records: str | None = None
    """File of the folder with the chunk's records, where they do not travel inside the task (`spill`)."""
    excluded: tuple[Blame, ...] = ()
    """What no process survives; it is rejected untouched."""
    alone: bool = False
    """Take records one by one, each with a mark, so that the one to blame is known."""
    proven: frozenset[str] = frozenset()
    """With `alone`: traces that have been tried already. The others are tried, and nothing is written."""
    folder: str = ""
    """The driver's working folder, to which paths of the pipeline are relative."""
    run: str = ""
    """Name of the run for those who watch it, and for the file that halts it (`contain.halt_file`)."""


@dataclass(slots=True)
class ShardResult:
    """What came of a task: the entry to commit, and where the new files lie until then."""

    entry: ShardEntry
    temporary: dict[str, str]
    """Temporary name -> final name, both inside the output folder."""
    seconds: dict[str, float] = field(default_factory=dict)
    drawn: int = 0
    """Pictures drawn by this task."""
    encoded: int = 0
    """Given pictures encoded by this task; all other pictures were found."""
    model: ModelInfo | None = None
    """The model that drew, where this task drew."""
    code: str = ""
    """`code_digest` of the worker that made it."""


def run_shard(task: ShardTask) -> ShardResult | None:
    """Make one shard; None where it was only tried (`proven`).

    Raises ZeroEngineError only for what the user has to fix (disk, model, output).
    """
    clock = _Clock()
    with clock.measure("read"):
        everything = read_all(
            fetch(task.chunk, task.out, task.records), task.pipeline.input, task.excluded, task.alone
        )
    with clock.measure("parse"):
        parsed, rejections = parse_all(everything, task.pipeline, marked=task.alone)
    if task.proven:
        one_by_one(task, parsed, clock)
        return None
    if task.alone:
        made, rows, refused = one_by_one(task, parsed, clock)
        rejections += made.rejections + refused
    else:
        made = _drawings(task, parsed, clock)
        rejections += made.rejections
        with clock.measure("gate"):
            rows, refused = gate_all(parsed, made.candidates, task.pipeline)
            rejections += refused
    with clock.measure("write"):
        files, temporary = _write(task, rows, made, parsed, rejections)
    counts = tally.count(task.chunk.rows, len(everything), parsed, made.candidates, rows, rejections)
    entry = ShardEntry(
        index=task.chunk.index,
        first_row=task.chunk.first_row,
        records=task.chunk.rows,
        digest=task.chunk.digest,
        keys=task.keys,
        counts=counts,
        **files,
    )
    known = _describe(task) if made.drawn or made.encoded else None
    return ShardResult(entry, temporary, clock.seconds, made.drawn, made.encoded, known)


def parse_all(
    records: Iterable[Trace | Rejection], pipeline: Pipeline, marked: bool = False
) -> tuple[list[ParsedTrace], list[Rejection]]:
    """Parse every trace; a record that was rejected already, or cannot be parsed, ends as a rejection."""
    parsed: list[ParsedTrace] = []
    rejections: list[Rejection] = []
    pictures = PictureRules.of(pipeline.input)
    for record in records:
        if isinstance(record, Rejection):
            rejections.append(record)
            continue
        if marked:
            marks.mark("parse", record.id)
        try:
            asked = loaded(record, pictures) if pipeline.render.keeps_given else redrawn(record)
            outcome = parse_trace(asked, pipeline.parse)
        except Exception as error:  # one bad trace must not cost its shard
            outcome = _failed(record.id, "parse", error, record.record)
        if isinstance(outcome, Rejection):
            rejections.append(outcome)
        else:
            parsed.append(outcome)
    marks.mark("parse")
    return parsed, rejections


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
    shown, refused = with_pixels(rows, pipeline)
    return list(shown), rejections + refused


def one_by_one(
    task: ShardTask, parsed: Sequence[ParsedTrace], clock: "_Clock"
) -> tuple[Outcome, list[Trajectory], list[Rejection]]:
    """Draw, score and gate each trace alone. No drawing's bits depend on its neighbours, so bytes are the same."""
    made, rows, rejections = Outcome(), [], []
    stored = _stored(task) if task.start == "gate" else None
    for trace in parsed:
        name = trace.trace.id
        if name in task.proven:
            continue
        marks.mark("render", name)
        own = _drawings(task, [trace], clock) if stored is None else _part(stored, name)
        marks.mark("gate", name)
        kept, refused = gate_all([trace], own.candidates, task.pipeline)
        made.add(own)
        rows += kept
        rejections += refused
    made.rejections.sort(key=lambda rejection: rejection.stage != "render")
    marks.mark("gate")
    return made, rows, rejections


def _part(whole: Outcome, name: str) -> Outcome:
    """What is one trace's."""
    rows = [row for row, candidate in enumerate(whole.candidates) if candidate.trace_id == name]
    return Outcome(
        [whole.candidates[row] for row in rows],
        [rejection for rejection in whole.rejections if rejection.trace_id == name],
        places=[whole.places[row] for row in rows],
    )


def _drawings(task: ShardTask, parsed: Sequence[ParsedTrace], clock: "_Clock") -> Outcome:
    """What the shard asks for; where only the gate changed, what the folder holds of it."""
    if task.start == "gate":
        return _stored(task)
    scored = scoring_key(task.pipeline)
    index = str(bring(task.out, task.index) or "") if task.index else None
    return make_drawings(parsed, task.pipeline, task.model, scored, clock.measure, index or None, task.known)


def _stored(task: ShardTask) -> Outcome:
    """The committed shard's drawings, and the rejections that drawing and scoring left with them."""
    entry = task.committed
    stored = Outcome()
    assert entry is not None, "only a committed shard is gated as it is"
    if entry.candidates:
        path = _committed(task, entry.candidates)
        stored.candidates = read_candidates(path)
        stored.places = [(str(path), row) for row in range(len(stored.candidates))]
    if entry.rejections:
        found = read_rejections(_committed(task, entry.rejections))
        stored.rejections = [r for r in found if r.stage in ("render", "score")]
    return stored


def _committed(task: ShardTask, file: ShardFile) -> Path:
    path = bring(task.out, file.name)
    if path is None:
        raise OutputError(f"{task.out}: {file.name} is gone. Something else changed the folder; run again.")
    return path


def _write(
    task: ShardTask,
    rows: Sequence[Trajectory],
    made: Outcome,
    parsed: Sequence[ParsedTrace],
    rejections: Sequence[Rejection],
) -> tuple[dict, dict[str, str]]:
    """Write the shard's files under temporary names; nothing is left behind where one fails."""
    index, unique = task.chunk.index, uuid.uuid4().hex
    texts = {(p.trace.id, s.index): s.text for p in parsed for s in p.steps}
    writers: dict[str, tuple[str, Callable[[Path], ShardFile]]] = {
        "data": (
            data_name(index),
            lambda path: write_trajectories(path, rows, task.pipeline.fingerprint, task.model),
        )
    }
    files: dict = {}
    kept = task.committed.candidates if task.committed else None
    out = here(task.out)
    if kept and _is_as_it_lies(made, str(out / kept.name), kept.rows):
        files["candidates"] = kept
    elif made.candidates:
        failed = any(r.stage == "score" for r in made.rejections)
        scored = "" if failed else scoring_key(task.pipeline)
        writers["candidates"] = (
            candidates_name(index),
            lambda path: write_candidates(path, made.candidates, texts, scored),
        )
    if rejections:
        writers["rejections"] = (rejections_name(index), lambda path: write_rejections(path, rejections))
    temporary: dict[str, str] = {}
    try:
        for kind, (name, write) in writers.items():
            place = f"{WORK}/{kind}-{index:05d}-{unique}.tmp"
            temporary[place] = name
            files[kind] = write(out / place).renamed(name)
    except BaseException:
        for name in temporary:
            (out / name).unlink(missing_ok=True)
        raise
    return files, temporary


def _is_as_it_lies(outcome: Outcome, path: str, rows: int) -> bool:
    """Whether the drawings are those of one file, all of them, in their order: then it need not be written anew."""
    return outcome.places == [(path, row) for row in range(rows)]


def _describe(task: ShardTask) -> ModelInfo:
    """What the manifest says of the model, which this process has loaded."""
    from zero_engine.painters.generators import get_generator

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
        device=device_kind(render.device),
        batch_size=auto_batch_size(model),
    )


def _failed(trace_id: str, stage: str, error: Exception, record: object) -> Rejection:
    if isinstance(error, ZeroEngineError):
        raise error
    reason = "out_of_memory" if isinstance(error, MemoryError) else "failed"
    return Rejection(trace_id, stage, reason, str(error), exception=type(error).__name__, record=record)


class _Clock:
    """Seconds spent by stage; a stage that begins is marked."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        marks.mark(stage, marks.now()[1])
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started
