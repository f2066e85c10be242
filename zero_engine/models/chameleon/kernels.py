"""Three Triton kernels for a decoding step on a GPU, where many small kernels would take longer than the weights.

- `rms_norm`: one kernel instead of seven.
- `place`: norm and rotation of the queries' and keys' heads, and the new keys and values into the cache: one instead of
  about twenty.
- `attend`: one query of each node over the slots that the node has filled. It reads nothing else of the cache, and it
  takes the number of filled slots from the device, so one CUDA graph serves a whole drawing.

They round where `trunk` and `cache` round, but sum in another order. Import this where there is Triton; CUDA builds of
torch bring it.

Shapes: M nodes, H query heads, G key/value heads, d head width, S slots, P positions.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_SLOTS_AT_ONCE = 64


def rms_norm(rows_MD: Tensor, weight_D: Tensor, eps: Tensor) -> Tensor:
    """See `trunk.rms_norm`; `eps` is a tensor of the rows' device."""
    rows_MD = rows_MD.contiguous()
    out, width = torch.empty_like(rows_MD), rows_MD.shape[-1]
    _rms_norm[(rows_MD.numel() // width,)](
        rows_MD, weight_D, eps, out, width, triton.next_power_of_2(width), num_warps=8
    )
    return out


def place(
    qkv_ME: Tensor,
    weight_Hd: Tensor,
    bias_Hd: Tensor,
    eps: Tensor,
    cos_Pd: Tensor,
    sin_Pd: Tensor,
    lengths_M: Tensor,
    where: Tensor,
    slots: int,
    cache: Tensor,
) -> Tensor:
    """Returns the queries (M, H, d), normed and rotated, and writes keys and values into the slot `where`, (1,).

    `cache` is (2, M, G, S, d), contiguous. The token's position is its node's length plus its distance from `slots`.
    """
    _, nodes, kv_heads, room, width = cache.shape
    normed = len(weight_Hd)
    queries = qkv_ME.new_empty(nodes, normed - kv_heads, width)
    _place[(nodes, normed + kv_heads)](
        qkv_ME, weight_Hd, bias_Hd, eps, cos_Pd, sin_Pd, lengths_M, where, queries, cache[0], cache[1],
        slots, normed - kv_heads, kv_heads, room, width, triton.next_power_of_2(width), num_warps=1,
    )  # fmt: skip
    return queries


def attend(queries_MHd: Tensor, cache: Tensor, lengths_M: Tensor, where: Tensor, slots: int) -> Tensor:
    """Attention of one query for each node, (M, H * d), over its prompt and the slots `slots` to `where`."""
    nodes, heads, width = queries_MHd.shape
    _, _, kv_heads, room, _ = cache.shape
    out = torch.empty_like(queries_MHd)
    _attend[(nodes, heads)](
        queries_MHd, cache[0], cache[1], lengths_M, where, out, slots, heads, heads // kv_heads, room, width,
        triton.next_power_of_2(width), _SLOTS_AT_ONCE, num_warps=4,
    )  # fmt: skip
    return out.view(nodes, heads * width)


@triton.jit
def _rms_norm(rows, weights, eps, out, width: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside, start = at < width, tl.program_id(0).to(tl.int64) * width
    row = tl.load(rows + start + at, mask=inside, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(row * row, 0) / width + tl.load(eps))
    normed = (row * inverse).to(out.dtype.element_ty).to(tl.float32)
    weight = tl.load(weights + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + start + at, (normed * weight).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _place(
    qkv, weights, biases, eps, cos, sin, lengths, where, queries, keys, values,
    slots, heads, kv_heads, room, width: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    node, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at = tl.arange(0, BLOCK)
    inside = at < width
    kind: tl.constexpr = queries.dtype.element_ty
    source = qkv + (node * (heads + 2 * kv_heads) + head) * width
    slot = tl.load(where)
    if head < heads + kv_heads:
        row = tl.load(source + at, mask=inside, other=0.0).to(tl.float32)
        mean = tl.sum(row, 0) / width
        centred = tl.where(inside, row - mean, 0.0)
        inverse = tl.rsqrt(tl.sum(centred * centred, 0) / width + tl.load(eps))
        other = (at + width // 2) % width
        own = _normed(source, weights, biases, head, width, at, inside, mean, inverse, kind)
        swapped = _normed(source, weights, biases, head, width, other, inside, mean, inverse, kind)
        position = (tl.load(lengths + node) + slot - slots) * width
        turned = own * tl.load(cos + position + at, mask=inside, other=0.0).to(tl.float32)
        turned = turned.to(kind).to(tl.float32)
        turned += swapped * tl.load(sin + position + at, mask=inside, other=0.0).to(tl.float32)
        if head < heads:
            tl.store(queries + (node * heads + head) * width + at, turned.to(kind), mask=inside)
        else:
            target = ((node * kv_heads + head - heads) * room + slot) * width
            tl.store(keys + target + at, turned.to(kind), mask=inside)
    else:
        target = ((node * kv_heads + head - heads - kv_heads) * room + slot) * width
        tl.store(values + target + at, tl.load(source + at, mask=inside, other=0.0), mask=inside)


@triton.jit
def _normed(
    source, weights, biases, head, width: tl.constexpr, at, inside, mean, inverse, kind: tl.constexpr
):
    row = tl.load(source + at, mask=inside, other=0.0).to(tl.float32)
    normed = ((row - mean) * inverse).to(kind).to(tl.float32)
    weight = tl.load(weights + head * width + at, mask=inside, other=0.0).to(tl.float32)
    bias = tl.load(biases + head * width + at, mask=inside, other=0.0).to(tl.float32)
    return (bias + normed * weight).to(kind).to(tl.float32)


@triton.jit
def _attend(
    queries, keys, values, lengths, where, out, slots, heads, group, room, width: tl.constexpr,
    BLOCK: tl.constexpr, SLOTS: tl.constexpr,
):  # fmt: skip
    node, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at = tl.arange(0, BLOCK)
    own = (node * heads + head) * width + at
    query = tl.load(queries + own, mask=at < width, other=0.0).to(tl.float32)
    start = (node * (heads // group) + head // group) * room * width
    best, total, seen = tl.full((), float("-inf"), tl.float32), tl.zeros((), tl.float32), query * 0.0
    best, total, seen = _see(
        query,
        keys + start,
        values + start,
        0,
        tl.load(lengths + node),
        width,
        best,
        total,
        seen,
        BLOCK,
        SLOTS,
    )
    best, total, seen = _see(
        query, keys + start, values + start, slots, tl.load(where) + 1, width, best, total, seen, BLOCK, SLOTS
    )
    tl.store(out + own, (seen / total).to(out.dtype.element_ty), mask=at < width)


@triton.jit
def _see(
    query,
    keys,
    values,
    first,
    end,
    width: tl.constexpr,
    best,
    total,
    seen,
    BLOCK: tl.constexpr,
    SLOTS: tl.constexpr,
):
    """Goes on with a softmax that is computed slot by slot: its highest score, its sum and the values that it saw."""
    at = tl.arange(0, BLOCK)
    for start in range(first, end, SLOTS):
        slot = start + tl.arange(0, SLOTS)
        there = slot < end
        inside = there[:, None] & (at < width)[None, :]
        place = slot[:, None] * width + at[None, :]
        key = tl.load(keys + place, mask=inside, other=0.0).to(tl.float32)
        value = tl.load(values + place, mask=inside, other=0.0).to(tl.float32)
        score = tl.where(there, tl.sum(key * query[None, :], 1), float("-inf"))
        higher = tl.maximum(best, tl.max(score, 0))
        weight, fade = tl.exp(score - higher), tl.exp(best - higher)
        seen = seen * fade + tl.sum(weight[:, None] * value, 0)
        total = total * fade + tl.sum(weight, 0)
        best = higher
    return best, total, seen
