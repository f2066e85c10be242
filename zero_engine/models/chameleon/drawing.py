"""Draws pictures in a loop of fixed length: every picture has exactly N codes, so no row is tested for its end.

What makes it faster than a general `generate`:
- Rows with the same prompt and the same codes so far are computed once (see `nodes`). Unconditional rows are rows like
  any other; they all have one prompt, so they share nodes.
- Keys and values are written in place and read from contiguous memory (see `cache`). Weights are packed (see `trunk`).
- The head has only the K rows of the codes, in code order, so sampling sorts K values instead of the vocabulary.
- The likelihoods of the codes come from the same logits.

`models.sampling` chooses the codes. On a CPU in float32 a row's codes and likelihoods do not depend on the other rows
(see `trunk`), so a batch may be cut, padded or re-ordered. Where a prompt holds pictures, guidance can have a third
branch i, which sees the pictures without the text: `u + g * (c - u) + h * (i - u)`.

    python benchmarks/decoding.py --json
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from zero_engine.models.chameleon.graphed import memory_for
from zero_engine.models.chameleon.nodes import Nodes
from zero_engine.models.chameleon.trunk import Trunk, rows_by
from zero_engine.models.prompt import Sampling
from zero_engine.models.sampling import choose, guide, uniforms_from


@torch.inference_mode()
def draw_codes(
    trunk: Trunk,
    head_DK: Tensor,
    code_ids_K: Tensor,
    prompts: Sequence[Sequence[int]],
    unconditional: Sequence[Sequence[int]],
    seeds: Sequence[int],
    length: int,
    sampling: Sampling,
    pictures: Sequence[Sequence[int]] | None = None,
    slots: int = 0,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Draws `length` codes after each prompt.

    `prompts`, `unconditional` (prompts of the branch u, which guidance steers away from) and `pictures` (prompts of the
    third branch) hold B lists of ids each, and each list ends with BOI; it takes `slots` slots of the cache, or as many
    as the longest one needs. Returns codes (B, N) int64, the mean log p of the codes under the prompt (B,), and the
    same under `unconditional`, or None without guidance.
    """
    weights = [sampling.guidance]
    third: Sequence[Sequence[int]] = ()
    if sampling.image_guidance:
        assert pictures is not None, "image guidance needs the prompts of the third branch"
        weights.append(sampling.image_guidance)
        third = pictures
    guided = weights != [1]
    batch = len(prompts)
    rows = [*prompts, *(unconditional if guided else ()), *third]
    branches = len(rows) // batch
    nodes = Nodes(rows, batch, trunk.device)
    memory = memory_for(trunk, nodes.prompts, len(rows), length, slots)
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
