"""A folder of a run, finished or not, read trace by trace: the text, the steps, every drawing, and what was left out.

A finished folder is known by its manifest, a run under way by its ledger: what is committed can be looked at while the
rest is being drawn. One shard is held at a time, so memory does not grow with the dataset.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from zero_engine.contracts.manifest import ModelInfo, ShardEntry
from zero_engine.contracts.rows import PLUGIN_SCORES, scores_in
from zero_engine.contracts.scores import SCORES, in_order
from zero_engine.errors import OutputError, command
from zero_engine.pipeline import Gate, Pipeline
from zero_engine.records import Candidate, Rejection
from zero_engine.run import tally
from zero_engine.run.recorded import is_ours, recorded
from zero_engine.write.dataset import check_bytes
from zero_engine.write.folder import MANIFEST
from zero_engine.write.manifest import read_manifest
from zero_engine.write.plain import require_folder
from zero_engine.write.rejections import read_rejections
from zero_engine.write.shards import candidates_of


@dataclass(frozen=True, slots=True)
class Folder:
    """What is known of a folder before its rows are read."""

    out: Path
    name: str
    finished: bool
    pipeline: dict
    """Resolved; empty where the folder does not say."""
    model: ModelInfo | None
    shards: list[ShardEntry]
    counts: dict
    note: str
    """Input, model and date in one line."""

    @property
    def gate(self) -> Gate:
        return Gate.model_validate(self.pipeline.get("gate", {}))

    @property
    def resolved(self) -> Pipeline | None:
        """The pipeline with all its sections; None where the folder does not say."""
        return Pipeline.model_validate(self.pipeline) if {"input", "output"} <= self.pipeline.keys() else None


@dataclass(slots=True)
class ToldStep:
    """One step, with every drawing of it in the order of the attempts."""

    index: int
    text: str
    verdict: str = "dropped"
    """kept, text_only, or dropped: the step stands in no row."""
    reason: str | None = None
    attempt: int | None = None
    """The attempt that was kept."""
    row: dict | None = None
    """The step as the row holds it, without codes and picture; None where it stands in no row."""
    drawings: list[Candidate] = field(default_factory=list)


@dataclass(slots=True)
class Told:
    """One trace with all that the folder knows of it."""

    id: str
    question: str | None
    answer: str | None
    rule: str | None = None
    notes: list[str] = field(default_factory=list)
    source: dict | None = None
    steps: list[ToldStep] = field(default_factory=list)
    whole: Rejection | None = None
    """Why the trace is no row."""
    rejections: list[Rejection] = field(default_factory=list)
    """Those of its steps and drawings."""

    @property
    def reasons(self) -> set[str]:
        """Codes of everything that was left out of it."""
        every = self.rejections + ([self.whole] if self.whole else [])
        return {code_of(r) for r in every} | {step.reason for step in self.steps if step.reason}


def open_folder(out: str | Path) -> Folder:
    """What a folder says of itself. Raises OutputError where no run has written there, or its record is damaged."""
    out = Path(out)
    require_folder(out)
    held = recorded(out)
    if held.name is None:
        if is_ours(out):
            raise OutputError(
                f"{out}: its record is lost. Run again, or `{command('recover', out)}`, to remake it."
            )
        raise OutputError(f"{out}: no run has written here. Check the path.")
    if held.finished:
        manifest = read_manifest(out)
        counts, paths = dict(manifest.counts), list(manifest.input.paths)
        when = f"zero-engine {manifest.versions.get('zero-engine', '?')} · {manifest.created}"
    else:
        counts = tally.total(entry.counts for entry in held.entries.values())
        read = (held.pipeline or {}).get("input", {}).get("path") or []
        paths = [read] if isinstance(read, str) else [str(path) for path in read]
        when = f"not finished: {len(held.entries):,} shards so far"
    drew = f"drawn by {held.model.name}" if held.model else "nothing drawn"
    note = " · ".join([", ".join(paths[:3]) + (", ..." if len(paths) > 3 else ""), drew, when])
    shards = [held.entries[index] for index in sorted(held.entries)]
    return Folder(out, held.name, held.finished, held.pipeline or {}, held.model, shards, counts, note)


def check_shard(folder: Folder, shard: ShardEntry) -> None:
    """Raises OutputError where a file of the shard is not what was committed."""
    for file in shard.files():
        check_bytes(folder.out, file)


def traces_of(folder: Folder, verify: bool = True) -> Iterator[Told]:
    """Every trace, shard by shard: its rows first, then what was rejected.

    `verify` compares the bytes of each shard with what was committed before it is read.
    """
    for shard in folder.shards:
        if verify:
            check_shard(folder, shard)
        try:
            yield from traces_in(folder, shard)
        except FileNotFoundError as error:
            raise OutputError(
                f"{error.filename}: gone while it was read. "
                + (
                    "Check the folder."
                    if (folder.out / MANIFEST).exists()
                    else "The run replaced it: try again."
                )
            ) from None


def traces_in(folder: Folder, shard: ShardEntry) -> Iterator[Told]:
    """The traces of one shard."""
    rejections: dict[str, list[Rejection]] = defaultdict(list)
    whole: dict[str, Rejection] = {}
    for rejection in read_rejections(folder.out / shard.rejections.name) if shard.rejections else ():
        if rejection.is_whole_trace:
            whole[rejection.trace_id] = rejection
        else:
            rejections[rejection.trace_id].append(rejection)
    drawn: dict[str, list[tuple[Candidate, str]]] = defaultdict(list)
    for batch in batches(folder.out / shard.candidates.name) if shard.candidates else ():
        for candidate, text in zip(candidates_of(batch), batch.column("text").to_pylist(), strict=True):
            drawn[candidate.trace_id].append((candidate, text))
    for row in _rows(folder.out / shard.data.name):
        found = Told(row["id"], row["question"], row["answer"], row["rule"], row["notes"], row["source"])
        found.rejections = rejections.pop(found.id, [])
        found.steps = _steps(row["steps"], drawn.pop(found.id, []), found.rejections)
        yield found
    for name, rejection in whole.items():
        found = Told(name, question_of(rejection.record), None, whole=rejection)
        found.rejections = rejections.pop(name, [])
        found.steps = _steps([], drawn.pop(name, []), found.rejections)
        yield found


def code_of(rejection: Rejection) -> str:
    """A rejection's reason without what some reasons say after a colon."""
    return rejection.reason.partition(":")[0]


def question_of(record: object) -> str | None:
    """The question of an input record, where it is called one of the usual names."""
    if isinstance(record, dict):
        for name in ("question", "problem", "prompt", "instruction"):
            if isinstance(record.get(name), str):
                return record[name]
    return None


def score_names(folder: Folder) -> list[str]:
    """The scores that any drawing has, in the order of the columns; no picture is touched."""
    found: set[str] = set()
    for shard in folder.shards:
        for batch in batches(folder.out / shard.candidates.name) if shard.candidates else ():
            present = SCORES.keys() & set(batch.schema.names)
            found |= {name for name in present - found if batch.column(name).null_count < batch.num_rows}
            found |= set(batch.column(PLUGIN_SCORES.name).flatten().field("name").unique().to_pylist())
    return in_order(found)


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of a file, memory-mapped."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        yield from reader


def _rows(path: Path) -> Iterator[dict]:
    """Rows without the codes and pictures of their steps: those are among the drawings."""
    for batch in batches(path):
        names = [
            name
            for name in ("id", "question", "answer", "rule", "notes", "source")
            if name in batch.schema.names
        ]
        plain = batch.select(names).to_pylist()
        lists = batch.column("steps")
        offsets = (np.asarray(lists.offsets) - lists.offsets[0].as_py()).tolist()
        inside = lists.flatten()
        fields = [field.name for field in inside.type if field.name not in ("image", "codes")]
        columns = {name: inside.field(name).to_pylist() for name in fields}
        for place, row in enumerate(plain):
            span = range(offsets[place], offsets[place + 1])
            yield {**row, "steps": [{name: columns[name][at] for name in fields} for at in span]}


def _steps(
    rows: list[dict], drawn: Iterable[tuple[Candidate, str]], rejections: Iterable[Rejection]
) -> list[ToldStep]:
    """The steps of a trace, as far as a row, a drawing or a rejection tells of them."""
    steps = {
        row["index"]: ToldStep(row["index"], row["text"], row["verdict"], row["reason"], row["attempt"], row)
        for row in rows
    }
    for candidate, text in drawn:
        steps.setdefault(candidate.step, ToldStep(candidate.step, text)).drawings.append(candidate)
    for rejection in rejections:
        assert rejection.step is not None
        text = rejection.record if isinstance(rejection.record, str) else ""
        step = steps.setdefault(rejection.step, ToldStep(rejection.step, text))
        if step.row is None and (rejection.attempt is None or step.reason is None):
            step.reason = rejection.reason
    for step in steps.values():
        step.drawings.sort(key=lambda candidate: candidate.attempt)
    return [steps[index] for index in sorted(steps)]


def scores_of_step(step: ToldStep) -> dict[str, float]:
    """The scores that a row holds of its drawing."""
    return scores_in(step.row) if step.row is not None else {}
