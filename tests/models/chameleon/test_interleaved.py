"""Interleaved generation: the reference's 59 runs, the rules, the log-probabilities, and rows by themselves."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.mainline import mainline
from zero_engine.models import load_model
from zero_engine.models.chameleon import interleaved
from zero_engine.models.chameleon.cache import Memory
from zero_engine.models.chameleon.interleaved import Continuation, generate, prompt_ids
from zero_engine.models.chameleon.rules import Rules, State
from zero_engine.models.chameleon.training_forward import hidden_states
from zero_engine.models.prompt import Sampling

pytestmark = pytest.mark.slow

GOLDEN = json.loads((Path(__file__).parents[2] / "data/goldens/generate.json").read_text())
PAD, EOS, EOI, BOI = 1, 2, 68, 69
GREEDY = Sampling(temperature=0)
TEXTS = ["Draw 3 apples.", "", "so many words that this prompt takes more slots 12345", "Why?", "a", "b c"]


@pytest.mark.parametrize("run", GOLDEN["runs"], ids=lambda run: f"{run['mode']}-{run['max_new_tokens']}")
def test_the_reference_runs_come_out_token_for_token(model, monkeypatch, run):
    batched = "input" in run
    inputs = run["input"] if batched else [GOLDEN["prompts"][run["prompt"]]]
    expected = [out[len(inputs[0]) :] for out in (run["out"] if batched else [run["out"]])]
    sampling = GREEDY
    if sample := run.get("sample"):
        monkeypatch.setattr(interleaved, "choose", reference_choice(sample["seed"]))
        sampling = Sampling(temperature=sample["T"], top_p=sample["top_p"], top_k=50)
    done = generate(
        model,
        [_without_left_padding(ids) for ids in inputs],
        [0] * len(inputs),
        mode=run["mode"] or "text-only",  # what the checkpoint's generation_config says
        max_new_tokens=run["max_new_tokens"] or 18,  # the reference's default for one picture
        sampling=sampling,
    )
    for continuation, tokens in zip(done, expected, strict=True):
        padding = len(tokens) - len(continuation.ids)
        assert [*continuation.ids, *[PAD] * padding] == tokens


def reference_choice(seed: int):
    """Transformers' order of filters, and its sampler: one multinomial draw over the vocabulary from one generator."""
    generator = torch.Generator().manual_seed(seed)

    def choose(scores_MV, _, sampling, node_of_row):
        scores = scores_MV[node_of_row] / sampling.temperature
        scores = scores.masked_fill(scores < scores.topk(sampling.top_k).values[:, -1:], float("-inf"))
        ascending, order = scores.sort(dim=-1)
        drop = ascending.softmax(-1).cumsum(-1) <= 1 - sampling.top_p
        drop[:, -1] = False
        scores = scores.masked_fill(drop.scatter(1, order, drop), float("-inf"))
        return torch.multinomial(scores.softmax(-1), 1, generator=generator)[:, 0]

    return choose


def test_pictures_are_whole_and_nothing_else_is_a_code(model):
    opened = [prompt_ids(model, text) + [BOI] * (row % 2) for row, text in enumerate(TEXTS * 6)]
    done = generate(
        model, opened, range(36), mode="interleaved-text-image", max_new_tokens=80, sampling=Sampling()
    )
    assert any(BOI in continuation.ids for continuation in done)
    for row, continuation in enumerate(done):
        ids = [BOI] * (row % 2) + continuation.ids.tolist()
        assert (continuation.forced == (continuation.ids == EOI)).all()
        while BOI in ids:
            at = ids.index(BOI)
            picture = ids[at + 1 : at + 17]
            assert all(4 <= token < 68 for token in picture) and len(picture) == 16 and ids[at + 17] == EOI
            del ids[at : at + 18]
        assert not {*range(4, 68), EOI} & set(ids)


def test_rows_stop_at_their_own_eos_or_at_the_limit(model):
    done = _rollouts(model, "image-only", 60, seeds=range(6))
    assert {continuation.finish for continuation in done} == {"eos"}
    assert len({len(continuation.ids) for continuation in done}) > 1
    assert all(
        (continuation.ids == EOS).nonzero()[0].tolist() == [len(continuation.ids) - 1]
        for continuation in done
    )
    long = _rollouts(model, "text-only", 5, seeds=range(6))
    assert [len(c.ids) for c in long if c.finish == "length"] == [5] * sum(c.finish == "length" for c in long)


@pytest.mark.parametrize("mode", ["text-only", "image-only", "interleaved-text-image", "unrestricted"])
@torch.inference_mode()
def test_log_probabilities_are_the_policy_over_the_allowed_set_at_temperature_1(model, mode):
    prompts = [prompt_ids(model, text) for text in TEXTS]
    sampling = Sampling(temperature=0.7, top_p=0.8, top_k=30)
    done = generate(model, prompts, range(6), mode=mode, max_new_tokens=40, sampling=sampling)
    rules, plain = Rules.of(model, mode), mainline(model)
    for prompt, continuation in zip(prompts, done, strict=True):
        written = continuation.ids.tolist()
        hidden_TD = plain(torch.tensor([prompt + written])).last_hidden_state[0, len(prompt) - 1 : -1]
        states_T = rules.states(prompt, written, 40)
        assert np.array_equal(rules.forced[states_T] >= 0, continuation.forced)
        masked_TV = model.module.lm_head(hidden_TD).masked_fill(~rules.masks[states_T], float("-inf"))
        expected_T = masked_TV.log_softmax(-1)[torch.arange(len(written)), written]
        # float32 sums in another order, of logits that reach 30
        np.testing.assert_allclose(continuation.logp, expected_T, rtol=0, atol=2e-5)
        assert (continuation.logp[continuation.forced] == 0).all()


def test_states_follow_a_picture_and_its_room(model):
    picture = [BOI, *range(4, 20), EOI]
    states = Rules.of(model, "interleaved-text-image").states(
        [0, 100], [100, *picture, 100, *picture[:1]], 38
    )
    assert states.tolist() == [
        State.TEXT, State.TEXT, *[State.IMAGE] * 16, State.EOI_FORCED, State.TEXT, State.TEXT,
    ]  # fmt: skip
    late = Rules.of(model, "interleaved-text-image").states([0, 100], [100, *picture, 100, 100], 37)
    assert late.tolist()[-2:] == [State.TEXT, State.TEXT_NO_BOI]
    opened = Rules.of(model, "image-only").states([0, *picture[:-2]], [19, EOI, EOS], 25)
    assert opened.tolist() == [State.IMAGE, State.EOI_FORCED, State.BOI_OR_EOS]


@pytest.mark.parametrize("rows", [[5], [31, 5], [5, 4, 3, 2], [35, 9, 16, 30, 2, 2], [0, 7, 14, 21, 28, 35]])
def test_a_row_has_the_same_bits_whatever_its_neighbours(model, rows):
    prompts = [prompt_ids(model, TEXTS[row % 6]) for row in range(36)]
    given = {"mode": "interleaved-text-image", "max_new_tokens": 70, "sampling": Sampling(top_p=0.9)}
    whole = generate(model, prompts, range(36), **given)
    part = generate(model, [prompts[row] for row in rows], rows, **given)
    for row, continuation in zip(rows, part, strict=True):
        assert np.array_equal(continuation.ids, whole[row].ids)
        assert np.array_equal(continuation.logp, whole[row].logp)


def test_a_prompt_longer_than_its_neighbours_leaves_their_bits_alone():
    model = load_model("nano")
    prompts = [prompt_ids(model, "Ann has 3 apples. " * times) for times in (1, 8, 24, 40)]
    given = {"mode": "unrestricted", "max_new_tokens": 24, "sampling": Sampling()}
    whole = generate(model, prompts, range(4), **given)
    for row, prompt in enumerate(prompts):
        [alone] = generate(model, [prompt], [row], **given)
        assert np.array_equal(alone.ids, whole[row].ids) and np.array_equal(alone.logp, whole[row].logp)


def test_rows_that_have_not_parted_are_computed_once(model, monkeypatch):
    """The layers meet a greedy group as one row, and a sampled one as no more rows than there are beginnings."""
    met = []
    advance = Memory.advance

    def noted(cache, hidden_MD, step):
        met.append(len(hidden_MD))
        return advance(cache, hidden_MD, step)

    monkeypatch.setattr(Memory, "advance", noted)
    given = {"mode": "interleaved-text-image", "max_new_tokens": 40}
    ids = prompt_ids(model, "a")
    generate(model, [ids] * 8, range(8), sampling=Sampling(temperature=0), **given)
    assert set(met) == {1}
    met.clear()
    done = generate(model, [ids] * 8, range(8), sampling=Sampling(temperature=0.3), **given)
    for step, count in enumerate(met[:16]):  # until rows that have ended are dropped
        assert count <= len({tuple(row.ids[: step + 1]) for row in done})


def test_a_seed_alone_decides_what_is_sampled(model):
    first, second, third = generate(
        model, [prompt_ids(model, "a")] * 3, [1, 2, 1],
        mode="unrestricted", max_new_tokens=12, sampling=Sampling(),
    )  # fmt: skip
    assert first.ids.tolist() == third.ids.tolist() != second.ids.tolist()


def test_a_picture_in_the_question_is_spliced_in_as_its_codes(model, goldens):
    case = json.loads((goldens / "tokenizer_golden.json").read_text())["processor"]
    image = np.full((40, 40, 3), 200, np.uint8)
    codes = model.layout.code_ids[model.encode([image])[0]].tolist()
    for completion in (False, True):
        ids = prompt_ids(model, case[0]["text"], [image], separator=not completion)
        expected = case[completion]["input_ids"][0]
        at = expected.index(73)
        assert ids == [*expected[:at], *codes, *expected[at + 16 :]]
    with pytest.raises(ValueError, match="1 <image> for 0 pictures"):
        prompt_ids(model, "Describe:<image>")


@torch.inference_mode()
def test_a_question_with_a_picture_has_the_reference_ids_and_logits(model, goldens, golden_vq):
    with Image.open(goldens / "images/grad_100x64.png") as image:
        ids = prompt_ids(model, "See <image> now", [image])
    assert ids == golden_vq["px_spliced"][0].tolist()
    hidden_BD, _ = model.trunk.prefill([ids], last_only=True)
    logits_BV = hidden_BD @ model.module.lm_head.weight.t()
    # float32 sums in another order
    np.testing.assert_allclose(logits_BV, golden_vq["px_logits_last"], rtol=0, atol=1e-5)


def test_weights_trained_between_two_calls_are_taken_up(tiny_anole):
    model = load_model(str(tiny_anole), device="cpu")
    prompts = [prompt_ids(model, text) for text in TEXTS]
    before = _greedy(model, prompts)
    parameters = list(model.module.model.layers.parameters())
    kept = [parameter.detach().clone() for parameter in parameters]
    model.module.requires_grad_(True)
    optimizer = torch.optim.SGD(parameters, lr=3.0)
    hidden_states(model.module, torch.tensor([prompts[0]])).square().mean().backward()
    optimizer.step()
    after = _greedy(model, prompts)
    assert before != after
    fresh = load_model(str(tiny_anole), device="cpu")
    fresh.module.load_state_dict(model.module.state_dict())
    assert _greedy(fresh, prompts) == after
    with torch.no_grad():
        for parameter, old in zip(parameters, kept, strict=True):
            parameter.copy_(old)
    assert _greedy(model, prompts) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seeds": [1]}, "one seed per prompt"),
        ({"sampling": Sampling(guidance=2)}, "no guidance"),
        ({"max_new_tokens": 0}, "at least 1"),
        ({"max_new_tokens": 511}, "1 to 1"),
        ({"mode": "pictures"}, "mode must be one of"),
    ],
)
def test_what_cannot_be_generated_is_refused(model, change, says):
    given = {"seeds": [1, 2], "mode": "text-only", "max_new_tokens": 5, "sampling": GREEDY, **change}
    with pytest.raises(ValueError, match=says):
        generate(model, [[0, 100], [0, 101]], **given)


def _rollouts(model, mode, max_new_tokens, seeds) -> list[Continuation]:
    prompts = [prompt_ids(model, TEXTS[seed % len(TEXTS)]) for seed in seeds]
    return generate(model, prompts, seeds, mode=mode, max_new_tokens=max_new_tokens, sampling=Sampling())


def _greedy(model, prompts) -> list[list[int]]:
    done = generate(
        model, prompts, [0] * len(prompts), mode="unrestricted", max_new_tokens=20, sampling=GREEDY
    )
    return [continuation.ids.tolist() for continuation in done]


def _without_left_padding(ids: list[int]) -> list[int]:
    start = next(at for at, token in enumerate(ids) if token != PAD)
    return ids[start:]
