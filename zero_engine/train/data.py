"""From rows of a dataset to token sequences, and to batches that are a function of (seed, step) alone.

Nothing is tokenised before it is asked for: rows stay memory-mapped, and a training starts as fast on 100,000 of them
as on 1,000. Every `POOL` batches a pool of rows is read and sorted by length, so that like lengths share a batch;
each epoch is a permutation. A row that cannot be trained on is a `Rejection` with a reason: it is reported, and a
neighbour of its pool takes its place. `validate --for` names them all beforehand.

Loss masks come from where a token stands, never from what it is: padding may well equal the end-of-sequence token.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from zero_engine.errors import InputError
from zero_engine.records import Rejection
from zero_engine.render.sequences import Example
from zero_engine.train.config import Data
from zero_engine.train.mixture import Mixture, permutation
from zero_engine.write.dataset import COLUMNS, Rows, open_rows, read_rows

POOL = 16
"""Batches drawn, sorted by length and shuffled together."""
SEEN = 32
"""Rows of a dataset of a mixture after which it is clear that none fits."""
Row = TypeVar("Row")
"""What a row is read as: an example, a question."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples in rows. `segments` (0 is padding) and `positions` are None where rows are just padded on the right."""

    ids: Tensor  # (B, T) int64
    kinds: Tensor  # (B, T) uint8
    codes: Tensor  # (B, T) int64
    positions: Tensor | None
    segments: Tensor | None

    def to(self, device: torch.device) -> "Batch":
        placed = (self.positions, self.segments)
        positions, segments = (None if each is None else each.to(device) for each in placed)
        return Batch(self.ids.to(device), self.kinds.to(device), self.codes.to(device), positions, segments)


class Batches(Generic[Row]):
    """`batches[step]` is a list of `size` examples, a function of seed and step; what is left out is reported once."""

    def __init__(
        self,
        rows: "Rows | Mixture",
        read: Callable[[dict], Row | Rejection],
        *,
        seed: int,
        size: int,
        report: Callable[[Rejection], None] = lambda rejection: None,
        length: Callable[[Row], int] | None = None,
        first: int = 0,
    ):
        self.rows, self.read, self.seed, self.size = rows, read, seed, size
        self.report, self.first = report, first
        self.count = len(rows) - first
        self.length = length
        self._reported: set[tuple[int, str]] = set()
        self._misfits: dict[int, dict[int, Rejection]] = {}
        """Of each dataset the rows that were refused."""
        self._fitting: set[int] = set()
        """The datasets of which a row fits."""
        self._held: tuple[int, list[list[Row]]] = (-1, [])
        if self.count < 1:
            raise InputError(
                "the dataset has no rows to train on. Lower data.validation_rows or make more rows."
            )

    def __getitem__(self, step: int) -> list[Row]:
        pool, place = divmod(step, POOL)
        if pool != self._held[0]:
            self._held = (pool, self._pool(pool))
        return self._held[1][place]

    def _pool(self, pool: int) -> list[list[Row]]:
        positions = range(pool * POOL * self.size, (pool + 1) * POOL * self.size)
        order = [self._row(position) for position in positions]
        distinct: dict[int, Row] = {}
        refused: list[Rejection] = []
        for index, row in zip(unique := list(dict.fromkeys(order)), rows_at(self.rows, unique), strict=True):
            found = self.read(row)
            if isinstance(found, Rejection):
                refused.append(found)
                self._refuse(index, found)
            else:
                distinct[index] = found
        self._check_parts(distinct)
        if not distinct:
            raise InputError(
                f"none of {len(unique)} rows in turn can be trained on "
                f"(first: {refused[0].reason}: {refused[0].detail}). zero-engine validate OUT --for sft names them all."
            )
        fit = list(distinct.values())
        chosen = [distinct.get(index, fit[place % len(fit)]) for place, index in enumerate(order)]
        if self.length is not None:
            chosen.sort(key=self.length)  # stable, so equal lengths keep their drawn order
        batches = [chosen[start : start + self.size] for start in range(0, len(chosen), self.size)]
        turns = np.random.default_rng((self.seed, 1, pool)).permutation(POOL)
        return [batches[turn] for turn in turns]

    def _refuse(self, index: int, found: Rejection) -> None:
        part = self._part(index)
        if isinstance(self.rows, Mixture):
            found = replace(found, detail=f"{self.rows.sources[part].path}: {found.detail}")
        self._misfits.setdefault(part, {})[index] = found
        if (part, found.trace_id) not in self._reported:
            self._reported.add((part, found.trace_id))
            self.report(found)

    def _check_parts(self, fit: Iterable[int]) -> None:
        """Raises InputError for a dataset of a mixture of which no row fits: the others would stand in for it."""
        if not isinstance(self.rows, Mixture):
            return
        self._fitting |= {self._part(index) for index in fit}
        for part, misfits in self._misfits.items():
            enough = min(SEEN, self.rows.rows_trained_on()[part])
            if part not in self._fitting and len(misfits) >= enough:
                first = next(iter(misfits.values()))
                raise InputError(
                    f"none of {len(misfits)} rows of a dataset can be trained on (first: {first.trace_id}: "
                    f"{first.reason}: {first.detail}). Leave it out, or see zero-engine validate OUT --for sft."
                )

    def _part(self, index: int) -> int:
        return self.rows.locate(index)[0] if isinstance(self.rows, Mixture) else 0

    def _row(self, position: int) -> int:
        if isinstance(self.rows, Mixture):
            return self.rows.at(position, self.seed)
        epoch, place = divmod(position, self.count)
        return self.first + int(permutation((self.seed, 0, epoch), self.count)[place])


def training_rows(data: Data) -> Rows | Mixture:
    """The rows of a training. Raises OutputError where a folder is no finished dataset."""
    parts = [open_rows(source.path, COLUMNS, source.limit) for source in data.parts]
    return parts[0] if len(parts) == 1 else Mixture(parts, data.parts)


def rows_at(rows: Rows | Mixture, positions: Sequence[int]) -> Iterator[dict]:
    """Rows by position, of one dataset or of several."""
    if not isinstance(rows, Mixture):
        yield from read_rows(rows, positions)
        return
    for position in positions:
        part, own = rows.locate(position)
        yield from read_rows(rows.parts[part], [own])


def held_out(rows: Rows | Mixture, data: Data) -> Sequence[int]:
    """Positions of the rows that are kept from training."""
    return rows.held_out if isinstance(rows, Mixture) else range(data.validation_rows)


def collate(examples: Sequence[Example], pad: int, *, left: bool = False) -> Batch:
    """One example a row, padded on the right (or left, which changes no number that counts)."""
    return _stack([[example] for example in examples], pad, left)


def collate_packed(examples: Sequence[Example], pad: int, width: int) -> list[Batch]:
    """As few rows of at most `width` ids as first fit finds, each example a segment of its own; one row a batch."""
    bins: list[list[Example]] = []
    for example in sorted(examples, key=lambda e: -len(e.ids)):
        room = next((b for b in bins if sum(len(e.ids) for e in b) + len(example.ids) <= width), None)
        if room is None:
            bins.append([example])
        else:
            room.append(example)
    return [_stack([row], pad, left=False) for row in bins]


def _stack(rows: list[list[Example]], pad: int, left: bool) -> Batch:
    width = max(sum(len(example.ids) for example in row) for row in rows)
    shape = (len(rows), width)
    ids, codes = np.full(shape, pad, np.int64), np.full(shape, -1, np.int64)
    kinds, (segments, positions) = np.zeros(shape, np.uint8), np.zeros((2, *shape), np.int64)
    for place, row in enumerate(rows):
        start = width - sum(len(example.ids) for example in row) if left else 0
        for segment, example in enumerate(row, 1):
            span = (place, slice(start, start + len(example.ids)))
            ids[span], kinds[span], codes[span] = example.ids, example.kinds, example.codes
            segments[span], positions[span] = segment, np.arange(len(example.ids))
            start += len(example.ids)
    plain = not left and all(len(row) == 1 for row in rows)
    placed = (None, None) if plain else map(torch.from_numpy, (positions, segments))
    return Batch(*map(torch.from_numpy, (ids, kinds, codes)), *placed)
