"""Drawing as a fixed-length loop: every picture is exactly N codes, so nothing is ever tested for stopping.

What makes it faster than a general `generate`:
- rows that agree in prompt and codes so far are computed once (see `nodes`); with guidance the unconditional
  rows, which all have one prompt, are rows like any other;
- keys and values are written in place and read side by side (see `memory`), weights are packed (see `trunk`);
- the head has the K rows of the codes only, in code order, and sampling sorts K values, not a vocabulary;
- the likelihoods of what was drawn are read off the same logits.

A row's random numbers are N uniforms from its own seed; codes come from them by the inverse of the cumulative
distribution in code order. On CPU in float32 a row's codes and likelihoods are the same bits whatever its
neighbours are (see `trunk`), so a batch may be cut, padded or re-ordered freely.

Guidance is classifier-free, `u + g * (c - u)` on log-probabilities (Ho & Salimans 2022), before temperature,
top-k and top-p, in this order. Where pictures stand before the prompt it may have a third branch, i, which has seen
the pictures and no text: `u + g * (c - u) + h * (i - u)`. Logits instead of log-probabilities would give the same
codes: what log-softmax takes off is one number a branch.

    python benchmarks/decoding.py --json
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zero_engine.models.memory import Memory
from zero_engine.models.nodes import Nodes
from zero_engine.models.trunk import Trunk, rows_by


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a code is chosen. Temperature 0 is greedy; top_p 1 and top_k None filter nothing."""

    guidance: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    image_guidance: float = 0.0
    """The h of `h * (i - u)`; 0 switches the third branch off."""

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
    pictures: Sequence[Sequence[int]] | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Draw `length` codes after each prompt.

    Prompts, `unconditional` and `pictures` (the prompts without their text) are ids that end with BOI. Returns codes
    (B, N) int64, the mean log p of the codes under the prompt (B,), and the same under `unconditional`, or None
    without guidance.
    """
    weights = [sampling.guidance, *([sampling.image_guidance] if sampling.image_guidance else [])]
    guided = weights != [1]
    batch = len(prompts)
    rows = [*prompts, *([unconditional] * batch if guided else []), *(pictures if len(weights) > 1 else [])]
    branches = len(rows) // batch
    nodes = Nodes(rows, batch, trunk.device)
    memory = Memory(trunk, nodes.prompts, len(rows), length)
    uniforms_NB = uniforms_from(seeds, length).to(trunk.device)

    codes_NB = torch.empty(length, batch, dtype=torch.long, device=trunk.device)
    logp_NR = torch.empty(length, len(rows), dtype=torch.float32, device=trunk.device)
    hidden_MD = memory.last_hidden
    for step in range(length):
        logp_MK = torch.log_softmax(rows_by(hidden_MD, head_DK), dim=-1, dtype=torch.float32)
        scores_UK = logp_MK[nodes.conditional]
        if guided:
            prior_UK, *seen_UK = (logp_MK[other] for other in nodes.others)
            scores_UK = guide(prior_UK, [scores_UK, *seen_UK], weights)
        codes_B = choose(scores_UK, uniforms_NB[step], sampling, nodes.place)
        codes_NB[step] = codes_B
        codes_R = torch.cat([codes_B] * branches)
        logp_NR[step] = logp_MK[nodes.of_row, codes_R]
        if step + 1 < length:
            memory.fork(nodes.split(codes_R))
            inputs_M = code_ids_K[codes_R[nodes.first_row]]
            hidden_MD = memory.advance(functional.embedding(inputs_M, trunk.embedding), step)
    mean_R = logp_NR.double().mean(dim=0).float()
    return codes_NB.t().contiguous(), mean_R[:batch], mean_R[batch : 2 * batch] if guided else None


def guide(prior_BK: Tensor, conditions: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """`u + g * (c - u) + h * (i - u)`, with as many terms as there are conditions."""
    guided_BK = prior_BK
    for condition_BK, weight in zip(conditions, weights, strict=True):
        guided_BK = torch.add(guided_BK, condition_BK - prior_BK, alpha=weight)
    return guided_BK


def choose(
    scores_UK: Tensor, uniforms_B: Tensor, sampling: Sampling, place_B: Tensor | None = None
) -> Tensor:
    """A code for each uniform number, (B,): the inverse of the cumulative distribution, in code order.

    `place` says which of the distributions each is drawn from; without it, as many stand side by side. Top-k and
    top-p keep whatever is as likely as the last one kept, so ties never depend on a sort.
    """
    if sampling.temperature == 0:
        best_U = scores_UK.argmax(dim=-1)
        return best_U if place_B is None else best_U[place_B]
    probs_UK = torch.softmax(
        scores_UK / sampling.temperature if sampling.temperature != 1 else scores_UK, dim=-1
    )
    if sampling.top_p < 1 or sampling.top_k is not None:
        least_U1 = _least_kept(probs_UK, sampling.top_p, sampling.top_k)
        probs_UK = probs_UK.mul_(probs_UK >= least_U1)
    # float64: u * total stays below total, so a code of probability zero is never chosen
    mass_UK = torch.cumsum(probs_UK, dim=-1, dtype=torch.float64)
    mass_BK = mass_UK if place_B is None else mass_UK[place_B]
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
