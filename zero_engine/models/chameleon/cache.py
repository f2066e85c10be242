"""The KV cache: keys and values of prompts and generated tokens, one entry a node.

Each node (see `nodes`) has the slots `prompt, filler, tokens`. The filler puts the tokens of every node into the same
slots. When a node splits, each new node gets a copy of its filled slots, so a row costs at most one copy in a whole
drawing. Nodes whose prompts take about as many slots form one *block*. On a GPU with Triton, `graphed` takes its place.

Attention is two plain `bmm`, one matrix for each node and key/value head. The shape of a matrix does not depend on the
other nodes, so a node's bits do not either. The slots are a multiple of `SLOT_MULTIPLE`, because below 400 products
`bmm` runs one matrix at a time; `baddbmm`, a strided result or a stride of zero would make it do so, too.

Shapes: M nodes, H query heads, G key/value heads, r query heads for each, d head width, S slots.
"""

from collections.abc import Sequence
from itertools import chain, groupby

import torch
from torch import Tensor

from zero_engine.batches import SLOT_MULTIPLE, padded
from zero_engine.models.chameleon.trunk import Trunk

PREFILLED_SLOTS = 4096
"""Prompt positions run through the layers at once. The results do not depend on it."""
_GROWTH = 2 * SLOT_MULTIPLE
"""Slots by which the cache grows. More would be copied less often, but read while still empty."""
_LONG = 128
"""Slots of a prompt from which on a far shorter one is in a block of its own."""


class Memory:
    """The KV cache of at most `limit` nodes, at first one for each of `prompts`, with room for `length` tokens.

    A prompt takes `slots` slots, or as many as the longest one needs. Beside prompts with pictures, the empty prompt
    would pay in every step for slots that it does not fill, so prompts far shorter than the others are a block of
    their own.
    """

    def __init__(
        self, trunk: Trunk, prompts: Sequence[Sequence[int]], limit: int, length: int, slots: int = 0
    ):
        self.trunk = trunk
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=trunk.device)
        self.cos, self.sin = trunk.rotations(torch.arange(max(map(len, prompts)) + length))
        slots = max(slots, *(padded(len(prompt)) for prompt in prompts))
        short = [node for node, prompt in enumerate(prompts) if _far_shorter(len(prompt), slots)]
        long = sorted({*range(len(prompts))}.difference(short))
        self.members = [nodes for nodes in (long, short) if nodes]
        self.blocks = [
            _Block(trunk, [prompts[node] for node in nodes], limit, length, slots if nodes is long else 0)
            for nodes in self.members
        ]
        self._settle()
        self.last_hidden = torch.cat([block.last_hidden for block in self.blocks])[self._order]

    def fork(self, sources: Sequence[int]) -> None:
        """Adds a node for each of `sources`, with a copy of that node's keys and values."""
        if not sources:
            return
        new = dict(enumerate(sources, start=len(self.lengths)))
        for block, members in zip(self.blocks, self.members, strict=True):
            places = {node: place for place, node in enumerate(members)}
            added = [node for node, source in new.items() if source in places]
            block.fork([places[new[node]] for node in added])
            members += added
        self.lengths = torch.cat((self.lengths, self.lengths[list(sources)]))
        self._settle()

    def keep(self, nodes: Sequence[int], limit: int) -> None:
        """Keeps these nodes only, and room for `limit` nodes."""
        number = {node: position for position, node in enumerate(nodes)}
        for block, members in zip(self.blocks, self.members, strict=True):
            places = [place for place, node in enumerate(members) if node in number]
            block.keep(places, limit)
            members[:] = [number[members[place]] for place in places]
        self.lengths = self.lengths[nodes]
        self._settle()

    def advance(self, hidden_MD: Tensor, step: int) -> Tensor:
        """Runs the layers on the embeddings of `step`'s tokens, (M, D). Returns the normed hidden states, (M, D)."""
        for block in self.blocks:
            block.open(step)
        positions_M = (self.lengths + step)[self._rows]
        cos_M1d, sin_M1d = self.cos[positions_M, None], self.sin[positions_M, None]
        trunk, hidden_MD = self.trunk, hidden_MD[self._rows]
        for number, layer in enumerate(trunk.layers):
            projected = trunk.project(layer, hidden_MD, cos_M1d, sin_M1d)
            hidden_MD = trunk.finish(layer, hidden_MD, self._attend(number, projected))
        return trunk.norm(hidden_MD, trunk.final_norm, trunk.eps)[self._order]

    def _attend(self, number: int, projected: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Attention of each node's query in layer `number`, (M, H * d), from its query, key and value."""
        parts = zip(*(part.split([block.nodes for block in self.blocks]) for part in projected), strict=True)
        attended = [block.attend(number, *own) for block, own in zip(self.blocks, parts, strict=True)]
        return torch.cat(attended) if len(attended) > 1 else attended[0]

    def _settle(self) -> None:
        """Sets the nodes in the order of the blocks, in which the layers run, and each node's place in it."""
        self._rows = torch.tensor([*chain(*self.members)], device=self.trunk.device)
        self._order = self._rows.argsort()


class _Block:
    """The keys and values of nodes whose prompts take `slots` slots each."""

    def __init__(self, trunk: Trunk, prompts: Sequence[Sequence[int]], limit: int, length: int, slots: int):
        self.nodes, self.limit = len(prompts), limit
        self.last_hidden, self.cache = prefill(trunk, prompts, slots, limit, _GROWTH)
        self.seen = self.cache[0].shape[3]
        self.slots = self.seen - _GROWTH
        longest = self.slots + padded(length, _GROWTH)
        self.unseen = torch.full((limit, 1, longest), float("-inf"), dtype=trunk.dtype, device=trunk.device)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=trunk.device)
        held_MS = torch.arange(longest, device=trunk.device) < lengths[:, None]
        self.unseen[: self.nodes].masked_fill_(held_MS[:, None], 0)
        self._look()

    def fork(self, sources: Sequence[int]) -> None:
        """Adds a node for each of `sources`."""
        for source in sources:
            for layer in self.cache:
                layer[:, self.nodes] = layer[:, source]
            self.unseen[self.nodes] = self.unseen[source]
            self.nodes += 1
        self._look()

    def keep(self, nodes: Sequence[int], limit: int) -> None:
        """Keeps these nodes only, and room for `limit` nodes."""
        self.nodes, self.limit = len(nodes), limit
        self.unseen[: self.nodes] = self.unseen[nodes]
        self._copy(nodes, self.seen)

    def open(self, step: int) -> None:
        """Lets all nodes see the slot that `attend` fills next."""
        self.slot = self.slots + step
        if self.slot == self.seen:  # contiguous matrices are read faster than ones with room to grow
            self._copy(slice(self.nodes), self.seen + _GROWTH)
        self.unseen[: self.nodes, :, self.slot] = 0

    def attend(self, number: int, q_MHd: Tensor, k_MGd: Tensor, v_MGd: Tensor) -> Tensor:
        """Keeps a key and a value per node; attention of one query per node over the slots of that node, (M, H * d)."""
        for filled, new_MGd in zip(self.filled[number], (k_MGd, v_MGd), strict=True):
            filled[:, :, self.slot : self.slot + 1] = new_MGd.unsqueeze(2)
        keys, values = self.read[number]
        queries = q_MHd.reshape(len(keys), -1, q_MHd.shape[-1])
        scores = torch.bmm(queries, keys)
        scores.view(self.nodes, -1, self.seen).add_(self.mask)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)
        return torch.bmm(weights, values).view(self.nodes, -1)

    def _copy(self, nodes: Sequence[int] | slice, slots: int) -> None:
        """Replaces the cache by one of `slots` slots that holds these nodes' keys and values."""
        # without the views of the old cache, one layer at a time is held twice instead of all
        self.read: list[tuple[Tensor, Tensor]] = []
        self.filled: list[tuple[Tensor, ...]] = []
        for number, layer in enumerate(self.cache):
            copy = layer.new_empty(2, self.limit, layer.shape[2], slots, layer.shape[4])
            copy[:, : self.nodes, :, : self.seen] = layer[:, nodes]
            # zeros, because masked slots are multiplied by 0, and NaN times 0 is NaN
            copy[:, : self.nodes, :, self.seen :] = 0
            self.cache[number] = copy
        self.seen = slots
        self._look()

    def _look(self) -> None:
        """Makes the views of the cache that all steps use until it changes."""
        self.read = [
            (keys.mT, values)
            for keys, values in (layer[:, : self.nodes].flatten(1, 2) for layer in self.cache)
        ]
        self.filled = [layer[:, : self.nodes].unbind() for layer in self.cache]
        self.mask = self.unseen[: self.nodes, :, : self.seen]


def _far_shorter(length: int, slots: int) -> bool:
    """Whether a prompt of `length` ids takes so few of `slots` slots that it is better off in a block of its own."""
    return 4 * padded(length) <= slots and slots >= _LONG


def prefill(
    trunk: Trunk, prompts: Sequence[Sequence[int]], slots: int = 0, limit: int = 0, room: int = 0
) -> tuple[Tensor, list[Tensor]]:
    """Hidden states of the prompts' last ids, (M, D), and per layer keys and values, (2, L, G, S + room, d).

    S >= `slots`, L >= `limit`; the rows of further nodes take no memory of the host until they are filled. Equal
    prompts run once. A prompt runs only with prompts of its own padded length: above about 128 slots, more padding
    would change the order in which attention sums.
    """
    nodes: dict[tuple[int, ...], list[int]] = {}
    for node, prompt in enumerate(prompts):
        nodes.setdefault(tuple(prompt), []).append(node)
    slots = room + max(slots, *(padded(len(prompt)) for prompt in nodes))
    shape = (2, max(limit, len(prompts)), trunk.kv_heads, slots, trunk.head_width)
    layers = [trunk.embedding.new_empty(shape) for _ in trunk.layers]
    last_MD = trunk.embedding.new_empty(len(prompts), trunk.embedding.shape[1])
    for size, alike in groupby(sorted(nodes, key=len), key=lambda prompt: padded(len(prompt))):
        group, at_once = list(alike), max(1, PREFILLED_SLOTS // size)
        for start in range(0, len(group), at_once):
            part = group[start : start + at_once]
            hidden_UD, cache = trunk.prefill(part, last_only=True)
            for row, own in enumerate(nodes[prompt] for prompt in part):
                last_MD[own] = hidden_UD[row]
                for layer, (keys, values) in zip(layers, cache, strict=True):
                    for node in own:
                        layer[0, node, :, :size], layer[1, node, :, :size] = keys[row], values[row]
                        # zeros, because masked slots are multiplied by 0, and NaN times 0 is NaN
                        layer[:, node, :, size:] = 0
    return last_MD, layers
