"""Rows of a finished dataset, streamed from its files for an export: one at a time, memory flat.

The files are memory-mapped; of a row only what a writer asks for becomes Python. Pictures stay encoded bytes, codes
are arrays that share the file's memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from zero_engine.contracts.manifest import ShardFile

SUFFIXES = (
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"RIFF", ".webp"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A step as an export needs it."""

    text: str
    image: bytes | None
    """The picture's file, or None where the step stays text-only."""
    codes: np.ndarray | None
    """(N,) VQ indices of the picture, or None."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A row as an export needs it."""

    id: str
    question: str
    given: tuple[bytes, ...]
    """Pictures that belong to the question."""
    answer: str | None
    choices: tuple[str, ...]
    steps: tuple[Shown, ...]
    corpus: str
    license: str | None

    def asked(self) -> str:
        """The question with its choices, a lettered line each."""
        lettered = [f"{chr(ord('A') + place)}. {choice}" for place, choice in enumerate(self.choices)]
        return "\n".join([self.question.strip(), *lettered])

    def as_dict(self) -> dict:
        """The row in the form that `render.sequences.Encoder` reads."""
        steps = [{"text": step.text, "codes": step.codes} for step in self.steps]
        found = {
            "id": self.id,
            "question": self.question,
            "question_images": list(self.given),
            "steps": steps,
        }
        return {**found, "answer": self.answer, "choices": list(self.choices)}


def groups_of(files: Sequence[ShardFile], rows: int) -> list[list[ShardFile]]:
    """Consecutive files of at least `rows` rows together."""
    groups: list[list[ShardFile]] = [[]]
    size = 0
    for file in files:
        if size >= rows:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.rows
    return groups


def read_batches(out: Path, files: Sequence[ShardFile]) -> Iterator[pa.RecordBatch]:
    """The record batches of these files, in their order, memory-mapped."""
    for file in files:
        with pa.memory_map(str(out / file.name)) as source, pa.ipc.open_stream(source) as reader:
            yield from reader


def read_rows(out: Path, files: Sequence[ShardFile]) -> Iterator[Row]:
    """The rows of these files, in their order."""
    for batch in read_batches(out, files):
        yield from _rows(batch)


def any_given(out: Path, files: Sequence[ShardFile]) -> bool:
    """Whether any question has a picture; reads no picture."""
    return any(len(batch.column("question_images").flatten()) for batch in read_batches(out, files))


def most_pictures(out: Path, files: Sequence[ShardFile]) -> int:
    """The most pictures that a row has, given ones and drawings with codes; reads no picture."""
    most = 0
    for batch in read_batches(out, files):
        given, steps = batch.column("question_images"), batch.column("steps")
        drawn = np.concatenate([[0], np.cumsum(np.asarray(steps.values.field("codes").is_valid()))])
        counts = np.diff(np.asarray(given.offsets)) + np.diff(drawn[np.asarray(steps.offsets)])
        most = max(most, int(counts.max(initial=0)))
    return most


def suffix_of(image: bytes) -> str:
    """The usual ending of a picture's file, by its first bytes."""
    return next((suffix for start, suffix in SUFFIXES if image.startswith(start)), ".bin")


def _rows(batch: pa.RecordBatch) -> Iterator[Row]:
    column = {name: batch.column(name) for name in ("id", "question", "answer", "choices")}
    names, licenses = (batch.column("source").field(name) for name in ("name", "license"))
    steps, given = batch.column("steps"), batch.column("question_images")
    texts, pictures, codes = (steps.values.field(name) for name in ("text", "image", "codes"))
    bounds, given_bounds = steps.offsets.to_pylist(), given.offsets.to_pylist()
    encoded, given_encoded = pictures.field("bytes"), given.values.field("bytes")
    code_bounds, code_values = np.from_dlpack(codes.offsets), np.from_dlpack(codes.values)

    def shown(at: int) -> Shown:
        drawn = codes[at].is_valid
        image = encoded[at].as_py() if pictures[at].is_valid else None
        found = code_values[code_bounds[at] : code_bounds[at + 1]] if drawn else None
        return Shown(texts[at].as_py(), image, found)

    for row in range(batch.num_rows):
        yield Row(
            id=column["id"][row].as_py(),
            question=column["question"][row].as_py(),
            given=tuple(given_encoded[at].as_py() for at in range(given_bounds[row], given_bounds[row + 1])),
            answer=column["answer"][row].as_py() or None,
            choices=tuple(column["choices"][row].as_py()),
            steps=tuple(shown(at) for at in range(bounds[row], bounds[row + 1])),
            corpus=names[row].as_py(),
            license=licenses[row].as_py(),
        )
