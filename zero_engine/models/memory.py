"""What the nodes of a drawing attend to: the keys and values of their prompts and of their codes so far.

Each node (see `nodes`) has its own `prompt, filler, codes`, the filler so that codes stand in the same slots
everywhere. A node that splits hands a copy of what is filled to each new one, so a row costs one copy at most in
the whole drawing.

Attention is two plain `bmm`, one matrix for each node and key/value head: their shapes depend on no neighbour,
so neither do their bits. `baddbmm`, a strided result or a stride of zero falls back to one matrix at a time, and so
do matrices of less than 400 products, hence slots in whole multiples.

Shapes: M nodes, H query heads, G key/value heads, r query heads for each, d head width, S slots.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from zero_engine.models.trunk import SLOT_MULTIPLE, Trunk, padded, rms_norm


class Memory:
    """Keys and values of at most `limit` nodes, at first one for each of `prompts`, and `length` codes."""

    def __init__(self, trunk: Trunk, prompts: Sequence[Sequence[int]], limit: int, length: int):
        self.trunk, self.nodes = trunk, len(prompts)
        distinct = list(dict.fromkeys(map(tuple, prompts)))
        index = {prompt: position for position, prompt in enumerate(distinct)}
        place_M = torch.tensor([index[tuple(prompt)] for prompt in prompts], device=trunk.device)
        hidden_UD, prefilled = trunk.prefill(distinct, last_only=True)
        self.last_hidden = hidden_UD[place_M]
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=trunk.device)
        self.slots = self.seen = prefilled[0][0].shape[2]
        # never written as a whole: what no node has filled takes no memory of the host
        shape = (len(trunk.layers), 2, limit, trunk.kv_heads, self.slots + padded(length), trunk.head_width)
        self.cache = torch.empty(shape, dtype=trunk.dtype, device=trunk.device)
        for layer, pair in zip(self.cache, prefilled, strict=True):
            for half, kept_UGPd in zip(layer, pair, strict=True):
                half[: self.nodes, :, : self.slots] = kept_UGPd[place_M]
        unseen = torch.full((limit, 1, shape[4]), float("-inf"), dtype=trunk.dtype, device=trunk.device)
        held_MS = torch.arange(shape[4], device=trunk.device) < self.lengths[:, None]
        unseen[: self.nodes].masked_fill_(held_MS[:, None], 0)
        self.unseen = unseen
        self.cos, self.sin = trunk.rotations(torch.arange(max(map(len, distinct)) + length))

    def fork(self, sources: Sequence[int]) -> None:
        """Add a node for each of `sources`, with what that node has seen."""
        if not sources:
            return
        for source in sources:
            self.cache[:, :, self.nodes, :, : self.seen] = self.cache[:, :, source, :, : self.seen]
            self.unseen[self.nodes] = self.unseen[source]
            self.nodes += 1
        self.lengths = torch.cat((self.lengths, self.lengths[list(sources)]))
        self._look()

    def advance(self, hidden_MD: Tensor, step: int) -> Tensor:
        """Feed the codes drawn at `step` (their embeddings), and return the normed hidden states."""
        trunk, slot = self.trunk, self.slots + step
        if slot == self.seen:
            self.seen += SLOT_MULTIPLE
            # zeros, for what a masked slot holds is multiplied by 0, and NaN times 0 is NaN
            self.cache[:, :, : self.nodes, :, slot : self.seen] = 0
            self._look()
        self.unseen[: self.nodes, :, slot] = 0
        positions_M = self.lengths + step
        cos_M1d, sin_M1d = self.cos[positions_M, None], self.sin[positions_M, None]
        written = self.cache[:, :, : self.nodes, :, slot].flatten(0, 1).unbind()
        for number, layer in enumerate(trunk.layers):
            q, k, v = trunk.project(layer, hidden_MD, cos_M1d, sin_M1d)
            written[2 * number].copy_(k)
            written[2 * number + 1].copy_(v)
            hidden_MD = trunk.finish(layer, hidden_MD, self._attend(number, q))
        return rms_norm(hidden_MD, trunk.final_norm, trunk.eps)

    def _look(self) -> None:
        """Views of what the nodes see, made once for many steps."""
        self.read = [
            (keys.mT, values)
            for keys, values in self.cache[:, :, : self.nodes].flatten(2, 3)[:, :, :, : self.seen]
        ]
        self.mask = self.unseen[: self.nodes, :, : self.seen]

    def _attend(self, number: int, q_MHd: Tensor) -> Tensor:
        """One query position per node over all that it sees, (M, H * d)."""
        keys, values = self.read[number]
        queries = q_MHd.reshape(len(keys), -1, q_MHd.shape[-1])
        scores = torch.bmm(queries, keys)
        scores.view(self.nodes, -1, self.seen).add_(self.mask)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)
        return torch.bmm(weights, values).view(self.nodes, -1)
