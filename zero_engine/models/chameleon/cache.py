"""What the nodes of a drawing, or of text and drawings, attend to: keys and values of prompts and of tokens so far.

Each node (see `nodes`) has its own `prompt, filler, tokens`, the filler so that tokens stand in the same slots
everywhere. A node that splits hands a copy of what is filled to each new one, so a row costs one copy at most in
the whole drawing. On a GPU, where none splits, a step is a CUDA graph from one growth of the cache to the next.

Attention is two plain `bmm`, one matrix for each node and key/value head: their shapes depend on no neighbour,
so neither do their bits. `baddbmm`, a strided result or a stride of zero falls back to one matrix at a time, and so
do matrices of less than 400 products, hence slots in whole multiples.

Shapes: M nodes, H query heads, G key/value heads, r query heads for each, d head width, S slots.
"""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

from zero_engine.models.batching import SLOT_MULTIPLE, padded
from zero_engine.models.chameleon.replay import Replay
from zero_engine.models.chameleon.trunk import Trunk, rms_norm

PREFILLED_SLOTS = 4096
"""Positions of prompts run through the layers at once; no number depends on it."""
_GROWTH = 2 * SLOT_MULTIPLE
"""Slots by which the cache grows: copied rarely, and few that are read in vain."""


class Memory:
    """Keys and values of at most `limit` nodes, at first one for each of `prompts`, and `length` tokens."""

    def __init__(self, trunk: Trunk, prompts: Sequence[Sequence[int]], limit: int, length: int):
        self.trunk, self.nodes = trunk, len(prompts)
        distinct = list(dict.fromkeys(map(tuple, prompts)))
        index = {prompt: position for position, prompt in enumerate(distinct)}
        place_M = torch.tensor([index[tuple(prompt)] for prompt in prompts], device=trunk.device)
        hidden_UD, prefilled = _prefill(trunk, distinct)
        self.last_hidden = hidden_UD[place_M]
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=trunk.device)
        self.slots = self.seen = prefilled[0].shape[3]
        self.limit, longest = limit, self.slots + -(-length // _GROWTH) * _GROWTH
        self.cache = [layer[:, place_M] for layer in prefilled]
        self.unseen = torch.full((limit, 1, longest), float("-inf"), dtype=trunk.dtype, device=trunk.device)
        held_MS = torch.arange(longest, device=trunk.device) < self.lengths[:, None]
        self.unseen[: self.nodes].masked_fill_(held_MS[:, None], 0)
        self.cos, self.sin = trunk.rotations(torch.arange(max(map(len, distinct)) + length))
        self.numbers = torch.arange(longest, device=trunk.device)
        self.run_layers = Replay(self._run_layers, trunk.device)
        self._see_more()

    def fork(self, sources: Sequence[int]) -> None:
        """Add a node for each of `sources`, with what that node has seen."""
        if not sources:
            return
        for source in sources:
            for layer in self.cache:
                layer[:, self.nodes] = layer[:, source]
            self.unseen[self.nodes] = self.unseen[source]
            self.nodes += 1
        self.lengths = torch.cat((self.lengths, self.lengths[list(sources)]))
        self._look()

    def keep(self, nodes: Sequence[int], limit: int) -> None:
        """Drop all other nodes, and the room for more than `limit`."""
        self.nodes, self.limit = len(nodes), limit
        self.lengths = self.lengths[nodes]
        self.unseen[: self.nodes] = self.unseen[nodes]
        self._copy(nodes, self.seen)

    def advance(self, hidden_MD: Tensor, step: int) -> Tensor:
        """Feed the tokens of `step` (their embeddings), and return the normed hidden states."""
        slot = self.slots + step
        if slot == self.seen:
            self._see_more()
        self.unseen[: self.nodes, :, slot] = 0
        positions_M = self.lengths + step
        cos_M1d, sin_M1d = self.cos[positions_M, None], self.sin[positions_M, None]
        own = slice(slot, slot + 1)
        where = (
            self.numbers[own] if self.run_layers.records else own
        )  # a number would be recorded as it is now
        return self.run_layers(hidden_MD, cos_M1d, sin_M1d, where)

    def _run_layers(
        self, hidden_MD: Tensor, cos_M1d: Tensor, sin_M1d: Tensor, where: Tensor | slice
    ) -> Tensor:
        """All that is done in a step, with no look at a value, so that it can be recorded."""
        trunk = self.trunk
        for number, layer in enumerate(trunk.layers):
            q, k, v = trunk.project(layer, hidden_MD, cos_M1d, sin_M1d)
            for filled, new_MGd in zip(self.filled[number], (k, v), strict=True):
                filled[:, :, where] = new_MGd.unsqueeze(2)
            hidden_MD = trunk.finish(layer, hidden_MD, self._attend(number, q))
        return rms_norm(hidden_MD, trunk.final_norm, trunk.eps)

    def _see_more(self) -> None:
        """Slots for the tokens to come. Copied into a new cache, for matrices side by side are read much faster."""
        self._copy(slice(self.nodes), self.seen + _GROWTH)

    def _copy(self, nodes: Sequence[int] | slice, slots: int) -> None:
        """A new cache of so many slots, and in it what these nodes have seen."""
        self.read, self.filled = [], []  # else the whole cache would be held twice, not a layer of it
        for number, layer in enumerate(self.cache):
            shape = (2, self.limit, self.trunk.kv_heads, slots, self.trunk.head_width)
            copy = layer.new_empty(shape)  # what no node has filled takes no memory of the host
            copy[:, : self.nodes, :, : self.seen] = layer[:, nodes]
            # zeros, for what a masked slot holds is multiplied by 0, and NaN times 0 is NaN
            copy[:, : self.nodes, :, self.seen :] = 0
            self.cache[number] = copy
        self.seen = slots
        self._look()

    def _look(self) -> None:
        """Views of what the nodes see, made once for many steps."""
        self.read = [
            (keys.mT, values)
            for keys, values in (layer[:, : self.nodes].flatten(1, 2) for layer in self.cache)
        ]
        self.filled = [layer[:, : self.nodes].unbind() for layer in self.cache]
        self.mask = self.unseen[: self.nodes, :, : self.seen]
        self.run_layers.forget()

    def _attend(self, number: int, q_MHd: Tensor) -> Tensor:
        """One query position per node over all that it sees, (M, H * d)."""
        keys, values = self.read[number]
        queries = q_MHd.reshape(len(keys), -1, q_MHd.shape[-1])
        scores = torch.bmm(queries, keys)
        scores.view(self.nodes, -1, self.seen).add_(self.mask)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)
        return torch.bmm(weights, values).view(self.nodes, -1)


def _prefill(trunk: Trunk, prompts: Sequence[tuple[int, ...]]) -> tuple[Tensor, list[Tensor]]:
    """Hidden states of the prompts' last ids, (U, D), and per layer keys and values, (2, U, G, S, d).

    Prompts run with others of their own padded length only: where more than about 128 slots are attended to, those
    that pad a prompt change the order of its sums.
    """
    sizes = [padded(len(prompt)) for prompt in prompts]
    order = sorted(range(len(prompts)), key=sizes.__getitem__)
    hiddens, parts = [], []
    for size, alike in groupby(order, key=sizes.__getitem__):
        group, at_once = [prompts[place] for place in alike], max(1, PREFILLED_SLOTS // size)
        for start in range(0, len(group), at_once):
            hidden_UD, cache = trunk.prefill(group[start : start + at_once], last_only=True)
            hiddens.append(hidden_UD)
            parts.append([functional.pad(torch.stack(pair), (0, 0, 0, max(sizes) - size)) for pair in cache])
    back = torch.tensor(order, device=trunk.device).argsort()
    return torch.cat(hiddens)[back], [
        torch.cat(layers, dim=1)[:, back] for layers in zip(*parts, strict=True)
    ]
