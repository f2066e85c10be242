"""A chunk record by record: how the one that no process survives is read around.

A record is read alone, with a mark before it, only after its chunk ended a process (`contain`). One that is to blame
is never decoded again: its rejection is named by its place and the digest of its bytes.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zero_engine.pipeline import Input
from zero_engine.read import Chunk, read_chunk
from zero_engine.read.chunks import Lines, Range
from zero_engine.read.raw import place
from zero_engine.read.repeats import content_name
from zero_engine.records import Rejection, Trace
from zero_engine.run import marks


@dataclass(frozen=True, slots=True)
class Blame:
    """A record or a trace that no process survives."""

    stage: str
    item: int | str | None
    """Of stage `read`: the record's position in the chunk; of any other the trace's id."""
    reason: str
    """failed, worker_died, timed_out or out_of_memory."""
    detail: str
    exception: str


def read_all(
    chunk: Chunk, spec: Input, blames: Sequence[Blame] = (), alone: bool = False
) -> list[Trace | Rejection]:
    """The chunk's traces and rejections, in order; what is to blame is a rejection. With `alone`, record by record."""
    unreadable = {blame.item: blame for blame in blames if blame.stage == "read"}
    if not alone and not unreadable:
        items = read_chunk(chunk, spec)
    else:
        items = []
        for position, record in enumerate(single_records(chunk)):
            if position in unreadable:
                items.append(_unreadable(record, unreadable[position], spec))
                continue
            if alone:
                marks.mark("read", position)
            items += read_chunk(record, spec)
        marks.mark("read")
    traces = {blame.item: blame for blame in blames if blame.stage != "read"}
    return [_blamed(item, traces.get(item.id)) if isinstance(item, Trace) else item for item in items]


def single_records(chunk: Chunk) -> Iterator[Chunk]:
    """The chunk as chunks of one record."""
    position = 0
    for part in chunk.payload:
        pieces: list[Lines | Range]
        if isinstance(part, Lines):
            pieces = [
                Lines(part.file, (row,), (raw,)) for row, raw in zip(part.rows, part.records, strict=True)
            ]
        else:
            pieces = [
                dataclasses.replace(part, start=row, stop=row + 1) for row in range(part.start, part.stop)
            ]
        for piece in pieces:
            repeats = (0,) if position in chunk.repeats else ()
            yield Chunk(chunk.index, chunk.first_row + position, 1, chunk.digest, (piece,), repeats)
            position += 1


def _blamed(trace: Trace, blame: Blame | None) -> Trace | Rejection:
    if blame is None:
        return trace
    return Rejection(
        trace.id, blame.stage, blame.reason, blame.detail, exception=blame.exception, record=trace.record
    )


def _unreadable(record: Chunk, blame: Blame, spec: Input) -> Rejection:
    (part,) = record.payload
    if isinstance(part, Lines):
        row, content = part.rows[0], content_name(part.records[0])
        kept = {"text": part.records[0].decode(errors="replace")}
    else:
        row, content, kept = part.start, content_name(f"{part.content}:{part.start}".encode()), None
    name = f"{spec.name or spec.format}-{content}"
    if record.repeats:
        name = f"{name}~{record.first_row}"
    detail = f"{place(part.file.path, part.file.kind, row)}: {blame.detail}"
    return Rejection(name, "read", blame.reason, detail, exception=blame.exception, record=kept)
