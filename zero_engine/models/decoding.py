"""Drawing as a fixed-length loop: every picture is exactly N codes, so nothing is ever tested for stopping.

What makes it faster than a general `generate`:
- each different prompt is prefilled once, in one pass, however many rows draw from it; with guidance the
  unconditional rows are a second branch, all with one prompt, so their prefix is computed once too;
- the cache of the codes is written in place; the keys of a prompt are held once per group of
  rows that share it, and attention reads them once for the group;
- the head has the K rows of the codes only, in code order, and sampling sorts K values, not a vocabulary;
- the likelihoods of what was drawn are read off the same logits.

A row's random numbers are N uniforms from its own seed; codes come from them by the inverse of the cumulative
distribution in code order. On CPU in float32 a row's codes and likelihoods are the same bits whatever its
neighbours are (see `trunk`), so a batch may be cut, padded or re-ordered freely.

Guidance is classifier-free, `u + g * (c - u)` on log-probabilities (Ho & Salimans 2022), before temperature,
top-k and top-p, in this order.

    python benchmarks/decoding.py --json
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zero_engine.models.trunk import SLOT_MULTIPLE, Trunk, padded, rms_norm, rows_by


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a code is chosen. Temperature 0 is greedy; top_p 1 and top_k None filter nothing."""

    guidance: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or (self.top_k is not None and self.top_k < 1):
            raise ValueError(f"temperature must be >= 0, top_p in (0, 1], top_k >= 1; got {self}")


@torch.inference_mode()
def draw_codes(
    trunk: Trunk,
    head_DK: Tensor,
    code_ids_K: Tensor,
    prompts: Sequence[Sequence[int]],
    unconditional: Sequence[int],
    seeds: Sequence[int],
    length: int,
    sampling: Sampling,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Draw `length` codes after each prompt.

    Prompts and `unconditional` are ids that end with BOI. Returns codes (B, N) int64, the mean log p of the
    codes under the prompt (B,), and the same under `unconditional`, or None without guidance.
    """
    guided = sampling.guidance != 1
    batch = len(prompts)
    branches = [prompts, [unconditional] * batch] if guided else [prompts]
    memory = _Memory(trunk, branches, length)
    uniforms_NB = uniforms_from(seeds, length).to(trunk.device)

    codes_NB = torch.empty(length, batch, dtype=torch.long, device=trunk.device)
    logp_NR = torch.empty(length, batch * len(branches), dtype=torch.float32, device=trunk.device)
    hidden_RD = memory.last_hidden
    for step in range(length):
        logits_RK = rows_by(hidden_RD[memory.back], head_DK)
        logp_RK = torch.log_softmax(logits_RK, dim=-1, dtype=torch.float32)
        scores_BK = guide(logp_RK[:batch], logp_RK[batch:], sampling.guidance) if guided else logp_RK
        codes_B = choose(scores_BK, uniforms_NB[step], sampling)
        codes_NB[step] = codes_B
        logp_NR[step] = logp_RK.gather(1, codes_B.repeat(len(branches))[:, None])[:, 0]
        if step + 1 < length:
            inputs_R = code_ids_K[codes_B][memory.item_of_row]
            hidden_RD = memory.advance(functional.embedding(inputs_R, trunk.embedding), step)
    mean_R = logp_NR.double().mean(dim=0).float()
    return codes_NB.t().contiguous(), mean_R[:batch], mean_R[batch:] if guided else None


def guide(conditional_BK: Tensor, unconditional_BK: Tensor, scale: float) -> Tensor:
    """`u + g * (c - u)`."""
    return torch.add(unconditional_BK, conditional_BK - unconditional_BK, alpha=scale)


def choose(scores_BK: Tensor, uniforms_B: Tensor, sampling: Sampling) -> Tensor:
    """One code per row, (B,): the inverse of the cumulative distribution, in code order, at a uniform number.

    Top-k and top-p keep whatever is as likely as the last one kept, so ties never depend on a sort.
    """
    if sampling.temperature == 0:
        return scores_BK.argmax(dim=-1)
    probs_BK = torch.softmax(
        scores_BK / sampling.temperature if sampling.temperature != 1 else scores_BK, dim=-1
    )
    if sampling.top_p < 1 or sampling.top_k is not None:
        least_B1 = _least_kept(probs_BK, sampling.top_p, sampling.top_k)
        probs_BK = probs_BK.mul_(probs_BK >= least_B1)
    # float64: u * total stays below total, so a code of probability zero is never chosen
    mass_BK = torch.cumsum(probs_BK, dim=-1, dtype=torch.float64)
    return torch.searchsorted(mass_BK, uniforms_B[:, None] * mass_BK[:, -1:], right=True)[:, 0]


def uniforms_from(seeds: Sequence[int], length: int) -> Tensor:
    """Uniform numbers in [0, 1), (N, B) float64: column b comes from seed b alone.

    The raw stream of PCG64 is fixed by NumPy's compatibility policy; 53 of its bits make a double.
    """
    columns = [(np.random.PCG64(seed).random_raw(length) >> np.uint64(11)) * 2.0**-53 for seed in seeds]
    return torch.from_numpy(np.stack(columns, axis=1))


def _least_kept(probs_BK: Tensor, top_p: float, top_k: int | None) -> Tensor:
    """The probability of the least likely code that top-k, then top-p, keep, (B, 1)."""
    if probs_BK.is_cpu:
        ascending_BK = torch.from_numpy(np.sort(probs_BK.numpy(), axis=-1))  # 20 times faster than torch.sort
    else:
        ascending_BK = probs_BK.sort(dim=-1).values
    if top_k is not None and top_k < ascending_BK.shape[-1]:
        ascending_BK[:, :-top_k] = 0
    mass_BK = torch.cumsum(ascending_BK, dim=-1, dtype=torch.float64)
    dropped_B1 = (mass_BK <= mass_BK[:, -1:] * (1 - top_p)).sum(dim=-1, keepdim=True)
    return ascending_BK.gather(1, dropped_B1)


class _Memory:
    """Keys and values that the rows of all branches attend to: of their prompts, and of their codes so far.

    Rows stand branch by branch, sorted by prompt; `back` maps a row asked for to where it is. Shapes: R rows,
    G key/value heads, r query heads for each, d head width, P prompt slots, T slots of the codes so far, padded.
    """

    def __init__(self, trunk: Trunk, branches: Sequence[Sequence[Sequence[int]]], length: int):
        self.trunk = trunk
        batch = len(branches[0])
        slots = max(padded(max(map(len, asked))) for asked in branches)
        self.prompts = [_Prompts(trunk, asked, slots) for asked in branches]
        self.item_of_row = torch.cat([prompts.order for prompts in self.prompts])
        self.back = torch.cat(
            [torch.argsort(part.order) + batch * at for at, part in enumerate(self.prompts)]
        )
        self.last_hidden = torch.cat([prompts.last_hidden for prompts in self.prompts])
        lengths_R = torch.cat([prompts.lengths for prompts in self.prompts])
        self.cos_RNd, self.sin_RNd = trunk.rotations(
            lengths_R[:, None] + torch.arange(length, device=trunk.device)
        )
        self.slots = slots
        self.room = padded(length)
        # zeros, for what a masked slot holds is multiplied by 0, and NaN times 0 is NaN
        shape = (len(trunk.layers), 2, len(lengths_R), trunk.kv_heads, 0, trunk.head_width)
        self.codes = torch.zeros(shape, dtype=trunk.dtype, device=trunk.device)
        self.unseen_T = torch.full((self.room,), float("-inf"), dtype=trunk.dtype, device=trunk.device)

    def advance(self, hidden_RD: Tensor, step: int) -> Tensor:
        """Feed the codes drawn at `step` (their embeddings), and return the normed hidden states."""
        trunk = self.trunk
        cos_Rd, sin_Rd = self.cos_RNd[:, step], self.sin_RNd[:, step]
        self._open_slot(step)
        for number, layer in enumerate(trunk.layers):
            q, k, v = trunk.project(layer, hidden_RD, cos_Rd, sin_Rd)
            keys, values = self.codes[number]
            keys[:, :, step] = k
            values[:, :, step] = v
            hidden_RD = trunk.finish(layer, hidden_RD, self._attend(number, q))
        return rms_norm(hidden_RD, trunk.final_norm, trunk.eps)

    def _open_slot(self, step: int) -> None:
        """Make room for the code of a step, and let every row see it.

        The cache doubles as it fills: what is read stays dense, which spares the processor's page tables.
        """
        self.unseen_T[step] = 0
        room = self.codes.shape[4]
        if step == room:
            grown = min(max(2 * room, SLOT_MULTIPLE), self.room)
            self.codes = functional.pad(self.codes, (0, 0, 0, grown - room))
        if step % SLOT_MULTIPLE == 0:
            self.seen_slots = padded(step + 1)
            self.seen = [
                (keys.mT, values) for keys, values in self.codes.flatten(2, 3)[:, :, :, : self.seen_slots]
            ]

    def _attend(self, number: int, q_RHd: Tensor) -> Tensor:
        """One query position per row over its prompt and its codes so far, (R, H * d).

        Plain `bmm` throughout: `baddbmm`, or a strided result, falls back to one matrix at a time, and so do
        matrices of less than 400 products, hence T in whole multiples.
        """
        keys, values = self.seen[number]
        rows, _, width = q_RHd.shape
        queries_RGrd = q_RHd.reshape(rows, self.trunk.kv_heads, -1, width)
        queries = queries_RGrd.flatten(0, 1)
        scores = queries.new_empty(*queries.shape[:2], self.slots + self.seen_slots)
        weights_RGrS = scores.view(*queries_RGrd.shape[:3], -1)
        batch = rows // len(self.prompts)
        parts = [slice(at * batch, (at + 1) * batch) for at in range(len(self.prompts))]
        for part, prompts in zip(parts, self.prompts, strict=True):
            prompts.score(number, queries_RGrd[part], out=weights_RGrS[part][..., : self.slots])
        codes_scores = torch.bmm(queries, keys)
        torch.add(codes_scores, self.unseen_T[: self.seen_slots], out=scores[..., self.slots :])
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(queries.dtype)
        attended = torch.bmm(weights[..., self.slots :], values).view(queries_RGrd.shape)
        weights_RGrS = weights.view(*queries_RGrd.shape[:3], -1)
        for part, prompts in zip(parts, self.prompts, strict=True):
            prompts.read(number, weights_RGrS[part][..., : self.slots], onto=attended[part])
        return attended.view(rows, -1)


class _Prompts:
    """The prompts of one branch, held once per group of rows.

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
        padded_cache = [(functional.pad(keys, fill), functional.pad(values, fill)) for keys, values in cache]
        self.keys = [keys[prompt_of_group_n].flatten(0, 1).mT.contiguous() for keys, _ in padded_cache]
        self.values = [values[prompt_of_group_n].flatten(0, 1).contiguous() for _, values in padded_cache]
        beyond_RP = torch.arange(slots, device=device) >= self.lengths[:, None]
        self.mask_R11P = torch.zeros_like(beyond_RP, dtype=trunk.dtype).masked_fill_(beyond_RP, float("-inf"))
        self.mask_R11P = self.mask_R11P[:, None, None]

    def score(self, number: int, queries_RGrd: Tensor, out: Tensor) -> None:
        """Masked scores of every row over its prompt, into `out` (R, G, r, P)."""
        out = self._by_group(out)
        scores = torch.bmm(self._together(queries_RGrd), self.keys[number])
        torch.add(self._apart(scores, out.shape), self._by_group(self.mask_R11P), out=out)

    def read(self, number: int, weights_RGrP: Tensor, onto: Tensor) -> None:
        """Add to `onto` (R, G, r, d) every row's weighted values of its prompt."""
        onto = self._by_group(onto)
        onto += self._apart(torch.bmm(self._together(weights_RGrP), self.values[number]), onto.shape)

    def _by_group(self, rows_RGrE: Tensor) -> Tensor:
        """A view (n, G, C, r, E) of rows: what one product with a group's prompt gives, in its order."""
        return rows_RGrE.unflatten(0, (-1, self.group)).transpose(1, 2)

    def _together(self, rows_RGrE: Tensor) -> Tensor:
        """The rows of one group side by side, (n * G, C * r, E), so that a prompt is read once for all of them.

        What stands alone is doubled: BLAS gives a row alone in its matrix other bits than one among others.
        """
        grouped = self._by_group(rows_RGrE).flatten(0, 1).flatten(1, 2)
        return grouped.repeat(1, 2, 1) if grouped.shape[1] == 1 else grouped.contiguous()

    def _apart(self, product: Tensor, shape: Sequence[int]) -> Tensor:
        """The product of rows put together, as (n, G, C, r, E)."""
        return product[:, : shape[2] * shape[3]].unflatten(1, shape[2:4]).unflatten(0, shape[:2])
