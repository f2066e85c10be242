"""Chunks: what one shard is made of, and how a worker turns one into traces.

A chunk is a fixed range of input records with its digest, the resume key: the bytes of the records,
the file and rows they lie in, and their position in the whole input. Text files travel inside the
chunk as raw bytes, so a worker needs no file system; columnar files travel as (file, start, stop),
so no picture passes through the driver.

Repairs, each noted on the trace: lone surrogates become U+FFFD (`surrogate_replaced`), NaN and
Infinity become null (`nonfinite_replaced`). Of duplicated keys the last one wins, as in any JSON
reader. How traces are named is `decode`; which names came before is found here, where the whole input passes.
"""

import dataclasses
import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read.decode import Decoder
from zero_engine.read.duplicates import rejected_duplicates, without_duplicates
from zero_engine.read.files import COMPRESSIONS, InputFile, is_remote, open_raw
from zero_engine.read.folders import find_inputs
from zero_engine.read.formats import checked_format, id_paths
from zero_engine.read.raw import raw_records
from zero_engine.read.repeats import SeenNames, content_name
from zero_engine.read.tables import BLOCK_BYTES, COLUMNAR, count_rows, file_digest, id_column, read_rows
from zero_engine.records import Rejection, Trace


@dataclass(frozen=True, slots=True)
class Lines:
    """Undecoded records of one file."""

    file: InputFile
    rows: tuple[int, ...]
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Rows start..stop of one columnar file."""

    file: InputFile
    start: int
    stop: int
    content: str = ""
    """Digest of the file's bytes, by which rows without an id are named; numbered where another file has the same."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A fixed range of input records. Picklable and small."""

    index: int
    """Number of the shard, from 0."""
    first_row: int
    """Position of its first record over the whole input, from 0."""
    rows: int
    digest: str
    payload: tuple[Lines | Range, ...]
    repeats: tuple[int, ...] = ()
    """Positions inside the chunk of records whose name an earlier record of the input had."""
    duplicates: tuple[tuple[str, str], ...] = ()
    """With `duplicates: reject`: ids of traces that came before, each with the id of the first one."""


def iter_chunks(spec: Input, rows_per_chunk: int) -> Iterator[Chunk]:
    """The input as chunks of `rows_per_chunk` records, the last one shorter; a chunk may span files.

    Streams in constant memory. Raises InputError before the first chunk where a path is missing or
    no record is found, and later where a file turns out damaged.
    """
    checked_format(spec)
    chunks = _chunks(spec, find_inputs(spec), rows_per_chunk)
    return without_duplicates(chunks, spec, read_chunk) if spec.duplicates == "reject" else chunks


def read_chunk(chunk: Chunk, spec: Input) -> list[Trace | Rejection]:
    """Decode and map a chunk, in order. Raises InputError for a bad record only where `strict` is set."""
    decoder = Decoder(spec, frozenset(chunk.first_row + at for at in chunk.repeats))
    position = chunk.first_row
    items: list[Trace | Rejection] = []
    for part in chunk.payload:
        if isinstance(part, Lines):
            for row, raw in zip(part.rows, part.records, strict=True):
                items += decoder.decode(raw, part.file, row, position)
                position += 1
        else:
            rows = read_rows(part.file.path, part.file.kind, part.start, part.stop, spec.max_record_bytes)
            for row, record in enumerate(rows, part.start):
                content = content_name(f"{part.content}:{row}".encode())
                items += decoder.map(record, part.file, row, position, content)
                position += 1
    return rejected_duplicates(items, dict(chunk.duplicates)) if chunk.duplicates else items


def count_records(spec: Input) -> int | None:
    """About how many records there are, for progress and ETA; None where only reading would tell."""
    total = 0
    for file in find_inputs(spec):
        if file.kind in COLUMNAR:
            total += count_rows(file.path, file.kind)
        elif file.kind == "json_lines" and spec.field is None and not is_remote(file.path):
            lines = _count_lines(file.path)
            if lines is None:
                return None
            total += lines
        elif file.kind != "empty":
            return None
    return total if spec.limit is None else min(total, spec.limit)


def _chunks(spec: Input, files: list[InputFile], rows_per_chunk: int) -> Iterator[Chunk]:
    seen = SeenNames(id_paths(spec))
    contents: dict[str, str] = {}
    column: Iterator[bytes | None] = iter(())
    index = first_row = 0
    for parts in groups(spec, files, rows_per_chunk):
        sha = hashlib.sha256(str(first_row).encode())
        payload: list[Lines | Range] = []
        repeats: list[int] = []
        rows = 0
        for part in parts:
            head: list[object] = [part.file.path]
            if isinstance(part, Lines):
                found, size = seen.repeated_records(part.records), len(part.records)
                head += [part.rows, [len(record) for record in part.records]]
            else:
                part = dataclasses.replace(part, content=_content(part.file.path, contents))
                if part.start == 0:
                    column = id_column(part.file.path, part.file.kind, seen.paths)
                size = part.stop - part.start
                found = seen.repeated_names(itertools.islice(column, size))
                head += [part.start, part.stop, part.content]
            sha.update(json.dumps(head).encode())
            if isinstance(part, Lines):
                sha.update(b"".join(part.records))
            payload.append(part)
            repeats += [rows + position for position in found]
            rows += size
        sha.update(json.dumps(repeats).encode())
        yield Chunk(index, first_row, rows, sha.hexdigest(), tuple(payload), tuple(repeats))
        index, first_row = index + 1, first_row + rows
    if index == 0:
        raise no_records(spec)


def _content(path: str, contents: dict[str, str]) -> str:
    """The digest of a file; where an earlier file has the same, with a number."""
    if path not in contents:
        content, copies = file_digest(path), list(contents.values())
        earlier = sum(known.partition("#")[0] == content for known in copies)
        contents[path] = f"{content}#{earlier}" if earlier else content
    return contents[path]


def no_records(spec: Input) -> InputError:
    named = spec.path if isinstance(spec.path, str) else ", ".join(spec.path)
    return InputError(f"no records in {named}. Check input.path.")


def groups(spec: Input, files: list[InputFile], rows_per_chunk: int) -> Iterator[list[Lines | Range]]:
    """Parts of `rows_per_chunk` records together, up to the limit."""
    left = spec.limit or sys.maxsize
    room = min(rows_per_chunk, left)
    parts: list[Lines | Range] = []
    for file in files:
        take = _take_range(file) if file.kind in COLUMNAR else _take_lines(file, spec)
        while left:
            try:
                part = take(room)
            except InputError:
                if parts:
                    yield parts  # what came before the damage is whole
                raise
            if part is None:
                break
            size = len(part.records) if isinstance(part, Lines) else part.stop - part.start
            parts.append(part)
            left, room = left - size, room - size
            if room == 0:
                yield parts
                parts, room = [], min(rows_per_chunk, left)
    if parts:
        yield parts


def _take_lines(file: InputFile, spec: Input) -> Callable[[int], Lines | None]:
    """A function that takes the next records of a file, at most so many; None at its end."""
    records = raw_records(file, spec)

    damage: list[InputError] = []

    def take(room: int) -> Lines | None:
        if damage:
            raise damage[0]
        taken: list[tuple[int, bytes]] = []
        try:
            taken.extend(itertools.islice(records, room))
        except InputError as error:
            if not taken:
                raise
            damage.append(error)  # told when the records before it are taken
        return Lines(file, tuple(row for row, _ in taken), tuple(raw for _, raw in taken)) if taken else None

    return take


def _take_range(file: InputFile) -> Callable[[int], Range | None]:
    """The same for a columnar file, of which only the number of rows is read here."""
    rows = count_rows(file.path, file.kind)
    start = 0

    def take(room: int) -> Range | None:
        nonlocal start
        first, start = start, min(rows, start + room)
        return Range(file, first, start) if start > first else None

    return take


def _count_lines(path: str) -> int | None:
    with open_raw(path) as file:
        if any(file.read(8).startswith(magic) for magic in COMPRESSIONS):
            return None
        file.seek(0)
        lines, last = 0, b"\n"
        while block := file.read(BLOCK_BYTES):
            lines += block.count(b"\n")
            last = block[-1:]
        return lines + (last != b"\n")
