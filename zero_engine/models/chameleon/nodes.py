"""Groups rows that have the same prompt and the same codes so far, so that the layers compute each group once.

The layers' output for a row depends on its prompt and its codes so far, and on nothing else. Rows that agree in both
form one *node*. The layers run on nodes, and every row samples from its node's distribution with its own random
numbers. When rows of a node choose different codes, the node splits; nodes never merge. A confident model draws the
same picture many times (nano: 26 nodes for 64 rows), and rows without a prompt are one node until their codes differ.

Splitting reads the codes on the host. On a device other than the CPU the host would have to wait for them, so there
every row is a node from the start.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Nodes:
    """The M nodes of R = branches x B rows: first B conditional rows, then B rows of each further guidance branch.

    Drawings with equal conditional prompts must have equal prompts in every other branch.

    of_row        (R,) the node of each row
    first_row     (M,) a row of each node
    conditional   (U,) the distinct nodes of the conditional rows
    others        (U,) for each further branch, the node that belongs to each of `conditional`
    place         (B,) the position of each drawing's node in `conditional`
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
        """Moves rows whose code differs from that of their node's first row into new nodes.

        Returns the old node of each new node.
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
        """Keeps these rows only; there must be one branch. Returns the old numbers of the nodes that stay."""
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
        # drawings of one conditional node have equal prompts and codes, so they share a node in each other branch
        starts = range(self.batch, len(self._of_row), self.batch)
        self.others = [self.of_row[rows + start] for start in starts]
