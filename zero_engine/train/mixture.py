"""Several datasets in one training: which row stands at a position is a function of the seed and the position alone.

Positions are dealt in rounds of about `ROUND`: a round holds each dataset as often as its weight says, in an order
of its own, so a resumed training goes on in the middle of one. Within a dataset every epoch is a permutation,
whatever the others do. Without weights every row counts alike.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from zero_engine.errors import InputError
from zero_engine.hashing import digest
from zero_engine.train.config import Source
from zero_engine.write.dataset import Rows

ROUND = 1000


class Mixture:
    """The rows of several datasets, numbered through, and the order in which they come."""

    def __init__(self, parts: Sequence[Rows], sources: Sequence[Source]):
        self.parts, self.sources = list(parts), list(sources)
        sizes = [len(part) for part in self.parts]
        self.starts = np.concatenate(([0], np.cumsum(sizes)))
        self.held_out = [
            int(start) + row
            for start, source in zip(self.starts, sources, strict=False)
            for row in range(source.validation_rows)
        ]
        self._free = [size - source.validation_rows for size, source in zip(sizes, sources, strict=True)]
        for free, source in zip(self._free, sources, strict=True):
            if free < 1:
                raise InputError(f"{source.path}: data.validation_rows leaves no row to train on. Lower it.")
        weights = np.array(
            [s.weight if s.weight is not None else f for s, f in zip(sources, self._free, strict=True)]
        )
        self.often = np.maximum(1, np.round(ROUND * weights / weights.sum())).astype(int)
        marks = [f"{part.fingerprint} {often}" for part, often in zip(self.parts, self.often, strict=True)]
        self.fingerprint = digest(*marks)[:16]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def at(self, position: int, seed: int) -> int:
        """The row at a position."""
        turn, place = divmod(position, int(self.often.sum()))
        order, before = _round(seed, turn, tuple(self.often.tolist()))
        part = int(order[place])
        epoch, row = divmod(turn * int(self.often[part]) + int(before[place]), self._free[part])
        held = self.sources[part].validation_rows
        return int(self.starts[part]) + held + int(_permutation(seed, part, epoch, self._free[part])[row])

    def locate(self, position: int) -> tuple[int, int]:
        """The dataset that a row number belongs to, and the row's number in it."""
        part = int(np.searchsorted(self.starts, position, side="right")) - 1
        return part, position - int(self.starts[part])


@lru_cache(maxsize=4)
def _round(seed: int, turn: int, often: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Which dataset has its turn at each place of a round, and how often it had before in this round."""
    order = np.repeat(np.arange(len(often)), often)
    order = np.random.default_rng((seed, 2, turn)).permutation(order)
    before = np.zeros(len(order), int)
    for part in range(len(often)):
        mine = order == part
        before[mine] = np.arange(mine.sum())
    return order, before


@lru_cache(maxsize=16)
def _permutation(seed: int, part: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, 3, part, epoch)).permutation(count)
