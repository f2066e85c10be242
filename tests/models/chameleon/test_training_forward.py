"""The training forward: transformers' numbers, in float32 and in bfloat16."""

import shutil

import pytest
import torch
import transformers
from transformers import ChameleonConfig

from tests.mainline import mainline, with_decoder
from zero_engine.models import load_model
from zero_engine.models.chameleon.training_forward import _BlockAttention, hidden_states

pytestmark = pytest.mark.slow


@pytest.fixture()
def ids(model) -> torch.Tensor:
    return torch.randint(
        80, model.module.config.vocab_size, (3, 40), generator=torch.Generator().manual_seed(0)
    )


@torch.no_grad()
def test_hidden_states_are_those_of_transformers(model, ids):
    expected = mainline(model)(input_ids=ids, use_cache=False).last_hidden_state
    torch.testing.assert_close(hidden_states(model.module, ids), expected, rtol=0, atol=1e-5)  # order of sums


@pytest.mark.parametrize("packed", [False, True])
def test_attention_by_hand_has_the_numbers_and_gradients_of_the_fused_one(monkeypatch, packed):
    """In float64, where both are exact to far below 1e-9, over a length that is no multiple of a block."""
    monkeypatch.setattr("zero_engine.models.chameleon.training_forward._BLOCK", 8)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 21, 4, dtype=torch.float64, generator=generator) for _ in range(3))
    mask = torch.ones(21, 21, dtype=torch.bool).tril()
    if packed:
        segments = torch.tensor([[1] * 9 + [2] * 10 + [0] * 2, [1] * 21])
        mask = mask & (segments[:, None, :, None] == segments[:, None, None, :])
    found = []
    for attend in (
        lambda q, k, v: _BlockAttention.apply(q * 4**-0.5, k, v, mask if packed else None),
        lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask),
    ):
        inputs = [x.clone().requires_grad_() for x in (q, k, v)]
        out = attend(*inputs)
        found.append([out, *torch.autograd.grad((out * v.cos()).sum(), inputs)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


@torch.no_grad()
def test_attention_by_hand_in_bfloat16_is_near_the_exact_one(model, ids):
    exact = hidden_states(model.module, ids)
    with torch.autocast("cpu", torch.bfloat16):
        near, cut = hidden_states(model.module, ids), hidden_states(model.module, ids[:, :20])
    # bfloat16 keeps 8 bits; a mask that let the future through would change hidden states by their own size
    assert (near - exact).abs().mean() < 0.05 * exact.abs().mean()
    assert (near[:, :20] - cut).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.parametrize(
    "changes",
    [
        {"swin_norm": True},
        {"attention_bias": True, "mlp_bias": True},
        {"hidden_act": "gelu_pytorch_tanh"},
        {"tie_word_embeddings": True},
        {"num_key_value_heads": 2},
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
    ],
    ids=lambda changes: next(iter(changes)),
)
@torch.no_grad()
def test_every_switch_of_a_configuration_has_the_numbers_of_transformers(tiny_anole, tmp_path, ids, changes):
    """Random weights, saved by transformers: names, shapes and numbers of both trunks."""
    config = ChameleonConfig.from_pretrained(tiny_anole)
    for name, value in changes.items():
        setattr(config, name, value)
    module = transformers.ChameleonForConditionalGeneration(config)
    with_decoder(module.model.vqmodel)
    for name, weight in module.named_parameters():
        weight.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.1)
    folder = shutil.copytree(tiny_anole, tmp_path / "made")
    module.save_pretrained(folder)
    model = load_model(str(folder), device="cpu", dtype="float32")
    expected = module.eval().model(input_ids=ids, use_cache=False).last_hidden_state
    torch.testing.assert_close(hidden_states(model.module, ids), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(
        model.trunk.prefill(ids.tolist())[0][:, : ids.shape[1]], expected, rtol=0, atol=1e-4
    )
    model.save(folder)
    saved = (
        load_model(str(folder), device="cpu").module,
        transformers.ChameleonForConditionalGeneration.from_pretrained(folder),
    )
    for again in (model.module, *saved):
        assert torch.equal(again.lm_head.weight, module.lm_head.weight)
        assert torch.equal(again.model.embed_tokens.weight, module.model.embed_tokens.weight)
