"""Losses against the reference's numbers, against plain NumPy, and against themselves cut in other ways."""

import dataclasses

import numpy as np
import pytest
import torch

from zero_engine.models.chameleon.training_forward import hidden_states
from zero_engine.render.sequences import PICTURE, TEXT
from zero_engine.train.config import SftLoss
from zero_engine.train.data import Batch, collate, collate_packed
from zero_engine.train.losses import (
    LOG_RATIO,
    allowed_log_p,
    pesft_counts,
    pesft_loss,
    policy_loss,
    token_scales,
    weighted_nats,
)
from zero_engine.write.dataset import COLUMNS, open_rows, read_rows

# float32 sums in another order; the reference's own figures have 7 digits
TOLERANCE = 1e-5
# gradients of a loss cut into parts: sums in another order over some 1000 terms
PARTS = 2e-6


@pytest.fixture
def module(tiny):
    for weight in tiny.module.parameters():
        weight.requires_grad_(True)
        weight.grad = None
    yield tiny.module
    for weight in tiny.module.parameters():
        weight.requires_grad_(False)
        weight.grad = None


@pytest.fixture(scope="module")
def golden():
    from tests.train.conftest import TINY

    return dict(np.load(TINY.parent / "pesft.npz"))


def linear(weight: np.ndarray, bias: np.ndarray) -> torch.nn.Linear:
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
    return layer


def golden_batch(golden) -> Batch:
    """The reference's batch: three trained pictures, one in a prompt, and one cut off, which has no L_Pe there."""
    ids, labels = torch.tensor(golden["input_ids"]), torch.tensor(golden["labels"])
    is_code = (ids >= 4) & (ids < 68)
    kinds = torch.where(labels == -100, 0, torch.where(is_code, PICTURE, TEXT)).to(torch.uint8)
    codes = torch.full_like(ids, -1)
    for row, start in ((0, 27), (0, 48), (1, 15)):
        codes[row, start : start + 16] = ids[row, start : start + 16] - 4
    return Batch(ids, kinds, codes, None, None)


def test_pesft_agrees_with_the_reference(module, golden):
    batch = golden_batch(golden)
    options = SftLoss(perception=1.0, shift=0, reduction="tokens")
    projection, codebook = linear(golden["proj_w"], golden["proj_b"]), torch.tensor(golden["codebook"])
    counts = pesft_counts(batch, 0)
    hidden = hidden_states(module, batch.ids)
    loss, figures = pesft_loss(hidden, module.lm_head.weight, projection, codebook, batch, counts, options)
    loss.backward()
    assert float(loss) == pytest.approx(13.422958, abs=TOLERANCE)
    assert float(figures["text"] + figures["code"]) / float(counts[:2].sum()) == pytest.approx(
        11.960933, abs=TOLERANCE
    )
    assert float(figures["perception"] / counts[2]) == pytest.approx(1.462026, abs=TOLERANCE)
    layers = module.model.layers
    for name, grad in (
        ("grad_final_norm", module.model.norm.weight.grad),
        ("grad_l0_q", layers[0].self_attn.q_proj.weight.grad),
        ("grad_l1_qnorm_b", layers[1].self_attn.q_norm.bias.grad),
        ("grad_embed_rows_img", module.model.embed_tokens.weight.grad[4:68]),
    ):
        np.testing.assert_allclose(grad.numpy(), golden[name], rtol=0, atol=TOLERANCE, err_msg=name)
    norms = [p.grad.norm() for n, p in module.named_parameters() if p.grad is not None]
    assert float(torch.stack(norms).norm()) == pytest.approx(float(golden["grad_norm_total"]), abs=TOLERANCE)
    assert projection.weight.grad.abs().sum() > 0  # the reference never trains it


@pytest.fixture(scope="module")
def examples(encoder, dataset):
    return [encoder.example(row) for row in read_rows(open_rows(dataset, COLUMNS), range(8))]


def gradients(module, batches, options, projection, codebook) -> dict[str, torch.Tensor]:
    counts = sum(pesft_counts(batch, options.shift) for batch in batches)
    module.zero_grad()
    projection.zero_grad()
    for batch in batches:
        hidden = hidden_states(module, batch.ids, positions_BT=batch.positions, segments_BT=batch.segments)
        loss, _ = pesft_loss(hidden, module.lm_head.weight, projection, codebook, batch, counts, options)
        loss.backward()
    found = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}
    return {**found, "projection": projection.weight.grad.clone()}


@pytest.mark.parametrize("reduction", ["modalities", "tokens"])
def test_gradients_do_not_depend_on_how_a_batch_is_cut(module, examples, encoder, golden, reduction):
    options = SftLoss(perception=0.5, reduction=reduction)
    fixed = options, linear(golden["proj_w"], golden["proj_b"]), torch.tensor(golden["codebook"])
    pad, whole = encoder.pad, [collate(examples, encoder.pad)]
    expected = gradients(module, whole, *fixed)
    ways = {
        "2 x 4": [collate(examples[i : i + 4], pad) for i in (0, 4)],
        "8 x 1": [collate([example], pad) for example in examples],
        "reversed": [collate(examples[::-1], pad)],
        "left": [collate(examples, pad, left=True)],
        "end-of-sequence as padding": [collate(examples, encoder.eos)],
        "packed": collate_packed(examples, pad, 400),
    }
    for name, batches in ways.items():
        found = gradients(module, batches, *fixed)
        assert found.keys() == expected.keys()
        worst = max(float((found[key] - expected[key]).abs().max()) for key in expected)
        assert worst < PARTS, f"{name}: {worst}"


def test_recomputing_layers_changes_no_gradient(module, examples, encoder):
    batch = collate(examples[:2], encoder.pad)
    grads = []
    for checkpointing in (False, True):
        module.zero_grad()
        hidden_states(module, batch.ids, checkpointing=checkpointing).square().mean().backward()
        grads.append(module.model.embed_tokens.weight.grad.clone())
    assert torch.equal(*grads)


def test_shift_one_projects_the_state_that_predicts_the_code(module, examples, encoder, golden):
    batch = collate(examples[:2], encoder.pad)
    projection, codebook = linear(golden["proj_w"], golden["proj_b"]), torch.tensor(golden["codebook"])
    hidden = hidden_states(module, batch.ids).detach()
    counts = pesft_counts(batch, 1)
    assert counts.tolist() == [
        int((batch.kinds == TEXT).sum()), int((batch.kinds == PICTURE).sum()), int((batch.kinds == PICTURE).sum())
    ]  # fmt: skip
    _, figures = pesft_loss(
        hidden, module.lm_head.weight, projection, codebook, batch, counts, SftLoss(perception=1.0, shift=1)
    )
    total = 0.0
    for row, at in (batch.codes >= 0).nonzero().tolist():
        gap = projection(hidden[row, at - 1]) - codebook[batch.codes[row, at]]
        total += float(gap.square().mean().detach())
    assert float(figures["perception"].detach()) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("logits", [30 * 50, 30 * 16])
def test_weighted_nats_are_a_cross_entropy_and_have_its_gradient(monkeypatch, logits):
    """With all logits at once and in parts, the last of which is shorter."""
    monkeypatch.setattr("zero_engine.train.losses.ROWS", 1)
    monkeypatch.setattr("zero_engine.train.losses.LOGITS", logits)
    torch.manual_seed(0)
    hidden, head = torch.randn(50, 8, requires_grad=True), torch.randn(30, 8, requires_grad=True)
    targets, weights = torch.randint(0, 30, (50,)), torch.rand(50)
    expected = torch.nn.functional.cross_entropy(hidden @ head.T, targets, reduction="none")
    slopes = torch.autograd.grad((expected * weights).sum() * 3, (hidden, head))
    total, nats = weighted_nats(hidden, head, targets, weights)
    torch.testing.assert_close(nats, expected)
    torch.testing.assert_close(total, (expected * weights).sum())
    assert not nats.requires_grad
    torch.testing.assert_close(torch.autograd.grad(total * 3, (hidden, head)), slopes)


def test_weighted_nats_make_no_gradient_that_nobody_asked_for():
    hidden, head = torch.randn(5, 8, requires_grad=True), torch.randn(30, 8)
    targets, weights = torch.randint(0, 30, (5,)), torch.ones(5)
    total, _ = weighted_nats(hidden, head, targets, weights)
    total.backward()
    assert head.grad is None and hidden.grad.abs().sum() > 0
    with torch.no_grad():
        assert not weighted_nats(hidden, head, targets, weights)[0].requires_grad
    assert weighted_nats(hidden[:0], head, targets[:0], weights[:0])[0] == 0


def numpy_policy_loss(kind, logp, old, advantages, counted, longest, low, high):
    """The surrogate as its papers write it, sequence by sequence."""
    sums, lengths = [], []
    for new_T, old_T, advantage, counted_T in zip(logp, old, advantages, counted, strict=True):
        ratio_T = np.exp(np.clip(new_T - old_T, -10, 10))
        surrogate_T = np.minimum(ratio_T * advantage, np.clip(ratio_T, 1 - low, 1 + high) * advantage)
        sums.append(surrogate_T[counted_T].sum())
        lengths.append(counted_T.sum())
    if kind == "dapo":
        return -sum(sums) / sum(lengths)
    if kind == "grpo":
        return -np.mean([total / max(length, 1) for total, length in zip(sums, lengths, strict=True)])
    return -np.mean([total / longest for total in sums])


@pytest.mark.parametrize("kind", ["dapo", "grpo", "dr_grpo"])
def test_policy_losses_equal_plain_numpy(kind):
    rng = np.random.default_rng(0)
    lengths = [5, 1, 9, 7]
    logp = [rng.normal(-1, 1, n).astype(np.float32) for n in lengths]
    old = [x + rng.normal(0, 0.4, len(x)).astype(np.float32) for x in logp]
    old[2][3] -= 30  # beyond the clamp
    advantages = rng.normal(0, 1, 4).astype(np.float32)
    counted = [rng.random(n) < 0.8 for n in lengths]
    expected = numpy_policy_loss(kind, logp, old, advantages, counted, 16, 0.2, 0.28)
    of = np.repeat(np.arange(4), lengths)
    scales = token_scales(kind, torch.tensor([int(c.sum()) for c in counted]), 16)
    scale_M = scales[torch.tensor(of)] * torch.tensor(np.concatenate(counted))
    new_M = torch.tensor(np.concatenate(logp), requires_grad=True)
    old_M, advantage_M = torch.tensor(np.concatenate(old)), torch.tensor(advantages[of])
    loss, figures = policy_loss(new_M, old_M, advantage_M, scale_M, clip_low=0.2, clip_high=0.28)
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    loss.backward()
    assert (new_M.grad[~torch.tensor(np.concatenate(counted))] == 0).all()
    assert new_M.grad[sum(lengths[:2]) + 3] == 0 and LOG_RATIO == 10
    assert int(figures["tokens"]) == sum(int(c.sum()) for c in counted)
    parts = [
        policy_loss(new_M[cut], old_M[cut], advantage_M[cut], scale_M[cut], clip_low=0.2, clip_high=0.28)[0]
        for cut in (slice(0, 6), slice(6, 15), slice(15, None))
    ]
    assert float(sum(parts)) == pytest.approx(float(expected), rel=1e-5)


def test_on_policy_the_ratio_is_one_and_the_gradient_is_the_advantage():
    logp = torch.tensor([-1.0, -2.0, -0.5], requires_grad=True)
    advantage, scale = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.25, 0.25, 0.0])
    loss, figures = policy_loss(logp, logp.detach(), advantage, scale, clip_low=0.2, clip_high=0.28)
    loss.backward()
    assert float(loss.detach()) == -float((scale * advantage).sum())
    assert torch.equal(logp.grad, -scale * advantage)
    assert int(figures["clip_high"]) == int(figures["clip_low"]) == 0


def test_divergence_from_the_reference_is_zero_at_the_reference():
    logp = torch.tensor([-1.0, -2.0], requires_grad=True)
    zero, scale = torch.zeros(2), torch.tensor([0.5, 0.5])
    at = policy_loss(
        logp, logp.detach(), zero, scale, clip_low=0.2, clip_high=0.2, reference_M=logp.detach(), kl=1.0
    )
    assert float(at[0].detach()) == 0 and float(at[1]["kl"]) == 0
    off = policy_loss(
        logp, logp.detach(), zero, scale, clip_low=0.2, clip_high=0.2, reference_M=logp.detach() + 1, kl=1.0
    )
    assert float(off[0].detach()) == pytest.approx(np.e - 2, rel=1e-5)


def test_probabilities_are_over_what_was_allowed_and_a_forced_token_has_no_gradient():
    torch.manual_seed(0)
    hidden, head = torch.randn(6, 8, requires_grad=True), torch.randn(20, 8)
    ids, states = torch.tensor([3, 5, 9, 11, 19, 0]), torch.tensor([0, 0, 1, 1, 2, 0])
    allowed = {0: torch.tensor([0, 3, 5]), 1: torch.tensor([9, 10, 11]), 2: torch.tensor([19])}
    logp, entropy = allowed_log_p(hidden, head, ids, states, allowed)
    logits = (hidden @ head.t()).detach()
    for place, (token, state) in enumerate(zip(ids.tolist(), states.tolist(), strict=True)):
        among = logits[place, allowed[state]].log_softmax(-1)
        assert float(logp[place].detach()) == pytest.approx(
            float(among[allowed[state].tolist().index(token)]), abs=1e-5
        )
        assert float(entropy[place]) == pytest.approx(float(-(among.exp() * among).sum()), abs=1e-5)
    logp.sum().backward()
    assert (hidden.grad[4] == 0).all() and (hidden.grad[[0, 1, 2, 3, 5]].abs().sum(-1) > 0).all()


def test_a_batch_moves_whole(examples, encoder):
    batch = collate(examples[:2], encoder.pad, left=True).to(torch.device("cpu"))
    assert all(getattr(batch, field.name) is not None for field in dataclasses.fields(batch))
