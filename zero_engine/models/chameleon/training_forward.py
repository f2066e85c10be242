"""The language model's decoder layers for training: they compute what transformers' Chameleon does, faster.

`hidden_states` runs a module's own parameters with gradients. It differs from transformers' forward in these ways only:

- q, k, v are one matrix product where they are plain linear layers; an adapter's layer is called.
- Attention uses the causal kernel where a batch needs no mask. In bfloat16 on a CPU it runs block by block.
- There is no KV cache, and there are no logits: the caller applies the head to the positions that it needs.

Sums can differ from transformers' in their last bits.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.utils.checkpoint import checkpoint as recompute
from transformers import ChameleonConfig

from zero_engine.models.chameleon.modules import ChameleonModule, DecoderLayer, decoder_layers

_BLOCK = 64
"""Queries in one block of `_BlockAttention`: few masked scores are computed, and the scores fit the CPU cache."""


def hidden_states(
    module: ChameleonModule,
    ids_BT: Tensor,
    *,
    positions_BT: Tensor | None = None,
    segments_BT: Tensor | None = None,
    checkpointing: bool = False,
) -> Tensor:
    """Hidden states (B, T, D) after the final norm.

    Without `segments_BT` a row is one sequence, whole or padded on the right. With `segments_BT` a position attends to
    itself and the earlier positions of its own segment: for rows padded on the left, or for several sequences in one
    row, where `positions_BT` counts from 0 in each. `checkpointing` computes a layer again in the backward pass.
    """
    trunk = module.model
    hidden = trunk.embed_tokens(ids_BT)
    length = ids_BT.shape[1]
    if positions_BT is None:
        positions_BT = torch.arange(length, device=ids_BT.device)[None]
    cos, sin = trunk.rotary_emb(hidden, positions_BT)
    half = cos.shape[-1] // 2
    cos, sin = cos[:, :, None], torch.cat((-sin[..., :half], sin[..., half:]), -1)[:, :, None]
    mask = None
    if segments_BT is not None:
        same = segments_BT[:, None, :, None] == segments_BT[:, None, None, :]
        mask = same & torch.ones(length, length, dtype=torch.bool, device=ids_BT.device).tril()
    for layer in decoder_layers(trunk):
        if checkpointing and torch.is_grad_enabled():
            hidden = recompute(_layer, module.config, layer, hidden, cos, sin, mask, use_reentrant=False)
        else:
            hidden = _layer(module.config, layer, hidden, cos, sin, mask)
    return functional.rms_norm(hidden, hidden.shape[-1:], trunk.norm.weight, module.config.rms_norm_eps)


def _layer(
    config: ChameleonConfig,
    layer: DecoderLayer,
    hidden: Tensor,
    cos: Tensor,
    sin: Tensor,
    mask: Tensor | None,
) -> Tensor:
    attention, mlp, eps = layer.self_attn, layer.mlp, config.rms_norm_eps
    batch, length, size = hidden.shape
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    width = size // heads

    def norm(rows: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(rows, rows.shape[-1:], weight, eps)

    before = hidden if config.swin_norm else norm(hidden, layer.input_layernorm.weight)
    qkv = _together(before, attention.q_proj, attention.k_proj, attention.v_proj)
    qk, v = qkv.view(batch, length, heads + 2 * groups, width).split((heads + groups, groups), dim=2)
    weight, bias = (
        torch.cat([getattr(norm, name) for norm in (attention.q_norm, attention.k_norm)])
        for name in ("weight", "bias")
    )
    qk = _turn(torch.addcmul(bias, functional.layer_norm(qk, (width,), eps=1e-5), weight), cos, sin)
    q, k = qk.to(v.dtype).split((heads, groups), dim=2)
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if groups != heads:
        k, v = (x.repeat_interleave(heads // groups, dim=1) for x in (k, v))
    attended = _attend(q, k, v, mask)
    out = attention.o_proj(attended.transpose(1, 2).reshape(batch, length, size))
    hidden = hidden + (norm(out, layer.input_layernorm.weight) if config.swin_norm else out)
    before = hidden if config.swin_norm else norm(hidden, layer.post_attention_layernorm.weight)
    gate, up = _together(before, mlp.gate_proj, mlp.up_proj).chunk(2, -1)
    out = mlp.down_proj(mlp.act_fn(gate) * up)
    return hidden + (norm(out, layer.post_attention_layernorm.weight) if config.swin_norm else out)


def _attend(q_BHTd: Tensor, k_BHTd: Tensor, v_BHTd: Tensor, mask: Tensor | None) -> Tensor:
    """Causal attention. In bfloat16 on a CPU the fused kernel takes more than twice as long as `_BlockAttention`."""
    if q_BHTd.device.type != "cpu" or q_BHTd.dtype != torch.bfloat16:
        return functional.scaled_dot_product_attention(
            q_BHTd, k_BHTd, v_BHTd, attn_mask=mask, is_causal=mask is None
        )
    with torch.autocast("cpu", enabled=False):  # autocast would turn the softmax into a float32 one
        return _BlockAttention.apply(q_BHTd * q_BHTd.shape[-1] ** -0.5, k_BHTd, v_BHTd, mask)


class _BlockAttention(torch.autograd.Function):
    """Causal attention of scaled queries, block by block. Gradients of keys and values are summed in float32."""

    @staticmethod
    def forward(ctx, q, k, v, mask):
        q, k, v = (x.contiguous() for x in (q, k, v))
        length = q.shape[2]
        if mask is None:
            mask = torch.ones(length, length, dtype=torch.bool, device=q.device).tril()
        unseen = torch.zeros(mask.shape, dtype=q.dtype, device=q.device).masked_fill_(~mask, float("-inf"))
        out, blocks = torch.empty_like(q), []
        for start in range(0, length, _BLOCK):
            end = min(start + _BLOCK, length)
            scores = torch.matmul(q[:, :, start:end], k[:, :, :end].mT)
            blocks.append(torch.softmax(scores.add_(unseen[..., start:end, :end]), -1))
            out[:, :, start:end] = torch.matmul(blocks[-1], v[:, :, :end])
        ctx.save_for_backward(q, k, v, *blocks)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, slope):
        q, k, v, *blocks = ctx.saved_tensors
        exact = torch.promote_types(q.dtype, torch.float32)
        by_q, by_k, by_v = (
            torch.empty_like(q),
            torch.zeros_like(k, dtype=exact),
            torch.zeros_like(v, dtype=exact),
        )
        slope, start = slope.contiguous(), 0
        for weights in blocks:
            end = start + weights.shape[2]
            out = slope[:, :, start:end]
            by_v[:, :, :end] += torch.matmul(weights.mT, out)
            by_weights = torch.matmul(out, v[:, :, :end].mT)
            by_scores = torch.ops.aten._softmax_backward_data(by_weights, weights, -1, weights.dtype)
            by_q[:, :, start:end] = torch.matmul(by_scores, k[:, :, :end])
            by_k[:, :, :end] += torch.matmul(by_scores.mT, q[:, :, start:end])
            start = end
        return by_q, by_k.to(k.dtype), by_v.to(v.dtype), None


def _together(rows: Tensor, *layers: nn.Linear) -> Tensor:
    """The layers' outputs concatenated. Plain linear layers run as one product; an adapter's layer is called."""
    if any(type(layer) is not nn.Linear for layer in layers):
        return torch.cat([layer(rows) for layer in layers], dim=-1)
    bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
    return functional.linear(rows, torch.cat([layer.weight for layer in layers]), bias)


def _turn(heads_BTHd: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding. `sin` holds the sign of the rotated half."""
    return torch.addcmul(heads_BTHd * cos, heads_BTHd.roll(heads_BTHd.shape[-1] // 2, -1), sin)
