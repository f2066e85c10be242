"""Which rows of a drawing are so far the same: what they share is computed once.

What the layers say about a row depends on its prompt and its codes so far, and on nothing else. Rows that agree
in both are one *node*: the layers see nodes only, and every row draws from its node's distribution with random
numbers of its own. Where rows of a node choose different codes, the node splits; nodes never merge. A model that
is sure of itself draws few pictures many times (nano: 26 nodes for 64 rows), and without a prompt all rows are
one node until they part.

Whether a node splits is decided by the codes, on the host. Where that would wait for a device (any but the CPU)
every row is a node from the start.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Nodes:
    """The nodes of R rows: B drawings, branch by branch: conditional, and what guidance compares it with.

    Rows of one conditional prompt must have one prompt in every other branch, too.

    of_row        (R,) the node of each row
    first_row     (M,) a row of each node
    conditional   (U,) the nodes that drawings draw from
    others        (U,) their counterparts, for each further branch
    place         (B,) each drawing's place in these
    """

    def __init__(
        self,
        prompts: Sequence[Sequence[int]],
        batch: int,
        device: torch.device | str = "cpu",
        *,
        shared: bool | None = None,
    ):
        self.batch, self.device = batch, torch.device(device)
        shared = self.device.type == "cpu" if shared is None else shared
        numbers: dict[object, int] = {}
        keys = map(tuple, prompts) if shared else range(len(prompts))
        self._of_row = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
        self._first_row = np.unique(self._of_row, return_index=True)[1].tolist()
        self.prompts = [prompts[row] for row in self._first_row]
        self._settle()

    def split(self, codes_R: Tensor) -> list[int]:
        """Rows that chose another code than the first row of their node go on in new nodes.

        Returns, for each new node, the node that it was part of.
        """
        if len(self._first_row) == len(self._of_row):
            return []
        codes = codes_R.numpy()
        parted = np.flatnonzero(codes != codes[self._first_row][self._of_row])
        numbers: dict[tuple[int, int], int] = {}
        sources = []
        for row in parted.tolist():
            key = (int(self._of_row[row]), int(codes[row]))
            if key not in numbers:
                numbers[key] = len(self._first_row)
                self._first_row.append(row)
                sources.append(key[0])
            self._of_row[row] = numbers[key]
        if sources:
            self._settle()
        return sources

    def keep(self, rows: Tensor) -> list[int]:
        """Drop all other rows, of which there must be one branch. Returns the nodes that stay; they are renumbered."""
        stay, self._of_row = np.unique(self._of_row[rows.cpu().numpy()], return_inverse=True)
        self._first_row = np.unique(self._of_row, return_index=True)[1].tolist()
        self.batch = len(rows)
        self._settle()
        return stay.tolist()

    def _settle(self) -> None:
        conditional, rows, place = np.unique(
            self._of_row[: self.batch], return_index=True, return_inverse=True
        )
        self.of_row, self.first_row, self.conditional, self.place = (
            torch.tensor(part, device=self.device)
            for part in (self._of_row, self._first_row, conditional, place)
        )
        # the same prompt and codes: one node of each other branch for all drawings of a conditional node
        starts = range(self.batch, len(self._of_row), self.batch)
        self.others = [self.of_row[rows + start] for start in starts]
