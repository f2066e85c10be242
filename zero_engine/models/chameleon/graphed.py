"""The KV cache on a GPU, where a decoding step runs as one CUDA graph of few kernels (see `kernels` and `replay`).

The whole cache is there from the start, and a step reads only what is filled of it, so one graph serves a whole
drawing. Rows never share a node here: to read them back, one by one, would hold the GPU up.

Shapes: M nodes, G key/value heads, S slots, d head width, D hidden.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from zero_engine.models.chameleon.cache import Memory, prefill
from zero_engine.models.chameleon.replay import Replay
from zero_engine.models.chameleon.trunk import Trunk, rows_by


def memory_for(
    trunk: Trunk, prompts: Sequence[Sequence[int]], limit: int, length: int, slots: int = 0
) -> "Memory | GraphedMemory":
    """The KV cache of at most `limit` nodes, at first one for each of `prompts`, with room for `length` tokens."""
    if trunk.kernels is None:
        return Memory(trunk, prompts, limit, length, slots)
    return GraphedMemory(trunk, prompts, length)


class GraphedMemory:
    """The KV cache of a node for each of `prompts`, with room for `length` tokens: like `cache.Memory`."""

    def __init__(self, trunk: Trunk, prompts: Sequence[Sequence[int]], length: int):
        assert trunk.kernels is not None, "a graphed memory needs the kernels"
        self.trunk, self.kernels = trunk, trunk.kernels
        self.last_hidden, self.cache = prefill(trunk, prompts, room=length)
        self.slots = self.cache[0].shape[3] - length
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=trunk.device)
        self.cos, self.sin = trunk.rotations(torch.arange(max(map(len, prompts)) + length))
        self.numbers = torch.arange(self.slots + length, device=trunk.device)
        self.replay = Replay(trunk.device)

    def fork(self, sources: Sequence[int]) -> None:
        """Nothing: no node splits on a GPU."""
        assert not sources

    def keep(self, nodes: Sequence[int], limit: int) -> None:
        """Keeps these nodes only; `limit` is their number."""
        chosen = torch.tensor(nodes, device=self.trunk.device)
        self.lengths = self.lengths[chosen]
        for number, layer in enumerate(self.cache):
            self.cache[number] = layer[:, chosen]
        self.replay.forget()

    def advance(self, hidden_MD: Tensor, step: int) -> Tensor:
        """Runs the layers on the embeddings of `step`'s tokens, (M, D). Returns the normed hidden states, (M, D)."""
        slot = self.slots + step
        return self.replay(self._run_layers, hidden_MD, self.numbers[slot : slot + 1])

    def _run_layers(self, hidden_MD: Tensor, where: Tensor) -> Tensor:
        """One step through all layers. It reads no value on the host, so a CUDA graph can record it."""
        trunk, kernels = self.trunk, self.kernels
        for layer, cache in zip(trunk.layers, self.cache, strict=True):
            normed = trunk.before_attention(layer, hidden_MD)
            queries_MHd = kernels.place(
                rows_by(normed, layer.qkv, layer.qkv_bias), layer.qk_norm, layer.qk_norm_bias, trunk.head_eps,
                self.cos, self.sin, self.lengths, where, self.slots, cache,
            )  # fmt: skip
            attended_MD = kernels.attend(queries_MHd, cache, self.lengths, where, self.slots)
            hidden_MD = trunk.finish(layer, hidden_MD, attended_MD)
        return trunk.norm(hidden_MD, trunk.final_norm, trunk.eps)
