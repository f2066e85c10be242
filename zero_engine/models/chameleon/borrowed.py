"""Types of the decoder layer that `trunk` and `training_forward` borrow from transformers' Chameleon.

Transformers hands its layers out as `nn.Module`, whose attributes have no types. These protocols name the parts of
`ChameleonDecoderLayer` and `ChameleonSwinDecoderLayer` that we read, by transformers' own names.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn


class Norm(Protocol):
    """A root-mean-square norm without bias."""

    weight: Tensor  # (D,)


class Attention(Protocol):
    """Self-attention: the four projections, and the layer norms of query and key heads.

    In training a projection can be an adapter's layer, which is called and read like the `nn.Linear` inside it.
    """

    head_dim: int
    q_proj: nn.Linear
    k_proj: nn.Linear
    v_proj: nn.Linear
    o_proj: nn.Linear
    q_norm: nn.LayerNorm  # weight and bias (H, d)
    k_norm: nn.LayerNorm  # weight and bias (G, d)


class FeedForward(Protocol):
    """The gated feed-forward half of a layer."""

    gate_proj: nn.Linear
    up_proj: nn.Linear
    down_proj: nn.Linear
    act_fn: Callable[[Tensor], Tensor]


class DecoderLayer(Protocol):
    """One decoder layer."""

    self_attn: Attention
    mlp: FeedForward
    input_layernorm: Norm
    post_attention_layernorm: Norm
