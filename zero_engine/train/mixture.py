"""Several datasets in one training: which row stands at a position is a function of the seed and the position alone.

Positions are dealt in rounds of about `ROUND`: a round holds each dataset as often as its weight says, once at least,
in an order of its own, so a resumed training goes on in the middle of one. Within a dataset every epoch is a
permutation, whatever the others do. Without weights every row counts alike.

A row held out for validation is held out of all datasets: rounds of bootstrapping, or a folder that is there twice,
have the same traces, and a loss on what was trained on says nothing.
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
        self._free = self._trained_on()
        for free, size, source in zip(self._free, sizes, sources, strict=True):
            if not size:
                raise InputError(f"{source.path}: has no row to train on. See its report, or leave it out.")
            if not len(free):
                raise InputError(
                    f"{source.path}: validation_rows, of its own or of a dataset with the same rows, leaves no row "
                    "to train on. Lower it."
                )
        pairs = zip(sources, self._free, strict=True)
        weights = np.array([len(free) if one.weight is None else one.weight for one, free in pairs])
        weights = weights / weights.max()  # a sum of them is finite
        self.often = np.maximum(1, np.round(ROUND * weights / weights.sum())).astype(int)
        self.shares = self.often / self.often.sum()
        """How large a part of the batches each dataset is."""
        self.withheld = [
            size - source.validation_rows - len(free)
            for size, source, free in zip(sizes, sources, self._free, strict=True)
        ]
        """Rows of each that are not trained on, for another dataset holds them out."""
        marked = zip(self.parts, self.often, self.withheld, strict=True)
        marks = [f"{part.fingerprint} {often}{f' {out}' if out else ''}" for part, often, out in marked]
        self.fingerprint = digest(*marks)[:16]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def at(self, position: int, seed: int) -> int:
        """The row at a position."""
        turn, place = divmod(position, int(self.often.sum()))
        order, before = _round(seed, turn, tuple(self.often.tolist()))
        part = int(order[place])
        free = self._free[part]
        epoch, row = divmod(turn * int(self.often[part]) + int(before[place]), len(free))
        return int(self.starts[part]) + int(free[permutation((seed, 3, part, epoch), len(free))[row]])

    def described(self) -> list[str]:
        """A line for each dataset: its rows, and how large a part of the batches it is."""
        described = zip(self.sources, self._free, self.shares, self.withheld, strict=True)
        return [
            f"{source.path}: {len(free)} rows to train on, {share:.1%} of the batches"
            + (f", {out} held out with rows of another dataset" if out else "")
            for source, free, share, out in described
        ]

    def rows_trained_on(self) -> list[int]:
        return [len(free) for free in self._free]

    def _trained_on(self) -> list[np.ndarray]:
        """Of each dataset the rows that no dataset holds out."""
        held = {_said(self.parts[part], row) for part, row in map(self.locate, self.held_out)}
        ids = {one for one, _ in held}
        found = []
        for part, source in zip(self.parts, self.sources, strict=True):
            rows = np.arange(source.validation_rows, max(source.validation_rows, len(part)))
            if ids:
                named = _ids(part)
                rows = rows[[named[row] not in ids or _said(part, int(row)) not in held for row in rows]]
            found.append(rows)
        return found

    def locate(self, position: int) -> tuple[int, int]:
        """The dataset that a row number belongs to, and the row's number in it."""
        part = int(np.searchsorted(self.starts, position, side="right")) - 1
        return part, position - int(self.starts[part])


def _ids(part: Rows) -> list[str]:
    found = [one for batch in part.batches for one in batch.column("id").to_pylist()]
    return found[: len(part)]


def _said(part: Rows, row: int) -> tuple[str, str]:
    """A row's id and question: two corpora may both have a row 1."""
    batch, at = part.at(row)
    return batch.column("id")[at].as_py(), batch.column("question")[at].as_py()


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
def permutation(key: tuple[int, ...], count: int) -> np.ndarray:
    """The order of `count` rows, (count,), by a key of integers."""
    return np.random.default_rng(key).permutation(count)
