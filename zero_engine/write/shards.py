"""The files of one shard: rows, drawings, rejections.

Each writer writes exactly the path it is given, makes it durable and returns name, rows, bytes and
sha256; the caller chooses a temporary path and commits it. Bytes are a function of the content
alone: no clock, no dict order, no uninitialised padding (a test writes with poisoned memory).

Tables are Arrow IPC streams as `datasets` writes them, uncompressed, so that a dataset is memory-mapped as it
lies. Columns are built a batch at a time; a batch ends at BATCH_ROWS or BATCH_BYTES, which keeps
32-bit offsets valid and a reader's memory bounded.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import pyarrow as pa

from zero_engine.contracts.manifest import ShardFile
from zero_engine.contracts.rows import CANDIDATE, TRAJECTORY, arrow_schema
from zero_engine.contracts.scores import SCORES
from zero_engine.errors import OutputError
from zero_engine.records import Candidate, Source, Trajectory
from zero_engine.write.atomic import durable_write
from zero_engine.write.columns import (
    codes_column,
    images_column,
    lists_column,
    scores_columns,
    strings,
    struct,
)
from zero_engine.write.rejections import read_rejections, write_rejections

__all__ = [
    "ShardFile",
    "read_candidates",
    "read_rejections",
    "write_candidates",
    "write_rejections",
    "write_trajectories",
]

BATCH_ROWS = 1000
BATCH_BYTES = 64 << 20
ROW_BYTES = 1 << 30
"""Largest row: half of what 32-bit offsets can address."""

Row = TypeVar("Row")


def write_trajectories(
    path: str | Path, rows: Sequence[Trajectory], pipeline: str, model: str | None
) -> ShardFile:
    """Write rows of the dataset. `pipeline` and `model` are fingerprints, the same in every row.

    Raises OutputError for a full disk, and for a row of more than ROW_BYTES.
    """

    def build(batch: Sequence[Trajectory]) -> list[pa.Array]:
        return _trajectory_columns(batch, pipeline, model)

    return _write_table(
        Path(path),
        rows,
        arrow_schema(TRAJECTORY),
        build,
        _trajectory_bytes,
        lambda row: row.parsed.trace.id,
    )


def write_candidates(
    path: str | Path, rows: Sequence[Candidate], texts: Mapping[tuple[str, int], str], scored: str = ""
) -> ShardFile:
    """Write drawings. `texts` gives the text of a step by (trace id, step index).

    `scored` says how they were scored, if all of them were: later runs take over the scores of a file that says the
    same. Raises OutputError like `write_trajectories`.
    """

    def build(batch: Sequence[Candidate]) -> list[pa.Array]:
        return _candidate_columns(batch, texts)

    schema = arrow_schema(CANDIDATE, more=(("scored", scored),))
    return _write_table(Path(path), rows, schema, build, _candidate_bytes, lambda row: row.trace_id)


def read_candidates(path: str | Path) -> list[Candidate]:
    """Drawings as they were written: scores are float32, and one that is null is absent."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        return list(chain.from_iterable(candidates_of(batch) for batch in reader))


def candidates_of(batch: pa.RecordBatch) -> Iterator[Candidate]:
    """The drawings of a batch, of any version of the schema."""
    names = set(batch.schema.names)
    plain = (
        "trace_id",
        "step",
        "attempt",
        "seed",
        "prompt",
        *(n for n in ("identity", "origin") if n in names),
    )
    columns = {name: batch.column(name).to_pylist() for name in plain}
    images = batch.column("image").field("bytes").to_pylist()
    codes = batch.column("codes")
    offsets = codes.offsets.to_numpy()
    values = codes.values.to_numpy()
    scores = {name: batch.column(name).to_pylist() for name in SCORES if name in names}
    plugins = batch.column("plugin_scores").to_pylist()
    for i in range(batch.num_rows):
        kept = {name: column[i] for name, column in scores.items() if column[i] is not None}
        kept.update((plugin["name"], plugin["value"]) for plugin in plugins[i])
        yield Candidate(
            **{name: column[i] for name, column in columns.items()},
            codes=values[offsets[i] : offsets[i + 1]].copy(),  # outlives the memory map
            image=images[i],
            scores=kept,
        )


def _write_table(
    path: Path,
    rows: Sequence[Row],
    schema: pa.Schema,
    build: Callable[[Sequence[Row]], list[pa.Array]],
    size: Callable[[Row], int],
    name: Callable[[Row], str],
) -> ShardFile:
    with durable_write(path) as file:
        sink = _Hashing(file)
        with pa.ipc.new_stream(sink, schema) as writer:
            for batch in _batches(rows, size, name):
                writer.write_batch(pa.RecordBatch.from_arrays(build(batch), schema=schema))
            if not rows:  # a stream without a batch is valid, but some readers want one
                writer.write_batch(pa.RecordBatch.from_arrays(build(rows), schema=schema))
    return ShardFile(path.name, len(rows), sink.bytes, sink.sha.hexdigest())


class _Hashing:
    """A file that counts and hashes what goes through it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.sha = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.sha.update(data)
        self.bytes += len(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def _batches(
    rows: Sequence[Row], size: Callable[[Row], int], name: Callable[[Row], str]
) -> Iterator[Sequence[Row]]:
    """Cut rows into batches of at most BATCH_ROWS rows and about BATCH_BYTES bytes, in order."""
    start, total = 0, 0
    for i, row in enumerate(rows):
        row_bytes = size(row)
        if row_bytes > ROW_BYTES:
            raise OutputError(
                f"trace {name(row)!r}: its row has {row_bytes:,} bytes, more than {ROW_BYTES:,}. "
                "Use fewer or smaller pictures, or lower parse.max_steps."
            )
        if i > start and (i - start == BATCH_ROWS or total + row_bytes > BATCH_BYTES):
            yield rows[start:i]
            start, total = i, 0
        total += row_bytes
    if start < len(rows):
        yield rows[start:]


def _trajectory_bytes(row: Trajectory) -> int:
    """About how many bytes a row takes; steps are pieces of the rationale, or come as a list instead."""
    trace = row.parsed.trace
    total = len(trace.question) + len(trace.rationale)
    for texts in (trace.steps, trace.choices, trace.question_images):
        if texts:
            total += sum(map(len, texts))
    for verdict in row.verdicts:
        if verdict.candidate is not None:
            total += _candidate_bytes(verdict.candidate)
    return total


def _candidate_bytes(row: Candidate) -> int:
    return len(row.image) + len(row.prompt) + 2 * len(row.codes)


def _trajectory_columns(rows: Sequence[Trajectory], pipeline: str, model: str | None) -> list[pa.Array]:
    parsed = [row.parsed for row in rows]
    traces = [p.trace for p in parsed]
    n = len(rows)
    return [
        strings([t.id for t in traces]),
        strings([t.question for t in traces]),
        lists_column([t.question_images for t in traces], images_column),
        strings([p.answer for p in parsed]),
        lists_column([t.choices for t in traces], strings),
        _steps_column(rows),
        strings([p.rule for p in parsed]),
        lists_column([p.notes for p in parsed], strings),
        _source_column([t.source for t in traces]),
        pa.array([pipeline] * n, pa.string()),
        pa.array([model] * n, pa.string()),
    ]


def _steps_column(rows: Sequence[Trajectory]) -> pa.Array:
    """list<struct>: one struct for each verdict, with the text of its step."""
    verdicts = [verdict for row in rows for verdict in row.verdicts]
    texts: list[str] = []
    for row in rows:
        by_index = {step.index: step.text for step in row.parsed.steps}
        texts += [by_index[verdict.step] for verdict in row.verdicts]
    drawings = [verdict.candidate for verdict in verdicts]
    fields = {
        "index": pa.array([verdict.step for verdict in verdicts], pa.int32()),
        "text": strings(texts),
        **_drawing_columns(drawings),
        "verdict": strings([verdict.verdict for verdict in verdicts]),
        "reason": strings([verdict.reason for verdict in verdicts]),
    }
    kind = arrow_schema(TRAJECTORY).field("steps").type
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row.verdicts) for row in rows], out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), struct(fields, kind.value_type), type=kind)


def _drawing_columns(drawings: Sequence[Candidate | None]) -> dict[str, pa.Array]:
    """What a drawing is made of, null where there is none."""
    return {
        "image": images_column([None if d is None else d.image for d in drawings]),
        "codes": codes_column([None if d is None else d.codes for d in drawings]),
        "seed": pa.array([None if d is None else d.seed for d in drawings], pa.int64()),
        "attempt": pa.array([None if d is None else d.attempt for d in drawings], pa.int32()),
        "prompt": strings([None if d is None else d.prompt for d in drawings]),
        "origin": strings([None if d is None else d.origin for d in drawings]),
        **scores_columns([None if d is None else d.scores for d in drawings]),
    }


def _source_column(sources: Sequence[Source]) -> pa.Array:
    fields = {
        "name": strings([s.name for s in sources]),
        "path": strings([s.path for s in sources]),
        "row": pa.array([s.row for s in sources], pa.int64()),
        "license": strings([s.license for s in sources]),
    }
    return struct(fields, arrow_schema(TRAJECTORY).field("source").type)


def _candidate_columns(rows: Sequence[Candidate], texts: Mapping[tuple[str, int], str]) -> list[pa.Array]:
    columns = {
        "trace_id": strings([c.trace_id for c in rows]),
        "step": pa.array([c.step for c in rows], pa.int32()),
        "text": strings([texts[c.trace_id, c.step] for c in rows]),
        "identity": strings([c.identity for c in rows]),
        **_drawing_columns(rows),
    }
    return [columns[column.name] for column in CANDIDATE]
