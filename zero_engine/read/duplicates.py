"""`input.duplicates: reject`: traces that say what an earlier one said, found without holding the corpus in memory.

Two traces are duplicates where question, rationale, steps, their pictures, answer and choices are equal, whatever their
ids. Only the driver sees the whole input, in order, so it reads each chunk once (this costs a pass over the input in
one process) and keeps 16 bytes of digest and the id of each first trace in a temporary SQLite file, whose cache is
bounded. What a chunk's rejections are then travels with the chunk, and is part of its digest.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from zero_engine.pipeline import Input
from zero_engine.read.given import reference_digest
from zero_engine.records import Rejection, Trace

CACHE_KIB = 64 * 1024


def without_duplicates(
    chunks: Iterator[Any], spec: Input, read: Callable[[Any, Input], list[Trace | Rejection]]
) -> Iterator[Any]:
    """The same chunks, each with its duplicates of earlier traces named."""
    lenient = spec.model_copy(update={"strict": False})
    seen = _Seen()
    try:
        for chunk in chunks:
            named = tuple(seen.look(item) for item in read(chunk, lenient) if isinstance(item, Trace))
            found = tuple(pair for pair in named if pair)
            sha = hashlib.sha256(chunk.digest.encode())
            sha.update(json.dumps(found).encode())
            yield replace(chunk, duplicates=found, digest=sha.hexdigest()) if found else chunk
    finally:
        seen.close()


def rejected_duplicates(
    items: list[Trace | Rejection], duplicates: dict[str, str]
) -> list[Trace | Rejection]:
    """The items with the named traces as rejections `duplicate_of:ID`."""
    return [
        Rejection(
            item.id,
            "read",
            f"duplicate_of:{duplicates[item.id]}",
            "the same question, rationale and answer",
            record=item.record,
        )
        if isinstance(item, Trace) and item.id in duplicates
        else item
        for item in items
    ]


def content_digest(trace: Trace) -> bytes:
    """16 bytes over what a trace says."""
    sha = hashlib.blake2b(digest_size=16)
    said = [trace.question, trace.rationale, trace.answer, trace.steps, trace.choices]
    sha.update(json.dumps(said, ensure_ascii=True).encode())
    for picture in trace.question_images:
        sha.update(hashlib.blake2b(picture, digest_size=16).digest())
    for given in trace.given:
        sha.update(reference_digest(given))
    return sha.digest()


class _Seen:
    def __init__(self) -> None:
        self._table = sqlite3.connect("")  # a temporary file that SQLite deletes itself
        self._table.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.execute("PRAGMA synchronous = OFF")
        self._table.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, id TEXT) WITHOUT ROWID")

    def look(self, trace: Trace) -> tuple[str, str] | None:
        """(id, id of the first) of a trace that came before; remembers the others."""
        digest = content_digest(trace)
        row = self._table.execute("SELECT id FROM seen WHERE digest = ?", (digest,)).fetchone()
        if row:
            return trace.id, row[0]
        self._table.execute("INSERT INTO seen VALUES (?, ?)", (digest, trace.id))
        return None

    def close(self) -> None:
        self._table.close()
