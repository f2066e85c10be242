"""The language model's decoder layers for inference: they compute what transformers' Chameleon does, faster.

`Trunk` borrows the weights of a `ChameleonModule` and runs its layers on flat rows. It
differs from transformers' forward in these ways only:

- q, k, v are one matrix, gate and up another, stored input-major. The module's own parameters become views
  of them. Float32 matrices on CPU are held a second time, in oneDNN's order: at these sizes oneDNN multiplies twice
  as fast as MKL, which packs a matrix at every product.
- The caller computes the attention, because prefilling and drawing need different forms of it.
- A row's bits do not depend on the other rows of its batch (float32 on a CPU, measured). oneDNN gives a row the same
  bits for any number of rows. MKL does so for multiples of 8 rows, so `rows_by` adds filler rows. Attention runs
  one matrix product for each sequence and head, and its padding adds exact zeros.

Shapes: M rows, D hidden, H query heads, G key/value heads, d head width, P prompt slots, K codes.
"""

import importlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional

from zero_engine.batches import padded
from zero_engine.models.chameleon.modules import ChameleonModule, DecoderLayer, decoder_layers

log = logging.getLogger(__name__)

_ATTENTION_BYTES = 64 << 20
_PACKED_BYTES = 32 << 20
"""Matrices of more bytes are not packed, because the packed copy takes as much memory again."""
_ROW_MULTIPLE = 8
"""MKL gives a row other bits when the number of rows is small or no multiple of this."""


@dataclass(slots=True)
class Layer:
    """One decoder layer's weights, input-major: `rows @ weight`."""

    qkv: Tensor
    qkv_bias: Tensor | None
    qk_norm: Tensor
    qk_norm_bias: Tensor
    out: Tensor
    out_bias: Tensor | None
    gate_up: Tensor
    gate_up_bias: Tensor | None
    down: Tensor
    down_bias: Tensor | None
    norm_attention: Tensor
    norm_mlp: Tensor


class Trunk:
    """Decoder layers on flat rows. `prefill` runs whole sequences; `project` and `finish` run half a layer each."""

    def __init__(self, module: ChameleonModule):
        config = module.config
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        self.head_width = config.hidden_size // config.num_attention_heads
        self.eps = torch.tensor(config.rms_norm_eps, device=module.device)
        self.head_eps = torch.tensor(1e-5, device=module.device)
        self.norm_after = bool(config.swin_norm)
        self.activation = decoder_layers(module.model)[0].mlp.act_fn
        self.embedding = module.model.embed_tokens.weight
        self.final_norm = module.model.norm.weight
        self.rotary = module.model.rotary_emb
        self.layers = [_pack(layer) for layer in decoder_layers(module.model)]
        self.kernels = load_kernels(module.device)
        self.norm = self.kernels.rms_norm if self.kernels else rms_norm

    @property
    def device(self) -> torch.device:
        return self.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        return self.embedding.dtype

    def prefill(
        self, sequences: Sequence[Sequence[int]], *, last_only: bool = False
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Run whole sequences, padded on the right.

        Returns the hidden states after the final norm, (B, P, D), or with `last_only` those of each sequence's
        last position, (B, D); and per layer the rotated keys and values, each (B, G, P, d). Slots past a
        sequence's end hold undefined numbers.
        """
        slots = padded(max(len(ids) for ids in sequences))
        ids_BP = torch.zeros(len(sequences), slots, dtype=torch.long)
        for row, ids in enumerate(sequences):
            ids_BP[row, : len(ids)] = torch.tensor(ids)
        hidden = functional.embedding(ids_BP.to(self.device), self.embedding).flatten(0, 1)
        cos_Pd, sin_Pd = self.rotations(torch.arange(slots))
        repeat = (len(sequences), 1)
        cos_M1d, sin_M1d = cos_Pd.repeat(*repeat)[:, None], sin_Pd.repeat(*repeat)[:, None]
        cache = []
        for layer in self.layers:
            q, k, v = self.project(layer, hidden, cos_M1d, sin_M1d)
            q, k, v = (rows.view(-1, slots, *rows.shape[1:]).transpose(1, 2) for rows in (q, k, v))
            attended = _causal_attention(q, k, v)
            cache.append((k, v))
            if last_only and layer is self.layers[-1]:
                last = [row * slots + len(ids) - 1 for row, ids in enumerate(sequences)]
                hidden, attended = hidden[last], attended[last]
            hidden = self.finish(layer, hidden, attended)
        normed = self.norm(hidden, self.final_norm, self.eps)
        return normed if last_only else normed.view(len(sequences), slots, -1), cache

    def rotations(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Rotary cosines and signed sines of positions, each (*positions, d), as `project` takes them."""
        cos, sin = self.rotary(self.embedding, positions.to(self.device).reshape(1, -1))
        half = self.head_width // 2
        sin = torch.cat((-sin[..., :half], sin[..., half:]), dim=-1)
        return cos.view(*positions.shape, -1), sin.view(*positions.shape, -1)

    def before_attention(self, layer: Layer, hidden_MD: Tensor) -> Tensor:
        """What the queries, keys and values are computed from."""
        return hidden_MD if self.norm_after else self.norm(hidden_MD, layer.norm_attention, self.eps)

    def project(
        self, layer: Layer, hidden_MD: Tensor, cos_M1d: Tensor, sin_M1d: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (M, H, d), scaled by d^-0.5, keys and values (M, G, d); queries and keys are normed and rotated."""
        normed = self.before_attention(layer, hidden_MD)
        qkv = rows_by(normed, layer.qkv, layer.qkv_bias).view(len(normed), -1, self.head_width)
        normed_heads = self.heads + self.kv_heads
        qk = head_norm(qkv[:, :normed_heads], layer.qk_norm, layer.qk_norm_bias, self.head_eps)
        swapped = torch.roll(qk, self.head_width // 2, dims=-1)
        qk = torch.addcmul(qk * cos_M1d, swapped, sin_M1d)
        return qk[:, : self.heads], qk[:, self.heads :], qkv[:, normed_heads:]

    def finish(self, layer: Layer, hidden_MD: Tensor, attended_MD: Tensor) -> Tensor:
        """Output projection, residual, and the feed-forward half of a layer."""
        attended = rows_by(attended_MD, layer.out, layer.out_bias)
        if self.norm_after:
            attended = self.norm(attended, layer.norm_attention, self.eps)
        hidden = attended.add_(hidden_MD)
        normed = hidden if self.norm_after else self.norm(hidden, layer.norm_mlp, self.eps)
        gate, up = rows_by(normed, layer.gate_up, layer.gate_up_bias).chunk(2, dim=-1)
        fed = rows_by(self.activation(gate).mul_(up), layer.down, layer.down_bias)
        if self.norm_after:
            fed = self.norm(fed, layer.norm_mlp, self.eps)
        return fed.add_(hidden)


def load_kernels(device: torch.device) -> ModuleType | None:
    """The kernels for this device, or None on a CPU and, with a warning, where there is no Triton."""
    if device.type != "cuda":
        return None
    try:
        return importlib.import_module("zero_engine.models.chameleon.kernels")
    except ImportError:
        log.warning("drawing on a GPU without Triton is slower: pip install triton")
        return None


def rows_by(rows_MD: Tensor, weight_DE: Tensor, bias_E: Tensor | None = None) -> Tensor:
    """`rows @ weight + bias`, for a plain or a packed weight. A row's bits do not depend on the number of rows."""
    packed = weight_DE.is_mkldnn
    missing = -len(rows_MD) % _ROW_MULTIPLE
    if missing and rows_MD.is_cpu and (not packed or len(rows_MD) == 1):
        return rows_by(functional.pad(rows_MD, (0, 0, 0, missing)), weight_DE, bias_E)[: len(rows_MD)]
    if packed:
        return torch.ops.mkldnn._linear_pointwise(rows_MD, weight_DE, bias_E, "none", [], "")
    if bias_E is None:
        return torch.mm(rows_MD, weight_DE)
    return torch.addmm(bias_E, rows_MD, weight_DE)


def pack(weight_DE: Tensor) -> Tensor:
    """Packs a weight in oneDNN's order for `rows_by`; returns it unchanged where torch cannot pack it."""
    small = weight_DE.nbytes <= _PACKED_BYTES
    if small and weight_DE.is_cpu and _packs(weight_DE.dtype):
        return torch.ops.mkldnn._reorder_linear_weight(weight_DE.detach().t().contiguous())
    return weight_DE


def _packs(dtype: torch.dtype) -> bool:
    """Whether this torch multiplies by packed weights. The operators are private, so a torch version can lack them."""
    mkldnn = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available():
        return False
    if not all(hasattr(mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise")):
        return False
    if dtype == torch.bfloat16:
        return hasattr(mkldnn, "_is_mkldnn_bf16_supported") and mkldnn._is_mkldnn_bf16_supported()
    return dtype == torch.float32


def rms_norm(rows_MD: Tensor, weight_D: Tensor, eps: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight, the statistics in float32 as in transformers."""
    rows = rows_MD.float()
    return (rows * _inverse_root_mean_square(rows, eps)).to(rows_MD.dtype).mul_(weight_D)


def head_norm(heads_MHd: Tensor, weight_Hd: Tensor, bias_Hd: Tensor, eps: Tensor) -> Tensor:
    """Layer norm of each head. torch's own layer norm is slower on rows as short as a head."""
    heads = heads_MHd.float()
    centred = heads - heads.mean(dim=-1, keepdim=True)
    normed = centred.mul_(_inverse_root_mean_square(centred, eps)).to(heads_MHd.dtype)
    return torch.addcmul(bias_Hd, normed, weight_Hd)


def _inverse_root_mean_square(rows: Tensor, eps: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    return torch.addcmul(eps, length, length, value=1 / rows.shape[-1]).rsqrt_()


def _causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of whole sequences, (B, heads, P, d) each, as rows (B * P, H * d)."""
    sequences, heads, slots, width = q.shape
    group = heads // k.shape[1]
    future_PP = torch.full((slots, slots), float("-inf"), dtype=q.dtype, device=q.device).triu_(1)
    at_once = max(1, _ATTENTION_BYTES // (heads * slots * slots * q.element_size()))
    outs = []
    for start in range(0, sequences, at_once):
        part = slice(start, start + at_once)
        keys = k[part].repeat_interleave(group, dim=1) if group > 1 else k[part]
        values = v[part].repeat_interleave(group, dim=1) if group > 1 else v[part]
        scores = torch.matmul(q[part], keys.transpose(2, 3)).add_(future_PP)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
        outs.append(torch.matmul(weights, values).transpose(1, 2).reshape(-1, heads * width))
    return torch.cat(outs)


def _pack(layer: DecoderLayer) -> Layer:
    """A layer's weights, fused and packed. The queries' scale d^-0.5 goes into the norm of their heads."""
    attention, mlp = layer.self_attn, layer.mlp
    qkv, qkv_bias = _fuse(attention.q_proj, attention.k_proj, attention.v_proj)
    gate_up, gate_up_bias = _fuse(mlp.gate_proj, mlp.up_proj)
    out, out_bias = _fuse(attention.o_proj)
    scale = attention.head_dim**-0.5
    down, down_bias = _fuse(mlp.down_proj)
    return Layer(
        qkv=pack(qkv),
        qkv_bias=qkv_bias,
        qk_norm=torch.cat((attention.q_norm.weight * scale, attention.k_norm.weight)).detach(),
        qk_norm_bias=torch.cat((attention.q_norm.bias * scale, attention.k_norm.bias)).detach(),
        out=pack(out),
        out_bias=out_bias,
        gate_up=pack(gate_up),
        gate_up_bias=gate_up_bias,
        down=pack(down),
        down_bias=down_bias,
        norm_attention=layer.input_layernorm.weight.detach(),
        norm_mlp=layer.post_attention_layernorm.weight.detach(),
    )


def _fuse(*linears: torch.nn.Linear) -> tuple[Tensor, Tensor | None]:
    """Joins linear layers into one input-major matrix and makes their weights views of it. Returns matrix and bias."""
    joined = torch.cat([linear.weight.detach() for linear in linears]).t().contiguous()
    parts = joined.split([linear.out_features for linear in linears], dim=1)
    for linear, part in zip(linears, parts, strict=True):
        linear.weight.data = part.t()
    if linears[0].bias is None:
        return joined, None
    return joined, torch.cat([linear.bias.detach() for linear in linears])
