"""Drawing as a fixed-length loop: every picture is exactly N codes, so nothing is ever tested for stopping.

What makes it faster than a general `generate`:
- each different prompt is prefilled once, in one pass, however many rows draw from it; with guidance the
  unconditional rows are a second branch, all with one prompt, so their prefix is computed once too;
- the cache of the codes is preallocated and written in place; the keys of a prompt are held once per group of
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

from zero_engine.models.trunk import Trunk, bmm_rows, padded, rms_norm, rows_by


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
    branches = [_Branch(trunk, prompts, length)]
    if guided:
        branches.append(_Branch(trunk, [unconditional] * batch, length))
    memory = _Memory(trunk, branches)
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
    """What the rows of all branches remember. `back` maps a row asked for, branch by branch, to where it is."""

    def __init__(self, trunk: Trunk, branches: list["_Branch"]):
        self.trunk = trunk
        self.branches = branches
        batch = len(branches[0].order)
        self.item_of_row = torch.cat([branch.order for branch in branches])
        self.back = torch.cat(
            [torch.argsort(branch.order) + batch * at for at, branch in enumerate(branches)]
        )
        self.last_hidden = torch.cat([branch.last_hidden for branch in branches])
        positions_RN = torch.cat([branch.positions_RN for branch in branches])
        self.cos_RNd, self.sin_RNd = trunk.rotations(positions_RN)

    def advance(self, hidden_RD: Tensor, step: int) -> Tensor:
        """Feed the codes drawn at `step` (their embeddings), and return the normed hidden states."""
        trunk = self.trunk
        batch = len(self.branches[0].order)
        cos_Rd, sin_Rd = self.cos_RNd[:, step], self.sin_RNd[:, step]
        for branch in self.branches:
            branch.mask_n1S[:, :, branch.slots + step] = 0
        for number, layer in enumerate(trunk.layers):
            rows = [part.split(batch) for part in trunk.project(layer, hidden_RD, cos_Rd, sin_Rd)]
            attended = [
                branch.attend(number, *qkv, step)
                for branch, qkv in zip(self.branches, zip(*rows, strict=True), strict=True)
            ]
            hidden_RD = trunk.finish(layer, hidden_RD, torch.cat(attended))
        return rms_norm(hidden_RD, trunk.final_norm, trunk.eps)


class _Branch:
    """Keys and values of some rows: those of the prompts, per group of rows, and those of the codes, per row.

    Rows are sorted by prompt (`order`) and cut into groups of C rows of one prompt, C the greatest size that
    divides all. Shapes: n groups, C rows a group, G key/value heads, r query heads for each, d head width,
    P prompt slots, T slots of the codes so far, padded, and S = P + T.
    """

    def __init__(self, trunk: Trunk, asked: Sequence[Sequence[int]], length: int):
        device = trunk.device
        prompts = list(dict.fromkeys(map(tuple, asked)))
        index = {prompt: position for position, prompt in enumerate(prompts)}
        prompt_of_row = np.array([index[tuple(prompt)] for prompt in asked])
        order = np.argsort(prompt_of_row, kind="stable")
        self.order = torch.from_numpy(order).to(device)
        self.group = math.gcd(*np.bincount(prompt_of_row).tolist())
        prompt_of_row_R = torch.from_numpy(prompt_of_row[order]).to(device)
        prompt_of_group_n = prompt_of_row_R[:: self.group]

        lengths_U = torch.tensor([len(prompt) for prompt in prompts], device=device)
        hidden_UPD, cache = trunk.prefill(prompts)
        self.slots = hidden_UPD.shape[1]
        self.last_hidden = hidden_UPD[prompt_of_row_R, lengths_U[prompt_of_row_R] - 1]
        self.positions_RN = lengths_U[prompt_of_row_R][:, None] + torch.arange(length, device=device)
        self.prompt_keys = [key[prompt_of_group_n].flatten(0, 1).mT.contiguous() for key, _ in cache]
        self.prompt_values = [value[prompt_of_group_n].flatten(0, 1) for _, value in cache]

        groups, room = len(prompt_of_group_n), padded(length)
        unseen_nS = torch.arange(self.slots + room, device=device) >= lengths_U[prompt_of_group_n][:, None]
        self.mask_n1S = unseen_nS[:, None].to(trunk.dtype).masked_fill_(unseen_nS[:, None], float("-inf"))
        scale = torch.tensor(trunk.head_width**-0.5, dtype=trunk.dtype, device=device)
        self.scale_21 = scale.expand(2, 1)
        shape = (len(trunk.layers), 2, groups, trunk.kv_heads, self.group, room, trunk.head_width)
        self.codes_cache = torch.zeros(
            shape, dtype=trunk.dtype, device=device
        )  # never NaN: masked slots count 0

    def attend(self, number: int, q_RHd: Tensor, k_RGd: Tensor, v_RGd: Tensor, step: int) -> Tensor:
        """One query position per row over its prompt and its codes so far, (R, H * d).

        Plain `bmm` throughout: `baddbmm`, or a strided result, falls back to one matrix at a time, and so do
        matrices of less than 400 products, hence T in whole multiples.
        """
        keys_nGCNd, values_nGCNd = self.codes_cache[number]
        groups, kv_heads, group, _, width = keys_nGCNd.shape
        keys_nGCNd[:, :, :, step] = k_RGd.view(groups, group, kv_heads, width).transpose(1, 2)
        values_nGCNd[:, :, :, step] = v_RGd.view(groups, group, kv_heads, width).transpose(1, 2)
        room = padded(step + 1)
        keys, values = keys_nGCNd.flatten(0, 2)[:, :room], values_nGCNd.flatten(0, 2)[:, :room]
        queries_nGCrd = q_RHd.view(groups, group, kv_heads, -1, width).transpose(1, 2)
        repeat = queries_nGCrd.shape[3]
        together = group * repeat
        if together == 1:  # computed twice: alone in its matrix, a row gets other bits than among others
            twice = queries_nGCrd.reshape(-1, 1, width) * self.scale_21
            queries, for_prompt = twice[:, :1], twice
        else:
            queries = (queries_nGCrd * self.scale_21[0]).reshape(-1, repeat, width)
            for_prompt = queries.view(-1, together, width)

        prompt_scores = torch.bmm(for_prompt, self.prompt_keys[number])[:, :together]
        prompt_scores = prompt_scores.reshape(-1, repeat, self.slots) if together > 1 else prompt_scores
        scores = torch.cat((prompt_scores, torch.bmm(queries, keys.transpose(1, 2))), dim=-1)
        scores.view(groups, -1, scores.shape[-1]).add_(self.mask_n1S[:, :, : scores.shape[-1]])
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)
        attended = torch.bmm(weights[..., self.slots :], values)
        prompt_weights = weights[..., : self.slots]
        if together == 1:
            prompt_weights = prompt_weights.repeat(1, 2, 1)
        from_prompt = torch.bmm(prompt_weights.reshape(-1, max(together, 2), self.slots), self.prompt_values[number])
        attended = attended.add_(from_prompt[:, :together].reshape(attended.shape))
        return attended.view(queries_nGCrd.shape).transpose(1, 2).reshape(len(q_RHd), -1)
