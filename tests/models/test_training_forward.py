"""The training forward: transformers' numbers, in float32 and in bfloat16."""

import pytest
import torch

from zero_engine.models.training_forward import hidden_states


@pytest.fixture()
def ids(model) -> torch.Tensor:
    return torch.randint(
        80, model.module.config.vocab_size, (3, 40), generator=torch.Generator().manual_seed(0)
    )


@torch.no_grad()
def test_hidden_states_are_those_of_transformers(model, ids):
    expected = model.module.model(input_ids=ids, use_cache=False).last_hidden_state
    torch.testing.assert_close(hidden_states(model.module, ids), expected, rtol=0, atol=1e-5)  # order of sums


@torch.no_grad()
def test_attention_by_hand_in_bfloat16_is_near_the_exact_one(model, ids):
    exact = hidden_states(model.module, ids)
    with torch.autocast("cpu", torch.bfloat16):
        near, cut = hidden_states(model.module, ids), hidden_states(model.module, ids[:, :20])
    # bfloat16 keeps 8 bits; a mask that let the future through would change hidden states by their own size
    assert (near - exact).abs().mean() < 0.05 * exact.abs().mean()
    assert (near[:, :20] - cut).abs().mean() < 0.02 * exact.abs().mean()
