"""A drawing against a plain loop, for every family of models."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from zero_engine.models.base import UnifiedModel
from zero_engine.models.prompt import Sampling, requests
from zero_engine.models.sampling import guide


def draws_like_a_plain_loop(
    model: UnifiedModel,
    log_p: Callable[[UnifiedModel, str, list[int]], torch.Tensor],
    prompts: Sequence[str],
    guidance: float,
) -> None:
    """Asserts that greedy codes and likelihoods are those of `log_p` (model, prompt, codes so far), code by code."""
    seeds = range(len(prompts))
    drawings = model.draw(requests(prompts, seeds), Sampling(guidance=guidance, temperature=0))
    assert len({row.tobytes() for row in drawings.codes}) > 1
    for row, prompt in enumerate(prompts):
        codes, given, prior = [], [], []
        for _ in range(model.codes_per_picture):
            c, u = log_p(model, prompt, codes), log_p(model, "", codes)
            codes.append(int(guide(u[None], [c[None]], [guidance]).argmax()))
            given.append(float(c[codes[-1]]))
            prior.append(float(u[codes[-1]]))
        assert drawings.codes[row].tolist() == codes
        # float32 sums in another order
        assert drawings.likelihood[row] == pytest.approx(np.mean(given), abs=1e-5)
        if guidance != 1:
            assert drawings.likelihood_unconditional[row] == pytest.approx(np.mean(prior), abs=1e-5)


def scores_what_it_drew(model: UnifiedModel, prompts: Sequence[str]) -> None:
    """Asserts that the likelihoods of drawings are their teacher-forced ones."""
    drawings = model.draw(requests(prompts, range(len(prompts))), Sampling(guidance=1.5, top_p=0.9))
    assert model.log_likelihood(prompts, drawings.codes) == pytest.approx(drawings.likelihood, abs=1e-5)
    empty = model.log_likelihood([""] * len(prompts), drawings.codes)
    assert empty == pytest.approx(drawings.likelihood_unconditional, abs=1e-5)
