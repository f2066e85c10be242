"""What the rows of a drawing attend to: their prompts, held once per group of rows, and their codes so far.

The hidden states of one new code per row go in at every step; nothing else is computed twice. Rows stand branch
by branch (conditional, then unconditional), sorted by prompt. All work buffers and views of them are made once per
`SLOT_MULTIPLE` steps, so that a step is little more than its kernels: on small models the calls around them
cost as much as the arithmetic.

Attention is plain `bmm` throughout: `baddbmm`, a strided result or a stride of zero falls back to one matrix
at a time, and so do matrices of less than 400 products, hence slots in whole multiples. A row that would stand
alone in its matrix is doubled, for BLAS gives it other bits than one among others.

Shapes: R rows, H query heads, G key/value heads, r query heads for each, d head width, P prompt slots, T slots of
the codes so far, padded; in a branch, n groups of C rows of one prompt.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zero_engine.models.trunk import SLOT_MULTIPLE, Trunk, padded, rms_norm


class Memory:
    """Keys and values of one batch. `branches` holds the prompts asked for, row by row, all of one number.

    `back` maps a row asked for, branch by branch, to where it stands; `item_of_row` says whose row one is.
    """

    def __init__(self, trunk: Trunk, branches: Sequence[Sequence[Sequence[int]]], length: int):
        self.trunk = trunk
        device = trunk.device
        self.slots = max(padded(max(map(len, asked))) for asked in branches)
        self.prompts = [_Prompts(trunk, asked, self.slots) for asked in branches]
        self.batch = len(branches[0])
        self.item_of_row = torch.cat([part.order for part in self.prompts])
        backs = [torch.argsort(part.order) + self.batch * at for at, part in enumerate(self.prompts)]
        self.back = torch.cat(backs)
        self.last_hidden = torch.cat([part.last_hidden for part in self.prompts])
        lengths_R = torch.cat([part.lengths for part in self.prompts])
        self.cos, self.sin = trunk.rotations(lengths_R[:, None] + torch.arange(length, device=device))
        self.limit = padded(length)
        # zeros, for what a masked slot holds is multiplied by 0, and NaN times 0 is NaN
        shape = (len(trunk.layers), 2, len(lengths_R), trunk.kv_heads, 0, trunk.head_width)
        self.codes = torch.zeros(shape, dtype=trunk.dtype, device=device)
        self.unseen = torch.full((self.limit,), float("-inf"), dtype=trunk.dtype, device=device)

    def advance(self, hidden_RD: Tensor, step: int) -> Tensor:
        """Feed the codes drawn at `step` (their embeddings), and return the normed hidden states."""
        trunk = self.trunk
        if step % SLOT_MULTIPLE == 0:
            self._make_room(step)
        self.unseen[step] = 0
        cos_R1d, sin_R1d = self.cos[:, step, None], self.sin[:, step, None]
        slots = self.codes[:, :, :, :, step].flatten(0, 1).unbind()
        for number, layer in enumerate(trunk.layers):
            q, k, v = trunk.project(layer, hidden_RD, cos_R1d, sin_R1d)
            slots[2 * number].copy_(k)
            slots[2 * number + 1].copy_(v)
            self._attend(number, q)
            hidden_RD = trunk.finish(layer, hidden_RD, self.attended_RD)
        return rms_norm(hidden_RD, trunk.final_norm, trunk.eps)

    def _make_room(self, step: int) -> None:
        """Room for the codes of the next steps, and the buffers to attend to it.

        The cache doubles as it fills: what is read stays dense, which spares the processor's page tables.
        """
        room, seen = self.codes.shape[4], padded(step + 1)
        if step == room:
            grown = min(max(2 * room, SLOT_MULTIPLE), self.limit)
            self.codes = functional.pad(self.codes, (0, 0, 0, grown - room))
        self.seen = [(keys.mT, values) for keys, values in self.codes.flatten(2, 3)[:, :, :, :seen]]
        self.unseen_T = self.unseen[:seen]

        rows, kv_heads, _, width = self.codes.shape[2:]
        by_row = (rows, kv_heads, self.trunk.heads // kv_heads)
        queries, attended = self.codes.new_empty(2, *by_row, width)
        scores, weights = self.codes.new_empty(2, *by_row, self.slots + seen)
        self.queries, self.scores, self.weights = (
            queries.flatten(0, 1),
            scores.flatten(0, 1),
            weights.flatten(0, 1),
        )
        self.queries_RHd, self.attended = queries.flatten(1, 2), attended.flatten(0, 1)
        self.attended_RD = attended.flatten(1)
        self.codes_product = self.codes.new_empty(*self.queries.shape[:2], seen)
        self.codes_scores = self.scores[..., self.slots :]
        self.codes_weights = self.weights[..., self.slots :]
        parts = zip(*(whole.split(self.batch) for whole in (queries, scores, weights, attended)), strict=True)
        for part, (queries_part, scores_part, weights_part, attended_part) in zip(
            self.prompts, parts, strict=True
        ):
            of_prompt = (scores_part[..., : self.slots], weights_part[..., : self.slots])
            part.bind(queries_part, *of_prompt, attended_part)

    def _attend(self, number: int, q_RHd: Tensor) -> None:
        """One query position per row over its prompt and its codes so far, into `attended`."""
        keys, values = self.seen[number]
        self.queries_RHd.copy_(q_RHd)
        for part in self.prompts:
            part.score(number)
        torch.bmm(self.queries, keys, out=self.codes_product)
        torch.add(self.codes_product, self.unseen_T, out=self.codes_scores)
        if self.scores.dtype == torch.float32:
            torch.softmax(self.scores, dim=-1, out=self.weights)
        else:
            self.weights.copy_(torch.softmax(self.scores, dim=-1, dtype=torch.float32))
        torch.bmm(self.codes_weights, values, out=self.attended)
        for part in self.prompts:
            part.read(number)


class _Prompts:
    """The prompts of one branch: their keys and values, once per group of rows.

    `order` sorts the rows asked for by prompt. Sorted, they are cut into n groups of C rows of one prompt, C the
    greatest size that divides all.
    """

    def __init__(self, trunk: Trunk, asked: Sequence[Sequence[int]], slots: int):
        device = trunk.device
        prompts = list(dict.fromkeys(map(tuple, asked)))
        index = {prompt: position for position, prompt in enumerate(prompts)}
        prompt_of_row = np.array([index[tuple(prompt)] for prompt in asked])
        order = np.argsort(prompt_of_row, kind="stable")
        self.order = torch.from_numpy(order).to(device)
        self.group = math.gcd(*np.bincount(prompt_of_row).tolist())
        prompt_of_row_R = torch.from_numpy(prompt_of_row[order]).to(device)
        prompt_of_group_n = prompt_of_row_R[:: self.group]

        hidden_UD, cache = trunk.prefill(prompts, last_only=True)
        lengths_U = torch.tensor([len(prompt) for prompt in prompts], device=device)
        self.lengths = lengths_U[prompt_of_row_R]
        self.last_hidden = hidden_UD[prompt_of_row_R]
        fill = (0, 0, 0, slots - cache[0][0].shape[2])
        kept = [
            [functional.pad(half, fill)[prompt_of_group_n].flatten(0, 1) for half in pair] for pair in cache
        ]
        self.keys = [keys.mT.contiguous() for keys, _ in kept]
        self.values = [values.contiguous() for _, values in kept]
        beyond_RP = torch.arange(slots, device=device) >= self.lengths[:, None]
        mask_RP = torch.zeros_like(beyond_RP, dtype=trunk.dtype).masked_fill_(beyond_RP, float("-inf"))
        self.mask = self._by_group(mask_RP[:, None, None])

    def bind(self, queries: Tensor, scores: Tensor, weights: Tensor, attended: Tensor) -> None:
        """Take the branch's part of the buffers, each (R, G, r, E), and make those to put a group together."""
        self.queries, self.scores, self.weights, self.attended = map(
            self._by_group, (queries, scores, weights, attended)
        )
        groups, kv_heads, group, repeat, width = self.queries.shape
        twice = 2 if group * repeat == 1 else 1

        def buffer(size: int) -> tuple[Tensor, Tensor]:
            whole = queries.new_empty(groups, kv_heads, twice * group, repeat, size)
            return whole.flatten(2, 3).flatten(0, 1), whole

        self.queries_together, self.queries_into = buffer(width)
        self.weights_together, self.weights_into = buffer(self.scores.shape[-1])
        self.scores_product, scores_product = buffer(self.scores.shape[-1])
        self.values_product, values_product = buffer(width)
        self.scores_from, self.values_from = scores_product[:, :, :group], values_product[:, :, :group]

    def score(self, number: int) -> None:
        """Masked scores of every row over its prompt."""
        self.queries_into.copy_(self.queries)
        torch.bmm(self.queries_together, self.keys[number], out=self.scores_product)
        torch.add(self.scores_from, self.mask, out=self.scores)

    def read(self, number: int) -> None:
        """Add every row's weighted values of its prompt to what it attends to."""
        self.weights_into.copy_(self.weights)
        torch.bmm(self.weights_together, self.values[number], out=self.values_product)
        self.attended.add_(self.values_from)

    def _by_group(self, rows_RGrE: Tensor) -> Tensor:
        """A view (n, G, C, r, E) of rows: the order in which a prompt is read once for its group."""
        return rows_RGrE.unflatten(0, (-1, self.group)).transpose(1, 2)
